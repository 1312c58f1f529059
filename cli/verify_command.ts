/** `retort verify`. @module */

import { UsageError } from "../lib/errors.ts";
import { formatCount } from "../lib/figures.ts";
import { printableLines } from "../lib/printable.ts";
import { emptyMessage, type Verification, verify } from "../lib/run/mod.ts";
import { ENDPOINTS } from "../lib/teacher/mod.ts";
import { EXIT_DONE, EXIT_FAILED_ROWS, EXIT_USAGE } from "./exit_codes.ts";
import { refuseFormerFolder } from "./former_folder.ts";
import type { Io } from "./io.ts";
import type { ParsedArgs } from "./parse.ts";
import { readRowOptions, readSamples } from "./request.ts";
import { requireInputs, Settings } from "./settings.ts";
import { readShard } from "./shard.ts";

export async function verifyCommand(args: ParsedArgs, io: Io): Promise<number> {
  const settings = new Settings(args);
  requireInputs(args, "verify without an input: name a file of prompts, as in prompts.jsonl");
  const paths = {
    input: args.inputs,
    output: settings.required("output", "an output: add the -o of the run", "verify"),
  };
  await refuseFormerFolder(paths, io, "");
  const verifications = await verify({
    ...await readRowOptions(settings),
    ...paths,
    limit: settings.integer("limit", 1),
    samples: readSamples(settings),
    endpoint: settings.choice("endpoint", ENDPOINTS),
    shard: readShard(settings, io),
  });
  for (const verification of verifications) {
    if (settings.isOn("quiet") && isComplete(verification)) continue;
    io.writeOut(describe(verification));
  }
  if (verifications.some(({ damageCount }) => damageCount > 0)) return EXIT_USAGE;
  const isEmpty = settings.text("shard") === undefined &&
    verifications.every(({ rows, badRows }) => rows + badRows === 0);
  // An input emptied by accident must not count as complete.
  if (isEmpty && !settings.isOn("allow-empty")) {
    throw new UsageError(emptyMessage("verify", args.inputs));
  }
  return verifications.every(isComplete) ? EXIT_DONE : EXIT_FAILED_ROWS;
}

function isComplete({ succeeded, total, badRows, damageCount }: Verification): boolean {
  return succeeded === total && badRows === 0 && damageCount === 0;
}

function describe(verification: Verification): string {
  const { total, samples, damage, damageCount } = verification;
  const lines = [
    `${verification.input} -> ${verification.results}`,
    countLine(total, samples > 1 ? samplesText(verification) : "rows"),
    countLine(verification.succeeded, "have a result"),
    countLine(verification.failed, "failed permanently"),
    countLine(verification.pending, "pending"),
  ];
  const extras: [number, string][] = [
    [verification.mergedDuplicates, "identical rows, merged"],
    [verification.badRows, "bad rows in the input"],
    [verification.changed, "edited since they were answered or failed"],
    [verification.resent, "would be sent differently by this version"],
    [verification.surplus, "results beyond the number of samples"],
    [verification.strangers, "results of rows that are not in the input"],
    [damageCount, "damaged lines"],
  ];
  for (const [count, words] of extras) if (count > 0) lines.push(countLine(count, words));
  for (const { path, line, problem } of damage) {
    lines.push(`  ${path}:${line}: ${problem}`);
  }
  if (damageCount > damage.length) {
    lines.push(`  … and ${damageCount - damage.length} more`);
  }
  return lines.map((line) => `${printableLines(line)}\n`).join("");
}

/** Like a run, `verify` counts each sample as a row. */
function samplesText({ rows, samples }: Verification): string {
  return `rows: ${samples} samples of ${formatCount(rows)} in the input`;
}

function countLine(count: number, words: string): string {
  return `${formatCount(count).padStart(12)}  ${words}`;
}
