/**
 * Holds bytes until they are whole.
 *
 * @module
 */

const decoder = new TextDecoder();

/** The chunks of one body. */
export class HeldBytes {
  // Nearly every answer comes in one chunk: a list is made for the others only.
  #first: Uint8Array | undefined;
  #more: Uint8Array[] | undefined;

  /** Holds a chunk; it is not copied. */
  add(chunk: Uint8Array): void {
    if (this.#first === undefined) this.#first = chunk;
    else (this.#more ??= []).push(chunk);
  }

  /** All of them in one. */
  all(): Uint8Array {
    const first = this.#first ??= NOTHING;
    if (this.#more === undefined) return first;
    const chunks = [first, ...this.#more];
    const whole = new Uint8Array(chunks.reduce((bytes, chunk) => bytes + chunk.length, 0));
    let offset = 0;
    for (const chunk of chunks) {
      whole.set(chunk, offset);
      offset += chunk.length;
    }
    this.#first = whole;
    this.#more = undefined;
    return whole;
  }

  /** All of them as text, without a byte order mark. */
  text(): string {
    return decoder.decode(this.all());
  }

  /** Forgets them. */
  clear(): void {
    this.#first = this.#more = undefined;
  }
}

const NOTHING = new Uint8Array(0);
