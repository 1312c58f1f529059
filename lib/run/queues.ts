/**
 * Queues of numbers that take little memory.
 *
 * @module
 */

/** A queue of numbers below 2^32, in blocks that are freed as numbers are taken. */
export class NumberQueue {
  readonly #blocks: Uint32Array[] = [];
  #lastBlockLength = 0;
  #takenFromFirst = 0;

  push(number: number): void {
    const capacity = this.#blocks.at(-1)?.length ?? 0;
    if (this.#lastBlockLength === capacity) {
      // Small at first, because a run may have thousands of inputs.
      this.#blocks.push(new Uint32Array(Math.min(4_096, Math.max(16, capacity * 2))));
      this.#lastBlockLength = 0;
    }
    this.#blocks.at(-1)![this.#lastBlockLength++] = number;
  }

  /** Call it only while a number is left. */
  shift(): number {
    if (this.#takenFromFirst === this.#blocks[0].length) {
      this.#blocks.shift();
      this.#takenFromFirst = 0;
    }
    return this.#blocks[0][this.#takenFromFirst++];
  }
}

/**
 * A queue of slots of a table of ids. Stores each sequence with equal steps as three numbers: the
 * slots of new rows are consecutive or, with several samples, equally spaced. Slots without any
 * order take 6 bytes each. Call `shift` only after the last `push`.
 */
export class SlotQueue {
  readonly #ended = new NumberQueue();
  #endedCount = 0;
  /** The sequence that `push` extends. `shift` takes from it once no other sequence is left. */
  #last = { first: 0, step: 0, length: 0 };
  /** The sequence that `shift` takes from. */
  #current = { first: 0, step: 0, length: 0 };
  #taken = 0;

  push(slot: number): void {
    const last = this.#last;
    if (last.length === 1) last.step = (slot - last.first) >>> 0;
    if (last.length > 0 && slotIn(last, last.length) === slot) {
      last.length++;
      return;
    }
    if (last.length > 0) {
      this.#ended.push(last.first);
      this.#ended.push(last.step);
      this.#ended.push(last.length);
      this.#endedCount++;
    }
    this.#last = { first: slot, step: 0, length: 1 };
  }

  /** Call it only while a slot is left. */
  shift(): number {
    if (this.#taken === this.#current.length) {
      this.#current = this.#endedCount-- > 0 ? this.#shiftEnded() : this.#last;
      this.#taken = 0;
    }
    return slotIn(this.#current, this.#taken++);
  }

  #shiftEnded() {
    const ended = this.#ended;
    return { first: ended.shift(), step: ended.shift(), length: ended.shift() };
  }
}

/** The slot at `index` of a sequence. Steps are modulo 2^32, so they may be negative. */
function slotIn({ first, step }: { first: number; step: number }, index: number): number {
  return (first + Math.imul(step, index)) >>> 0;
}
