/**
 * JSON: types of values, exact numbers, text for output lines, and positions in a text. Output
 * lines must not be nested deeply, because Python's `json` fails near 1,000 levels, and
 * `JSON.stringify` may fail at a few thousand levels.
 *
 * @module
 */

/** Whether a value is an object. Arrays and null do not count as objects. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Returns the value if it is a list with elements; otherwise undefined. In files created from
 * tables, an empty list stands for no list. */
export function filledList(value: unknown): unknown[] | undefined {
  return Array.isArray(value) && value.length > 0 ? value : undefined;
}

export function asText(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** Returns a rounded count; undefined if the value is negative, too large or not a number. */
export function asCount(value: unknown): number | undefined {
  if (typeof value !== "number" || !(value >= 0)) return undefined;
  const count = Math.round(value);
  return Number.isSafeInteger(count) ? count : undefined;
}

/** Returns the value if it is a finite number of at least 0; otherwise undefined. */
export function asAmount(value: unknown): number | undefined {
  return typeof value === "number" && value >= 0 && value < Infinity ? value : undefined;
}

/** Parses JSON. Returns undefined if the text is not JSON. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function isJson(text: string): boolean {
  return parsedJson(text) !== undefined;
}

/** `JSON` with source text access (ECMA-262, 2026), which TypeScript's library does not declare. */
export const exactJson = JSON as unknown as {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): RawJson;
  isRawJSON(value: unknown): value is RawJson;
};

/** A number that JavaScript would change. `JSON.stringify` writes its text unchanged. */
export interface RawJson {
  readonly rawJSON: string;
}

/** The number of levels beyond which a value from a teacher is written as JSON text. Parsers accept
 * more levels, and teachers rarely send as many. */
export const MAX_LEVELS = 64;

/** Whether a value from `JSON.parse` has more than `levels` levels of objects and arrays. */
export function isTooDeep(value: unknown, levels: number = MAX_LEVELS): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  // There is no call for primitives, because log probabilities may contain a million of them.
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

/**
 * Works like `JSON.stringify`, but writes U+FFFD for lone surrogates, which readers would reject.
 *
 * @throws {TypeError} if the value contains a `BigInt` or a cycle
 * @throws {RangeError} if the value is nested too deeply for `JSON.stringify`
 */
export function jsonOf(value: unknown): string {
  const json = JSON.stringify(value);
  // `JSON.stringify` writes complete pairs unescaped, so `\ud…` is either a lone surrogate or plain
  // text after an escaped backslash. This search takes a fiftieth of the time of `JSON.stringify`.
  return json.includes("\\ud") ? json.replace(SURROGATE_ESCAPE, replaceSurrogate) : json;
}

/**
 * Replaces members that have more than `MAX_LEVELS` levels with their JSON text. Returns `values`
 * itself if there are none.
 *
 * @throws {TypeError} if one of these members contains a `BigInt` or a cycle
 */
export function withDeepAsText<T extends object>(values: T): T {
  if (!isTooDeep(values, MAX_LEVELS + 1)) return values;
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
    // A RangeError means that the stack overflowed. For a cycle, a TypeError is thrown before that.
    if (!(error instanceof RangeError)) throw error;
    return deepJson(value);
  }
}

/** Works like `JSON.stringify` without its depth limit, for values from `JSON.parse`. */
function deepJson(value: unknown): string {
  const parts: string[] = [];
  /** What is yet to be written, with the next element on top. Each element is JSON text, or a value
   * in `{ value }`. */
  const stack: (string | { readonly value: unknown })[] = [{ value }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (typeof next === "string") parts.push(next);
    else if (typeof next.value !== "object" || next.value === null) {
      parts.push(JSON.stringify(next.value) ?? "null");
    } else {
      const isList = Array.isArray(next.value);
      stack.push(isList ? "]" : "}");
      for (const [i, [name, value]] of [...Object.entries(next.value).entries()].reverse()) {
        const comma = i === 0 ? "" : ",";
        stack.push({ value }, isList ? comma : `${comma}${JSON.stringify(name)}:`);
      }
      stack.push(isList ? "[" : "{");
    }
  }
  return parts.join("");
}

