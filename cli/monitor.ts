/**
 * The web monitor and the report of a run. `web/` is not loaded for a run with neither.
 *
 * @module
 */

import { UsageError } from "../lib/errors.ts";
import type { ResponseGenerator } from "../lib/response_generator.ts";
import type { ResolvedRunOptions } from "../lib/run/mod.ts";
import type { Monitor, MonitorOptions } from "../web/server.ts";
import type { Recorder } from "../web/recorder.ts";
import { keepPage, type PageKeep, readPageKeep, showPage } from "./page.ts";
import type { Io } from "./io.ts";
import {
  besideResults,
  keepEarlierReport,
  prepareReportFile,
  writeReportFile,
} from "./report_file.ts";
import type { Settings } from "./settings.ts";

/** What the user requests of the page and the report. */
export interface MonitorRequest {
  /** Undefined without `--monitor`. */
  readonly page: PageRequest | undefined;
  readonly report: ReportRequest;
}

/**
 * Where a report is written. The default is next to the results, if any request was sent;
 * `isPathShown` is whether to print that path.
 */
export type ReportRequest =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "default"; readonly isPathShown: boolean }
  | { readonly kind: "none" };

/** How the page is served. */
export interface PageRequest {
  /** 0 for any free port. */
  readonly port: number;
  /** Address that the server listens on; undefined for 127.0.0.1. */
  readonly hostname: string | undefined;
  /** Whether to open the page in the default browser. */
  readonly isOpened: boolean;
  /** How long the page stays after the run. */
  readonly keep: PageKeep;
}

/** The run that page and report show. */
export interface ShownRun
  extends Pick<ResolvedRunOptions, "input" | "output">, Pick<MonitorOptions, "about"> {
  /** The words that start this program, for commands on the data page. @default no data page */
  readonly program?: string;
}

/** The page and the report of a run, once opened. */
export interface RunMonitor {
  /** Undefined without a page. */
  readonly monitor: Monitor | undefined;
  /**
   * Notifies pages that the run has ended and writes the report; the page stays. Resolves to false
   * if a report that the user requested could not be written; the reason is printed. Never throws.
   */
  end(): Promise<boolean>;
  /** Waits until the page is no longer needed after the run. */
  keep(io: Io): Promise<void>;
  /** Stops serving the page. */
  close(): Promise<void>;
}

/** Host names by which a server listens on all addresses of its machine. */
const ANY_ADDRESS = /^(0\.0\.0\.0|\[?::\]?)$/;
const REPORT_NAME = /\.html?$/i;

/** Reads the flags of the page and the report. */
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

/**
 * Serves the page of a run before it starts, and checks that its report can be written.
 *
 * @throws {UsageError | SinkError} if the page cannot be served or the report cannot be written
 */
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
