/**
 * What is on its way to a file together.
 *
 * @module
 */

const ENCODER = new TextEncoder();

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

  /** The lines as bytes; they are not held any longer. */
  encode(): Uint8Array {
    this.#lines.push(""); // Ends the last line without another copy of the text.
    const bytes = ENCODER.encode(this.#lines.join("\n"));
    this.#lines.length = 0;
    this.byteLength = bytes.length;
    return bytes;
  }
}

function ignore(): void {}
