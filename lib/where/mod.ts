/**
 * Conditions on rows: `completion_tokens < 4000 and finish_reason == "stop"`.
 *
 * In: the text of a condition. Out: a function that says whether a row meets it. It evaluates nothing but
 * comparisons: no code of the user's runs, and no text can make it slow.
 *
 * @module
 */

export { type Field, parseField, parseWhere, type Where } from "./parse_where.ts";
