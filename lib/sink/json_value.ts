/**
 * Values of ours as JSON that every program reads: pyarrow refuses a file with half of a surrogate pair in
 * it, Python one with too many levels.
 *
 * @module
 */

import { isTooDeep } from "../json_depth.ts";

/**
 * The JSON text of a value, with U+FFFD for each half of a surrogate pair that stands alone.
 *
 * @throws {TypeError} where the value holds what JSON cannot (a `BigInt`, a circle)
 */
export function jsonOf(value: unknown): string {
  const json = JSON.stringify(value);
  // `JSON.stringify` writes whole pairs as they are, so that each such escape stands for a half. The
  // search takes a fiftieth of the time of `JSON.stringify`.
  return json.includes("\\ud") ? json.replace(HALF, wholeOf) : json;
}

/**
 * The members of a list or an object, those that are nested too deeply as their JSON text.
 *
 * @throws {TypeError} where they hold what JSON cannot
 */
export function withDeepAsText<T extends object>(values: T): T {
  if (!isTooDeep(values)) return values;
  const flat = Object.entries(values).map(([name, value]) =>
    [name, isTooDeep(value) ? textOf(value) : value] as const
  );
  return (Array.isArray(values) ? flat.map(([, value]) => value) : Object.fromEntries(flat)) as T;
}

/** An escaped backslash comes first: what follows it is no escape. */
const HALF = /\\(?:\\|ud[89a-f][0-9a-f]{2})/g;

function wholeOf(escape: string): string {
  return escape === "\\\\" ? escape : "\ufffd";
}

function textOf(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    // A circle is told before the stack is full.
    if (!(error instanceof RangeError)) throw error;
    return deepJson(value);
  }
}

/** `JSON.stringify` without its limit, for values that came out of `JSON.parse`. */
function deepJson(value: unknown): string {
  const written: string[] = [];
  // What is to be written, the next at the end; text as it is stands in a list of its own.
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
