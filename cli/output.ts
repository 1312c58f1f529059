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

/**
 * The maximum length of the queued text, in UTF-16 units. Beyond it, the oldest text is dropped.
 */
const MAX_QUEUED_CHARS = 1 << 20;

/**
 * Delay before the next write to a full pipe. Writes fail instead of waiting only if another
 * program that shares the pipe made it non-blocking.
 */
const RETRY_MS = 20;

/** Writes text to a stream in the background. */
export class Output {
  readonly #stream: OutputStream;
  readonly #encoder = new TextEncoder();
  readonly #queue: string[] = [];
  /** Length of the queued text, in UTF-16 units. */
  #length = 0;
  #writing: Promise<void> | undefined;
  #hasFailed = false;

  constructor(stream: OutputStream) {
    this.#stream = stream;
  }

  /**
   * Queues text. If the reader is too far behind, the oldest texts are dropped, so pass whole
   * lines. Never waits and never throws.
   */
  write(text: string): void {
    if (this.#hasFailed || text === "") return;
    this.#queue.push(text);
    this.#length += text.length;
    while (this.#length > MAX_QUEUED_CHARS && this.#queue.length > 1) {
      this.#length -= this.#queue.shift()!.length;
    }
    this.#writing ??= this.#writeAll();
  }

  /** Resolves once all text is written, or the stream has failed. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    try {
      while (this.#queue.length > 0) {
        const text = this.#queue.splice(0).join("");
        this.#length = 0;
        await this.#writeBytes(this.#encoder.encode(text));
      }
    } catch {
      // The stream is gone, so there is nowhere to report it.
      this.#hasFailed = true;
      this.#queue.length = 0;
    } finally {
      this.#writing = undefined;
    }
  }

  async #writeBytes(bytes: Uint8Array): Promise<void> {
    let written = 0;
    while (written < bytes.length) {
      try {
        written += await this.#stream.write(bytes.subarray(written));
      } catch (error) {
        if (!(error instanceof Deno.errors.WouldBlock)) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }
}
