/**
 * Compresses the bytes of a table on their way to its file.
 *
 * @module
 */

import { createGzip, createZstdCompress } from "node:zlib";
import type { Compression } from "../formats/mod.ts";

/** Takes the bytes of a file. */
export interface ByteSink {
  /** Adds bytes. Their memory may be reused once the promise resolves. */
  write(bytes: Uint8Array): Promise<void>;
}

/** Takes bytes, and passes them on compressed. */
export class Compressor implements ByteSink {
  readonly #stream;
  /** Resolves once the target has all compressed bytes; rejects if compressor or target fails. */
  readonly #copied: Promise<void>;

  /** Writes compressed bytes to `target`. */
  constructor(compression: Compression, target: ByteSink) {
    const stream = this.#stream = compression === "gzip" ? createGzip() : createZstdCompress();
    this.#copied = (async () => {
      for await (const chunk of stream) await target.write(new Uint8Array(chunk));
    })();
    // A failure is reported by the next `write`, or by `finish`.
    this.#copied.catch(() => {});
  }

  async write(bytes: Uint8Array): Promise<void> {
    const written = new Promise<void>((resolve, reject) => {
      this.#stream.write(bytes.slice(), (error) => error ? reject(error) : resolve());
    });
    // If the target fails, the stream accepts nothing more and never calls back.
    await Promise.race([written, this.#copied]);
  }

  /** Writes the bytes that are still buffered, then the end of the compressed stream. */
  async finish(): Promise<void> {
    this.#stream.end();
    await this.#copied;
  }
}
