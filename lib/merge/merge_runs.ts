/**
 * Merges runs: checks the options and the runs, writes the output, and returns the report.
 *
 * @module
 */

import { isAbsolute } from "../deps/std_path.ts";
import { SourceError, UsageError } from "../errors.ts";
import {
  endsWithSeparator,
  exists,
  hasContent,
  inFolder,
  isFolder,
  pathOf,
  pathsOf,
} from "../files.ts";
import {
  amount,
  callback,
  checkOptions,
  flag,
  type OptionRules,
  path,
  paths,
  requireOptions,
  signal,
  text,
  wholeNumberFrom,
} from "../options.ts";
import {
  checkOutputs,
  filesOf,
  identityDifferences,
  type OutputFiles,
  writeRunFile,
} from "../run/mod.ts";
import { IdTable, readIndex } from "../index/mod.ts";
import { shellWord } from "../printable.ts";
import { dropLines, LineSet } from "../sink/mod.ts";
import { fewestSamples, limitOf, type MergeRun } from "./find_runs.ts";
import { joinRuns } from "./join.ts";
import { MergePass } from "./merge_pass.ts";
import type { MergeOptions, MergeProblem, MergeReport } from "./mod.ts";
import {
  emptyReport,
  openOutput,
  refuseOmittedAnswers,
  refuseOverwrite,
  runsToMove,
  tidyUp,
  unfinishedProblem,
  whileClaimed,
} from "./output.ts";
import { awaitSizes, noticesOf, readyRuns } from "./ready_runs.ts";

export async function mergeRuns(options: MergeOptions): Promise<MergeReport> {
  checkOptions(options, MERGE_RULES);
  requireOptions("merge", options, ["outputs", "output"], MERGE_RULES);
  const { partial = false, tidy = false, proof = true } = options;
  if (tidy && (partial || !proof)) {
    const [otherFlag, condition] = partial
      ? ["--partial", "all rows are there"]
      : ["--no-proof", "the merge is proven"];
    throw new UsageError(
      `Cannot use --tidy with ${otherFlag}: shards are moved only once ${condition}. Leave --tidy ` +
        "out, and name a file in another folder",
    );
  }
  const outputs = pathsOf(options.outputs);
  if (outputs.length === 0) {
    throw new UsageError("Cannot merge: no runs are named. Name their outputs");
  }
  const files = await outputFiles(pathOf(options.output));
  // The output is also checked before the wait, which may take days.
  const checkOutput = () => whileClaimed(files, options, () => Promise.resolve());
  const runs = await readyRuns(outputs, files, options, checkOutput);
  const notices = await noticesOf(runs, outputs, options);
  let report = await mergeReady(runs, files, options);
  if (report.problems.length > 0 && await awaitSizes(runs, options)) {
    report = await mergeReady(runs, files, options);
  }
  return { ...report, notices };
}

async function mergeReady(
  runs: readonly MergeRun[],
  files: OutputFiles,
  options: MergeOptions,
): Promise<MergeReport> {
  const { partial = false, proof = true } = options;
  if (proof) checkComparable(runs);
  // Empty shards, and shards beyond the limit, need not have run.
  const expectedRuns = runs.filter((run) =>
    run.runFileProblem !== undefined ||
    (run.pieces.length > 0 && limitOf(run, options.limit ?? Infinity) > 0)
  );
  const knownProblems = proof ? await problemsOf(expectedRuns) : [];
  const isDamaged = knownProblems.some(({ kind }) => kind === "damaged");
  if (isDamaged || (knownProblems.length > 0 && !partial)) {
    const problems = [...knownProblems, ...expectedRuns.flatMap(notEndedProblem)];
    return { ...emptyReport(runs), problems, inputChanges: changesOf(runs) };
  }
  const inputs = [...new Set(runs.flatMap(({ pieces }) => pieces.map(({ path }) => path)))];
  if (proof) await checkInputs(inputs);
  await checkOutputs(inputs, [files]);
  return await whileClaimed(
    files,
    options,
    () =>
      proof
        ? mergeProven(runs, files, options, knownProblems)
        : joinRuns(runs, files, options.signal),
  );
}

