/**
 * The operators of conditions that compare two values.
 *
 * @module
 */

import { isNumber } from "./tokens.ts";

export const COMPARISONS: Readonly<Record<string, (a: unknown, b: unknown) => boolean>> = {
  "==": isEqual,
  "!=": (a, b) => !isEqual(a, b),
  "<": (a, b) => order(a, b) < 0,
  "<=": (a, b) => order(a, b) <= 0,
  ">": (a, b) => order(a, b) > 0,
  ">=": (a, b) => order(a, b) >= 0,
  "contains": (a, b) =>
    typeof a === "string"
      ? typeof b === "string" && a.includes(b)
      : Array.isArray(a) && a.some((item) => isEqual(item, b)),
  "icontains": (a, b) =>
    typeof b === "string" &&
    (typeof a === "string" ? a.toLowerCase().includes(b.toLowerCase()) : Array.isArray(a) &&
      a.some((item) => typeof item === "string" && item.toLowerCase() === b.toLowerCase())),
};

export function isEqual(a: unknown, b: unknown): boolean {
  return a === b || (isNumber(a) && isNumber(b) && order(a, b) === 0);
}

/** Compares two numbers or two texts. NaN for other values: comparisons by size are then false. */
function order(a: unknown, b: unknown): number {
  if (typeof a === "bigint" && typeof b === "bigint") return a < b ? -1 : a > b ? 1 : 0;
  // Compared as floats, because the page shows floats rounded: 1.2345678901234568e20 is shown as
  // 123456789012345680000, but is exactly 123456789012345683968.
  if (isNumber(a) && isNumber(b)) return Number(a) - Number(b);
  if (typeof a !== "string" || typeof b !== "string") return NaN;
  return a < b ? -1 : a > b ? 1 : 0;
}
