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
/** How long a connection that was used once is watched, to see whether the server closes it after all. */
export const WATCH_MS = 500;
/** The number of connections left open in a row after which they are used again: the closes were those of a
 * restart. */
const MANY_LEFT_OPEN = 4;
/** How long one of the first connections is watched before it is used again: nearly every close has arrived
 * by then. All others wait until that is answered, or for `RIGHT_BEHIND_MS`. */
const TRIAL_LISTEN_MS = 10;
/** The number of attempts at a teacher that count as the first ones. */
const FIRST_ATTEMPTS = 10;
/** How long an idle connection is watched before it is used. Deno's event loop polls sockets at
 * every 61st turn, or as soon as it has nothing else to do: the turn that undici waits is not enough. */
const LISTEN_MS = 5;
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
  readonly #onDecided: () => void;
  #closes = 0;
  #leftOpen = 0;
  #isOnce = false;
  #isProven = false;
  #isTried = false;
  #attempts = 0;
  #hintedMs = Infinity;
  #learntMs = Infinity;
  // Every answer of a server says the same.
  #hint: Hint = { text: "", timeout: undefined, max: undefined };

  /** `onDecided`: it is known now whether connections are used again, so no request has to listen longer. */
  constructor(onDecided: () => void = () => {}) {
    this.#onDecided = onDecided;
  }

  /** Whether each connection is used for one request only. */
  get isOnce(): boolean {
    return this.#isOnce;
  }

  /** The longest that a connection may be idle before it is used again, in milliseconds. */
  get longestIdleMs(): number {
    return this.#isOnce ? -1 : Math.min(this.#hintedMs, this.#learntMs);
  }

  /** How long a connection that was idle for `idleMs` has to be listened to before it is used: the server
   * may have closed it, and what is sent then is lost. */
  listenMs(idleMs: number): number {
    if (idleMs > RIGHT_BEHIND_MS) return LISTEN_MS;
    if (this.#isProven) return 0;
    const isTrial = !this.#isTried && this.#attempts <= FIRST_ATTEMPTS;
    this.#isTried = true;
    return Math.max(0, (isTrial ? TRIAL_LISTEN_MS : RIGHT_BEHIND_MS) - idleMs);
  }

  /** An attempt is made. */
  attempted(): void {
    this.#attempts++;
  }

  /** An answer came on a connection that had brought one before. */
  reused(): void {
    if (!this.#isProven) {
      this.#isProven = true;
      this.#onDecided();
    }
    if (this.#closes > 0) this.#closes = Math.max(0, this.#closes - REUSE_WEIGHT);
  }

  /** The server closed a connection that had been idle for `idleMs` after an answer. */
  closed(idleMs: number): void {
    this.#leftOpen = 0;
    if (idleMs > RIGHT_BEHIND_MS) {
      // An idle timeout that it does not announce, or a restart; only surplus connections feel it.
      this.#learntMs = Math.min(this.#learntMs, Math.max(RIGHT_BEHIND_MS, idleMs / 2));
    } else if (++this.#closes >= FEW_CLOSES && !this.#isOnce) {
      this.#isOnce = true;
      this.#onDecided();
    }
  }

  /** A connection that was used once was still open after `WATCH_MS`. */
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

/** Requests that begin to listen within this time wait on one timer, in milliseconds: after the event loop was
 * busy for long, that is each request of a round. */
const TOGETHER_MS = 1;

/** Requests that listen to their connections together. */
interface Listeners {
  readonly ms: number;
  readonly since: number;
  readonly timer: ReturnType<typeof setTimeout>;
  readonly sends: (() => void)[];
}

/** Those requests. */
export class Listening {
  readonly #waiting = new Set<Listeners>();
  #newest: Listeners | undefined;

  /** Calls `send` in `ms` milliseconds, or little later, or at `end()`. */
  add(ms: number, send: () => void): void {
    const newest = this.#newest, now = performance.now();
    if (newest !== undefined && newest.ms === ms && now - newest.since < TOGETHER_MS) {
      newest.sends.push(send);
      return;
    }
    // The last of them listens for `ms`, too.
    const timer = setTimeout(() => this.#send(listeners), ms + TOGETHER_MS);
    const listeners = { ms, since: now, timer, sends: [send] };
    this.#waiting.add(listeners);
    this.#newest = listeners;
  }

  /** There is nothing left to wait for. */
  end(): void {
    for (const listeners of this.#waiting) {
      clearTimeout(listeners.timer);
      this.#send(listeners);
    }
  }

  #send(listeners: Listeners): void {
    this.#waiting.delete(listeners);
    if (this.#newest === listeners) this.#newest = undefined;
    for (const send of listeners.sends) send();
  }
}
