/**
 * One text for one value: what a row's own hash is made of.
 *
 * @module
 */

import { holdsNumber, isRawJson, parseLossless } from "./lossless.ts";

/**
 * JSON without white space, keys sorted by UTF-16 units, strings escaped one way, numbers as they
 * were written (`1` and `1.0` are two values here).
 *
 * @param text The JSON text that `parsed` comes from, for its numbers.
 * @param parsed What `JSON.parse` made of it.
 */
export function canonicalJson(text: string, parsed: unknown): string {
  return write(holdsNumber(parsed) ? parseLossless(text) : parsed);
}

function write(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return `[${value.map(write).join(",")}]`;
  if (isRawJson(value)) return value.rawJSON;
  const object = value as Record<string, unknown>;
  let text = "";
  for (const key of Object.keys(object).sort()) {
    text += `${text === "" ? "{" : ","}${JSON.stringify(key)}:${write(object[key])}`;
  }
  return text === "" ? "{}" : `${text}}`;
}
