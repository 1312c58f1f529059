/**
 * The web monitor of a run, and the recorder of its report. A run with neither does not load
 * `web/`.
 *
 * @module
 */

import { UsageError } from "../lib/errors.ts";
import type { ResponseGenerator } from "../lib/response_generator.ts";
import type { ResolvedRunOptions } from "../lib/run/mod.ts";
import type { Monitor, MonitorOptions } from "../web/server.ts";
import { keepPage, type PageKeep, readPageKeep, shownUrl, showPage } from "./page.ts";
import type { Io } from "./io.ts";
import { prepareReportFile, readReport, type ReportRequest, writeReport } from "./report.ts";
import type { Settings } from "./settings.ts";

export interface MonitorRequest {
  /** Undefined without `--monitor`. */
  readonly page: PageRequest | undefined;
  readonly report: ReportRequest;
}

export interface PageRequest {
  /** 0 for any free port. */
  readonly port: number;
  /** @default 127.0.0.1 */
  readonly hostname: string | undefined;
  readonly opensBrowser: boolean;
  readonly keep: PageKeep;
}

export interface ShownRun
  extends Pick<ResolvedRunOptions, "input" | "output">, Pick<MonitorOptions, "about"> {}

export interface RunMonitor {
  readonly monitor: Monitor | undefined;
  /**
   * Writes the report; the page stays. Resolves to false if a report that the user requested could
   * not be written; the reason is printed. Never throws.
   */
  end(): Promise<boolean>;
  /** Waits until the page is no longer needed (`--monitor-keep`). */
  keep(): Promise<void>;
  close(): Promise<void>;
}

export function readMonitor(settings: Settings): MonitorRequest {
  return { page: readPage(settings), report: readReport(settings) };
}

function readPage(settings: Settings): PageRequest | undefined {
  const port = settings.text("monitor");
  const hostname = settings.text("monitor-host") || undefined;
  const opensBrowser = settings.isOn("open");
  const keep = readPageKeep(settings);
  if (port !== undefined) {
    const number = port === "" ? 0 : settings.port("monitor") ?? 0;
    return { port: number, hostname, opensBrowser, keep };
  }
  const loneFlag = hostname !== undefined
    ? "monitor-host"
    : opensBrowser
    ? "open"
    : settings.isTyped("monitor-keep")
    ? "monitor-keep"
    : undefined;
  if (loneFlag === undefined) return undefined;
  throw new UsageError(`Cannot use --${loneFlag} alone: it requires --monitor`);
}

/**
 * Serves the page before the run starts, and checks that the report of `--report` can be written.
 */
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
    async end() {
      record?.finish();
      return record === undefined || await writeReport(record, report, input, say);
    },
    async keep() {
      if (page && served) await keepPage(served.monitor, io, { keep: page.keep, say });
    },
    async close() {
      await served?.close();
      record?.close();
    },
  };
}
/** Serves the page, says where it is, and opens it if requested. */
async function servePage(
  generator: ResponseGenerator,
  page: PageRequest,
  { about, output }: ShownRun,
  io: Io,
  say: (message: string) => void,
) {
  const data = { paths: [output], program: io.program };
  const { serveMonitor } = await import("../web/server.ts");
  const { hostname, port } = page;
  const { url, monitor, close } = serveMonitor(generator, { hostname, port, about, data });
  say(`Monitor: ${shownUrl(url, page.hostname)}`);
  const exposure = "read the prompts and control the run";
  const shown = showPage({ ...page, url, exposure, output }, say, io.env);
  return {
    monitor,
    async close() {
      await shown[Symbol.asyncDispose]();
      await close();
    },
  };
}