/** Returns JSON with sorted keys. `onRaw` may replace numbers that are kept as raw JSON. */
export function sortedJson(
  value: unknown,
  onRaw: (raw: RawJson) => unknown = (raw) => raw,
): string {
  return JSON.stringify(value, (_key, inner) => {
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    if (exactJson.isRawJSON(inner)) return onRaw(inner);
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => a < b ? -1 : 1));
  });
}

const QUOTE = 34;
const COMMA = 44;
const OPENING_BRACKET = 91;
const BACKSLASH = 92;
const CLOSING_BRACKET = 93;
const OPENING_BRACE = 123;
const CLOSING_BRACE = 125;
const SPACE = 32;

/** Returns the position of the first character at or after `position` that is not white space. */
export function skipSpace(text: string, position: number): number {
  while (text.charCodeAt(position) <= SPACE) position++;
  return position;
}

/** Returns the index after the value at `start`. The text must be valid JSON. */
export function endOfValue(text: string, start: number): number {
  const first = text.charCodeAt(start);
  if (first === QUOTE) return endOfString(text, start);
  if (first === OPENING_BRACE || first === OPENING_BRACKET) {
    return endOfNested(text, start) ?? text.length;
  }
  let position = start;
  while (position < text.length && !endsLiteral(text.charCodeAt(position))) position++;
  return position;
}

/** Whether `text` begins an object and breaks off before its end. */
export function isCutObject(text: string): boolean {
  const start = skipSpace(text, 0);
  return text.charCodeAt(start) === OPENING_BRACE && leadingObject(text) === undefined;
}

/** Returns the text of the object at `index`, after any white space; undefined if there is no
 * complete object. Other text may follow the object. */
export function leadingObject(text: string, index = 0): string | undefined {
  const start = skipSpace(text, index);
  const end = text.charCodeAt(start) === OPENING_BRACE ? endOfNested(text, start) : undefined;
  return end === undefined ? undefined : text.slice(start, end);
}

function endsLiteral(code: number): boolean {
  return code === COMMA || code === CLOSING_BRACE || code === CLOSING_BRACKET || code <= SPACE;
}

/** Returns the index after an object or array; undefined if it breaks off. Brackets of both kinds
 * are counted together, because valid JSON closes them in order. */
function endOfNested(text: string, start: number): number | undefined {
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
    else if ((code === CLOSING_BRACE || code === CLOSING_BRACKET) && --depth === 0) return position;
  }
  return undefined;
}

/** Returns the index after the closing quote, or the length of the text if there is no closing
 * quote. `start` is the index of the opening quote. */
export function endOfString(text: string, start: number): number {
  let quote = start;
  while (true) {
    quote = text.indexOf('"', quote + 1);
    if (quote === -1) return text.length;
    // A quote ends the string unless an odd number of backslashes precedes it.
    let before = quote - 1;
    while (text.charCodeAt(before) === BACKSLASH) before--;
    if ((quote - before) % 2 === 1) return quote + 1;
  }
}

/** The position of a member (`"name":value`) in the text of an object. */
export interface Member {
  readonly name: string;
  /** The index of the name's opening quote. */
  readonly start: number;
  readonly valueStart: number;
  /** The index after the value. */
  readonly end: number;
}

export interface Remainder {
  readonly text: string;
  /** The JSON text of each removed value, by name. If a name is repeated, the last value counts.
   * The object has no prototype. */
  readonly removed: Record<string, string>;
}

/** Returns the members of the object at `objectStart` in their order. The text must be valid
 * JSON. */
export function topLevelMembers(text: string, objectStart = text.indexOf("{")): Member[] {
  const members: Member[] = [];
  let start = skipSpace(text, objectStart + 1);
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

/** Removes members. The remaining members stay the same, byte for byte. */
export function withoutMembers(text: string, names: readonly string[]): Remainder {
  const members = topLevelMembers(text);
  const removed: Record<string, string> = Object.create(null);
  let remaining = "";
  let previousEnd = 0;
  for (const { name, start, valueStart, end } of members) {
    if (names.includes(name)) removed[name] = text.slice(valueStart, end);
    // A member is removed together with the comma before it or, at the start, the comma after it.
    else remaining += text.slice(remaining === "" ? start : previousEnd, end);
    previousEnd = end;
  }
  if (members.length === 0) return { text, removed };
  return { text: text.slice(0, members[0].start) + remaining + text.slice(previousEnd), removed };
}

function unquoted(name: string): string {
  return name.includes("\\") ? asText(parsedJson(name)) : name.slice(1, -1);
}
