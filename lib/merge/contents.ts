/**
 * The contents of an input's rows, as hashes.
 *
 * @module
 */

import { InputSequence } from "../run/mod.ts";
import type { RowParser } from "../source/mod.ts";

/**
 * The content hashes of an input's rows, in 8 bytes each. A merge needs them only for rows that
 * share a uid but differ in their text, so that an input is read again once at most.
 */
export class Contents {
  /** By the numbers of the rows, from 1; 0 for what is not a row. */
  #hashes = new BigUint64Array(1_024);

  private constructor() {}

  static async read({ pieces }: InputSequence, parser: RowParser): Promise<Contents> {
    const contents = new Contents();
    const input = new InputSequence(pieces);
    await input.open();
    const before = numberBefore(input);
    for await (const batch of input.rows()) {
      for (const { number, text } of batch) {
        const row = text === undefined ? undefined : parser.parse(text);
        if (row === undefined || "problem" in row) continue;
        contents.#set(number - before, row.contentHash);
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

/** The number in its file of the row before the first one of a run: 0 unless it is a shard. */
export function numberBefore({ pieces }: InputSequence): number {
  return pieces[0]?.part?.from.number ?? 0;
}
