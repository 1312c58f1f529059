/**
 * Functions for the JSON values of rows: they keep numbers as they were written (`1.0`, `1e400`,
 * integers of 19 digits), create the canonical text for a row's hash, and remove keys with null. In
 * files created from Arrow tables, such as those of Hugging Face, every row has every key of a
 * column, and servers reject many nulls.
 *
 * @module
 */

import { exactJson, type RawJson } from "../json.ts";

export function isBlank(text: string): boolean {
  return !/\S/.test(text);
}

/** Whether there is a value. In files created from Arrow tables, null stands for a missing
 * value. */
export function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** Whether a value is an empty list, which may stand for null in files created from tables. */
export function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** Returns a field of an object; undefined if the field is inherited, such as `constructor`. */
export function ownField(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Record<string, unknown>)[key];
}

/** Sets a field of any name. An assignment would set the prototype if the name is `__proto__`. */
export function setField(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, {
    value,
    enumerable: true,
    writable: true,
    configurable: true,
  });
}

/** Removes keys with null at any level. Returns `value` itself if there are none. Nulls in arrays
 * are kept, and so are nulls of keys for which `keeps` returns true. */
export function withoutNulls<T>(value: T, keeps?: (holder: object, key: string) => boolean): T {
  if (typeof value !== "object" || value === null || isRawJson(value)) return value;
  if (Array.isArray(value)) {
    let copy: unknown[] | undefined;
    for (let i = 0; i < value.length; i++) {
      const element = withoutNulls(value[i], keeps);
      if (element !== value[i]) (copy ??= value.slice())[i] = element;
    }
    return (copy ?? value) as T;
  }
  const object = value as Record<string, unknown>;
  let isUnchanged = true;
  const entries: [string, unknown][] = [];
  for (const key of Object.keys(object)) {
    const inner = object[key];
    if (inner === null && !keeps?.(object, key)) {
      isUnchanged = false;
      continue;
    }
    const cleaned = withoutNulls(inner, keeps);
    if (cleaned !== inner) isUnchanged = false;
    entries.push([key, cleaned]);
  }
  return isUnchanged ? value : Object.fromEntries(entries) as T;
}

/** Removes keys with null, except `content` in messages with tool calls: OpenAI's API returns null
 * there. */
export function messagesWithoutNulls<T extends readonly object[]>(messages: T): T {
  return withoutNulls(messages, keepsContent);
}

/** Removes keys with null, except `default` and `const`, in which null has a meaning. */
export function toolsWithoutNulls<T>(tools: T): T {
  return withoutNulls(tools, (_holder, key) => key === "default" || key === "const");
}

function keepsContent(holder: object, key: string): boolean {
  if (key !== "content") return false;
  const { tool_calls: calls, function_call: call, role } = holder as Record<string, unknown>;
  return role !== undefined && Boolean(calls ?? call);
}

/**
 * Parses JSON like `JSON.parse`, but keeps numbers that JavaScript would write differently as
 * `JSON.rawJSON`. Takes 2.5 times as long if the text may contain such numbers.
 *
 * @throws {SyntaxError} if the text is not JSON
 */
export function parseLossless(text: string): unknown {
  return MAY_DIFFER.test(text) ? exactJson.parse(text, keepNumber) : JSON.parse(text);
}

/** Parses JSON like `parseLossless`. Returns undefined if the text is not JSON or is nested too
 * deeply. */
// deno-lint-ignore no-explicit-any -- each caller checks the type
export function parsedLossless(text: string): any {
  try {
    return parseLossless(text);
  } catch {
    return undefined;
  }
}

/** Matches numbers that JavaScript may write differently: those with 16 or more digits, an exponent
 * or zeros at the end of a fraction, a negative zero, or a value below a millionth. A match inside
 * a string only costs time. */
const MAY_DIFFER = /[\d.]{16}|\d[eE][+-]?\d|\.\d*0(?!\d)|-0(?![\d.])|\.0{6}/;

function keepNumber(_key: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== "number") return value;
  const { source } = context;
  return source === undefined || String(value) === source ? value : exactJson.rawJSON(source);
}

export function isRawJson(value: unknown): value is RawJson {
  return exactJson.isRawJSON(value);
}

export const HOLDS_NUMBER = 1;
export const HOLDS_NULL = 2;

/** Whether the value contains a number at any level. If not, `parseLossless` makes no
 * difference. */
export function holdsNumber(value: unknown): boolean {
  return (contentFlags(value) & HOLDS_NUMBER) !== 0;
}

/** Looks for numbers and nulls at all levels in one pass. Returns bits such as `HOLDS_NULL`. */
export function contentFlags(value: unknown): number {
  if (typeof value === "string") return 0;
  if (value === null) return HOLDS_NULL;
  if (typeof value === "number") return HOLDS_NUMBER;
  if (typeof value !== "object") return 0;
  let bits = 0;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) bits |= contentFlags(value[i]);
    return bits;
  }
  const object = value as Record<string, unknown>;
  for (const key in object) bits |= contentFlags(object[key]);
  return bits;
}

/**
 * Returns JSON without white space, with keys sorted by UTF-16 code units. Strings are always
 * escaped in the same way, and numbers stay as they were written, so `1` and `1.0` differ.
 *
 * @param text The JSON text from which `parsed` was parsed. Its numbers are used.
 */
export function canonicalJson(text: string, parsed: unknown): string {
  const value = holdsNumber(parsed) ? parseLossless(text) : parsed;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return canonicalText(value);
  }
  const object = value as Record<string, unknown>;
  const keys = Object.keys(object);
  if (!isSameList(keys, lastKeys)) {
    lastKeys = keys;
    lastMembers = keys.toSorted()
      .map((key, i) => ({ key, start: `${i === 0 ? "" : ","}${JSON.stringify(key)}:` }));
  }
  let members = "";
  for (const { key, start } of lastMembers) members += start + canonicalText(object[key]);
  return `{${members}}`;
}

/** The keys of the last row, in the order of that row. Most rows have the same keys as the previous
 * row. */
let lastKeys: readonly string[] = [];
/** The sorted `lastKeys`. `start` is the text before a key's value: a comma except for the first
 * key, the key as JSON, and a colon. */
let lastMembers: readonly { readonly key: string; readonly start: string }[] = [];

function isSameList(left: readonly string[], right: readonly string[]): boolean {
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return true;
}

function canonicalText(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  if (isRawJson(value)) return value.rawJSON;
  const object = value as Record<string, unknown>;
  let text = "";
  for (const key of Object.keys(object).sort()) {
    text += `${text === "" ? "{" : ","}${JSON.stringify(key)}:${canonicalText(object[key])}`;
  }
  return text === "" ? "{}" : `${text}}`;
}
