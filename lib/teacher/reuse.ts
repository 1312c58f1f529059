/**
 * How often, and after how long, the connections to one teacher may be used again. Servers announce
 * it (`Keep-Alive: timeout=5, max=100`), and some do something else: llama.cpp's announces that and
 * closes right after each streamed answer. A request that crosses such a close on its way is lost,
 * and it is not known whether it was read. So this also learns from what the server does.
 *
 * @module
 */

/** A close that is seen so soon after an answer belongs to it: no idle timeout is that short. */
export const RIGHT_BEHIND_MS = 100;

/** Closes right behind an answer after which connections are used once. */
const FEW_CLOSES = 3;
/** What one answer on a reused connection takes from the number of closes. Connections are used once
 * where more than one answer in 32 is followed by a close. */
const REUSE_WEIGHT = 1 / 32;
/** Connections in a row that the server left open although they were used once, after which they are
 * used again: the closes may have been those of a restart. */
const MANY_LEFT_OPEN = 32;
/** The first attempts reuse connections at once, which tells most servers apart. */
const TRIALS = 10;
/** How far ahead of the announced timeout a connection is given up: the request is on its way. */
const MARGIN_MS = 1_000;

/** What a `Keep-Alive` field says. */
interface Hint {
  readonly text: string;
  /** Seconds, or undefined. */
  readonly timeout: number | undefined;
  /** Requests, or undefined. */
  readonly max: number | undefined;
}

/** Decides about the reuse of connections to one teacher, from what it says and does. */
export class Reuse {
  #closes = 0;
  #leftOpen = 0;
  #isOnce = false;
  #isProven = false;
  #attempts = 0;
  #hintedMs = Infinity;
  #learntMs = Infinity;
  // Every answer of a server says the same.
  #hint: Hint = { text: "", timeout: undefined, max: undefined };

  /** Whether each connection is used for one request only. */
  get isOnce(): boolean {
    return this.#isOnce;
  }

  /** The longest that a connection may be idle before it is used again, in milliseconds. */
  get longestIdleMs(): number {
    return this.#isOnce ? -1 : Math.min(this.#hintedMs, this.#learntMs);
  }

  /** The shortest. Until a connection was used twice, it has to be seen that the server left it open. */
  get shortestIdleMs(): number {
    const isTrial = this.#attempts <= TRIALS && this.#closes === 0;
    return this.#isProven || isTrial ? 0 : RIGHT_BEHIND_MS;
  }

  /** An attempt is made. */
  attempted(): void {
    this.#attempts++;
  }

  /** An answer came on a connection that had brought one before. */
  reused(): void {
    this.#isProven = true;
    if (this.#closes > 0) this.#closes = Math.max(0, this.#closes - REUSE_WEIGHT);
  }

  /** The server closed a connection that had been idle for `idleMs` after an answer. */
  closed(idleMs: number): void {
    this.#leftOpen = 0;
    if (idleMs > RIGHT_BEHIND_MS) {
      // An idle timeout that it does not announce, or a restart; only surplus connections feel it.
      this.#learntMs = Math.min(this.#learntMs, Math.max(RIGHT_BEHIND_MS, idleMs / 2));
    } else if (++this.#closes >= FEW_CLOSES) this.#isOnce = true;
  }

  /** A connection that was used once was still open after `RIGHT_BEHIND_MS`. */
  leftOpen(): void {
    if (!this.#isOnce || ++this.#leftOpen < MANY_LEFT_OPEN) return;
    this.#isOnce = false;
    this.#isProven = true;
    this.#closes = this.#leftOpen = 0;
  }

  /** Reads a `Keep-Alive` field; gives the number of requests that it allows from this one on. */
  read(text: string): number {
    if (text !== this.#hint.text) {
      const timeout = numberAfter("timeout", text), max = numberAfter("max", text);
      this.#hint = { text, timeout, max };
      const ms = (timeout ?? Infinity) * 1_000;
      this.#hintedMs = Math.max(ms - MARGIN_MS, ms / 2);
    }
    return this.#hint.max ?? Infinity;
  }
}

function numberAfter(name: string, text: string): number | undefined {
  const digits = new RegExp(`(?:^|[,;\\s])${name}\\s*=\\s*"?(\\d{1,9})`, "i").exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
