/**
 * Names of fields, and their values in rows.
 *
 * @module
 */

import { tokensOf, whereError } from "./tokens.ts";

/** Returns the value of one field; a name that the object does not have is looked for in `others`. */
export type Field = (row: object, ...others: readonly (object | undefined)[]) => unknown;

/**
 * Understands the name of one field: `completion_tokens`, `meta.score`, `meta["odd name"]`.
 *
 * @throws {UsageError} where it is anything else
 */
export function parseField(text: string): Field {
  const [token, end] = tokensOf(text);
  if (token.kind !== "path" || end.kind !== "end") {
    throw whereError(text, token.at, "it must be the name of one field");
  }
  return (row, ...others) => valueAt([row, ...others], token.path!);
}

/** The value at a path of the first of the objects that has its first name; null where none has. */
export function valueAt(rows: readonly (object | undefined)[], path: readonly string[]): unknown {
  const row = rows.find((one) => one !== undefined && Object.hasOwn(one, path[0]));
  let value: unknown = row;
  for (const name of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return null;
    value = (value as Record<string, unknown>)[name];
  }
  return value ?? null;
}
