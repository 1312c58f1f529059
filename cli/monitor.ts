/**
 * The page of a run (`--monitor`) and its report, which replaces only an older report or an empty
 * file. A run with neither does not load `web/`.
 *
 * @module
 */

import { basename, dirname, join } from "../lib/deps/std_path.ts";
import { RetortError, UsageError } from "../lib/errors.ts";
import { fileKeyOf, OWN_FOLDER, statOf, stemOf, withoutSeparator } from "../lib/files.ts";
import type { ResponseGenerator } from "../lib/response_generator.ts";
import { cannotWrite, modeMadeFrom, writeFileDurably } from "../lib/sink/mod.ts";
import type { Recorder } from "../web/recorder.ts";
import type { Monitor } from "../web/server.ts";
import type { Io } from "./io.ts";
import { keepPage, type PageRequest, readPage, servePage, type ShownRun } from "./page.ts";
import type { Settings } from "./settings.ts";

export interface MonitorRequest {
  /** The page to serve; undefined without `--monitor`. */
  readonly page: PageRequest | undefined;
  readonly report: ReportRequest;
}

export interface RunMonitor {
  readonly monitor: Monitor | undefined;
  /**
   * Writes the report; the page stays open. Resolves to false if a report that the user requested
   * could not be written; the reason is printed. Never rejects.
   */
  writeReport(): Promise<boolean>;
  /** Waits until the page is no longer needed (`--monitor-keep`). */
  keepPage(): Promise<void>;
  close(): Promise<void>;
}

export function readMonitor(settings: Settings): MonitorRequest {
  return { page: readPage(settings), report: readReport(settings) };
}

/** Serves the page, and checks that the report of `--report` can be written after the run. */
export async function openMonitor(
  generator: ResponseGenerator,
  { page, report }: MonitorRequest,
  run: ShownRun,
  io: Io,
  say: (message: string) => void,
): Promise<RunMonitor> {
  const { about, input } = run;
  if (report.kind === "file") await prepareReportFile(report.path, run);
  const served = page && await servePage(generator, page, run, io, say);
  const record = served?.monitor ??
    (report.kind === "none"
      ? undefined
      : (await import("../web/recorder.ts")).createRecorder(generator, { about }));
  return {
    monitor: served?.monitor,
    async writeReport() {
      record?.finish();
      return record === undefined || await writeReport(record, report, input, say);
    },
    async keepPage() {
      if (page && served) await keepPage(served.monitor, io, { keep: page.keep, say });
    },
    async close() {
      await served?.close();
      record?.close();
    },
  };
}

/** `"default"` is `.retort/<name>.report.html` next to the results, if any request was sent. */
type ReportRequest =
  | { readonly kind: "file"; readonly path: string; readonly isPathShown: boolean }
  | { readonly kind: "default"; readonly isPathShown: boolean }
  | { readonly kind: "none" };

type ReportSource = Pick<Recorder, "state"> & { report(): string | Promise<string> };

const REPORT_NAME = /\.html?$/i;
const REPORT_ENDING = ".report.html";

function readReport(settings: Settings): ReportRequest {
  const path = settings.text("report");
  const isOff = settings.isOn("no-report"), isOffTyped = settings.isTyped("no-report");
  if (isOff && path !== undefined && isOffTyped === settings.isTyped("report")) {
    throw new UsageError("Cannot use --report with --no-report: name one of them");
  }
  if (isOff && (path === undefined || isOffTyped)) return { kind: "none" };
  const isPathShown = !settings.isOn("quiet");
  if (path === undefined) return { kind: "default", isPathShown };
  if (!REPORT_NAME.test(path)) throw refusal(path, "it must be a file that ends in .html");
  return { kind: "file", path, isPathShown };
}

function refusal(path: string, problem: string): UsageError {
  return new UsageError(`Cannot write the report to "${path}": ${problem}`);
}

/** Throws if the report could not be written after the run. Creates its folder. */
async function prepareReportFile(
  path: string,
  { input, output }: ShownRun,
): Promise<void> {
  const info = await statOf(path);
  if (info?.isDirectory || withoutSeparator(output) === path) {
    throw refusal(path, "it is a folder");
  }
  for (const inputPath of input) {
    const inputInfo = inputPath === "-" ? undefined : await statOf(inputPath);
    if (info && inputInfo && fileKeyOf(inputPath, inputInfo) === fileKeyOf(path, info)) {
      throw refusal(path, `it is the input "${inputPath}". Name another file`);
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
 * Writes the report, and prints its path or why it cannot be written. Returns false if a report
 * that the user requested cannot be written.
 */
export async function writeReport(
  record: ReportSource,
  request: ReportRequest,
  input: readonly string[],
  say: (message: string) => void,
): Promise<boolean> {
  const { run, snapshot, summary } = record.state();
  // If no run has begun, an older report stays.
  if (request.kind === "none" || run === null) return true;
  const results = summary?.files[0]?.results;
  const attempts = summary?.attempts ?? snapshot?.attempts ?? 0;
  const isDefault = request.kind === "default";
  if (isDefault && (results === undefined || attempts === 0)) return true;
  const path = isDefault ? defaultReportPath(results!) : request.path;
  try {
    if (isDefault) await keepEarlierReport(path);
    await checkIsReport(path, await statOf(path));
    // Throws if the program's files were replaced before the report's module was loaded.
    const html = await record.report();
    const mode = await modeMadeFrom(input.filter((inputPath) => inputPath !== "-"));
    await writeFileDurably(path, html, { mode });
    if (request.isPathShown) say(`Wrote the report to ${path}`);
    return true;
  } catch (error) {
    say((error instanceof RetortError ? error : cannotWrite(path, error)).message);
    return isDefault;
  }
}

/** Returns `out/.retort/<name>.report.html`. Libraries that load data sets skip this folder. */
function defaultReportPath(results: string): string {
  const name = stemOf(basename(results));
  return join(dirname(results), OWN_FOLDER, `${name}${REPORT_ENDING}`);
}

/** Renames an earlier report: adds the start time of its run to the name. Creates the folder. */
async function keepEarlierReport(path: string): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  const info = await statOf(path);
  if (info === undefined) return;
  await checkIsReport(path, info);
  const { runStartOf } = await import("../web/recorder.ts");
  const startTime = await runStartOf(path) ?? (info.mtime ?? new Date()).toISOString();
  const time = startTime.replaceAll(":", "-");
  await Deno.rename(path, path.replace(REPORT_ENDING, `.${time}${REPORT_ENDING}`));
}

/** Throws for a file that is neither empty nor a report, because it must not be overwritten. */
async function checkIsReport(path: string, info: Deno.FileInfo | undefined): Promise<void> {
  if (info === undefined) return;
  // Opening a FIFO would wait for a writer.
  if (!info.isFile) throw refusal(path, "it must be a regular file. Name another file");
  let isOwnReport: boolean;
  const { isReport } = await import("../web/recorder.ts");
  try {
    isOwnReport = await isReport(path);
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
  if (isOwnReport) return;
  throw refusal(
    path,
    "the existing file is not a report of Retort. Name another file, or move it away",
  );
}
