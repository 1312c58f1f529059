/**
 * The file that a run's report is written to.
 *
 * @module
 */

import { statOf } from "../lib/files.ts";
import { dirname } from "../lib/deps/std_path.ts";
import { withoutSeparator } from "../lib/paths.ts";
import { UsageError } from "../lib/errors.ts";
import type { ResolvedRunOptions } from "../lib/run/mod.ts";
import { cannotWrite, modeMadeFrom, writeFileDurably } from "../lib/sink/mod.ts";

/**
 * Makes sure that a report can be written: a run takes days, and at its end it is too late to hear that
 * it cannot. Makes the folder.
 *
 * @throws {UsageError} when the file is an input, or a folder
 * @throws {SinkError} when nothing can be written there
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
    throw new UsageError(`Cannot write the report to "${path}": it is no regular file`);
  }
  for (const one of input) {
    const other = one === "-" ? undefined : await statOf(one);
    if (info !== undefined && other?.dev === info.dev && other.ino === info.ino) {
      throw new UsageError(
        `Cannot write the report to "${path}": it is the input "${one}". Name another file`,
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

/** Writes a report: the file is the old one or the new one, whatever happens. Says where it is, or why it
 * could not be written, and gives whether it was. */
export async function writeReportFile(
  path: string,
  html: string,
  input: readonly string[],
  say: (message: string) => void,
): Promise<boolean> {
  try {
    await checkIsReport(path, await statOf(path));
    const mode = await modeMadeFrom(input.filter((one) => one !== "-"));
    await writeFileDurably(path, html, { mode });
    say(`Wrote the report to ${path}`);
    return true;
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return false;
  }
}

/** A report is replaced, another file never. */
async function checkIsReport(path: string, info: Deno.FileInfo | undefined): Promise<void> {
  if (info === undefined) return;
  let isOurs: boolean;
  const { isReport } = await import("../web/report_marker.ts");
  try {
    isOurs = await isReport(path);
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
  if (isOurs) return;
  throw new UsageError(
    `Cannot write the report to "${path}": the file there is no report of Retort. ` +
      "Name another file, or move it away",
  );
}
