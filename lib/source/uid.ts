/**
 * The identity of a row.
 *
 * @module
 */

import { sha256Hex } from "../hash.ts";
import { canonicalJson } from "./canonical.ts";
import { isRawJson, parseLossless } from "./lossless.ts";
import { type BadRow, mustBe } from "./problem.ts";

const DEFAULT_FIELDS: readonly string[] = ["uid", "custom_id", "id"];

/** The fields that may name a row, in the order in which they are looked at. `namedLast` is the order of
 * an earlier version, in which fields that the user has named came after the others. */
export function uidFieldsOf(
  named: readonly string[] = [],
  { namedLast = false }: { namedLast?: boolean } = {},
): readonly string[] {
  return namedLast ? [...DEFAULT_FIELDS, ...named] : [...named, ...DEFAULT_FIELDS];
}

/**
 * The uid that a row gives itself, always as a string; undefined when it gives none. A field that is null
 * or empty counts as absent. A number
 * becomes the text that it was written as, so `1` and `"1"` are one uid and `1.0` is another.
 */
export function givenUid(
  row: Readonly<Record<string, unknown>>,
  text: string,
  fields: readonly string[],
): string | undefined | BadRow {
  for (const field of fields) {
    // `constructor` is there in every object, but not the row's own.
    const value = Object.hasOwn(row, field) ? row[field] : undefined;
    if (value === undefined || value === null || value === "") continue;
    if (typeof value === "number") return findNumber(text, field) ?? exactNumber(text, field);
    return typeof value === "string" ? value : mustBe(field, "a string or a number", value);
  }
  return undefined;
}

/** The uid of a row that gives itself none: the first 32 hex digits of SHA-256 over its canonical
 * JSON. */
export function derivedUid(row: unknown, text: string): string {
  return sha256Hex(canonicalJson(text, row)).slice(0, DERIVED_UID_LENGTH);
}

const DERIVED_UID_LENGTH = 32;
const PLAIN_NAME = /^\w+$/;
const ESCAPED_ASCII = /\\u00[2-7]/;
const NUMBER = /\s*:\s*(-?\d[\d.eE+-]*)/y;

/** The number of a field that the row has, where it is plain to see; saves parsing the row a second
 * time. If the quoted name stands in the text only once, and cannot be spelled with escapes, that
 * place is the field. */
function findNumber(text: string, field: string): string | undefined {
  if (!PLAIN_NAME.test(field) || ESCAPED_ASCII.test(text)) return undefined;
  const quoted = `"${field}"`;
  const at = text.indexOf(quoted);
  if (text.indexOf(quoted, at + 1) !== -1) return undefined;
  NUMBER.lastIndex = at + quoted.length;
  return NUMBER.exec(text)?.[1];
}

function exactNumber(text: string, field: string): string {
  const value = (parseLossless(text) as Record<string, unknown>)[field];
  return isRawJson(value) ? value.rawJSON : String(value);
}
