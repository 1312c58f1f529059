/**
 * Compresses a file while it is written, as one gzip member or one zstd frame: Python's `zstandard` stops
 * at the end of the first frame.
 *
 * @module
 */

import { createGzip, createZstdCompress } from "node:zlib";

/** Takes bytes. */
export interface ByteSink {
  /** Adds bytes; they may be reused once the promise is there. */
  write(bytes: Uint8Array): Promise<void>;
}

/** Bytes on their way through a compressor. */
export class Compressor implements ByteSink {
  readonly #stream;
  readonly #pumped: Promise<void>;

  /** Compressed bytes go to `target`. */
  constructor(compression: "gzip" | "zstd", target: ByteSink) {
    const stream = this.#stream = compression === "gzip" ? createGzip() : createZstdCompress();
    this.#pumped = (async () => {
      for await (const chunk of stream) await target.write(new Uint8Array(chunk));
    })();
    // Told by the next write or by `finish`.
    this.#pumped.catch(() => {});
  }

  /** Adds bytes. */
  async write(bytes: Uint8Array): Promise<void> {
    const written = new Promise<void>((resolve, reject) => {
      this.#stream.write(bytes.slice(), (error) => error ? reject(error) : resolve());
    });
    // Where the target fails, the stream takes nothing more and says nothing.
    await Promise.race([written, this.#pumped]);
  }

  /** Writes the end. */
  async finish(): Promise<void> {
    this.#stream.end();
    await this.#pumped;
  }

  /** Ends it without its end. */
  abandon(): void {
    this.#stream.destroy();
  }
}
