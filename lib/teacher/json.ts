/**
 * Looks into JSON that somebody else wrote: what is not there, or is of another type, is simply not
 * there.
 *
 * @module
 */

import { repairedJson } from "./json_repair.ts";

/** A JSON object of unknown content. */
export type JsonObject = Record<string, unknown>;

/** The value where it is an object and no array, else undefined. */
export function asObject(value: unknown): JsonObject | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as JsonObject
    : undefined;
}

/** The value where it is a string, else "". */
export function asText(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** The value as a whole number of something, or undefined where it is none that can be true. */
export function asCount(value: unknown): number | undefined {
  if (typeof value !== "number" || !(value >= 0)) return undefined;
  const count = Math.round(value);
  return Number.isSafeInteger(count) ? count : undefined;
}

/** The value parsed as JSON, also where it is JSON but for what servers do to it; else undefined. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return parseRepaired(text);
  }
}

function parseRepaired(text: string): unknown {
  try {
    return JSON.parse(repairedJson(text));
  } catch {
    return undefined;
  }
}
