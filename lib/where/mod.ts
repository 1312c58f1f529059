/**
 * Conditions on rows, such as `completion_tokens < 4000 and finish_reason == "stop"`.
 *
 * In: the text of a condition, or the name of a field. Out: a `Where`, which tests rows and lists
 * its fields and comparisons, or the path of the field; also notes about likely mistakes. Only
 * comparisons are evaluated, never user code. The time that a regular expression (`matches`) takes
 * is not limited.
 *
 * @module
 */

export { absentNote, checkedName, FieldNotes, typeNote } from "./field_notes.ts";
export {
  type Comparison,
  type Lookup,
  type Needle,
  parseWhere,
  type Part,
  type Where,
} from "./parse_where.ts";
export { fieldName, isNumber, parsePath, valueAt } from "./tokens.ts";
