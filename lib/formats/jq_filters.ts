/**
 * Filters of jq for messages: they make rows of JSON in other layouts.
 *
 * @module
 */

import { isObject, parsedJson } from "../json.ts";
import { posixWord } from "../printable.ts";

/** A table in one JSON object, and the filter that makes rows of it. */
interface TableLayout {
  /** Decides alone if the line is truncated and cannot be parsed for `fits`. */
  readonly start: RegExp;
  readonly fits: (table: Record<string, unknown>) => boolean;
  readonly filter: string;
}

const TABLE_LAYOUTS: readonly TableLayout[] = [
  // Pandas with orient="split".
  {
    start:
      /^\{\s*"columns"\s*:\s*\[(?:\s*(?:"(?:[^"\\]|\\.)*"|-?\d+)\s*,?)*\]\s*,\s*"(index|data)"/,
    fits: ({ columns, data }) =>
      Array.isArray(columns) && Array.isArray(data) && data.every(Array.isArray),
    filter:
      "'.columns as $c | .data[] | [$c, .] | transpose | map({(.[0] | tostring): .[1]}) | add'",
  },
  // Columns as lists or, from pandas, as objects by index.
  {
    start: /^\{\s*"[^"]*"\s*:\s*(\{\s*"\d+"|\[\s*(["\d-]|true|false|null))/,
    fits: (table) => Object.values(table).every((column) => typeof column === "object"),
    filter: "'. as $t | .[keys_unsorted[0]] | keys_unsorted[] as $i | $t | map_values(.[$i])'",
  },
  // Pandas with orient="index".
  {
    start: /^\{\s*"\d+"\s*:\s*\{/,
    fits: (table) => Object.values(table).every(isObject),
    filter: "'.[]'",
  },
];

/**
 * The filter for a table in one JSON object; undefined for a row. A row may begin like a table, but
 * has some field that is neither a list nor an object.
 */
export function tableFilter(line: string): string | undefined {
  const table = parsedJson(line);
  // Unparsed JSON may be truncated.
  return TABLE_LAYOUTS.find(({ start, fits }) =>
    start.test(line) && (!isObject(table) || fits(table))
  )?.filter;
}

/**
 * The filter for JSON over several lines: consecutive objects, as jq writes them, or one object
 * that is a table or holds the list of rows.
 */
export function filterOf(text: string): string {
  const [object, ...others] = text.split(/^\}/m, 2);
  if (others.some((other) => other.trim() !== "")) return ".";
  const list = listField(object);
  return list === undefined ? tableFilter(text) ?? "." : posixWord(`.["${list}"][]`);
}

/** The first field with a list of objects that are no messages or tools. */
function listField(object: string): string | undefined {
  const indentation = /^\{\r?\n([ \t]+)/.exec(object)?.[1];
  const start = indentation === undefined ? "^\\{\\s*" : `^${indentation}`;
  const list = `"([^"\\\\]*)"\\s*:\\s*\\[\\s*\\{(?!\\s*"(?:role|from|type|name)")`;
  return new RegExp(start + list, "m").exec(object)?.[1];
}
