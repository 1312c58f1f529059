/** The id of a set of parameters. @module */

import { sha256Hex } from "../hash.ts";
import type { RawJson } from "../json.ts";
import { isRawJson } from "../source/mod.ts";
import type { Params } from "../teacher/mod.ts";

/** 8 hex digits of the SHA-256 of the parameters' JSON with sorted keys. */
export function paramsId(params: Params): string {
  return sha256Hex(sortedJson(params)).slice(0, 8);
}

/** JSON with sorted keys. `onRaw` may replace numbers kept as raw JSON. */
export function sortedJson(
  value: unknown,
  onRaw: (raw: RawJson) => unknown = (raw) => raw,
): string {
  return JSON.stringify(value, (_key, inner) => {
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    if (isRawJson(inner)) return onRaw(inner);
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => a < b ? -1 : 1));
  });
}
