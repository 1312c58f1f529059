/**
 * JSON values: objects, exact numbers, and how deeply they may be nested. `JSON.parse` takes any depth; Python's
 * `json` gives up near 1,000 levels, `JSON.stringify` at some thousands.
 *
 * @module
 */

/** Whether a value is an object, and not an array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a text is JSON. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** `JSON` with source text access (ECMA-262, 2026), which TypeScript's own library lacks. */
export const exactJson = JSON as unknown as {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): RawJson;
  isRawJSON(value: unknown): value is RawJson;
};

/** A value that is written as this text, for numbers that JavaScript would write differently. */
export interface RawJson {
  /** The text. */
  readonly rawJSON: string;
}

/** The deepest nesting at which a value is written as it is; deeper values become text. */
export const MOST_LEVELS = 64;

/** Whether a value from `JSON.parse` is nested too deeply. */
export function isTooDeep(value: unknown, levels: number = MOST_LEVELS): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  // Primitive values need no call: log probabilities are a million of them.
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
