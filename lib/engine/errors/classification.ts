/**
 * What `classify()` says about a failed attempt.
 *
 * @module
 */

import type { FailureType } from "../../errors.ts";

/** What follows a failed attempt. */
export type FailureReaction = "retry" | "fail" | "halt";

/**
 * Why an attempt failed.
 *
 * - `account`: the key, the bill, the model or the address; no row will be answered
 * - `request`: the request is rejected, because of this row or of what all rows share
 * - `row`: what this row holds is rejected (its length, its files), which says nothing about other rows
 * - `filter`: a filter withholds this row, which says nothing about other rows
 * - `load`: the teacher throttles, whatever the status: a rate limit (`type` is `rate_limit`) or overload
 * - `unreachable`: no connection could be made, nothing was sent
 * - `timeout`: a deadline passed
 * - `adjusted`: the teacher refused a field that was added for the user, and requests leave it out from now on
 * - `fault`: something broke (500, 502, 504, 408, 409, cut connections, half answers)
 * - `ending`: there is an answer, but nothing says that the teacher finished it
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

/** What an error means for its row and for its teacher. */
export interface Classification {
  /** What follows: another attempt, the end of this row, or the end of all sending. */
  readonly action: FailureReaction;
  /** Why. */
  readonly cause: FailureCause;
  /** What users see as the type of the failure. */
  readonly type: FailureType;
  /** How long the teacher asks to wait, in milliseconds. @default undefined: it says nothing of that */
  readonly retryAfterMs?: number;
  /** Whether the teacher says that a limit is used up: no other row is sent to it until then.
   * @default false */
  readonly isExhausted?: boolean;
  /** For halts: what the user can do, a sentence without a final period. */
  readonly advice?: string;
  /** Whether the model's name is the cause: a row that names its own model fails alone. @default false */
  readonly isAboutModel?: boolean;
  /** Whether something other than a teacher answers, surely or probably. Counts only if nothing else has
   * ever answered there. */
  readonly isOtherServer?: "certainly" | "probably";
}
