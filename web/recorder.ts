/**
 * Records a run for its report, without serving a page. Also recognizes reports: a new report may
 * replace only an older one or an empty file. Loads `report.ts` only after the start of the run.
 *
 * @module
 */

import { readFully } from "../lib/files.ts";
import { after } from "../lib/timer.ts";
import { Hub, type MonitoredRun } from "./hub.ts";
import type { MonitorState } from "./monitor_state.ts";
import type { RunRecordOptions } from "./run_record.ts";

export interface Recorder {
  state(): MonitorState;
  report(): Promise<string>;
  /** Records the end of the run, even if the run has not reported it. */
  finish(): void;
  close(): void;
}

const REPORT_LOAD_DELAY_MS = 5_000;

export function createRecorder(
  generator: MonitoredRun,
  options: Pick<RunRecordOptions, "about">,
): Recorder {
  const hub = new Hub(generator, options);
  const loadReportModule = () => import("./report.ts");
  // Loads the module after 5 s. Earlier, loading would slow down the start of the run. By the end
  // of a long run, another version may have replaced the program's files. An error does not stop
  // the run.
  const cancelLoading = after(REPORT_LOAD_DELAY_MS, () => void loadReportModule().catch(() => {}));
  return {
    state: () => hub.record.state(),
    report: async () => (await loadReportModule()).reportOf(hub),
    finish: () => hub.finish(),
    close() {
      cancelLoading();
      hub.close();
    },
  };
}

export const REPORT_MARKER = '<meta name="generator" content="Retort">';

/** Identifies reports of earlier versions, which lack `REPORT_MARKER`. */
const OLD_MARKER = "<title>Retort</title>";

const STARTED = /<meta name="retort-started" content="([^"]+)">/;

const START_BYTES = 8_192;

/**
 * Returns a tag that says when the run began (ISO 8601). `cli/monitor.ts` adds this time to the
 * name of an older report.
 */
export function startedMarker(started: string): string {
  return `<meta name="retort-started" content="${started}">`;
}

/** Whether a file is a report, or is empty and may be replaced by one. */
export async function isReport(path: string): Promise<boolean> {
  const start = await readStart(path);
  return start === "" || start.includes(REPORT_MARKER) || start.includes(OLD_MARKER);
}

/** Returns when the run of a report began (ISO 8601); undefined if the report does not say. */
export async function runStartOf(path: string): Promise<string | undefined> {
  const started = STARTED.exec(await readStart(path))?.[1];
  return started === undefined || Number.isNaN(Date.parse(started)) ? undefined : started;
}

async function readStart(path: string): Promise<string> {
  using file = await Deno.open(path);
  const bytes = new Uint8Array(START_BYTES);
  return new TextDecoder().decode(bytes.subarray(0, await readFully(file, bytes)));
}
