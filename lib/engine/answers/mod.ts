/**
 * Which answers are kept, and what they cost.
 *
 * In: a completion. Out: keep, send again, or fail. Nothing here sends a request or looks at the clock.
 *
 * @module
 */

export { Budget, checkLimits } from "./budget.ts";
export {
  checkEndings,
  type Ending,
  endingOf,
  isFilterWord,
  NO_REASON,
  tokenLimitOf,
} from "./endings.ts";
export {
  AnswerPolicy,
  isCompletion,
  type OnTruncated,
  type Rejection,
  unfinished,
} from "./policy.ts";
