/**
 * The numbers of rows by the slots of their uids in an `IdTable`.
 *
 * A number for each slot would take 4 bytes. But slots are given in the order of the rows, so
 * number and slot grow together until a row has no new slot, such as a duplicate. Only the slots
 * after such gaps are stored.
 *
 * @module
 */

export class RowNumbers {
  /** The slots from which the number minus the slot is another one, in ascending order. */
  readonly #slots: number[] = [];
  /** The number minus the slot, from each of `#slots` on. */
  readonly #differences: number[] = [];
  #lastSlot = -1;
  /** Numbers of slots that are older than the slot of an earlier row. */
  readonly #others = new Map<number, number>();

  /** @param number from 1; greater than all numbers before */
  set(slot: number, number: number): void {
    if (slot < this.#lastSlot) {
      this.#others.set(slot, number);
      return;
    }
    this.#lastSlot = slot;
    const difference = number - slot;
    if (difference === this.#differences.at(-1)) return;
    this.#slots.push(slot);
    this.#differences.push(difference);
  }

  /** Returns the number of the row. The slot must be that of a row. */
  get(slot: number): number {
    return this.#others.get(slot) ?? slot + this.#differences[this.#stretchOf(slot)];
  }

  /** Returns the position of the last of `#slots` that is at most `slot`. */
  #stretchOf(slot: number): number {
    let low = 0, high = this.#slots.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.#slots[middle] <= slot) low = middle;
      else high = middle;
    }
    return low;
  }
}
