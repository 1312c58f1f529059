/**
 * Decides which answers are accepted, and counts what all of them cost.
 *
 * In: a completion. Out: accept it, send the row again, or fail it; and whether the run must be
 * halted. This layer sends no requests and reads no clock.
 *
 * @module
 */

export { Budget, checkLimits, RAISE_ADVICE } from "./budget.ts";
export { asCompletion, unfinishedError } from "./completion_check.ts";
export { AnswerPolicy, type OnTruncated, type Rejection, uncheckedRejection } from "./policy.ts";
