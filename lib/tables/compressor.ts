/**
 * The bytes of a table on their way to its file, compressed or not.
 *
 * @module
 */

import { createGzip, createZstdCompress } from "node:zlib";
import type { Compression } from "../formats/mod.ts";

/** Takes bytes. */
export interface ByteSink {
  /** Adds bytes; their memory may be reused once the promise is resolved. */
  write(bytes: Uint8Array): Promise<void>;
}

/** Bytes on their way through a compressor. */
export class Compressor implements ByteSink {
  readonly #stream;
  readonly #pumped: Promise<void>;

  /** Compressed bytes go to `target`. */
  constructor(compression: Compression, target: ByteSink) {
    const stream = this.#stream = compression === "gzip" ? createGzip() : createZstdCompress();
    this.#pumped = (async () => {
      for await (const chunk of stream) await target.write(new Uint8Array(chunk));
    })();
    // Reported by the next write or by `finish`.
    this.#pumped.catch(() => {});
  }

  /** Adds bytes. */
  async write(bytes: Uint8Array): Promise<void> {
    const written = new Promise<void>((resolve, reject) => {
      this.#stream.write(bytes.slice(), (error) => error ? reject(error) : resolve());
    });
    // When the target fails, the stream takes nothing more and does not report it.
    await Promise.race([written, this.#pumped]);
  }

  /** Writes the end. */
  async finish(): Promise<void> {
    this.#stream.end();
    await this.#pumped;
  }

  /** Stops without writing the end. */
  abandon(): void {
    this.#stream.destroy();
  }
}
