/**
 * JSON: types of values, exact numbers, positions of values in a text, and limits of nesting.
 * `JSON.parse` takes any depth; Python's `json` fails near 1,000 levels, `JSON.stringify` at a few
 * thousand.
 *
 * @module
 */

/** Whether a value is an object, excluding arrays and null. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value if it is a string; else "". */
export function asText(value: unknown): string {
  return typeof value === "string" ? value : "";
}

export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** `JSON` with source text access (ECMA-262, 2026), which TypeScript's library lacks. */
export const exactJson = JSON as unknown as {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): RawJson;
  isRawJSON(value: unknown): value is RawJson;
};

/** A value that `JSON.stringify` writes as the given text, for numbers that JavaScript would
 * change. */
export interface RawJson {
  readonly rawJSON: string;
}

/**
 * The deepest nesting at which a teacher's values are written unchanged; deeper ones are written as
 * JSON text. Far below the limits above, and above what teachers send.
 */
export const MAX_LEVELS = 64;

/** Whether a value from `JSON.parse` has more than `levels` levels of arrays and objects. */
export function isTooDeep(value: unknown, levels: number = MAX_LEVELS): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  // Primitive values need no call: log probabilities are a million of them.
  if (Array.isArray(value)) {
    for (const item of value) {
      if (typeof item === "object" && isTooDeep(item, levels - 1)) return true;
    }
    return false;
  }
  for (const name in value) {
    const field = (value as Record<string, unknown>)[name];
    if (typeof field === "object" && isTooDeep(field, levels - 1)) return true;
  }
  return false;
}

const QUOTE = 34;
const COMMA = 44;
const OPENING_BRACKET = 91;
const BACKSLASH = 92;
const CLOSING_BRACKET = 93;
const OPENING_BRACE = 123;
const CLOSING_BRACE = 125;
const SPACE = 32;

/** The position of the first character, at `position` or after it, that is not white space. */
export function skipSpace(text: string, position: number): number {
  while (text.charCodeAt(position) <= SPACE) position++;
  return position;
}

/** The end (exclusive) of the value at `start` in a valid JSON text. */
export function endOfValue(text: string, start: number): number {
  const first = text.charCodeAt(start);
  if (first === QUOTE) return endOfString(text, start);
  if (first === OPENING_BRACE || first === OPENING_BRACKET) return endOfNested(text, start);
  let position = start;
  while (position < text.length && !endsLiteral(text.charCodeAt(position))) position++;
  return position;
}

function endsLiteral(code: number): boolean {
  return code === COMMA || code === CLOSING_BRACE || code === CLOSING_BRACKET || code <= SPACE;
}

/** Brackets of both kinds are counted together: valid JSON closes them in order. */
function endOfNested(text: string, start: number): number {
  let depth = 0;
  let position = start;
  while (position < text.length) {
    const code = text.charCodeAt(position);
    if (code === QUOTE) {
      position = endOfString(text, position);
      continue;
    }
    position++;
    if (code === OPENING_BRACE || code === OPENING_BRACKET) depth++;
    else if ((code === CLOSING_BRACE || code === CLOSING_BRACKET) && --depth === 0) break;
  }
  return position;
}

/** The end (exclusive) of the string whose opening quote is at `start`. */
export function endOfString(text: string, start: number): number {
  let quote = start;
  while (true) {
    quote = text.indexOf('"', quote + 1);
    if (quote === -1) return text.length;
    // A quote ends the string unless an odd number of backslashes is before it.
    let before = quote - 1;
    while (text.charCodeAt(before) === BACKSLASH) before--;
    if ((quote - before) % 2 === 1) return quote + 1;
  }
}
