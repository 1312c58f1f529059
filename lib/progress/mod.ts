/**
 * Counts what happens in a run.
 *
 * In: attempts and outcomes. Out: snapshots and events for listeners. This layer does not depend on
 * terminals or pages, and a failing listener never affects the run.
 *
 * @module
 */

export type {
  ErrorGroup,
  FailedAttempt,
  FailureAction,
  Percentiles,
  ReleasedRow,
} from "./counters.ts";
export {
  type CamelCase,
  eventOf,
  type Notice,
  type ResultOf,
  resultOf,
  type RunEvent,
  type RunSnapshot,
  type RunStart,
  type RunState,
  type RunSummary,
  type Snapshot,
  type Summary,
  type SummaryFile,
} from "./events.ts";
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
