/**
 * The JSON text of a line's values: what `JSON.stringify` would change or could not write, and the members of
 * a row in their original text.
 *
 * @module
 */

import { endOfString, endOfValue, isTooDeep, skipSpace } from "../json.ts";

/**
 * The JSON text of a value, with U+FFFD for each lone surrogate.
 *
 * @throws {TypeError} if the value holds what JSON cannot (a `BigInt`, a cycle)
 */
export function jsonOf(value: unknown): string {
  const json = JSON.stringify(value);
  // `JSON.stringify` writes whole pairs unescaped, so each such escape is a lone surrogate. The search takes a
  // fiftieth of the time of `JSON.stringify`.
  return json.includes("\\ud") ? json.replace(HALF, wholeOf) : json;
}

/**
 * The members of a list or an object; those that are nested too deeply become their JSON text.
 *
 * @throws {TypeError} if they hold what JSON cannot
 */
export function withDeepAsText<T extends object>(values: T): T {
  if (!isTooDeep(values)) return values;
  const flat = Object.entries(values).map(([name, value]) =>
    [name, isTooDeep(value) ? textOf(value) : value] as const
  );
  return (Array.isArray(values) ? flat.map(([, value]) => value) : Object.fromEntries(flat)) as T;
}

/** An escaped backslash is matched first: what follows it is no escape. */
const HALF = /\\(?:\\|ud[89a-f][0-9a-f]{2})/g;

function wholeOf(escape: string): string {
  return escape === "\\\\" ? escape : "\ufffd";
}

function textOf(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    // A cycle throws a TypeError before the stack is full.
    if (!(error instanceof RangeError)) throw error;
    return deepJson(value);
  }
}

/** `JSON.stringify` without its depth limit, for values from `JSON.parse`. */
function deepJson(value: unknown): string {
  const written: string[] = [];
  // What is left to write, the next at the end. `verbatim` marks the entries that are text already.
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

/** One `"name":value` of an object, as offsets into its text. */
export interface Member {
  /** The name, unescaped. */
  readonly name: string;
  /** The position of its opening quote. */
  readonly start: number;
  /** The start of the value. */
  readonly valueStart: number;
  /** The end of the value, exclusive. */
  readonly end: number;
}

/** An object without some of its members. */
export interface Remainder {
  /** The remaining object. */
  readonly text: string;
  /** The removed values, as text; the last of several with the same name. No prototype. */
  readonly removed: Record<string, string>;
}

const QUOTE = 34;
const COMMA = 44;

/** Finds the members of the outermost object. */
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

/** Removes members. The others keep every byte, and the white space between them. */
export function withoutMembers(text: string, names: readonly string[]): Remainder {
  const members = topLevelMembers(text);
  const removed: Record<string, string> = Object.create(null);
  let kept = "";
  let previousEnd = 0;
  for (const { name, start, valueStart, end } of members) {
    if (names.includes(name)) removed[name] = text.slice(valueStart, end);
    // The text before a member, its comma included, is removed with it.
    else kept += text.slice(kept === "" ? start : previousEnd, end);
    previousEnd = end;
  }
  if (members.length === 0) return { text, removed };
  return { text: text.slice(0, members[0].start) + kept + text.slice(previousEnd), removed };
}

function unquoted(name: string): string {
  return name.includes("\\") ? JSON.parse(name) : name.slice(1, -1);
}
