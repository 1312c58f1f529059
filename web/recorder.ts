/**
 * Follows a run for its report, without a page: neither a server nor the files of the page are loaded before
 * the report is made.
 *
 * @module
 */

import { every } from "../lib/timer.ts";
import { Hub } from "./hub.ts";
import type { MonitoredRun } from "./monitored_run.ts";
import type { MonitorState } from "./protocol.ts";
import type { RunRecordOptions } from "./run_record.ts";

/** Knows all that a report holds. */
export interface Recorder {
  /** Everything that is known of the run. */
  state(): MonitorState;
  /** The run as one HTML file that needs no server. */
  report(): Promise<string>;
  /** Takes the run for ended. */
  finish(): void;
  /** Follows the run no more. */
  close(): void;
}

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
  return {
    state: () => hub.record.state(false),
    async report() {
      const { reportOf } = await import("./report.ts");
      return reportOf(hub);
    },
    finish: () => hub.finish(),
    close: () => hub.close(),
  };
}
