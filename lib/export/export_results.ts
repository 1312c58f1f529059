/**
 * From results files to the files of a training set: two passes, and what is checked before the second.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { readRunFile } from "../run/mod.ts";
import { modeMadeFrom } from "../sink/mod.ts";
import { ifThere, systemReason } from "../files.ts";
import { type ExportOptions, type ResolvedExport, resolveExport } from "./export_options.ts";
import type { NoPlace } from "./formats.ts";
import type { ExportReport } from "./export.ts";
import { loaderHints } from "./loaders.ts";
import { checkOutput } from "./output_guard.ts";
import { ResultsFile, runFileOf } from "./results_file.ts";
import { RowMaker } from "./row_maker.ts";
import { rowsInOrder } from "./row_sequence.ts";
import { ExportTargets, pathsOf } from "./targets.ts";

/** What `exportResults` of the door does. */
export async function exportResults(options: ExportOptions): Promise<ExportReport> {
  const resolved = resolveExport(options);
  const { paths, output, format } = resolved;
  const maker = new RowMaker(resolved);
  await checkPaths(paths);
  const sources = await sourcesOf(paths);
  const guard = { replace: options.replace, sources };
  for (const path of pathsOf(resolved)) await checkOutput(path, guard);
  using files = new DisposableStack();
  const opened: ResultsFile[] = [];
  for (const path of paths) {
    const file = files.use(await ResultsFile.open(path, options));
    await file.index((example, place) => {
      if (!maker.takes(example)) return false;
      const refused = maker.add(example);
      if (refused !== undefined) throw noPlaceError(resolved, place, refused);
      return true;
    });
    for (const input of file.inputs) sources.set(input, inputOf(path));
    opened.push(file);
  }
  refuseEmpty(resolved, opened);
  const columns = maker.complete();
  await using targets = await ExportTargets.open(
    resolved,
    guard,
    maker.schema,
    await modeMadeFrom(paths),
  );
  for (const { row, isValidation } of rowsInOrder(opened, maker, resolved)) {
    const written = targets.write(row, isValidation);
    if (written !== undefined) await written;
  }
  await targets.finish();
  const { rows, validationRows } = targets;
  const isFile = typeof output === "string" && /\.\w+$/.test(output);
  const hints = isFile ? loaderHints(format, output, columns) : [];
  return { rows, validationRows, columns, notes: maker.notes(), hints };
}

function noPlaceError(
  { format }: ResolvedExport,
  place: string,
  { problem }: NoPlace,
): UsageError {
  return new UsageError(
    `Cannot export ${place} as ${format}: the format has no place for ${problem}. ` +
      "Use the format messages",
  );
}

function refuseEmpty(
  { paths, where, allowEmpty }: ResolvedExport,
  files: readonly ResultsFile[],
): void {
  if (allowEmpty || files.some(({ rowCount }) => rowCount > 0)) return;
  const problem = where !== undefined && files.some(({ lineCount }) => lineCount > 0)
    ? "no result meets --where"
    : "there is no result";
  throw new UsageError(
    `Cannot export "${paths.join('", "')}": ${problem}. Add --allow-empty if that is meant`,
  );
}

/** What an export must not replace. */
async function sourcesOf(paths: readonly string[]): Promise<Map<string, string>> {
  const sources = new Map<string, string>();
  for (const path of paths) {
    sources.set(path, "a results file that is exported");
    const run = await readRunFile(runFileOf(path));
    if (run?.input !== undefined) sources.set(run.input, inputOf(path));
  }
  return sources;
}

function inputOf(results: string): string {
  return `the input that "${results}" was made from`;
}

async function checkPaths(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const info = await ifThere(
      Deno.stat(path),
      (cause) => new UsageError(`Cannot read "${path}": ${systemReason(cause)}`, { cause }),
    );
    const problem = info === undefined
      ? "no such file"
      : info.isDirectory
      ? "it is a folder: name a results file in it"
      : undefined;
    if (problem !== undefined) throw new UsageError(`Cannot export "${path}": ${problem}`);
  }
}
