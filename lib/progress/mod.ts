/**
 * Counts what happens in a run.
 *
 * In: attempts and outcomes. Out: snapshots and events for listeners. Does not know terminals or
 * pages; a failing listener never affects the run.
 *
 * @module
 */

export type { Notice, RunEvent, RunListener, RunStart, Summary, SummaryFile } from "./events.ts";
export type {
  ErrorGroup,
  FailureAction,
  Percentiles,
  RunState,
  Snapshot,
  TeacherStatus,
} from "./snapshot.ts";
export { type Gauges, Listeners, type SummaryParts } from "./progress_options.ts";
export type { FailedAttempt, ReleasedRow } from "./error_groups.ts";
export { countTeacherStates, mostUrgentTeachers, type TeacherStates } from "./counters.ts";
export { Progress } from "./progress.ts";
export {
  type CamelCase,
  eventOf,
  type ResultOf,
  resultOf,
  type RunSnapshot,
  type RunSummary,
} from "./results.ts";
