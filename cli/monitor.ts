/**
 * The web monitor and the report of a run. `web/` is not loaded for a run with neither.
 *
 * @module
 */

import { basename, dirname, join } from "../lib/deps/std_path.ts";
import { UsageError } from "../lib/errors.ts";
import { statOf } from "../lib/files.ts";
import { fileKeyOf, OWN_FOLDER, stemOf, withoutSeparator } from "../lib/paths.ts";
import type { ResponseGenerator } from "../lib/response_generator.ts";
import type { ResolvedRunOptions } from "../lib/run/mod.ts";
import { cannotWrite, modeMadeFrom, writeFileDurably } from "../lib/sink/mod.ts";
import type { Monitor, MonitorOptions } from "../web/server.ts";
import type { Recorder } from "../web/recorder.ts";
import { keepPage, type PageKeep, readPageKeep, showPage } from "./page.ts";
import type { Io } from "./io.ts";
import type { Settings } from "./settings.ts";

export interface MonitorRequest {
  /** Undefined without `--monitor`. */
  readonly page: PageRequest | undefined;
  readonly report: ReportRequest;
}

/**
 * `"default"` writes the report to {@linkcode besideResults} if any request was sent, and prints
 * the path if `isPathShown`.
 */
export type ReportRequest =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "default"; readonly isPathShown: boolean }
  | { readonly kind: "none" };

export interface PageRequest {
  /** 0 for any free port. */
  readonly port: number;
  /** @default 127.0.0.1 */
  readonly hostname: string | undefined;
  readonly isOpened: boolean;
  readonly keep: PageKeep;
}

export interface ShownRun
  extends Pick<ResolvedRunOptions, "input" | "output">, Pick<MonitorOptions, "about"> {
  /** The words that start this program, for commands on the data page. @default no data page */
  readonly program?: string;
}

export interface RunMonitor {
  /** Undefined without a page. */
  readonly monitor: Monitor | undefined;
  /**
   * Writes the report; the page stays. Resolves to false if a report that the user requested could
   * not be written; the reason is printed. Never throws.
   */
  end(): Promise<boolean>;
  keep(io: Io): Promise<void>;
  close(): Promise<void>;
}

/** Host names by which a server listens on all addresses of its machine. */
const ANY_ADDRESS = /^(0\.0\.0\.0|\[?::\]?)$/;
const REPORT_NAME = /\.html?$/i;

export function readMonitor(settings: Settings): MonitorRequest {
  return { page: readPage(settings), report: readReport(settings) };
}

function readReport(settings: Settings): ReportRequest {
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

function readPage(settings: Settings): PageRequest | undefined {
  const port = settings.text("monitor");
  const hostname = settings.text("monitor-host") || undefined;
  const isOpened = settings.isOn("open");
  const keep = readPageKeep(settings);
  if (port !== undefined) {
    const number = port === "" ? 0 : settings.port("monitor") ?? 0;
    return { port: number, hostname, isOpened, keep };
  }
  const loneFlag = hostname !== undefined
    ? "monitor-host"
    : isOpened
    ? "open"
    : settings.isTyped("monitor-keep")
    ? "monitor-keep"
    : undefined;
  if (loneFlag === undefined) return undefined;
  throw new UsageError(`Cannot use --${loneFlag} alone: it belongs to --monitor`);
}

/** Serves the page before the run starts, and checks that the report can be written. */
export async function openMonitor(
  generator: ResponseGenerator,
  { page, report }: MonitorRequest,
  run: ShownRun,
  say: (message: string) => void,
): Promise<RunMonitor> {
  const { about, program } = run;
  if (report.kind === "file") await prepareReportFile(report.path, run);
  const data = program === undefined ? undefined : { paths: [run.output], program };
  const served = page === undefined
    ? undefined
    : (await import("../web/server.ts")).serveMonitor(generator, { ...page, about, data });
  const record = served?.monitor ??
    (report.kind === "none"
      ? undefined
      : (await import("../web/recorder.ts")).createRecorder(generator, { about }));
  if (page !== undefined && served !== undefined) {
    const { url } = served;
    say(`Monitor: ${ANY_ADDRESS.test(page.hostname ?? "") ? addressElsewhere(url) : url}`);
    showPage({ ...page, url, exposure: "read the prompts and control the run" }, say);
  }
  return {
    monitor: served?.monitor,
    async end() {
      record?.finish();
      return record === undefined || await writeReport(record, report, run.input, say);
    },
    async keep(io) {
      if (page !== undefined && served !== undefined) {
        await keepPage(served.monitor, io, { keep: page.keep, say });
      }
    },
    async close() {
      await served?.close();
      record?.close();
    },
  };
}

async function writeReport(
  record: Pick<Recorder, "state"> & { report(): string | Promise<string> },
  request: ReportRequest,
  input: readonly string[],
  say: (message: string) => void,
): Promise<boolean> {
  const { run, snapshot, summary } = record.state();
  // Before a run has begun there is nothing to report, and an older report is worth keeping.
  if (request.kind === "none" || run === null) return true;
  if (request.kind === "file") {
    return await writeReportFile(request.path, await record.report(), input, say);
  }
  const results = summary?.files[0]?.results;
  const attempts = summary?.attempts ?? snapshot?.attempts ?? 0;
  if (results === undefined || attempts === 0) return true;
  const path = besideResults(results);
  const sayPath = request.isPathShown ? say : () => {};
  if (await keepEarlierReport(path, say)) {
    await writeReportFile(path, await record.report(), input, sayPath);
  }
  // The user did not request this report, so a failure to write it does not count.
  return true;
}

/** Replaces the host 0.0.0.0 or ::, which a browser elsewhere could not open. */
function addressElsewhere(url: string): string {
  const { port, pathname, search } = new URL(url);
  return `http://ADDRESS-OF-THIS-MACHINE:${port}${pathname}${search}`;
}

const REPORT_ENDING = ".report.html";

/**
 * Checks that a report can be written: the end of a run, which may take days, is too late to find
 * out. Creates the folder.
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

/** Writes atomically. Prints where the report is, or why it could not be written. */
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

/** Path of the report, in a folder that loaders skip: `out/.retort/<name>.report.html`. */
export function besideResults(results: string): string {
  const name = stemOf(basename(results));
  return join(dirname(results), OWN_FOLDER, `${name}${REPORT_ENDING}`);
}

/**
 * Adds the start time of its run to the name of an earlier report. Returns whether a new one can be
 * written; if not, prints the reason.
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

/** Files other than reports are never replaced. */
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