async function outputFiles(output: string): Promise<OutputFiles> {
  if (output.endsWith(".jsonl")) return filesOf("", output.slice(0, -".jsonl".length));
  const isFolderName = endsWithSeparator(output) || await isFolder(output);
  const file = output === "-"
    ? "all.jsonl"
    : isFolderName
    ? inFolder(output, "all.jsonl")
    : `${output.replace(/\.\w*$/, "")}.jsonl`;
  throw new UsageError(
    `Cannot merge into "${output}": it must be a file that ends in .jsonl, such as -o ${
      shellWord(file)
    }`,
  );
}

async function checkInputs(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    if (await exists(path)) continue;
    const problem = isAbsolute(path)
      ? "no such file. Put it back, continue a run of it under its current path"
      : `no such file in "${Deno.cwd()}". Merge in the folder that the runs were started in`;
    throw new SourceError(
      `Cannot read the input "${path}": ${problem}, or add --no-proof to join results without their ` +
        "inputs",
      { path },
    );
  }
}

function checkComparable(runs: readonly MergeRun[]): void {
  const first = runToCompareWith(runs);
  if (first === undefined) return;
  const others = runs.filter((run) => run !== first && run.runFile !== undefined);
  const identityOf = ({ runFile }: MergeRun) => ({ ...runFile!.identity, shards: null });
  for (const other of others) {
    const names: [string, string] = ["in the first", "in the second"];
    const differences = identityDifferences(identityOf(first), identityOf(other), [], names);
    if (differences.length === 0) continue;
    throw new UsageError(
      `Cannot merge "${first.files.results}" and "${other.files.results}": their answers ` +
        `were made with different settings\n${differences.join("\n")}\n` +
        "Merge runs with the same settings, or add --no-proof to have both in one file",
    );
  }
  // Each run numbers its own copies: two runs may have given `<uid>~2` to different rows.
  if (runs.some(({ runFile }) => runFile?.rows.duplicates === "keep") && runs.length > 1) {
    throw new UsageError(
      "Cannot merge runs with --duplicates keep: each numbers its copies separately. Keep their " +
        "results as they are: export takes several files",
    );
  }
}

/** Returns the first run whose run file states the JSON Schema, which earlier versions did not
 * write. If there is none, returns the first run with a run file. */
function runToCompareWith(runs: readonly MergeRun[]): MergeRun | undefined {
  return runs.find(({ runFile }) => runFile?.identity.json_schema !== undefined) ??
    runs.find(({ runFile }) => runFile !== undefined);
}

async function problemsOf(runs: readonly MergeRun[]): Promise<MergeProblem[]> {
  const problems: MergeProblem[] = [];
  for (const run of runs) {
    const { name, runFile, runFileProblem } = run;
    if (runFileProblem !== undefined) {
      problems.push({ run: name, kind: "damaged", message: runFileProblem });
    } else if (runFile === undefined) {
      problems.push({ run: name, kind: "missing", message: await whyMissing(run) });
    } else if (runFile.summary !== null) {
      problems.push(...await unfinishedProblem(run, runFile.summary.pending));
    }
  }
  return problems;
}

async function whyMissing({ files: { runJson, results } }: MergeRun): Promise<string> {
  return await hasContent(results)
    ? `it has answers in "${results}", but no "${runJson}". Running it again keeps them`
    : `there is no "${runJson}": it has not run`;
}

/** Returns the problem of a run that has not ended, for a merge that ends before it reads rows. In
 * other merges, `MergePass` reports it. */
function notEndedProblem({ name, runFile }: MergeRun): MergeProblem[] {
  // A merged output has no summary, either.
  if (runFile?.summary !== null || runFile.merged !== undefined) return [];
  return [{ run: name, kind: "unfinished", message: "it is running or was killed" }];
}

function changesOf(runs: readonly MergeRun[]): string[] {
  return distinctIn(runs.map(({ changes }) => changes));
}

