/**
 * Recognizes rows in a file that is named as plain text. Prompts may begin with a brace or hold
 * commas, as code does, so most of the first lines must be rows.
 *
 * @module
 */

import { isObject } from "../json.ts";
import type { InputFormat } from "./input.ts";

const MAX_LINES = 50;
/** A shorter start is the whole file: 64 KB are read. */
const MIN_CUT_CHARS = 10_000;
const OBJECT_START = /^\{\s*"(?:[^"\\]|\\.)*"\s*:/;
const OBJECTS_START = /^\[\s*\{\s*"(?:[^"\\]|\\.)*"\s*:/;

/**
 * Returns what the text is, and the format that reads it; undefined for plain text.
 *
 * @param start The first bytes of the file, decoded.
 */
export function rowsInText(start: string): readonly [what: string, InputFormat] | undefined {
  const text = start.replace(/^\uFEFF/, "").trimStart();
  const lines = firstLines(text);
  const isMost = (count: number) => count > lines.length / 2;
  if (isMost(lines.filter(isRow).length)) return ["JSON Lines", "jsonl"];
  if (OBJECTS_START.test(text) && isWholeOrCut(text)) return ["a JSON array", "json"];
  const table = TABLES.find(({ delimiter }) => isTable(text, delimiter));
  return table && [table.what, table.format];
}

/** JSON up to its end, or to that of the first bytes: a prompt may begin with a list, too. */
function isWholeOrCut(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    return /end of JSON input|Unterminated string/.test((error as Error).message);
  }
}

/** Complete lines that are not blank; the only line may be incomplete. */
function firstLines(text: string): string[] {
  const lines = text.split("\n", MAX_LINES + 1);
  if (lines.length > MAX_LINES || (lines.length > 1 && text.length > MIN_CUT_CHARS)) lines.pop();
  return lines.map((line) => line.trim()).filter((line) => line !== "");
}

/** An object, or a list of messages. A line that is longer than the first bytes is incomplete. */
function isRow(line: string, _index: number, { length }: readonly string[]): boolean {
  if (!OBJECT_START.test(line) && !OBJECTS_START.test(line)) return false;
  try {
    const value = JSON.parse(line);
    return isObject(value) || (Array.isArray(value) && isObject(value[0]) && "role" in value[0]);
  } catch {
    return length === 1 && OBJECT_START.test(line) && line.length > MIN_CUT_CHARS;
  }
}

const TABLES = [
  { delimiter: "\t", what: "a TSV file", format: "tsv" },
  { delimiter: ",", what: "a CSV file", format: "csv" },
  { delimiter: ";", what: "a CSV file", format: "csv" },
] as const;

/** Without one of these columns, lines with commas are more likely prompts than a table. */
const PROMPT_COLUMNS: ReadonlySet<string> = new Set([
  ...["prompt", "question", "instruction", "messages", "conversations", "conversation"],
  ...["text", "input", "query", "problem", "user", "content"],
]);

/** Whether the first line names columns, and most other lines have as many cells. */
function isTable(text: string, delimiter: string): boolean {
  // Quoted cells may hold delimiters and line breaks. One that is incomplete ends the text.
  const plain = text.replaceAll(/"(?:[^"]|"")*"/g, (cell) => cell.replaceAll(/[^\w-]/g, "") || "_");
  const [header = "", ...rows] = firstLines(plain.split('"', 1)[0]);
  const names = header.split(delimiter);
  if (names.length < 2 || !names.every((name) => /^[\p{L}_][\w.-]*$/u.test(name))) return false;
  if (!names.some((name) => PROMPT_COLUMNS.has(name.toLowerCase()))) return false;
  const matching = rows.filter((row) => row.split(delimiter).length === names.length);
  return matching.length > rows.length / 2;
}
