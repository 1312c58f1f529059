/**
 * Ids that were made by hashing rows, kept from the first pass to the second: 16 bytes a row in place of
 * hashing it again, which would take a fifth of what the engine takes for a row.
 *
 * @module
 */

const UID_BYTES = 16;
/** Memory is taken, and given back, in blocks of so many ids. */
const BLOCK_UIDS = 4_096;

/** A queue of ids of 32 hex digits. */
export class KeptUids {
  readonly #blocks: Uint8Array[] = [];
  /** Ids in the last block. */
  #kept = BLOCK_UIDS;
  /** Ids that were taken out of the first block. */
  #taken = 0;

  /** Adds an id at the end. */
  keep(uid: string): void {
    if (this.#kept === BLOCK_UIDS) {
      this.#blocks.push(new Uint8Array(BLOCK_UIDS * UID_BYTES));
      this.#kept = 0;
    }
    const start = this.#kept++ * UID_BYTES;
    this.#blocks.at(-1)!.subarray(start, start + UID_BYTES).setFromHex(uid);
  }

  /** Takes the first id out. There must be one. */
  take(): string {
    if (this.#taken === BLOCK_UIDS) {
      this.#blocks.shift();
      this.#taken = 0;
    }
    const start = this.#taken++ * UID_BYTES;
    return this.#blocks[0].subarray(start, start + UID_BYTES).toHex();
  }
}
