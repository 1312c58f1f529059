/** `retort merge`. @module */

import {
  type MergeOptions,
  type MergeReport,
  mergeRuns,
  type WaitProgress,
} from "../lib/merge/mod.ts";
import { formatCount, formatCountOf } from "../lib/figures.ts";
import { pathOf, pathsOf, splitPath } from "../lib/files.ts";
import {
  commandText,
  printable,
  printableLines,
  shellWord,
  withProgram,
} from "../lib/printable.ts";
import { EXIT_DONE, EXIT_FAILED_ROWS, exitCodeOfSignal } from "./exit_codes.ts";
import type { Io } from "./io.ts";
import type { ParsedArgs } from "./parse.ts";
import { requireInputs, Settings } from "./settings.ts";
import { Interruption } from "./signals.ts";

const MAX_LISTED = 20;

export async function mergeCommand(args: ParsedArgs, io: Io): Promise<number> {
  const settings = new Settings(args);
  requireInputs(args, "merge without inputs: name the outputs of the runs, such as out/");
  // An interrupted merge removes its temporary files, which may be as large as the results.
  using interruption = new Interruption(io);
  const options = optionsOf(args, settings, io);
  let report: MergeReport;
  try {
    const onWait = settings.isOn("quiet") ? undefined : waitNotices(io);
    report = await mergeRuns({ ...options, onWait, signal: interruption.signal });
  } catch (error) {
    const { received, signal } = interruption;
    if (received === undefined || error !== signal.reason) throw error;
    io.writeErr("Stopped: nothing was written\n");
    return exitCodeOfSignal(received);
  }
  printProblems(report, options, io);
  if (!settings.isOn("quiet") && report.results !== null) {
    io.writeErr(reportText(report));
    if (report.pending > 0 && report.problems.length > 0) {
      io.writeErr(printableLines(`${restAdvice(report.results)}\n`));
    }
  }
  const isWhole = report.results !== null && report.clashCount === 0 &&
    report.problems.length === 0;
  return isWhole && report.failed + report.badRows === 0 ? EXIT_DONE : EXIT_FAILED_ROWS;
}

const NOTICE_MS = 60_000;

/** Prints what a merge waits for: at once, then when it changes, at most once a minute. */
function waitNotices(io: Io): (progress: WaitProgress) => void {
  let last = "", lastAt = -Infinity;
  return ({ done, runs }) => {
    const text = runs === 0
      ? "Waiting for the first run to start"
      : `Waiting: ${formatCount(done)} of ${formatCountOf(runs, "run")} ${
        done === 1 ? "is" : "are"
      } done`;
    const now = performance.now();
    if (text === last || now - lastAt < NOTICE_MS) return;
    last = text;
    lastAt = now;
    io.writeErr(`${text}\n`);
  };
}

function optionsOf(args: ParsedArgs, settings: Settings, io: Io): MergeOptions {
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
  const { problems, inputChanges, notices } = report;
  for (const notice of notices) io.writeErr(printableLines(`Warning: ${notice}\n`));
  for (const change of inputChanges.slice(0, MAX_LISTED)) {
    io.writeErr(
      printableLines(
        `Warning: the input has changed since it was divided into shards: ${change}. Rows are compared with its current content\n`,
      ),
    );
  }
  if (problems.length > 0) printIncomplete(report, options, io);
  printClashes(report, options, io);
}

function printIncomplete({ problems, results, runs }: MergeReport, options: MergeOptions, io: Io) {
  const lines = problems.slice(0, MAX_LISTED).map(({ run, kind, message }) =>
    `  ${run}: ${kind}: ${message}`
  );
  if (problems.length > MAX_LISTED) {
    lines.push(`  … and ${formatCount(problems.length - MAX_LISTED)} more`);
  }
  const isDamaged = problems.some(({ kind }) => kind === "damaged");
  const advice = isDamaged
    ? "Nothing was written. Repair the damaged files, or rerun those runs"
    : partialAdvice(options);
  const count = new Set(problems.map(({ run }) => run)).size;
  const outcome = results === null ? "Cannot merge" : "Merged in part";
  io.writeErr(
    printableLines(
      `${outcome}: ${formatCount(count)} of ${formatCountOf(runs, "run")} ${
        count === 1 ? "is" : "are"
      } not complete\n${lines.join("\n")}\n` +
        (results === null ? `${withProgram(advice, io.program)}\n` : ""),
    ),
  );
}

/**
 * Advice for incomplete runs, with a command that merges them with `--partial`. `--partial`
 * excludes `--tidy`, and without `--tidy` the merge cannot write to the folder of the shards. If
 * `--tidy` was given, the command therefore writes to `merged/`.
 */
function partialAdvice({ outputs, output, tidy, shards, limit }: MergeOptions): string {
  const { start, name } = splitPath(pathOf(output));
  const file = tidy ? `${start}merged/${name}` : `${start}${name}`;
  const numbers = [["--shards", shards], ["--limit", limit]] as const;
  const command = commandText(
    ...["merge", ...pathsOf(outputs)],
    ...numbers.flatMap(([flag, value]) => value === undefined ? [] : [flag, String(value)]),
    ...["--partial", "-o", file],
  );
  return "Nothing was written. Complete these runs with the command that started them, or merge them " +
    `as they are:\n  ${command}\n${restAdvice(file)}`;
}

function restAdvice(file: string): string {
  const path = shellWord(file);
  return `To complete ${path}, run the same inputs without --shard and with -o ${path}. First cancel ` +
    "jobs of these runs that are running or queued, or rows are sent twice";
}

function printClashes(
  { clashes, clashCount, duplicates, results, problems }: MergeReport,
  { tidy }: MergeOptions,
  io: Io,
): void {
  if (clashCount === 0) return;
  const lines = clashes.map(({ uid, first, second }) =>
    `  uid ${JSON.stringify(uid)}: ${first} and ${second}`
  );
  if (clashCount > clashes.length) {
    lines.push(`  … and ${formatCount(clashCount - clashes.length)} more`);
  }
  const rows = clashCount === 1 ? "1 row has" : `${formatCount(clashCount)} rows have`;
  const setAside = results === null ? "" : "; the later answers are set aside";
  const reference = duplicates === null ? "" : `: see "${duplicates}"`;
  // If there are problems, `printIncomplete` has said that nothing was written.
  const refusal = tidy && problems.length === 0
    ? "Nothing was written: --tidy moves shards only once the merge is proven. Leave --tidy out, and " +
      "name a file in another folder\n"
    : "";
  io.writeErr(
    printableLines(
      `${rows} the uid of an earlier row but different content${setAside}${reference}\n${
        lines.join("\n")
      }\n${refusal}`,
    ),
  );
}

function reportText(report: MergeReport): string {
  const { results, failures, duplicates, movedTo } = report;
  const counts: [number, string][] = [
    [report.total, "rows"],
    [report.succeeded, "have a result"],
    [report.failed, "failed permanently"],
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
  ];
  const files = [
    `Results    ${printable(results!)}`,
    ...report.failed + report.badRows + report.pending > 0
      ? [`Failures   ${printable(failures!)}`]
      : [],
    ...duplicates === null ? [] : [`Duplicates ${printable(duplicates)}`],
    ...movedTo === null ? [] : [`Shards     ${printable(movedTo)}`],
  ];
  // The first three are shown even if they are 0.
  const lines = counts.filter(([count], i) => i < 3 || count > 0)
    .map(([count, words]) => `${formatCount(count).padStart(12)}  ${words}`);
  return `Merged ${formatCountOf(report.runs, "run")}\n${[...lines, ...files].join("\n")}\n`;
}
