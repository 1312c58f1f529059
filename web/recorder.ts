/** Records a run for its report, without serving a page. @module */

import { after } from "../lib/timer.ts";
import { Hub } from "./hub.ts";
import type { MonitoredRun } from "./monitored_run.ts";
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
  // Loads the module after 5 s. Earlier, it would slow down the start of the run; at the end of a
  // run of days, another version may have replaced the program's files. An error does not stop the
  // run.
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
