/**
 * The web monitor and the report of a run. `web/` is loaded only when one of them is asked for.
 *
 * @module
 */

import { UsageError } from "../lib/errors.ts";
import type { ResponseGenerator } from "../lib/response_generator.ts";
import type { ResolvedRunOptions } from "../lib/run/mod.ts";
import type { Monitor, MonitorOptions } from "../web/server.ts";
import { openBrowser } from "./browser.ts";
import type { Io } from "./io.ts";
import { prepareReportFile, writeReportFile } from "./report_file.ts";
import { keepPage, type PageKeep, readPageKeep } from "./keep_page.ts";
import type { Settings } from "./settings.ts";

/** What is asked for. */
export interface MonitorRequest {
  /** Where the page is served; undefined where nobody asked for it. */
  readonly page: PageRequest | undefined;
  /** The file that the report is written to. */
  readonly report: string | undefined;
}

/** Where the page is served. */
export interface PageRequest {
  /** The port; 0 for any that is free. */
  readonly port: number;
  /** What the server listens on; undefined for this machine only. */
  readonly hostname: string | undefined;
  /** Whether the default browser opens it. */
  readonly isOpened: boolean;
  /** How long it stays after the run. */
  readonly keep: PageKeep;
}

/** The monitor of a run. */
export interface RunMonitor {
  /** What follows the run; undefined where neither page nor report was asked for. */
  readonly monitor: Monitor | undefined;
  /** Tells pages that the run has ended and writes the report; the page stays. False when the report could
   * not be written, which was said then; never throws. */
  end(): Promise<boolean>;
  /** Waits while the page is needed after the run. */
  keep(io: Io): Promise<void>;
  /** Ends the page. */
  close(): Promise<void>;
}

const MOST_PORT = 65_535;
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i;
const EVERYWHERE = /^(0\.0\.0\.0|\[?::\]?)$/;
const REPORT_NAME = /\.html?$/i;

/** Reads what is asked for. */
export function readMonitor(settings: Settings): MonitorRequest {
  const report = settings.text("report");
  if (report !== undefined && !REPORT_NAME.test(report)) {
    throw new UsageError(
      `Cannot write the report to "${report}": it must be a file that ends in .html`,
    );
  }
  return { page: readPage(settings), report };
}

function readPage(settings: Settings): PageRequest | undefined {
  const port = settings.text("monitor");
  const hostname = settings.text("monitor-host") || undefined;
  const isOpened = settings.isOn("open");
  const keep = readPageKeep(settings);
  if (port !== undefined) {
    const number = port === "" ? 0 : settings.integer("monitor", 0, MOST_PORT) ?? 0;
    return { port: number, hostname, isOpened, keep };
  }
  const alone = hostname !== undefined
    ? "monitor-host"
    : isOpened
    ? "open"
    : settings.isTyped("monitor-keep")
    ? "monitor-keep"
    : undefined;
  if (alone === undefined) return undefined;
  throw new UsageError(`Cannot use --${alone} alone: it belongs to --monitor`);
}

/**
 * Serves the page of a run to come, and makes sure that its report can be written.
 *
 * @throws {UsageError | SinkError} when one of them cannot be done
 */
export async function openMonitor(
  generator: ResponseGenerator,
  { page, report }: MonitorRequest,
  files: Pick<ResolvedRunOptions, "input" | "output"> & Pick<MonitorOptions, "about">,
  say: (message: string) => void,
): Promise<RunMonitor> {
  if (page === undefined && report === undefined) {
    const nothing = () => Promise.resolve();
    return {
      monitor: undefined,
      end: () => Promise.resolve(true),
      keep: nothing,
      close: nothing,
    };
  }
  if (report !== undefined) await prepareReportFile(report, files);
  const { about } = files;
  const { createMonitor, serveMonitor } = await import("../web/server.ts");
  const served = page === undefined ? undefined : serveMonitor(generator, { ...page, about });
  const monitor = served?.monitor ?? createMonitor(generator, { about });
  if (page !== undefined && served !== undefined) show(page, served.url, say);
  return {
    monitor,
    async end() {
      monitor.finish();
      // Before a run has begun there is nothing to report, and an older report is worth more.
      if (report === undefined || monitor.state().run === null) return true;
      return await writeReportFile(report, monitor.report(), files.input, say);
    },
    async keep(io) {
      if (page !== undefined) await keepPage(monitor, io, { keep: page.keep, say });
    },
    async close() {
      await served?.close();
      monitor.close();
    },
  };
}

function show({ hostname, isOpened }: PageRequest, url: string, say: (text: string) => void): void {
  say(`Monitor: ${EVERYWHERE.test(hostname ?? "") ? addressElsewhere(url) : url}`);
  if (hostname !== undefined && !LOOPBACK.test(hostname)) {
    say(
      "Warning: anybody who has this address can read the prompts and steer the run, and it goes " +
        "over the network as it is",
    );
  }
  if (!isOpened) return;
  openBrowser(url).catch((error: Error) =>
    say(`Cannot open a browser: ${error.message}. Open the address above`)
  );
}

/** Other machines know this one by an address that it does not know itself. */
function addressElsewhere(url: string): string {
  const { port, pathname, search } = new URL(url);
  return `http://ADDRESS-OF-THIS-MACHINE:${port}${pathname}${search}`;
}
