/**
 * Writes a training set from results or input files, to files or the folder of a dataset. The
 * module is loaded when an export begins.
 *
 * @module
 */

import { failuresOf } from "../data/mod.ts";
import { UsageError } from "../errors.ts";
import { formatCountOf } from "../figures.js";
import { fileKeyOf, ifThere, specialProblem, statOf, systemReason } from "../files.ts";
import { withoutFormat } from "../formats/mod.ts";
import { holdsOwnLines } from "../line_blocks.ts";
import { checkReadableTwice, findInputs } from "../run/mod.ts";
import { modeMadeFrom } from "../sink/mod.ts";
import { openTable, type Schema } from "../tables/mod.ts";
import { checkFolder, openDataset } from "./dataset_folder.ts";
import { type Example, type ExampleSource, NotRestored, type Verdict } from "./example.ts";
import type { ExportReport } from "./mod.ts";
import {
  type ConvertOptions,
  type ExportOptions,
  resolveConvert,
  type ResolvedExport,
  resolveExport,
} from "./export_options.ts";
import { FORMATS } from "./formats.ts";
import { InputSource } from "./input_source.ts";
import { checkOutput, openOutput, type Output, type OutputGuard } from "./output.ts";
import { ResultsSource } from "./results_source.ts";
import { type MadeRow, RowMaker } from "./row_maker.ts";
import { leftOutNotes, Selection } from "./selection.ts";
import { Unrepresentable } from "./turns.ts";

export async function exportResults(options: ExportOptions): Promise<ExportReport> {
  const resolved = resolveExport(options);
  await checkResultsFiles(resolved.paths);
  const { files, notes } = await distinctFiles(await withoutFailures(resolved.paths));
  const resolvedOptions = { ...resolved, paths: files };
  using source = await ResultsSource.open(resolvedOptions);
  const report = await writeSet(source, resolvedOptions);
  const { failedRowCount, repeatedRowCount } = source;
  notes.push(
    ...report.notes,
    ...failureNotes(failedRowCount),
    ...repetitionNotes(repeatedRowCount),
  );
  return { ...report, notes };
}

/** Leaves out the failures of results that are named, too, as by `out/*.jsonl`. A note says how many
 * rows failed. */
async function withoutFailures(paths: readonly string[]): Promise<readonly string[]> {
  const failures = new Set(paths.map(failuresOf)), results: string[] = [];
  for (const path of paths) {
    if (!failures.has(path) || await holdsOwnLines(path, "results")) results.push(path);
  }
  return results;
}

/** Returns each file once, so that no row is written twice. */
async function distinctFiles(
  paths: readonly string[],
): Promise<{ files: string[]; notes: string[] }> {
  const files = new Map<string, string>();
  for (const path of paths) {
    const info = await statOf(path), key = info === undefined ? path : fileKeyOf(path, info);
    if (!files.has(key)) files.set(key, path);
  }
  const notes = leftOutNotes(paths.length - files.size, "path", "of a file that was named before");
  return { files: [...files.values()], notes };
}

function repetitionNotes(count: number): string[] {
  if (count === 0) return [];
  const lines = formatCountOf(count, "line"), repeat = count === 1 ? "repeats" : "repeat";
  return [
    `The output contains ${lines} that ${repeat} a uid of the results: "verify" names such lines`,
  ];
}

function failureNotes(count: number): string[] {
  if (count === 0) return [];
  const rows = formatCountOf(count, "row"), are = count === 1 ? "is" : "are";
  return [`${rows} failed and ${are} not in the output: the command retry sends failed rows again`];
}

async function checkResultsFiles(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const info = await ifThere(
      Deno.stat(path),
      (cause) => new UsageError(`Cannot read "${path}": ${systemReason(cause)}`, { cause }),
    );
    const problem = info === undefined
      ? "no such file"
      : info.isDirectory
      ? "it is a folder: name a results file in it"
      : specialProblem(path, info);
    if (problem !== undefined) throw new UsageError(`Cannot export "${path}": ${problem}`);
  }
}

export async function convertFiles(options: ConvertOptions): Promise<ExportReport> {
  const resolved = resolveConvert(options);
  if (resolved.paths.includes("-")) {
    throw new UsageError(
      "Cannot convert standard input: it is read twice. Write it to a file first",
    );
  }
  const found = await findInputs(resolved.paths);
  for (const file of found.files) await checkReadableTwice(file);
  const { files, notes } = await distinctFiles(found.files);
  await using source = new InputSource(files, resolved);
  const report = await writeSet(source, { ...resolved, paths: files });
  return { ...report, notes: [...found.notes, ...notes, ...report.notes] };
}

async function writeSet(
  source: ExampleSource,
  options: ResolvedExport,
): Promise<ExportReport> {
  const { maxRows, paths } = options;
  const format = FORMATS[options.format];
  const selection = new Selection(options);
  const maker = new RowMaker(options);
  const guard = { replace: options.replace, sources: source.sources };
  await checkTargets(options, guard);
  await source.scan((example) => {
    options.signal?.throwIfAborted();
    return verdictOf(example, selection, maker);
  });
  selection.checkCondition();
  refuseEmpty(options, source, selection);
  // Other formats define the types of their columns.
  if (format.rows === "as they are" && source.exactTypes !== undefined) {
    maker.schema.refine(source.exactTypes);
  }
  const columns = maker.complete();
  await using targets = await openTargets(options, {
    guard,
    schema: maker.schema,
    mode: await modeMadeFrom(paths),
    origin: source.origin,
  });
  const counts = { rows: 0, validationRows: 0 };
  for await (const examples of source.batches()) {
    await writeRows(targets, maker.rowsOf(examples), counts, options);
    if (counts.rows >= maxRows) break;
  }
  // If `maxRows` stopped the export, `Pairs` may hold answers to a row whose other answers were not
  // read.
  if (counts.rows < maxRows) await writeRows(targets, maker.lastRows(), counts, options);
  if (counts.rows === 0 && source.selectedCount > 0 && !options.allowEmpty) {
    throw noPairsError(options);
  }
  await targets.finish(counts);
  const { validationPath } = targets;
  const hints = hintsFor(options, columns);
  const notes = [...maker.notes(), ...selection.notes()];
  return { ...counts, validationPath, columns, notes, hints };
}

