/**
 * Exports results.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { ifThere, systemReason } from "../files.ts";
import type { ExportReport } from "./export.ts";
import { type ExportOptions, resolveExport } from "./export_options.ts";
import { ResultsSource } from "./results_source.ts";
import { writeSet } from "./write_set.ts";

/** What `exportResults` of the door does. */
export async function exportResults(options: ExportOptions): Promise<ExportReport> {
  const resolved = resolveExport(options);
  await checkPaths(resolved.paths);
  using source = await ResultsSource.open(resolved);
  return await writeSet(source, resolved);
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
