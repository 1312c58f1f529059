/**
 * JSON text for output lines: values that `JSON.stringify` cannot write or that readers would
 * reject, and members of an object in their original text.
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
  return json.includes("\\ud") ? json.replace(HALF, wholeOf) : json;
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
const HALF = /\\(?:\\|ud[89a-f][0-9a-f]{2})/g;

function wholeOf(escape: string): string {
  return escape === "\\\\" ? escape : "\ufffd";
}

function textOf(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    // A RangeError is a full stack; a cycle throws a TypeError before that.
    if (!(error instanceof RangeError)) throw error;
    return deepJson(value);
  }
}

/** `JSON.stringify` without its depth limit, for values from `JSON.parse`. */
function deepJson(value: unknown): string {
  const written: string[] = [];
  // What is left to write, the next at the end. `verbatim` has the indexes of JSON text in it.
  const left: unknown[] = [value];
  const verbatim = new Set<number>();
  const push = (text: string) => {
    verbatim.add(left.length);
    left.push(text);
  };
  while (left.length > 0) {
    const isText = verbatim.delete(left.length - 1);
    const next = left.pop();
    if (isText) written.push(next as string);
    else if (typeof next !== "object" || next === null) {
      written.push(JSON.stringify(next) ?? "null");
    } else {
      const isList = Array.isArray(next);
      const entries = Object.entries(next).reverse();
      push(isList ? "]" : "}");
      entries.forEach(([name, one], i) => {
        left.push(one);
        const comma = i < entries.length - 1 ? "," : "";
        push(isList ? comma : `${comma}${JSON.stringify(name)}:`);
      });
      push(isList ? "[" : "{");
    }
  }
  return written.join("");
}

/** The position of one `"name":value` in the text of an object. */
export interface Member {
  /** The name, unescaped. */
  readonly name: string;
  /** The index of the opening quote of the name. */
  readonly start: number;
  readonly valueStart: number;
  /** The index after the value. */
  readonly end: number;
}

/** The result of `withoutMembers`. */
export interface Remainder {
  /** The JSON text of the object without these members. */
  readonly text: string;
  /** The JSON text of each removed value by name, the last one if repeated. No prototype. */
  readonly removed: Record<string, string>;
}

const QUOTE = 34;
const COMMA = 44;

/** The members of the object that `text` holds, in order. The text must be valid JSON. */
export function topLevelMembers(text: string): Member[] {
  const members: Member[] = [];
  let at = skipSpace(text, text.indexOf("{") + 1);
  while (text.charCodeAt(at) === QUOTE) {
    const nameEnd = endOfString(text, at);
    const colon = skipSpace(text, nameEnd);
    const valueStart = skipSpace(text, colon + 1);
    const end = endOfValue(text, valueStart);
    members.push({ name: unquoted(text.slice(at, nameEnd)), start: at, valueStart, end });
    const separator = skipSpace(text, end);
    if (text.charCodeAt(separator) !== COMMA) break;
    at = skipSpace(text, separator + 1);
  }
  return members;
}

/** Removes members from the text of an object. The others stay byte for byte. */
export function withoutMembers(text: string, names: readonly string[]): Remainder {
  const members = topLevelMembers(text);
  const removed: Record<string, string> = Object.create(null);
  let kept = "";
  let previousEnd = 0;
  for (const { name, start, valueStart, end } of members) {
    if (names.includes(name)) removed[name] = text.slice(valueStart, end);
    // Each member is removed with the comma and the white space before it.
    else kept += text.slice(kept === "" ? start : previousEnd, end);
    previousEnd = end;
  }
  if (members.length === 0) return { text, removed };
  return { text: text.slice(0, members[0].start) + kept + text.slice(previousEnd), removed };
}

function unquoted(name: string): string {
  return name.includes("\\") ? JSON.parse(name) : name.slice(1, -1);
}
