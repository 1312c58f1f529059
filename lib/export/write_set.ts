/**
 * Writes a training set, from the results of runs or from input files. Loaded only when an export
 * begins.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { ifThere, specialProblem, systemReason } from "../files.ts";
import { checkReadableTwice, findInputs } from "../run/mod.ts";
import { modeMadeFrom } from "../sink/mod.ts";
import type { ExampleSource } from "./example.ts";
import type { ExportReport } from "./export.ts";
import {
  type ConvertOptions,
  type ExportOptions,
  resolveConvert,
  type ResolvedExport,
  resolveExport,
} from "./export_options.ts";
import { FORMATS } from "./formats.ts";
import { InputSource } from "./input_source.ts";
import { ResultsSource } from "./results_source.ts";
import { type MadeRow, RowMaker } from "./row_maker.ts";
import { isForValidation } from "./row_order.ts";
import { checkTargets, openTargets, type Targets } from "./targets.ts";

/** Writes the selected examples of a source, once all of them have been read and checked. */
async function writeSet(
  source: ExampleSource,
  options: ResolvedExport,
): Promise<ExportReport> {
  const { shuffle, maxRows, paths } = options;
  const format = FORMATS[options.format];
  const maker = new RowMaker(options);
  const guard = { replace: options.replace, sources: source.sources };
  await checkTargets(options, guard);
  await source.scan((example) => {
    if (!maker.takes(example)) return false;
    return maker.add(example) ?? true;
  });
  maker.checkCondition();
  refuseEmpty(options, source, maker);
  // Other formats define their own columns.
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
  for await (const examples of source.batches(shuffle)) {
    await writeRows(targets, maker.rowsOf(examples), options);
    if (targets.rows >= maxRows) break;
  }
  await writeRows(targets, maker.lastRows(), options);
  if (targets.rows === 0 && source.rowCount > 0 && !options.allowEmpty) throw noPairs(options);
  await targets.finish();
  const { rows, validationRows, validationPath } = targets;
  const hints = hintsFor(options, columns);
  return { rows, validationRows, validationPath, columns, notes: maker.notes(), hints };
}

async function writeRows(
  targets: Targets,
  rows: Iterable<MadeRow>,
  { maxRows, validation }: ResolvedExport,
): Promise<void> {
  for (const madeRow of rows) {
    if (targets.rows >= maxRows) return;
    const written = targets.write(madeRow, isForValidation(madeRow.example.rowUid, validation));
    if (written !== undefined) await written;
  }
}

/** Returns what trainers need to read the output: nothing if it has no path or no extension. */
function hintsFor({ output, ...options }: ResolvedExport, columns: readonly string[]) {
  const format = FORMATS[options.format];
  const isPath = typeof output === "string" &&
    (format.target === "folder" || /\.\w+$/.test(output));
  return isPath ? format.config({ path: output, columns }) : [];
}

/** @throws {UsageError} if no row is selected, unless that is allowed */
function refuseEmpty(
  { paths, where, uids, excludeUids, allowEmpty, isFromResults }: ResolvedExport,
  { rowCount, lineCount }: ExampleSource,
  maker: RowMaker,
): void {
  if (allowEmpty || rowCount > 0) return;
  const [verb, what] = isFromResults ? ["export", "result"] : ["convert", "row"];
  const conditions = [
    where === undefined ? [] : "meets --where",
    uids === undefined ? [] : "is named by --uids",
    excludeUids === undefined ? [] : "is left by --exclude-uids",
  ].flat();
  const hasUnselected = lineCount > 0 && conditions.length > 0;
  const problem = maker.emptyReason() ??
    (hasUnselected ? `no ${what} ${conditions.join(" and ")}` : `there is no ${what}`);
  throw new UsageError(
    `Cannot ${verb} "${paths.join('", "')}": ${problem}. Add --allow-empty if that is meant`,
  );
}

/**
 * Creates the error for an export without pairs. Only pairs are made of several rows, so there may
 * be none although rows were selected.
 */
function noPairs({ paths, prefer }: ResolvedExport): UsageError {
  const names = paths.join('", "');
  return new UsageError(
    `Cannot export "${names}": no row has two answers that --prefer ${prefer} ranks differently. ` +
      "A pair needs a run with --samples 2 or more. Add --allow-empty if that is meant",
  );
}

/** Implements `exportResults` of the public API. */
export async function exportResults(options: ExportOptions): Promise<ExportReport> {
  const resolved = resolveExport(options);
  await checkResultsFiles(resolved.paths);
  using source = await ResultsSource.open(resolved);
  return await writeSet(source, resolved);
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

/** Implements `convertFiles` of the public API. */
export async function convertFiles(options: ConvertOptions): Promise<ExportReport> {
  const resolved = resolveConvert(options);
  if (resolved.paths.includes("-")) {
    throw new UsageError(
      "Cannot convert standard input: it is read twice. Write it to a file first",
    );
  }
  const { files, notes } = await findInputs(resolved.paths);
  for (const file of files) await checkReadableTwice(file);
  await using source = new InputSource(files, resolved);
  const report = await writeSet(source, { ...resolved, paths: files });
  return { ...report, notes: [...notes, ...report.notes] };
}
