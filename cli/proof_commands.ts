/**
 * `retort verify` and `retort merge`: they prove that no row is missing.
 *
 * @module
 */

import { UsageError } from "../lib/errors.ts";
import { formatCount, formatCountOf } from "../lib/figures.js";
import { pathOf, pathsOf, splitPath } from "../lib/files.ts";
import {
  type MergeOptions,
  type MergeReport,
  mergeRuns,
  type WaitProgress,
} from "../lib/merge/mod.ts";
import {
  commandText,
  printable,
  printableLines,
  shellWord,
  withProgram,
} from "../lib/printable.ts";
import type { Verification } from "../lib/run/mod.ts";
import { EXIT_DONE, EXIT_FAILED_ROWS, EXIT_USAGE, untilInterrupted } from "./exit.ts";
import type { Io } from "./io.ts";
import type { ParsedArgs } from "./parse.ts";
import { refuseFormerFolder } from "./program.ts";
import { readRowOptions, readSamples, shardOf } from "./request.ts";
import { type Complete, requireInputs, Settings } from "./settings.ts";

export async function verifyCommand(args: ParsedArgs, io: Io): Promise<number> {
  const { emptyMessage, verify } = await import("../lib/run/mod.ts");
  const { ENDPOINTS } = await import("../lib/teacher/mod.ts");
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
    shard: await shardOf(settings, io),
  });
  const shown = settings.isOn("quiet")
    ? verifications.filter((verification) => !isComplete(verification))
    : verifications;
  io.writeOut(shown.map(verificationText).join(""));
  if (verifications.some(({ damageCount }) => damageCount > 0)) return EXIT_USAGE;
  const isEmpty = settings.text("shard") === undefined &&
    verifications.every(({ rows, badRows }) => rows + badRows === 0);
  // An input that was emptied by accident must not be reported as complete.
  if (isEmpty && !settings.isOn("allow-empty")) {
    throw new UsageError(emptyMessage("verify", args.inputs));
  }
  return verifications.every(isComplete) ? EXIT_DONE : EXIT_FAILED_ROWS;
}

function isComplete({ succeeded, total, badRows, damageCount }: Verification): boolean {
  return succeeded === total && badRows === 0 && damageCount === 0;
}

function verificationText(verification: Verification): string {
  const { damage, damageCount } = verification;
  return joinLines([
    `${verification.input} -> ${verification.results}`,
    ...countLines([
      [verification.total, rowsText(verification)],
      [verification.succeeded, "have a result"],
      [verification.failed, "failed permanently"],
      [verification.pending, "pending"],
    ], [
      [verification.mergedDuplicates, "identical rows, merged"],
      [verification.badRows, "bad rows in the input"],
      [verification.changed, "edited since they were answered or failed"],
      [verification.resent, "would be sent differently by this version"],
      [verification.surplus, "results beyond the number of samples"],
      [verification.strangers, "results of rows that are not in the input"],
      [damageCount, "damaged lines"],
    ]),
    ...damage.map(({ path, line, problem }) => `  ${path}:${line}: ${problem}`),
    ...moreLine(damageCount - damage.length),
  ]);
}

/** Returns the unit of the total. Like a run, `verify` counts each sample as a row. */
function rowsText({ rows, samples }: Verification): string {
  return samples > 1 ? `rows: ${samples} samples of ${formatCount(rows)} in the input` : "rows";
}

function joinLines(lines: readonly string[]): string {
  return printableLines(`${lines.join("\n")}\n`);
}

type Counts = readonly (readonly [count: number, words: string])[];

/** @param unusual Counts that are left out if they are 0. */
function countLines(counts: Counts, unusual: Counts): string[] {
  return [...counts, ...unusual.filter(([count]) => count > 0)]
    .map(([count, words]) => `${formatCount(count).padStart(12)}  ${words}`);
}

function moreLine(hiddenCount: number): string[] {
  return hiddenCount > 0 ? [`  … and ${formatCount(hiddenCount)} more`] : [];
}

const MAX_LISTED = 20;

export async function mergeCommand(args: ParsedArgs, io: Io): Promise<number> {
  const settings = new Settings(args);
  requireInputs(args, "merge without inputs: name the outputs of the runs, such as out/");
  return await untilInterrupted(io, async (signal) => {
    const options = optionsOf(args, settings, io);
    const onWait = settings.isOn("quiet") ? undefined : waitNotices(io);
    const report = await mergeRuns({ ...options, onWait, signal });
    const { results, problems, pending } = report;
    printProblems(report, options, io);
    if (!settings.isOn("quiet") && results !== null) {
      io.writeErr(reportText(report, results));
      if (pending > 0 && problems.length > 0) io.writeErr(joinLines([completionAdvice(results)]));
    }
    const isWhole = results !== null && report.clashCount + problems.length === 0;
    return isWhole && report.failed + report.badRows === 0 ? EXIT_DONE : EXIT_FAILED_ROWS;
  });
}

const NOTICE_INTERVAL_MS = 60_000;

/**
 * Prints what a merge waits for, immediately and then whenever it changes, at most once a minute.
 */
function waitNotices(io: Io): (progress: WaitProgress) => void {
  let lastText = "", lastMs = -Infinity;
  return ({ done, runs }) => {
    const text = runs === 0
      ? "Waiting for the first run to start"
      : `Waiting: ${ofRuns(done, runs)} done`;
    const nowMs = performance.now();
    if (text === lastText || nowMs - lastMs < NOTICE_INTERVAL_MS) return;
    lastText = text;
    lastMs = nowMs;
    io.writeErr(`${text}\n`);
  };
}

