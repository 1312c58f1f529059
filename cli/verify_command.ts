/**
 * `retort verify`.
 *
 * @module
 */

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
import { Settings } from "./settings.ts";
import { readShard } from "./shard.ts";

export async function verifyCommand(args: ParsedArgs, io: Io): Promise<number> {
  const settings = new Settings(args);
  if (args.inputs.length === 0) {
    throw new UsageError("Cannot verify without an input: name the files of prompts");
  }
  const paths = {
    input: args.inputs,
    output: settings.required("output", "an output: add the -o of the run"),
  };
  await refuseFormerFolder(paths, io, "");
  const found = await verify({
    ...await readRowOptions(settings),
    ...paths,
    limit: settings.integer("limit", 1),
    samples: readSamples(settings),
    endpoint: settings.choice("endpoint", ENDPOINTS),
    shard: readShard(settings, io),
  });
  for (const one of found) {
    if (!settings.isOn("quiet") || !isComplete(one)) io.writeOut(describe(one));
  }
  if (found.some(({ damageCount }) => damageCount > 0)) return EXIT_USAGE;
  const isEmpty = settings.text("shard") === undefined &&
    found.every(({ rows, badRows }) => rows + badRows === 0);
  // An input that was emptied by accident must not count as complete.
  if (isEmpty && !settings.isOn("allow-empty")) {
    throw new UsageError(emptyMessage("verify", args.inputs));
  }
  return found.every(isComplete) ? EXIT_DONE : EXIT_FAILED_ROWS;
}

function isComplete({ succeeded, total, badRows, damageCount }: Verification): boolean {
  return succeeded === total && badRows === 0 && damageCount === 0;
}

function describe(found: Verification): string {
  const lines = [
    `${found.input} -> ${found.results}`,
    count(found.total, found.samples > 1 ? samplesText(found) : "rows"),
    count(found.succeeded, "have a result"),
    count(found.failed, "failed permanently"),
    count(found.pending, "pending"),
  ];
  const extras: [number, string][] = [
    [found.mergedDuplicates, "identical rows, merged"],
    [found.badRows, "bad rows in the input"],
    [found.changed, "edited since they were answered or failed"],
    [found.resent, "would be sent differently by this version"],
    [found.surplus, "results of surplus samples"],
    [found.strangers, "results of rows that are not in the input"],
    [found.damageCount, "damaged lines"],
  ];
  for (const [number, words] of extras) if (number > 0) lines.push(count(number, words));
  for (const { path, line, problem } of found.damage) {
    lines.push(`  ${path}:${line}: ${problem}`);
  }
  if (found.damageCount > found.damage.length) {
    lines.push(`  … and ${found.damageCount - found.damage.length} more`);
  }
  return lines.map((line) => `${printableLines(line)}\n`).join("");
}

/** Explains counts of samples: like a run, `verify` counts each one as a row. */
function samplesText({ rows, samples }: Verification): string {
  return `rows: ${samples} samples of ${formatCount(rows)} in the input`;
}

function count(number: number, words: string): string {
  return `${formatCount(number).padStart(12)}  ${words}`;
}
