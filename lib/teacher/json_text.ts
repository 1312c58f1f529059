/**
 * A part of a JSON text as it was written: what `JSON.parse` and `JSON.stringify` would change (`1.0`,
 * integers of 19 digits) or could not take (20,000 levels) comes through as it is.
 *
 * @module
 */

import { endOfString, repairedJson } from "./json_repair.ts";

/** Where a value stands: the names and places that lead to it. */
export type JsonPath = readonly (string | number)[];

/** A value in the text that it was parsed from. */
export interface JsonPlace {
  /** The text of the whole. */
  readonly text: string;
  /** Where the value stands in it. */
  readonly path: JsonPath;
}

/** The text of a value, or undefined where there is none in this place. The whole must be JSON. */
export function textAt({ text, path }: JsonPlace): string | undefined {
  let at = skipSpace(text, 0);
  for (const step of path) {
    const found = typeof step === "number" ? elementOf(text, at, step) : memberOf(text, at, step);
    if (found === undefined) return undefined;
    at = found;
  }
  return repairedJson(text.slice(at, endOfValue(text, at)));
}

/** The place of something inside of a place. */
export function inside({ text, path }: JsonPlace, ...steps: JsonPath): JsonPlace {
  return { text, path: [...path, ...steps] };
}

/** Of two members with one name the last, as `JSON.parse` has it. */
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

/** Brackets of both kinds are counted together: JSON closes them in order. */
function endOfValue(text: string, start: number): number {
  let depth = 0, at = start;
  while (at < text.length) {
    const char = text[at];
    if (char === '"') {
      at = endOfString(text, at);
      if (depth === 0) return at;
    } else if (char === "{" || char === "[") {
      depth++;
      at++;
    } else if (char === "}" || char === "]") {
      if (depth === 0) return at;
      at++;
      if (--depth === 0) return at;
    } else if (depth === 0 && (char === "," || char <= " ")) return at;
    else at++;
  }
  return at;
}

function skipSpace(text: string, at: number): number {
  while (text[at] <= " ") at++;
  return at;
}