/** Returns the beginning of a sentence: `1 of 2 runs is`. */
function ofRuns(count: number, runs: number): string {
  return `${formatCount(count)} of ${formatCountOf(runs, "run")} ${count === 1 ? "is" : "are"}`;
}

function optionsOf(
  args: ParsedArgs,
  settings: Settings,
  io: Io,
): Complete<MergeOptions, "onWait" | "signal"> {
  return {
    outputs: args.inputs,
    output: settings.required("output", "an output: add -o all.jsonl", "merge"),
    partial: settings.isOn("partial"),
    waitMs: settings.waitMs(),
    tidy: settings.isOn("tidy"),
    proof: !settings.isOff("proof"),
    replace: settings.isOn("replace"),
    limit: settings.integer("limit", 1),
    shards: settings.integer("shards", 1),
    job: io.env("RETORT_JOB") || undefined,
  };
}

function printProblems(report: MergeReport, options: MergeOptions, io: Io): void {
  const changes = report.inputChanges.slice(0, MAX_LISTED).map((change) =>
    `the input has changed since it was divided into shards: ${change}. Rows are compared with its ` +
    "current content"
  );
  for (const warning of [...report.notices, ...changes]) {
    io.writeErr(joinLines([`Warning: ${warning}`]));
  }
  if (report.problems.length > 0) printIncomplete(report, options, io);
  if (report.clashCount > 0) printClashes(report, options, io);
}

function printIncomplete({ problems, results, runs }: MergeReport, options: MergeOptions, io: Io) {
  const isDamaged = problems.some(({ kind }) => kind === "damaged");
  const advice = isDamaged
    ? "Nothing was written. Repair what is damaged as these lines say, then merge again"
    : partialAdvice(options);
  const count = new Set(problems.map(({ run }) => run)).size;
  const outcome = results === null ? "Cannot merge" : "Merged in part";
  io.writeErr(joinLines([
    `${outcome}: ${ofRuns(count, runs)} not complete`,
    ...problems.slice(0, MAX_LISTED)
      .map(({ run, kind, message }) => `  ${run}: ${kind}: ${message}`),
    ...moreLine(problems.length - MAX_LISTED),
    ...results === null ? [withProgram(advice, io.program)] : [],
  ]));
}

/**
 * Returns advice for incomplete runs, with a command that adds `--partial`. The command omits
 * `--tidy`, which `--partial` does not allow. A merge without `--tidy` cannot write to the folder of
 * the shards, so if the user gave `--tidy`, the command names a path in `merged/`.
 */
function partialAdvice(options: MergeOptions): string {
  const { outputs, output, tidy, shards, limit, replace } = options;
  const { start, name } = splitPath(pathOf(output));
  const file = tidy ? `${start}merged/${name}` : `${start}${name}`;
  const numbers = [["--shards", shards], ["--limit", limit]] as const;
  const command = commandText(
    ...["merge", ...pathsOf(outputs)],
    ...numbers.flatMap(([flag, value]) => value === undefined ? [] : [flag, String(value)]),
    ...["--partial", ...replace && !tidy ? ["--replace"] : [], "-o", file],
  );
  return "Nothing was written. Complete these runs with the command that started them, or merge them " +
    `as they are:\n  ${command}\n${completionAdvice(file)}`;
}

function completionAdvice(file: string): string {
  const path = shellWord(file);
  return `To complete ${path}, run the same inputs without --shard and with -o ${path}. First cancel ` +
    "jobs of these runs that are running or queued, or rows are sent twice";
}

function printClashes(
  { clashes, clashCount, duplicates, problems }: MergeReport,
  { tidy }: MergeOptions,
  io: Io,
): void {
  const rows = clashCount === 1 ? "1 row has" : `${formatCount(clashCount)} rows have`;
  const setAside = duplicates === null
    ? ""
    : `; the later answers are set aside: see "${duplicates}"`;
  // If there are problems, `printIncomplete` has said that nothing was written.
  const refusal = tidy && problems.length === 0
    ? [
      "Nothing was written: --tidy moves shards only once the merge is proven. Leave --tidy out, and " +
      "name a file in another folder",
    ]
    : [];
  io.writeErr(joinLines([
    `${rows} the uid of an earlier row but different content${setAside}`,
    ...clashes.map(({ uid, first, second }) =>
      `  uid ${JSON.stringify(uid)}: ${first} and ${second}`
    ),
    ...moreLine(clashCount - clashes.length),
    ...refusal,
  ]));
}

function reportText(report: MergeReport, results: string): string {
  const { failures, duplicates, movedFolders } = report;
  const hasFailures = report.failed + report.badRows + report.pending > 0;
  return `${
    [
      `Merged ${formatCountOf(report.runs, "run")}`,
      ...countLines([
        [report.total, "rows"],
        [report.succeeded, "have a result"],
        [report.failed, "failed permanently"],
      ], [
        [report.pending, "pending"],
        [report.badRows, "bad rows in the input"],
        [report.mergedDuplicates, "identical rows within a run, merged"],
        [report.duplicatesOfRuns, "identical rows in several runs: the first answer was kept"],
        [
          report.surplus,
          "results beyond the number of samples, placed after the other results of their run",
        ],
        [report.changed, "edited since they were answered or failed"],
        [report.beyondLimit, "results left out by --limit"],
      ]),
      `Results    ${printable(results)}`,
      ...hasFailures ? [`Failures   ${printable(failures!)}`] : [],
      ...duplicates === null ? [] : [`Duplicates ${printable(duplicates)}`],
      ...movedFolders.slice(0, MAX_LISTED).map((folder) => `Shards     ${printable(folder)}`),
      ...moreLine(movedFolders.length - MAX_LISTED),
    ].join("\n")
  }\n`;
}
