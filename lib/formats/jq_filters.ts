/**
 * Filters of jq for messages: they make rows of JSON in other layouts.
 *
 * @module
 */

import { endOfString, isObject, objectLists, parsedJson } from "../json.ts";
import { jqElements } from "../printable.ts";
import { holdsQuestion } from "../row.ts";

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
    fits: (table) => {
      const columns = Object.values(table);
      return columns.every(isObject) ||
        columns.every((column) =>
          Array.isArray(column) && column.length === (columns[0] as unknown[]).length
        );
    },
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
 * has some other field that is a text or number, or lists of different lengths.
 */
export function tableFilter(line: string): string | undefined {
  const table = parsedJson(line);
  // Unparsed JSON may be truncated.
  return TABLE_LAYOUTS.find(({ start, fits }) =>
    start.test(line) && (!isObject(table) || fits(table))
  )?.filter;
}

/**
 * The filter for JSON over several lines: objects one after the other, as jq writes them, or one
 * object that is a row, is a table or holds the list of rows.
 *
 * @param text The beginning of the file.
 */
export function filterOf(text: string): string {
  const [, ...others] = text.split(/^\}/m, 2);
  if (others.some((other) => other.trim() !== "")) return ".";
  const object = parsedStart(text);
  if (hasPrompt(object)) return ".";
  const lists = objectLists(object);
  // Other lists, such as one of columns, may stand before that of the rows. A row may hold a list
  // without prompts in an inner object, such as `meta.entities`.
  const withPrompts = lists.filter(({ items: [first] }) => hasPrompt(first));
  if (withPrompts.length === 0 && isObject(object) && holdsQuestion(object)) return ".";
  const [longest] = lists
    .filter(({ path, items: [first] }) => path.length === 1 && !isPartOfRow(first))
    .toSorted((a, b) => b.items.length - a.items.length);
  const rows = withPrompts.length > 0 || longest === undefined ? withPrompts : [longest];
  return rows.length > 0 ? jqElements(rows) : tableFilter(text) ?? ".";
}

function hasPrompt(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { prompt, question, instruction, messages, conversations } = value;
  return [prompt, question, instruction].some((text) => typeof text === "string") ||
    [messages, conversations].some((list) => Array.isArray(list) && isObject(list[0]));
}

/** Whether an element of a list is a message or a tool. */
function isPartOfRow(item: object): boolean {
  return /^(?:role|from|type|name)$/.test(Object.keys(item)[0] ?? "");
}

/** Parses JSON that may be truncated: what is incomplete at its end is left out. */
function parsedStart(text: string): unknown {
  const closers: string[] = [];
  let end = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === '"') i = endOfString(text, i) - 1;
    else if (char === ",") end = i;
    else if ("{[}]".includes(char)) {
      end = i + 1;
      if (char === "{") closers.push("}");
      else if (char === "[") closers.push("]");
      else closers.pop();
    }
  }
  return parsedJson(text) ?? parsedJson(text.slice(0, end) + closers.reverse().join(""));
}
