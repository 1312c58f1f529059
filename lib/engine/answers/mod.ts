/**
 * Decides which answers are accepted, and counts the cost of all answers.
 *
 * In: a completion. Out: whether to accept the answer, send the row again or fail it, and whether
 * to halt the run. This layer sends no requests and reads no clock.
 *
 * @module
 */

export { Budget, checkLimits, RAISE_ADVICE } from "./budget.ts";
export { asCompletion, unfinishedError } from "./completion_check.ts";
export { AnswerPolicy, type OnTruncated, type Rejection, uncheckedRejection } from "./policy.ts";
