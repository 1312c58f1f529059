/**
 * The result of `classify()`.
 *
 * @module
 */

import type { FailureType } from "../../errors.ts";

export type FailureReaction = "retry" | "fail" | "halt";

/**
 * Why an attempt failed.
 *
 * - `account`: the key, the bill, the model or the address; this teacher will answer no row
 * - `request`: the request is rejected, because of this row or of something that all rows share
 * - `row`: the content of this row is rejected (its length, its files), which says nothing about
 *   others
 * - `filter`: a filter withholds this row, which says nothing about others
 * - `load`: the teacher throttles, whatever the status: a rate limit (`type` is `rate_limit`) or
 *   overload
 * - `unreachable`: no connection could be made, nothing was sent
 * - `timeout`: a deadline passed
 * - `adjusted`: the teacher rejected a field that Retort had added, and requests omit it from now
 *   on
 * - `fault`: something broke (500, 502, 504, 408 and so on, broken connections, partial answers)
 * - `ending`: there is an answer, but no proof that the teacher finished it
 */
export type FailureCause =
  | "account"
  | "request"
  | "row"
  | "filter"
  | "load"
  | "unreachable"
  | "timeout"
  | "fault"
  | "ending"
  | "adjusted";

/** What a failed attempt means for its row and its teacher. */
export interface Classification {
  /** Another attempt, the failure of the row, or nothing more for this teacher. */
  readonly action: FailureReaction;
  readonly cause: FailureCause;
  /** The type that users see, in the `error.type` of a failures line. */
  readonly type: FailureType;
  /** The wait that the teacher requests, in milliseconds. @default none */
  readonly retryAfterMs?: number;
  /**
   * Whether the teacher says that a limit is used up, so other rows must wait too.
   * @default false
   */
  readonly isExhausted?: boolean;
  /** For halts: what the user can do, a sentence without a final period. */
  readonly advice?: string;
  /** Whether the requested model is the cause: a row that names its own model then fails alone.
   * @default false */
  readonly isAboutModel?: boolean;
  /** How likely it is that something other than a teacher responds. Ignored if the teacher has ever
   * answered. @default it is a teacher */
  readonly otherServer?: "certain" | "probable";
}

/** A classification without what the error adds: the requested wait, and whether a limit is used
 * up. If `type` is missing, it follows from error and cause. */
export type Verdict = Omit<Classification, "type" | "retryAfterMs" | "isExhausted"> & {
  readonly type?: FailureType;
};