function verdictOf(example: Example, selection: Selection, maker: RowMaker): Verdict {
  try {
    if (!selection.selects(example)) return false;
    maker.add(example);
    return true;
  } catch (error) {
    if (error instanceof NotRestored || error instanceof Unrepresentable) return error;
    throw error;
  }
}

async function writeRows(
  targets: Targets,
  rows: Iterable<MadeRow>,
  counts: { -readonly [Name in keyof WrittenRows]: number },
  { maxRows, signal }: ResolvedExport,
): Promise<void> {
  for (const madeRow of rows) {
    signal?.throwIfAborted();
    if (counts.rows >= maxRows) return;
    counts.rows++;
    if (madeRow.isValidation) counts.validationRows++;
    const writing = targets.write(madeRow);
    if (writing !== undefined) await writing;
  }
}

function hintsFor({ output, ...options }: ResolvedExport, columns: readonly string[]) {
  const format = FORMATS[options.format];
  const isPath = typeof output === "string" &&
    (format.target === "folder" || /\.\w+$/.test(output));
  return isPath ? format.hints({ path: output, columns }) : [];
}

function refuseEmpty(
  { paths, where, uids, excludeUids, allowEmpty, isFromResults }: ResolvedExport,
  { selectedCount, rowCount }: ExampleSource,
  selection: Selection,
): void {
  if (allowEmpty || selectedCount > 0) return;
  const [verb, what] = isFromResults ? ["export", "result"] : ["convert", "row"];
  const conditions = [
    where === undefined ? [] : "meets --where",
    uids === undefined ? [] : "is named by --uids",
    excludeUids === undefined ? [] : "remains after --exclude-uids",
  ].flat();
  const hasUnselected = rowCount > 0 && conditions.length > 0;
  const reasons = [`no ${what} ${conditions.join(" and ")}`, ...selection.conditionNotes()];
  const problem = selection.emptyReason() ??
    (hasUnselected ? reasons.join(". ") : `there is no ${what}`);
  throw new UsageError(
    `Cannot ${verb} "${paths.join('", "')}": ${problem}. Add --allow-empty if this is intended`,
  );
}

function noPairsError({ paths, prefer }: ResolvedExport): UsageError {
  const names = paths.join('", "');
  return new UsageError(
    `Cannot export "${names}": no row has two different answers that --prefer ${prefer} ranks differently. ` +
      "A pair needs a run with --samples 2 or more. Add --allow-empty if this is intended",
  );
}

export type WrittenRows = Pick<ExportReport, "rows" | "validationRows">;

export interface Targets extends AsyncDisposable {
  /** The file of the validation rows; undefined unless they have a file of their own. */
  readonly validationPath?: string;
  /** Writes a row. Returns a promise only if there is something to wait for. */
  write(madeRow: MadeRow): Promise<void> | undefined;
  /** Moves the outputs into place. If the targets are disposed before that, no file is written. */
  finish(written: WrittenRows): Promise<void>;
}

async function checkTargets(options: ResolvedExport, guard: OutputGuard): Promise<void> {
  const { output, format } = options;
  if (FORMATS[format].target === "folder") return await checkFolder(output as string, guard);
  for (const path of pathsOf(options)) await checkOutput(path, guard);
}

export interface TargetContext {
  readonly guard: OutputGuard;
  readonly schema: Schema;
  readonly mode: number | undefined;
  readonly origin: readonly string[];
}

async function openTargets(
  options: ResolvedExport,
  context: TargetContext,
): Promise<Targets> {
  return FORMATS[options.format].target === "folder"
    ? await openDataset(options, context)
    : await openFiles(options, context);
}

function pathsOf({ output, validation }: ResolvedExport): string[] {
  if (typeof output !== "string") return [];
  return validation > 0 ? [output, validationPathOf(output)] : [output];
}

/** Returns `train.validation.jsonl.gz` for `train.jsonl.gz`. Other extensions are kept, too. */
function validationPathOf(path: string): string {
  const withoutExtension = withoutFormat(path);
  const stem = withoutExtension === path ? path.replace(/\.\w+$/, "") : withoutExtension;
  return `${stem}.validation${path.slice(stem.length)}`;
}

async function openFiles(
  options: ResolvedExport,
  { guard, schema, mode }: TargetContext,
): Promise<Targets> {
  const { output, fileType } = options;
  const paths = pathsOf(options);
  await using cleanup = new AsyncDisposableStack();
  const outputs: Output[] = [];
  for (const name of typeof output === "string" ? paths : [output]) {
    outputs.push(cleanup.use(await openOutput(name, guard, mode)));
  }
  const tables = await Promise.all(outputs.map((output) => openTable(fileType, schema, output)));
  const opened = cleanup.move();
  return {
    validationPath: paths[1],
    write: ({ row, isValidation }) => tables[isValidation ? 1 : 0].write(row),
    async finish() {
      for (const table of tables) await table.finish();
      for (const output of outputs) await output.finish();
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
