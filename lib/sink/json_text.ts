/**
 * JSON text for output lines. Serializes values that are nested too deeply for `JSON.stringify`,
 * and strings that readers would reject. Finds and removes members of an object without changing
 * the text of the others.
 *
 * @module
 */

import { endOfString, endOfValue, isTooDeep, skipSpace } from "../json.ts";

/**
 * The JSON text of a value, with U+FFFD for each lone surrogate.
 *
 * @throws {TypeError} If the value holds a `BigInt` or a cycle.
 */
export function jsonOf(value: unknown): string {
  const json = JSON.stringify(value);
  // `JSON.stringify` writes whole pairs unescaped, so each such escape is a lone surrogate. The
  // search takes a fiftieth of the time of `JSON.stringify`.
  return json.includes("\\ud") ? json.replace(SURROGATE_ESCAPE, replaceSurrogate) : json;
}

/**
 * A copy of a list or an object in which members that are nested too deeply are replaced by their
 * JSON text; `values` itself if there are none.
 *
 * @throws {TypeError} If one of these members holds a `BigInt` or a cycle.
 */
export function withDeepAsText<T extends object>(values: T): T {
  if (!isTooDeep(values)) return values;
  const flat = Object.entries(values).map(([name, value]) =>
    [name, isTooDeep(value) ? textOf(value) : value] as const
  );
  return (Array.isArray(values) ? flat.map(([, value]) => value) : Object.fromEntries(flat)) as T;
}

/** Matches escaped surrogates, and escaped backslashes, after which `ud800` is plain text. */
const SURROGATE_ESCAPE = /\\(?:\\|ud[89a-f][0-9a-f]{2})/g;

function replaceSurrogate(escape: string): string {
  return escape === "\\\\" ? escape : "\ufffd";
}

function textOf(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    // A RangeError means that the stack overflowed; for a cycle, a TypeError is thrown first.
    if (!(error instanceof RangeError)) throw error;
    return deepJson(value);
  }
}

/** `JSON.stringify` without its depth limit, for values from `JSON.parse`. */
function deepJson(value: unknown): string {
  const parts: string[] = [];
  /** A stack of values and of finished JSON text; `textIndexes` says which entries are text. */
  const stack: unknown[] = [value];
  const textIndexes = new Set<number>();
  const pushText = (text: string) => {
    textIndexes.add(stack.length);
    stack.push(text);
  };
  while (stack.length > 0) {
    const isText = textIndexes.delete(stack.length - 1);
    const next = stack.pop();
    if (isText) parts.push(next as string);
    else if (typeof next !== "object" || next === null) {
      parts.push(JSON.stringify(next) ?? "null");
    } else {
      const isList = Array.isArray(next);
      const entries = Object.entries(next).reverse();
      pushText(isList ? "]" : "}");
      entries.forEach(([name, member], i) => {
        stack.push(member);
        const comma = i < entries.length - 1 ? "," : "";
        pushText(isList ? comma : `${comma}${JSON.stringify(name)}:`);
      });
      pushText(isList ? "[" : "{");
    }
  }
  return parts.join("");
}

/** The position of one `"name":value` in the text of an object. */
export interface Member {
  /** The name, unescaped. */
  readonly name: string;
  /** The index of the name's opening quote. */
  readonly start: number;
  readonly valueStart: number;
  /** The index after the value. */
  readonly end: number;
}

/** The result of `withoutMembers`. */
export interface Remainder {
  /** The JSON text of the object without these members. */
  readonly text: string;
  /** The JSON text of each removed value by name; of repeated names, the last. No prototype. */
  readonly removed: Record<string, string>;
}

const QUOTE = 34;
const COMMA = 44;

/** The members of the object that `text` holds, in order. The text must be valid JSON. */
export function topLevelMembers(text: string): Member[] {
  const members: Member[] = [];
  let start = skipSpace(text, text.indexOf("{") + 1);
  while (text.charCodeAt(start) === QUOTE) {
    const nameEnd = endOfString(text, start);
    const colon = skipSpace(text, nameEnd);
    const valueStart = skipSpace(text, colon + 1);
    const end = endOfValue(text, valueStart);
    members.push({ name: unquoted(text.slice(start, nameEnd)), start, valueStart, end });
    const separator = skipSpace(text, end);
    if (text.charCodeAt(separator) !== COMMA) break;
    start = skipSpace(text, separator + 1);
  }
  return members;
}

/** Removes members from the text of an object. The others stay byte for byte. */
export function withoutMembers(text: string, names: readonly string[]): Remainder {
  const members = topLevelMembers(text);
  const removed: Record<string, string> = Object.create(null);
  let remaining = "";
  let previousEnd = 0;
  for (const { name, start, valueStart, end } of members) {
    if (names.includes(name)) removed[name] = text.slice(valueStart, end);
    // Each member is removed with the comma and the white space before it.
    else remaining += text.slice(remaining === "" ? start : previousEnd, end);
    previousEnd = end;
  }
  if (members.length === 0) return { text, removed };
  return { text: text.slice(0, members[0].start) + remaining + text.slice(previousEnd), removed };
}

function unquoted(name: string): string {
  return name.includes("\\") ? JSON.parse(name) : name.slice(1, -1);
}
