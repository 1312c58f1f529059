/**
 * How deeply JSON may be nested. `JSON.parse` takes any depth; Python's `json` gives up near 1,000 levels,
 * `JSON.stringify` at some thousands.
 *
 * @module
 */

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
