/**
 * Holds the body of an answer until it is whole.
 *
 * @module
 */

const decoder = new TextDecoder();

/** The chunks of one body. */
export class HeldBody {
  /** How many bytes came. */
  bytes = 0;
  // Nearly every answer comes in one chunk: a list is made for the others only.
  #first: Uint8Array | undefined;
  #all: Uint8Array[] | undefined;

  /** Holds a chunk; it is not copied. */
  add(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    if (this.#first === undefined) this.#first = chunk;
    else (this.#all ??= [this.#first]).push(chunk);
  }

  /** The text so far, without a byte order mark. */
  text(): string {
    if (this.#first === undefined) return "";
    return decoder.decode(this.#all === undefined ? this.#first : this.#concat(this.#all));
  }

  #concat(chunks: readonly Uint8Array[]): Uint8Array {
    const whole = new Uint8Array(this.bytes);
    let offset = 0;
    for (const chunk of chunks) {
      whole.set(chunk, offset);
      offset += chunk.length;
    }
    return whole;
  }
}
