/**
 * The file that a run's report is written to.
 *
 * @module
 */

import { statOf } from "../lib/files.ts";
import { basename, dirname, join } from "../lib/deps/std_path.ts";
import { fileKeyOf, stemOf, withoutSeparator } from "../lib/paths.ts";
import { UsageError } from "../lib/errors.ts";
import type { ResolvedRunOptions } from "../lib/run/mod.ts";
import { cannotWrite, modeMadeFrom, writeFileDurably } from "../lib/sink/mod.ts";

const REPORT_ENDING = ".report.html";

/**
 * Checks that a report can be written, because the end of a run, which may take days, is too late
 * to find out. Creates the folder.
 *
 * @throws {UsageError} if the path is an input, a folder, or a file that is not a report
 * @throws {SinkError} if nothing can be written there
 */
export async function prepareReportFile(
  path: string,
  { input, output }: Pick<ResolvedRunOptions, "input" | "output">,
): Promise<void> {
  const info = await statOf(path);
  if (info?.isDirectory || withoutSeparator(output) === path) {
    throw new UsageError(`Cannot write the report to "${path}": it is a folder`);
  }
  if (info !== undefined && !info.isFile) {
    throw new UsageError(`Cannot write the report to "${path}": it is not a regular file`);
  }
  for (const inputPath of input) {
    const inputInfo = inputPath === "-" ? undefined : await statOf(inputPath);
    if (info && inputInfo && fileKeyOf(inputPath, inputInfo) === fileKeyOf(path, info)) {
      throw new UsageError(
        `Cannot write the report to "${path}": it is the input "${inputPath}". Name another file`,
      );
    }
  }
  await checkIsReport(path, info);
  const folder = dirname(path);
  try {
    await Deno.mkdir(folder, { recursive: true });
    await Deno.remove(await Deno.makeTempFile({ dir: folder, prefix: ".retort_" }));
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
}

/**
 * Writes a report atomically. Prints where it is, or why it could not be written. Returns whether
 * it was written.
 */
export async function writeReportFile(
  path: string,
  html: string,
  input: readonly string[],
  say: (message: string) => void,
): Promise<boolean> {
  try {
    await checkIsReport(path, await statOf(path));
    const mode = await modeMadeFrom(input.filter((inputPath) => inputPath !== "-"));
    await writeFileDurably(path, html, { mode });
    say(`Wrote the report to ${path}`);
    return true;
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return false;
  }
}

/**
 * Default path of a report: `out/.retort/<name>.report.html`, in a folder that loaders of datasets
 * skip.
 */
export function besideResults(results: string): string {
  const name = stemOf(basename(results));
  return join(dirname(results), ".retort", `${name}${REPORT_ENDING}`);
}

/**
 * Renames an earlier report: adds the start time of its run to the name. Returns whether a new one
 * can be written; if not, prints the reason.
 */
export async function keepEarlierReport(
  path: string,
  say: (message: string) => void,
): Promise<boolean> {
  try {
    await Deno.mkdir(dirname(path), { recursive: true });
    const info = await statOf(path);
    if (info === undefined) return true;
    await checkIsReport(path, info);
    const { runStartOf } = await import("../web/report_marker.ts");
    const started = await runStartOf(path) ?? (info.mtime ?? new Date()).toISOString();
    const time = started.replaceAll(":", "-");
    await Deno.rename(path, path.replace(REPORT_ENDING, `.${time}${REPORT_ENDING}`));
    return true;
  } catch (error) {
    const { message } = error instanceof UsageError ? error : cannotWrite(path, error);
    say(message);
    return false;
  }
}

/** Throws if a file is there that is not a report: other files are never replaced. */
async function checkIsReport(path: string, info: Deno.FileInfo | undefined): Promise<void> {
  if (info === undefined) return;
  // Opening a FIFO would wait for a writer.
  if (!info.isFile) {
    throw new UsageError(
      `Cannot write the report to "${path}": it must be a regular file. Name another file`,
    );
  }
  let isOurs: boolean;
  const { isReport } = await import("../web/report_marker.ts");
  try {
    isOurs = await isReport(path);
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
  if (isOurs) return;
  throw new UsageError(
    `Cannot write the report to "${path}": the existing file is not a report of Retort. ` +
      "Name another file, or move it away",
  );
}
