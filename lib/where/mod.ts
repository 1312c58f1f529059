/**
 * Conditions on rows: `completion_tokens < 4000 and finish_reason == "stop"`.
 *
 * In: the text of a condition. Out: a function that says whether a row meets it. It evaluates only
 * comparisons and never runs user code. A regular expression (`matches`) may be slow.
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
export { type Field, parseField, valueAt } from "./tokens.ts";
