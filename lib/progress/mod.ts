/**
 * Counts what happens in a run.
 *
 * In: attempts and outcomes. Out: snapshots and events for listeners. It knows nothing about
 * terminals and pages, and a failing listener never affects the run.
 *
 * @module
 */

export type {
  ErrorGroup,
  FailureAction,
  Notice,
  Percentiles,
  RunEvent,
  RunListener,
  RunStart,
  RunState,
  Snapshot,
  Summary,
  SummaryFile,
  TeacherStatus,
} from "./events.ts";
export { type Gauges, Listeners, type SummaryParts } from "./progress_options.ts";
export type { FailedAttempt, ReleasedRow } from "./counters.ts";
export { Progress } from "./progress.ts";
export {
  type CamelCase,
  eventOf,
  type ResultOf,
  resultOf,
  type RunSnapshot,
  type RunSummary,
} from "./results.ts";
