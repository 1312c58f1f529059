/** Counts the rows that failed, which an export lacks. @module */

import { failuresOf } from "../data/mod.ts";
import { HAS_FAILURE, HAS_RESULT, IdTable, readIndex } from "../index/mod.ts";
import { isObject } from "../json.ts";
import { linesOf, readLineBlocks } from "../line_blocks.ts";

/**
 * Counts the failed rows of a results file, by the failures file next to it. After a crash, that
 * also has lines of rows that were retried since: each row counts once, and none with a result.
 */
export async function countFailedRows(results: string): Promise<number> {
  const path = failuresOf(results);
  if (path === undefined) return 0;
  using table = new IdTable();
  const decoder = new TextDecoder();
  for await (const block of readLineBlocks(path)) {
    for (const bytes of linesOf(block)) {
      const uid = failedUidOf(decoder.decode(bytes));
      if (uid !== undefined) table.set(table.insert(uid), HAS_FAILURE);
    }
  }
  if (table.size === 0) return 0;
  await readIndex({ path: results, kind: "results" }, table, (slot) => {
    table.set(slot, HAS_RESULT);
  });
  return table.count(HAS_FAILURE, HAS_RESULT);
}

/** Undefined for pending rows (`final: false`), and for a last line that is still incomplete. */
function failedUidOf(line: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isObject(value) || !isObject(value.error) || value.error.final === false) return undefined;
  return typeof value.uid === "string" ? value.uid : undefined;
}
