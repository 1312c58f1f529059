/**
 * Counts what happens in a run.
 *
 * In: attempts and outcomes. Out: snapshots and events for listeners. This layer does not know
 * terminals or pages, and a failing listener never affects the run.
 *
 * @module
 */

export type {
  ErrorGroup,
  FailureAction,
  Notice,
  Percentiles,
  RunEvent,
  RunStart,
  RunState,
  Snapshot,
  Summary,
  SummaryFile,
} from "./events.ts";
export type { FailedAttempt, ReleasedRow } from "./counters.ts";
export { Progress } from "./progress.ts";
export {
  countTeacherStates,
  type Gauges,
  Listeners,
  mostUrgentTeachers,
  type RunListener,
  type SummaryParts,
  type TeacherStates,
  type TeacherStatus,
} from "./progress_options.ts";
export {
  type CamelCase,
  eventOf,
  type ResultOf,
  resultOf,
  type RunSnapshot,
  type RunSummary,
} from "./results.ts";