/** Returns the distinct texts of several lists. Shards share one list: for 12,000 inputs in as many
 * shards, an array of all the texts would be too long for V8. */
export function distinctIn(lists: readonly (readonly string[])[]): string[] {
  return [...new Set([...new Set(lists)].flat())];
}

async function mergeProven(
  runs: readonly MergeRun[],
  files: OutputFiles,
  { partial = false, tidy = false, limit = Infinity, signal }: MergeOptions,
  knownProblems: readonly MergeProblem[],
): Promise<MergeReport> {
  await using output = await openOutput(files, runs.map((run) => run.files.results));
  const pass = new MergePass(runs, output, { isPartial: partial, signal });
  for (const run of runs) await pass.add(run, limitOf(run, limit));
  // A run file that states pending rows has already been reported.
  const isNew = ({ run, kind }: MergeProblem) =>
    kind !== "unfinished" || !knownProblems.some((known) => known.run === run);
  const problems = [...knownProblems, ...pass.report.problems.filter(isNew)];
  const report = { ...pass.report, problems, inputChanges: changesOf(runs) };
  const isDamaged = problems.some(({ kind }) => kind === "damaged");
  if (problems.length > 0 && (!partial || isDamaged)) return report;
  // If rows clash, nothing is proven. The shards must not be moved then, and `files` may be in
  // their folder, which would hold each row twice.
  if (tidy && report.clashCount > 0) return report;
  const movedRuns = tidy ? runsToMove(files, runs) : [];
  if (tidy) {
    refuseOmittedAnswers(report.beyondLimit, pass.failuresBeyondLimit);
    await refuseOverwrite(movedRuns);
  }
  const paths = await output.commit(async () => {
    await dropRecovered(files.failures, pass.recoveredUids);
    await writeMergedRunFile(files, runs, report.pending);
  });
  const movedFolders = await tidyUp(movedRuns);
  return { ...report, ...paths, movedFolders, movedTo: movedFolders.at(-1) ?? null };
}

/** Removes the failures of rows that have a result in a later run. */
async function dropRecovered(path: string, recovered: ReadonlySet<string>): Promise<void> {
  if (recovered.size === 0) return;
  const droppedLines = new LineSet();
  using table = new IdTable();
  const count = await readIndex({ path, kind: "failures" }, table, (_slot, line) => {
    if (recovered.has(line.uid())) droppedLines.add(line.number);
  });
  await dropLines(path, droppedLines, count);
}

/** Writes a run file with which a run can continue the output. */
async function writeMergedRunFile(
  files: OutputFiles,
  runs: readonly MergeRun[],
  pending: number,
): Promise<void> {
  const runFiles = runs.flatMap(({ runFile }) => runFile ?? []);
  if (runFiles.length === 0) return;
  const [first] = runFiles;
  const inputs = distinctIn(runs.map((run) => run.inputs));
  await writeRunFile(files.runJson, {
    ...first,
    input: inputs.join(", "),
    inputs: inputs.length > 1 ? inputs : undefined,
    identity: { ...runToCompareWith(runs)!.runFile!.identity, shards: null },
    rows: { ...first.rows, samples: fewestSamples(runs) },
    teacher: [...new Set(runFiles.map(({ teacher }) => teacher))].join(", "),
    params: Object.assign({}, ...runFiles.map(({ params }) => params)),
    summary: null,
    // One run's unfinished retry would leave out rows of other runs that failed after it began.
    retry: runFiles.length > 1 ? undefined : first.retry,
    merged: { pending },
  });
}

const MERGE_RULES: OptionRules<MergeOptions> = {
  outputs: paths,
  output: path,
  partial: flag,
  // `amount` alone does not allow Infinity.
  waitMs: { ...amount, isInRange: (value: number) => value >= 0 },
  tidy: flag,
  proof: flag,
  replace: flag,
  limit: wholeNumberFrom(1),
  shards: wholeNumberFrom(1),
  onWait: callback,
  job: text,
  signal,
};
