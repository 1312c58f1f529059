/**
 * Reads the input of a run again, to hash its rows.
 *
 * @module
 */

import type { InputPiece } from "../formats/mod.ts";
import { InputSequence } from "../run/mod.ts";
import type { RowParser } from "../source/mod.ts";

/** Returns the number of rows of the first piece's file that are in earlier shards; 0 for a run
 * that is not a shard. */
export function rowsSkippedIn({ pieces }: { readonly pieces: readonly InputPiece[] }): number {
  return pieces[0]?.part?.from.number ?? 0;
}

/** Returns content hashes by row number, from 1; 0 for bad lines. They are computed on demand,
 * because they are needed only if rows have the same uid and different texts. */
export async function contentHashesOf(
  { pieces }: InputSequence,
  parser: RowParser,
): Promise<BigUint64Array> {
  let hashes = new BigUint64Array(1_024);
  const input = new InputSequence(pieces);
  await input.open();
  const skippedRows = rowsSkippedIn(input);
  for await (const batch of input.rows()) {
    for (const line of batch) {
      const row = line.text === undefined ? undefined : parser.parse(line.text);
      if (row === undefined || "problem" in row) continue;
      const number = line.number - skippedRows;
      if (number >= hashes.length) {
        hashes = new BigUint64Array(hashes.buffer.transfer(2 * number * hashes.BYTES_PER_ELEMENT));
      }
      hashes[number] = numberOf(row.contentHash);
    }
  }
  return hashes;
}

export function numberOf(hash: string): bigint {
  return BigInt(`0x${hash}`);
}
