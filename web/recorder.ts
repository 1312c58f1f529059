/**
 * Records a run for its report, without a page: no server is loaded, and the files of the page only once the run is
 * active.
 *
 * @module
 */

import { after, every } from "../lib/timer.ts";
import { Hub } from "./hub.ts";
import type { MonitoredRun } from "./monitored_run.ts";
import type { MonitorState } from "./monitor_state.ts";
import type { RunRecordOptions } from "./run_record.ts";

/** The record of a run, from which its report is made. */
export interface Recorder {
  /** The record of the run. */
  state(): MonitorState;
  /** The run as one HTML file that needs no server. */
  report(): Promise<string>;
  /** Treats the run as ended. */
  finish(): void;
  /** Stops following the run. */
  close(): void;
}

/** When the report's module is loaded, at the latest: no start waits for it. */
const WHILE_UNDER_WAY_MS = 5_000;

/** Follows all runs of a generator from now on, until `close()`. */
export function createRecorder(
  generator: MonitoredRun,
  { about }: Pick<RunRecordOptions, "about">,
): Recorder {
  const hub = new Hub(generator, {
    now: () => performance.now(),
    wallClock: Date.now,
    random: Math.random,
    every,
    about,
  });
  const report = () => import("./report.ts");
  // Before a run of days has ended, its program may have been replaced by another version. The run continues
  // without it.
  const cancel = after(WHILE_UNDER_WAY_MS, () => void report().catch(() => {}));
  return {
    state: () => hub.record.state(false),
    report: async () => (await report()).reportOf(hub),
    finish: () => hub.finish(),
    close() {
      cancel();
      hub.close();
    },
  };
}
