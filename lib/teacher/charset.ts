/**
 * Bodies in another charset than UTF-8. JSON must be UTF-8, but servers in front of older systems label and send
 * Latin-1 or the like; others leave such a label on UTF-8.
 *
 * @module
 */

import { type ByteSink, joined } from "./content_coding.ts";

const LINE_END = 0x0a;

/**
 * Turns the lines of a body into UTF-8 where they are not, by the charset that its label names.
 *
 * @param label The field `content-type`.
 * @param sink Where the body goes.
 * @returns What to put the body into; undefined where the label names UTF-8, nothing, or what is no charset.
 */
export function transcoderFor(
  label: string | readonly string[] | undefined,
  sink: ByteSink,
): ByteSink | undefined {
  const name = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(String(label ?? ""))?.[1];
  if (name === undefined || /^utf-?8$/i.test(name)) return undefined;
  try {
    return new Transcoder(new TextDecoder(name), sink);
  } catch {
    return undefined;
  }
}

/** Judges each line by itself: what is UTF-8 is taken as such, whatever the label says. */
class Transcoder implements ByteSink {
  readonly #stated: TextDecoder;
  readonly #sink: ByteSink;
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  readonly #isOfBytes: boolean;
  #held: Uint8Array[] = [];

  constructor(stated: TextDecoder, sink: ByteSink) {
    this.#stated = stated;
    this.#sink = sink;
    // UTF-16 has bytes of 0 in every line, and line ends in the middle of characters.
    this.#isOfBytes = !stated.encoding.startsWith("utf-16");
  }

  data(chunk: Uint8Array): void {
    const end = this.#isOfBytes ? chunk.lastIndexOf(LINE_END) + 1 : 0;
    if (end > 0) {
      this.#held.push(chunk.subarray(0, end));
      this.#flush();
    }
    if (end < chunk.length) this.#held.push(chunk.subarray(end));
  }

  end(): void {
    this.#flush();
    this.#sink.end();
  }

  broken(error: Error): void {
    this.#flush();
    this.#sink.broken(error);
  }

  #flush(): void {
    const bytes = joined(this.#held);
    this.#held = [];
    if (bytes.length > 0) this.#sink.data(this.#isUtf8(bytes) ? bytes : this.#utf8Of(bytes));
  }

  #isUtf8(bytes: Uint8Array): boolean {
    if (!this.#isOfBytes) return false;
    try {
      this.#utf8.decode(bytes);
      return true;
    } catch {
      return false;
    }
  }

  #utf8Of(bytes: Uint8Array): Uint8Array {
    return encoder.encode(this.#stated.decode(bytes));
  }
}

const encoder = new TextEncoder();
