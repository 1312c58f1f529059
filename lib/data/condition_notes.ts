/**
 * Notices about fields of a condition that an index knows: misspelt names, and texts that are
 * compared with numbers.
 *
 * @module
 */

import { absentNote, checkedName, comparisonsIn, parseWhere, textNote } from "../where/mod.ts";
import { DERIVED_NAMES, isUnknownField } from "./fields.ts";
import type { Table } from "./table.ts";

/** @param where A valid condition, or "". */
export function conditionNotes(table: Table, where: string): string[] {
  if (where.trim() === "" || table.length === 0) return [];
  const { paths, parts } = parseWhere(where);
  const known = [...table.fieldNames, ...DERIVED_NAMES];
  const absent = paths.filter((path) => isUnknownField(table, path)).map(checkedName);
  const texts = comparisonsIn(parts).filter(({ path }) => {
    const values = table.fields.get(path.join("\0"))?.values ?? [];
    return values.some((value) => typeof value === "string") &&
      !values.some((value) => typeof value === "number");
  });
  return [
    ...[...new Set(absent)].map((name) => absentNote(name, known)),
    ...texts.map(textNote),
  ];
}
