/**
 * Non-blocking writer for stdout and stderr. A pipe that no one empties, a terminal
 * that is held with Ctrl-S or has gone, and a log on a full disk must neither stop nor end a run
 * that costs money.
 *
 * @module
 */

/** Where the text goes; `Deno.stderr` is one. */
export interface OutputStream {
  /** Takes some of the bytes and gives how many. */
  write(bytes: Uint8Array): Promise<number>;
}

/** A reader may be behind by this many UTF-16 units; then what is oldest is dropped. */
const MOST_WAITING = 1 << 20;

/** A pipe that is shared with another program may be set not to block. */
const TRY_AGAIN_MS = 20;

/** Writes text to a stream, in order. */
export class Output {
  readonly #stream: OutputStream;
  readonly #encoder = new TextEncoder();
  readonly #waiting: string[] = [];
  #length = 0;
  #writing: Promise<void> | undefined;
  #isGone = false;

  /** Nothing is written yet. */
  constructor(stream: OutputStream) {
    this.#stream = stream;
  }

  /** Adds text, whole lines at best: it is dropped as a whole where the reader is too far behind.
   * Never waits and never throws. */
  write(text: string): void {
    if (this.#isGone || text === "") return;
    this.#waiting.push(text);
    this.#length += text.length;
    while (this.#length > MOST_WAITING && this.#waiting.length > 1) {
      this.#length -= this.#waiting.shift()!.length;
    }
    this.#writing ??= this.#writeAll();
  }

  /** Resolves once all that was added is written, or no one will read it any more. */
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
      // There is no one left to tell.
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
