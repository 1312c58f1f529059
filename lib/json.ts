/**
 * JSON values: objects, exact numbers, and how deeply they may be nested. `JSON.parse` takes any depth; Python's
 * `json` gives up near 1,000 levels, `JSON.stringify` at some thousands.
 *
 * @module
 */

/** Whether a value is an object and no list. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** V8 has source text access (ECMA-262, 2026); TypeScript's own library lacks it. */
export const exactJson = JSON as unknown as {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): RawJson;
  isRawJSON(value: unknown): value is RawJson;
};

/** A value whose JSON is this text, instead of a number that JavaScript would write differently. */
export interface RawJson {
  /** The text. */
  readonly rawJSON: string;
}

/** The number of levels of objects and lists up to which a value is written as it is; deeper ones become text. */
export const MOST_LEVELS = 64;

/** Whether a value that came out of `JSON.parse` is nested too deeply. */
export function isTooDeep(value: unknown, levels: number = MOST_LEVELS): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  // Primitive values are told here: log probabilities are a million of them.
  if (Array.isArray(value)) {
    for (const one of value) {
      if (typeof one === "object" && isTooDeep(one, levels - 1)) return true;
    }
    return false;
  }
  for (const name in value) {
    const one = (value as Record<string, unknown>)[name];
    if (typeof one === "object" && isTooDeep(one, levels - 1)) return true;
  }
  return false;
}
