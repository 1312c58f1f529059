/**
 * Lines that are written together, and how long they are gathered before.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { LONGEST_TURN_MS } from "../timer.ts";

/** This many rows are written without waiting for more: a write costs 6 µs, whatever its size. */
const ENOUGH_ROWS = 8;

const ENCODER = new TextEncoder();

/** Longer texts get their own memory. */
const MAX_KEPT_LENGTH = 1024 * 1024;
/** One UTF-16 unit takes three bytes at most. */
const BYTES_PER_UNIT = 3;

/** Lines of one write, with their records. */
export class Batch<T> {
  /** The record of each line. */
  readonly records: T[] = [];
  /** The length in UTF-16 units: near enough to bytes to size a batch. */
  length = 0;
  /** The size as written. */
  byteLength = 0;
  /** Settled for all lines at once. */
  readonly written = Promise.withResolvers<void>();

  readonly #lines: string[] = [];

  /** Starts without lines. */
  constructor() {
    // Not an unhandled rejection where no caller waits: `onBroken` reports it.
    this.written.promise.catch(ignore);
  }

  /** Adds a line, given without its ending. */
  add(line: string, record: T): void {
    this.#lines.push(line);
    this.records.push(record);
    this.length += line.length + 1;
  }

  /** The lines as bytes, in the memory of `bytes` where they fit; the texts are released. */
  encode(bytes: KeptBytes): Uint8Array {
    this.#lines.push(""); // Ends the last line without another copy of the text.
    const encoded = bytes.encode(this.#lines.join("\n"));
    this.#lines.length = 0;
    this.byteLength = encoded.length;
    return encoded;
  }
}

/** Memory for encoding one text after another. New memory for each write would be 130 MB a second at full
 * speed, which the garbage collector frees late. */
export class KeptBytes {
  #bytes = new Uint8Array(0);

  /** The text as UTF-8; valid until the next call. */
  encode(text: string): Uint8Array {
    if (text.length > MAX_KEPT_LENGTH) return ENCODER.encode(text);
    const needed = text.length * BYTES_PER_UNIT;
    if (needed > this.#bytes.length) this.#bytes = new Uint8Array(needed * 2);
    const { written } = ENCODER.encodeInto(text, this.#bytes);
    return this.#bytes.subarray(0, written);
  }
}

/** How long the writer waits for more lines. */
export class Gathering {
  readonly #now: () => number;
  /** Ends the wait. */
  #hurry: (() => void) | undefined;
  /** From then on the event loop has to have a turn. */
  #turnAt = 0;

  /** `now` is in milliseconds, monotonic. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** A batch has one line more. */
  grown(batch: Batch<unknown>): void {
    if (batch.records.length >= ENOUGH_ROWS) this.#hurry?.();
  }

  /** Waits until a call is worth it, or the turn of the event loop has ended. Lanes that wait for the end of
   * the turn send their next requests a turn later, and the teacher is idle meanwhile. */
  async enough(batch: Batch<unknown>): Promise<void> {
    const isTurnDue = this.#now() >= this.#turnAt;
    if (!isTurnDue && batch.records.length >= ENOUGH_ROWS) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    if (!isTurnDue) this.#hurry = resolve;
    setImmediate(() => {
      this.#turnAt = this.#now() + LONGEST_TURN_MS;
      resolve();
    });
    await promise;
    this.#hurry = undefined;
  }
}

function ignore(): void {}
