/**
 * Conditions on rows: `completion_tokens < 4000 and finish_reason == "stop"`.
 *
 * In: the text of a condition. Out: a function that tests whether a row meets the condition. Only
 * comparisons are evaluated, never user code. A regular expression (`matches`) may take long.
 *
 * @module
 */

export {
  type Comparison,
  type Lookup,
  type Needle,
  parseWhere,
  type Part,
  type Where,
} from "./parse_where.ts";
export { type Field, fieldName, parseField, parsePath, valueAt } from "./tokens.ts";
