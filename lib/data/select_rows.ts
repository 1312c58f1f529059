/**
 * The rows that meet a condition, on this thread: for commands, which have nothing else to do.
 *
 * @module
 */

import { needsDerived } from "./derived.ts";
import type { DataIndex } from "./data_index.ts";
import { planOf, rowsThatMeet } from "./query.ts";
import { Scan, scanRowsOf } from "./scan.ts";

/** Selects rows. @throws {UsageError} where the condition makes no sense */
export function selectRows(index: DataIndex, where: string): Uint32Array<ArrayBuffer> {
  const { indexed, scanned } = planOf(index.table, where);
  for (const { paths } of [...indexed, ...scanned]) needsDerived(paths);
  const rows = rowsThatMeet(index.table, indexed);
  if (scanned.length === 0) return rows;
  using scan = new Scan({
    ...scanRowsOf(index.table, rows),
    files: index.files.map(({ readPath, hints }) => ({ path: readPath, hints })),
    where: scanned.map(({ text }) => text),
  });
  let count = 0;
  while (!scan.isDone) for (const row of scan.next()) rows[count++] = row;
  return rows.slice(0, count);
}
