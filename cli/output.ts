/**
 * Non-blocking writer for stdout and stderr. A pipe without a reader, a terminal that is held with
 * Ctrl-S or was closed, and a log on a full disk must neither stop nor end a run that costs money.
 *
 * @module
 */

/** For example `Deno.stderr`. */
export interface OutputStream {
  /** Writes some of the bytes and returns how many. */
  write(bytes: Uint8Array): Promise<number>;
}

/** Limit of text that waits to be written, in UTF-16 units; beyond it the oldest is dropped. */
const MOST_WAITING = 1 << 20;

/**
 * Delay before the next write to a full pipe. The pipe is non-blocking only if another program that
 * shares it made it so.
 */
const TRY_AGAIN_MS = 20;

export class Output {
  readonly #stream: OutputStream;
  readonly #encoder = new TextEncoder();
  readonly #waiting: string[] = [];
  #length = 0;
  #writing: Promise<void> | undefined;
  #isGone = false;

  constructor(stream: OutputStream) {
    this.#stream = stream;
  }

  /**
   * Adds text, preferably whole lines: a text is dropped entirely if the reader is too far behind.
   * Never waits and never throws.
   */
  write(text: string): void {
    if (this.#isGone || text === "") return;
    this.#waiting.push(text);
    this.#length += text.length;
    while (this.#length > MOST_WAITING && this.#waiting.length > 1) {
      this.#length -= this.#waiting.shift()!.length;
    }
    this.#writing ??= this.#writeAll();
  }

  /** Resolves once all text is written, or the stream has failed. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const text = this.#waiting.splice(0).join("");
        this.#length = 0;
        await this.#writeBytes(this.#encoder.encode(text));
      }
    } catch {
      // The stream is gone, so there is nowhere to report it.
      this.#isGone = true;
      this.#waiting.length = 0;
    } finally {
      this.#writing = undefined;
    }
  }

  async #writeBytes(bytes: Uint8Array): Promise<void> {
    let at = 0;
    while (at < bytes.length) {
      try {
        at += await this.#stream.write(bytes.subarray(at));
      } catch (error) {
        if (!(error instanceof Deno.errors.WouldBlock)) throw error;
        await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS));
      }
    }
  }
}
