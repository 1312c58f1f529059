/**
 * Parses JSON of servers, repairs it where servers write it incorrectly, and extracts values as
 * text.
 *
 * Python's `json.dumps` and C++ streams write numbers that JSON lacks (`-Infinity` is the log
 * probability of a masked token), and some gateways do not escape line ends in strings. A value
 * that is extracted as text keeps what `JSON.parse` and `JSON.stringify` would change (`1.0`,
 * integers of 19 digits) or could not handle (20,000 levels).
 *
 * @module
 */

import { endOfString, endOfValue, skipSpace } from "../json.ts";

/** A JSON object of unknown content. */
export type JsonObject = Record<string, unknown>;

/** The value if it is an object, excluding arrays; else undefined. */
export function asObject(value: unknown): JsonObject | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as JsonObject
    : undefined;
}

/** The value if it is a string; else "". */
export function asText(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** The value as a whole number of 0 or more; undefined if it is not a number or out of range. */
export function asCount(value: unknown): number | undefined {
  if (typeof value !== "number" || !(value >= 0)) return undefined;
  const count = Math.round(value);
  return Number.isSafeInteger(count) ? count : undefined;
}

/** The parsed text, repaired if necessary; undefined if it is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return parseRepaired(text);
  }
}

/** The text of the object that begins at `from`, whatever follows it; undefined if none begins
 * there or it is incomplete. */
export function leadingObject(text: string, from: number = 0): string | undefined {
  let start = from;
  while (/\s/.test(text[start] ?? "")) start++;
  if (text[start] !== "{") return undefined;
  const mark = /["{}]/g;
  mark.lastIndex = start;
  let depth = 0;
  for (let match = mark.exec(text); match !== null; match = mark.exec(text)) {
    if (match[0] === '"') mark.lastIndex = endOfString(text, match.index);
    else if (match[0] === "{") depth++;
    else if (--depth === 0) return text.slice(start, match.index + 1);
  }
  return undefined;
}

function parseRepaired(text: string): unknown {
  try {
    return JSON.parse(repairedJson(text));
  } catch {
    return undefined;
  }
}

const NOT_A_NUMBER = /(?<![\w.$])[-+]?(?:nan(?:\([\w]*\))?|inf(?:inity)?)(?![\w.$])/gi;
// deno-lint-ignore no-control-regex -- JSON requires them to be escaped
const CONTROL = /[\0-\x1f]/g;

/** Replaces numbers that JSON lacks by `null`, and escapes control characters in strings. Only for
 * text that `JSON.parse` has rejected, or for valid JSON, which stays as it is. */
function repairedJson(text: string): string {
  let repaired = "", at = 0;
  while (at < text.length) {
    const quote = text.indexOf('"', at);
    const start = quote < 0 ? text.length : quote;
    repaired += text.slice(at, start).replace(NOT_A_NUMBER, "null");
    at = endOfString(text, start);
    repaired += text.slice(start, at).replace(CONTROL, escaped);
  }
  return repaired;
}

function escaped(control: string): string {
  return `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** A path to a value: names of members and indexes of elements. */
export type JsonPath = readonly (string | number)[];

/** A value's place in the JSON text that it was parsed from. */
export interface JsonPlace {
  readonly text: string;
  /** The path from there to the value. */
  readonly path: JsonPath;
}

/** The JSON text of the value at a place; undefined if there is none. The outermost text must be
 * JSON. */
export function textAt({ text, path }: JsonPlace): string | undefined {
  let at = skipSpace(text, 0);
  for (const step of path) {
    const found = typeof step === "number" ? elementOf(text, at, step) : memberOf(text, at, step);
    if (found === undefined) return undefined;
    at = found;
  }
  return repairedJson(text.slice(at, endOfValue(text, at)));
}

/** The place of a value inside the value at `place`. */
export function inside({ text, path }: JsonPlace, ...steps: JsonPath): JsonPlace {
  return { text, path: [...path, ...steps] };
}

/** The start of a member's value: of the last member with that name, as with `JSON.parse`. */
function memberOf(text: string, start: number, name: string): number | undefined {
  if (text[start] !== "{") return undefined;
  let found: number | undefined;
  let at = skipSpace(text, start + 1);
  while (text[at] === '"') {
    const nameEnd = endOfString(text, at);
    const value = skipSpace(text, skipSpace(text, nameEnd) + 1);
    if (JSON.parse(text.slice(at, nameEnd)) === name) found = value;
    at = skipSpace(text, endOfValue(text, value));
    if (text[at] === ",") at = skipSpace(text, at + 1);
  }
  return found;
}

function elementOf(text: string, start: number, index: number): number | undefined {
  if (text[start] !== "[") return undefined;
  let at = skipSpace(text, start + 1);
  for (let i = 0; i < index; i++) {
    at = skipSpace(text, endOfValue(text, at));
    if (text[at] !== ",") return undefined;
    at = skipSpace(text, at + 1);
  }
  return at < text.length && text[at] !== "]" ? at : undefined;
}
