/**
 * What is on its way to a file together.
 *
 * @module
 */

const ENCODER = new TextEncoder();

/** Longer texts get memory of their own. */
const MAX_KEPT_LENGTH = 1024 * 1024;
/** One UTF-16 unit takes three bytes at most. */
const BYTES_PER_UNIT = 3;

/** Lines that go out in one write, and the records that they stand for. */
export class Batch<T> {
  /** What each line stands for. */
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
    // A row that nobody waits for is no unhandled rejection: `onBroken` tells of it.
    this.written.promise.catch(ignore);
  }

  /** Adds a line, given without its ending. */
  add(line: string, record: T): void {
    this.#lines.push(line);
    this.records.push(record);
    this.length += line.length + 1;
  }

  /** The lines as bytes, in the memory of `bytes` where they fit; they are not held any longer. */
  encode(bytes: KeptBytes): Uint8Array {
    this.#lines.push(""); // Ends the last line without another copy of the text.
    const encoded = bytes.encode(this.#lines.join("\n"));
    this.#lines.length = 0;
    this.byteLength = encoded.length;
    return encoded;
  }
}

/** Memory that texts become bytes in, one after the other. New memory for each write would be 130 MB a
 * second at full speed, which the garbage collector gives back late. */
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

function ignore(): void {}
