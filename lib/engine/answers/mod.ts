/**
 * Decides which answers are kept, and counts what they cost.
 *
 * In: a completion. Out: keep, send again, or fail. This layer sends no requests and reads no
 * clock.
 *
 * @module
 */

export { Budget, checkLimits } from "./budget.ts";
export {
  AnswerPolicy,
  isCompletion,
  type OnTruncated,
  type Rejection,
  unfinished,
} from "./policy.ts";
