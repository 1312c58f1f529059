/**
 * The contents of an input's rows, as hashes.
 *
 * @module
 */

import { InputSequence } from "../run/mod.ts";
import type { RowParser } from "../source/mod.ts";

/**
 * The content hashes of an input's rows, in 8 bytes each. A merge needs them only for rows that
 * share a uid but differ in their text: it reads an input again for these, but only once.
 */
export class Contents {
  /** By the numbers of the rows, from 1; 0 for what is not a row. */
  #hashes = new BigUint64Array(1_024);

  private constructor() {}

  static async read({ pieces }: InputSequence, parser: RowParser): Promise<Contents> {
    const contents = new Contents();
    const input = new InputSequence(pieces);
    await input.open();
    const skipped = rowsSkippedIn(input);
    for await (const batch of input.rows()) {
      for (const { number, text } of batch) {
        const row = text === undefined ? undefined : parser.parse(text);
        if (row === undefined || "problem" in row) continue;
        contents.#set(number - skipped, row.contentHash);
      }
    }
    return contents;
  }

  /** The content hash of a row; undefined if there is no such row. */
  of(number: number): string | undefined {
    const hash = this.#hashes[number] ?? 0n;
    return hash === 0n ? undefined : hash.toString(16).padStart(16, "0");
  }

  #set(number: number, hash: string): void {
    if (number >= this.#hashes.length) {
      const hashes = new BigUint64Array(number * 2);
      hashes.set(this.#hashes);
      this.#hashes = hashes;
    }
    this.#hashes[number] = BigInt(`0x${hash}`);
  }
}

/** Rows of the first file that belong to earlier shards; 0 for a run that is not a shard. */
export function rowsSkippedIn({ pieces }: InputSequence): number {
  return pieces[0]?.part?.from.number ?? 0;
}
