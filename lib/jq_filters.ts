/**
 * Finds rows that are in lists or columns of a JSON object, and the jq filters that extract these
 * rows. Messages suggest the filters.
 *
 * @module
 */

import { endOfString, isObject, parsedJson } from "./json.ts";
import { posixWord } from "./printable.ts";

/** Returns the jq expression for the value to which the names lead. */
export function jqPath(...names: readonly string[]): string {
  return `.${names.map((name) => `[${JSON.stringify(name)}]`).join("")}`;
}

/** Returns the jq argument for the elements of all lists at these paths: `'.["a"][], .["b"][]'`. */
export function jqElements(lists: readonly { readonly path: readonly string[] }[]): string {
  return posixWord(lists.map(({ path }) => `${jqPath(...path)}[]`).join(", "));
}

/** Returns the jq argument that converts LangChain's messages in a field. The name `row` stands for
 * a row that is a bare array. */
export function langchainFilter(name: string): string {
  const isPlain = /^(?:body\.)?[a-z_]\w*$/i.test(name);
  const list = name === "row" ? "." : isPlain ? `.${name}` : jqPath(name);
  return posixWord(
    `${list} |= map({role: ({"human":"user","ai":"assistant"}[.type] // .type), ` +
      "content: (.content // .data.content)})",
  );
}

export interface ObjectList {
  /** The names that lead from the outermost object to the list. */
  readonly path: readonly string[];
  readonly items: readonly [object, ...unknown[]];
}

/** Returns lists of objects, up to three levels deep. Members whose name is a number are not
 * searched, because pandas names rows in this way. */
export function objectLists(value: unknown, path: readonly string[] = []): ObjectList[] {
  if (Array.isArray(value)) return isObject(value[0]) ? [{ path, items: value as [object] }] : [];
  if (!isObject(value) || path.length > 2) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    /^\d+$/.test(name) ? [] : objectLists(inner, [...path, name])
  );
}

/** Whether an object has a prompt in one of the fields that are read without a flag. Messages may
 * be JSON text. */
export function holdsPrompt(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { prompt, question, instruction, messages, conversations } = value;
  const isList = (field: unknown) =>
    typeof field === "string" ? /^\s*\[/.test(field) : Array.isArray(field) && isObject(field[0]);
  return [prompt, question, instruction].some((field) => typeof field === "string") ||
    [prompt, messages, conversations].some(isList);
}

/** Whether an object with lists is itself a row: it is one if a field that datasets use for prompts
 * has a text of several words. */
export function holdsQuestion(object: object): boolean {
  return Object.entries(object).some(([name, value]) =>
    QUESTION_NAMES.test(name) && typeof value === "string" && /\S\s+\S/.test(value)
  );
}

const QUESTION_NAMES =
  /^(?:user_prompt|prompt_text|input_text|query|problem|user_input|user_message|inputs?)$/i;

function isListOfMessages(value: unknown): boolean {
  const [first] = Array.isArray(value) ? value : [];
  return isObject(first) && ("role" in first || "from" in first);
}

/** A layout of tables in one JSON object, and the filter that converts such a table to rows. */
interface TableLayout {
  /** Matches the start of the line. A truncated line cannot be parsed for `fits`, so `start` alone
   * decides. */
  readonly start: RegExp;
  readonly fits: (table: Record<string, unknown>) => boolean;
  readonly filter: string;
}

const TABLE_LAYOUTS: readonly TableLayout[] = [
  // pandas with orient="split".
  {
    start:
      /^\{\s*"columns"\s*:\s*\[(?:\s*(?:"(?:[^"\\]|\\.)*"|-?\d+)\s*,?)*\]\s*,\s*"(index|data)"/,
    fits: ({ columns, data }) =>
      Array.isArray(columns) && Array.isArray(data) && data.every(Array.isArray),
    filter:
      "'.columns as $c | .data[] | [$c, .] | transpose | map({(.[0] | tostring): .[1]}) | add'",
  },
  // Columns are lists or, if pandas wrote them, objects by index.
  {
    start: /^\{\s*"[^"]*"\s*:\s*(\{\s*"\d+"|\[\s*(["\d-]|true|false|null))/,
    fits: (table) => {
      const columns = Object.values(table);
      // A row may contain as many images as messages.
      if (columns.some(isListOfMessages)) return false;
      return columns.every(isObject) ||
        columns.every((column) =>
          Array.isArray(column) && column.length === (columns[0] as unknown[]).length
        );
    },
    filter: "'. as $t | .[keys_unsorted[0]] | keys_unsorted[] as $i | $t | map_values(.[$i])'",
  },
  // pandas with orient="index".
  {
    start: /^\{\s*"\d+"\s*:\s*\{/,
    fits: (table) => Object.values(table).every(isObject),
    filter: "'.[]'",
  },
];

/**
 * Returns the filter for a table in one JSON object; undefined for a row. A row may begin like a
 * table, but it has another field that is a string or a number, or lists of different lengths.
 */
export function tableFilter(line: string): string | undefined {
  const table = parsedJson(line);
  // JSON that cannot be parsed may be a truncated table.
  return TABLE_LAYOUTS.find(({ start, fits }) =>
    start.test(line) && (!isObject(table) || fits(table))
  )?.filter;
}

/**
 * Returns the filter for JSON over several lines. The text contains several objects, as jq writes
 * them, or a single object that is a row, is a table, or contains the list of rows.
 *
 * @param text The beginning of the file.
 */
export function filterOf(text: string): string {
  const [, ...others] = text.split(/^\}/m, 2);
  if (others.some((other) => other.trim() !== "")) return ".";
  const object = parsedStart(text);
  if (holdsPrompt(object)) return ".";
  const lists = objectLists(object);
  // Other lists, such as a list of columns, may come before the list of rows. A row may contain a
  // list without prompts in an inner object, such as `meta.entities`.
  const withPrompts = lists.filter(({ items: [first] }) => holdsPrompt(first));
  if (withPrompts.length === 0 && isObject(object) && holdsQuestion(object)) return ".";
  const [longest] = lists
    .filter(({ path, items: [first] }) => path.length === 1 && !isPartOfRow(first))
    .toSorted((a, b) => b.items.length - a.items.length);
  const rows = withPrompts.length > 0 || longest === undefined ? withPrompts : [longest];
  return rows.length > 0 ? jqElements(rows) : tableFilter(text) ?? ".";
}

/** Whether an element of a list is a message or a tool. */
function isPartOfRow(item: object): boolean {
  return /^(?:role|from|type|name)$/.test(Object.keys(item)[0] ?? "");
}

/** Parses JSON that may be truncated. Whatever is incomplete at its end is omitted. */
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
