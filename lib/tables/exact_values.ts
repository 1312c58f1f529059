/**
 * Decimals, times and dates for Parquet, from the digits and texts that rows hold.
 *
 * @module
 */

import type { SchemaElement } from "../deps/hyparquet_writer.ts";
import { isRawJson } from "../source/mod.ts";
import type { ExactType } from "./schema.ts";

/** The most digits of an integer of 64 bits. */
const INT64_DIGITS = 18;
const DIGITS = { MILLIS: 3, MICROS: 6, NANOS: 9 } as const;

/** The element of a column. */
export function exactElementOf(element: SchemaElement, type: ExactType): SchemaElement {
  switch (type.kind) {
    case "decimal": {
      const { precision, scale } = type;
      const isShort = precision <= INT64_DIGITS;
      return {
        ...element,
        type: isShort ? "INT64" : "FIXED_LEN_BYTE_ARRAY",
        type_length: isShort ? undefined : Math.ceil((precision * Math.log2(10) + 1) / 8),
        converted_type: "DECIMAL",
        logical_type: { type: "DECIMAL", precision, scale },
        ...{ precision, scale },
      };
    }
    case "date":
      return {
        ...element,
        ...{ type: "INT32", converted_type: "DATE", logical_type: { type: "DATE" } },
      };
    default: {
      const { unit, isUtc: isAdjustedToUTC } = type;
      const name = type.kind === "time" ? "TIME" : "TIMESTAMP";
      const hasOlder = isAdjustedToUTC && unit !== "NANOS";
      return {
        ...element,
        type: name === "TIME" && unit === "MILLIS" ? "INT32" : "INT64",
        // The older names mean UTC.
        converted_type: hasOlder ? `${name}_${unit}` : undefined,
        logical_type: { type: name, isAdjustedToUTC, unit },
      };
    }
  }
}

/** A value as it stands in such a column. */
export function exactValueOf(value: unknown, type: ExactType): bigint | number {
  const text = isRawJson(value) ? value.rawJSON : String(value);
  switch (type.kind) {
    case "decimal":
      return unscaled(text, type.scale);
    case "date":
      return Date.parse(text) / 86_400_000;
    case "instant":
      return momentOf(text, DIGITS[type.unit]);
    case "time": {
      const count = momentOf(`1970-01-01T${text}`, DIGITS[type.unit]);
      return type.unit === "MILLIS" ? Number(count) : count;
    }
  }
}

/** The units since 1970 of a text as `2024-05-01T12:00:00.123456Z`. */
function momentOf(text: string, digits: number): bigint {
  const [seconds, rest = ""] = text.replace(/Z$/, "").split(".");
  const fraction = rest.padEnd(digits, "0").slice(0, digits);
  return BigInt(Date.parse(`${seconds}Z`) / 1_000) * 10n ** BigInt(digits) + BigInt(fraction);
}

function unscaled(text: string, scale: number): bigint {
  const [whole, fraction = ""] = text.split(".");
  if (scale <= 0) return BigInt(whole) / 10n ** BigInt(-scale);
  return BigInt(whole + fraction.padEnd(scale, "0"));
}
