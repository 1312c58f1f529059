/** The report of a run: its path, and checks that only reports are overwritten. @module */

import { basename, dirname, join } from "../lib/deps/std_path.ts";
import { RetortError, UsageError } from "../lib/errors.ts";
import { fileKeyOf, OWN_FOLDER, statOf, stemOf, withoutSeparator } from "../lib/files.ts";
import type { ResolvedRunOptions } from "../lib/run/mod.ts";
import { cannotWrite, modeMadeFrom, writeFileDurably } from "../lib/sink/mod.ts";
import type { Recorder } from "../web/recorder.ts";
import type { Settings } from "./settings.ts";

/**
 * `"default"` writes `.retort/<name>.report.html` next to the results if any request was sent, and
 * prints the path if `isPathShown`.
 */
export type ReportRequest =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "default"; readonly isPathShown: boolean }
  | { readonly kind: "none" };

type ReportSource = Pick<Recorder, "state"> & { report(): string | Promise<string> };

const REPORT_NAME = /\.html?$/i;
const REPORT_ENDING = ".report.html";

export function readReport(settings: Settings): ReportRequest {
  const path = settings.text("report");
  const isOff = settings.isOn("no-report");
  if (path === undefined) {
    return isOff ? { kind: "none" } : { kind: "default", isPathShown: !settings.isOn("quiet") };
  }
  if (isOff && settings.isTyped("no-report") === settings.isTyped("report")) {
    throw new UsageError("Cannot use --report with --no-report: name one of them");
  }
  if (isOff && settings.isTyped("no-report")) return { kind: "none" };
  if (!REPORT_NAME.test(path)) {
    throw new UsageError(
      `Cannot write the report to "${path}": it must be a file that ends in .html`,
    );
  }
  return { kind: "file", path };
}

/**
 * Checks before the run that the report can be written, because a run may take days. Creates the
 * folder.
 */
export async function prepareReportFile(
  path: string,
  { input, output }: Pick<ResolvedRunOptions, "input" | "output">,
): Promise<void> {
  const info = await statOf(path);
  if (info?.isDirectory || withoutSeparator(output) === path) {
    throw new UsageError(`Cannot write the report to "${path}": it is a folder`);
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
 * Returns false if a report that the user requested could not be written; the reason is printed.
 */
export async function writeReport(
  record: ReportSource,
  request: ReportRequest,
  input: readonly string[],
  say: (message: string) => void,
): Promise<boolean> {
  const { run, snapshot, summary } = record.state();
  // Keeps an older report if no run has begun.
  if (request.kind === "none" || run === null) return true;
  if (request.kind === "file") {
    return await writeReportFile(request.path, record, input, say);
  }
  const results = summary?.files[0]?.results;
  const attempts = summary?.attempts ?? snapshot?.attempts ?? 0;
  if (results === undefined || attempts === 0) return true;
  const path = besideResults(results);
  const sayPath = request.isPathShown ? say : () => {};
  if (await keepEarlierReport(path, say)) {
    await writeReportFile(path, record, input, sayPath);
  }
  // A report that the user did not request is optional.
  return true;
}

/** Writes atomically. Prints the path or the error. */
async function writeReportFile(
  path: string,
  record: ReportSource,
  input: readonly string[],
  say: (message: string) => void,
): Promise<boolean> {
  return await succeeds(path, say, async () => {
    await checkIsReport(path, await statOf(path));
    // Throws if the program's files were replaced before the report's module was loaded.
    const html = await record.report();
    const mode = await modeMadeFrom(input.filter((inputPath) => inputPath !== "-"));
    await writeFileDurably(path, html, { mode });
    say(`Wrote the report to ${path}`);
  });
}

/** Runs `work`, which uses the file at `path`. If it fails, prints the reason and returns false. */
async function succeeds(
  path: string,
  say: (message: string) => void,
  work: () => Promise<void>,
): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    const { message } = error instanceof RetortError ? error : cannotWrite(path, error);
    say(message);
    return false;
  }
}

/** Path of the report, in a folder that loaders skip: `out/.retort/<name>.report.html`. */
function besideResults(results: string): string {
  const name = stemOf(basename(results));
  return join(dirname(results), OWN_FOLDER, `${name}${REPORT_ENDING}`);
}

/**
 * Renames an earlier report: adds the start time of its run to the name. Returns whether a new
 * report can be written.
 */
async function keepEarlierReport(
  path: string,
  say: (message: string) => void,
): Promise<boolean> {
  return await succeeds(path, say, async () => {
    await Deno.mkdir(dirname(path), { recursive: true });
    const info = await statOf(path);
    if (info === undefined) return;
    await checkIsReport(path, info);
    const { runStartOf } = await import("../web/recorder.ts");
    const startTime = await runStartOf(path) ?? (info.mtime ?? new Date()).toISOString();
    const time = startTime.replaceAll(":", "-");
    await Deno.rename(path, path.replace(REPORT_ENDING, `.${time}${REPORT_ENDING}`));
  });
}

/** Throws if there is a file that is neither empty nor a report: it must not be overwritten. */
async function checkIsReport(path: string, info: Deno.FileInfo | undefined): Promise<void> {
  if (info === undefined) return;
  // Opening a FIFO would wait for a writer.
  if (!info.isFile) {
    throw new UsageError(
      `Cannot write the report to "${path}": it must be a regular file. Name another file`,
    );
  }
  let isOurs: boolean;
  const { isReport } = await import("../web/recorder.ts");
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
