/**
 * What is learned of how a teacher's server handles HTTP.
 *
 * How often, and after how long, its connections may be used again. Servers announce it
 * (`Keep-Alive: timeout=5, max=100`), but not all obey it: llama.cpp's server announces that and closes
 * right after each streamed answer. A request that crosses such a close is lost, and may have been read.
 * So this also learns from what the server does.
 *
 * Whether it sends heads that undici rejects and other clients read: `100 Continue` that no request asked for, which
 * RFC 9110 (15.2) requires clients to skip; one `Content-Length` stated twice (8.6), or next to chunks (RFC 9112, 6.3);
 * and lines that end in LF alone (2.2).
 *
 * @module
 */

import { errors } from "../deps/undici.ts";
import { Buffer } from "node:buffer";

/** A close within this time after an answer belongs to the answer: no idle timeout is that short. */
export const RIGHT_BEHIND_MS = 100;

/** After this many closes right after an answer, connections are used once. */
const FEW_CLOSES = 3;
/** How much one answer on a reused connection lowers the number of closes. Connections are used once where more
 * than one answer in 32 is followed by a close. */
const REUSE_WEIGHT = 1 / 32;
/** How long a connection that was used once is watched, to see whether the server closes it after all. */
export const WATCH_MS = 500;
/** After this many connections left open in a row, connections are used again: the closes came from a restart. */
const MANY_LEFT_OPEN = 4;
/** How long one of the first connections is watched before it is used again: nearly every close has arrived by
 * then. All others wait for its answer, or for `RIGHT_BEHIND_MS`. */
const TRIAL_LISTEN_MS = 10;
/** The number of attempts at a teacher that count as the first ones. */
const FIRST_ATTEMPTS = 10;
/** How long an idle connection is watched before it is used. Deno's event loop polls sockets at every 61st
 * turn, or when it has nothing else to do: the turn that undici waits is not enough. */
const LISTEN_MS = 5;
/** How long before the announced timeout a connection is no longer used: the request needs time to arrive. */
const MARGIN_MS = 1_000;

/** A parsed `Keep-Alive` field. */
interface Hint {
  readonly text: string;
  /** Seconds, or undefined. */
  readonly timeout: number | undefined;
  /** Requests, or undefined. */
  readonly max: number | undefined;
}

/** Decides whether connections to one teacher are reused, from what it announces and does. */
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
  // Cached, because every answer of a server has the same field.
  #hint: Hint = { text: "", timeout: undefined, max: undefined };

  /** `onDecided`: it is now known whether connections are reused, so no request has to listen longer. */
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

  /** How long a connection that was idle for `idleMs` has to be watched before it is used: the server may have
   * closed it, and the request would be lost. */
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

  /** A connection has brought a second answer. */
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
      // An unannounced idle timeout, or a restart; only surplus connections are affected.
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

  /** Reads a `Keep-Alive` field; returns the number of requests that it allows from this one on. */
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

/** Requests that begin to listen within this time, in milliseconds, share a timer: after the event loop was
 * blocked for long, that is every request of a round. */
const TOGETHER_MS = 1;

/** Requests that listen to their connections together. */
interface Listeners {
  readonly ms: number;
  readonly since: number;
  readonly timer: ReturnType<typeof setTimeout>;
  readonly sends: (() => void)[];
}

/** All requests that listen before they are sent. */
export class Listening {
  readonly #waiting = new Set<Listeners>();
  #newest: Listeners | undefined;

  /** Calls `send` after `ms` milliseconds, or shortly later, or at `end()`. */
  add(ms: number, send: () => void): void {
    const newest = this.#newest, now = performance.now();
    if (newest !== undefined && newest.ms === ms && now - newest.since < TOGETHER_MS) {
      newest.sends.push(send);
      return;
    }
    // The last of them has to listen for `ms` as well.
    const timer = setTimeout(() => this.#send(listeners), ms + TOGETHER_MS);
    const listeners = { ms, since: now, timer, sends: [send] };
    this.#waiting.add(listeners);
    this.#newest = listeners;
  }

  /** Sends all waiting requests now. */
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

/** The part of a socket that is used here. */
export interface ReadableSocket {
  /** Returns the bytes that have arrived, or null if there are none. */
  read(size?: number): Uint8Array | null;
}

/** A head that undici has rejected, and that will be read from now on. Its message says what is odd about it. */
export class OddHead extends Error {}

/** What is odd about a head that undici has rejected, if {@linkcode HeadFilter} makes it readable. `hasHead`: undici has
 * read the head, so the lines that it rejects are those of chunks. */
export function oddityOf(error: unknown, hasHead: boolean): string | undefined {
  if (error instanceof errors.SocketError && error.message === "bad response") {
    return '"100 Continue" unasked';
  }
  if (error instanceof errors.ResponseContentLengthMismatchError) {
    return "the length of its body twice";
  }
  const isLine = !hasHead && error instanceof errors.HTTPParserError &&
    /expected (?:CR|LF)\b/.test(error.message);
  return isLine ? "lines that end in LF alone" : undefined;
}

/** Removes each `100 Continue` from the bytes of one socket, and writes other heads as undici reads them. */
export class HeadFilter {
  readonly #read: ReadableSocket["read"];
  readonly #mostBytes: number;
  #isHeadDue = true;
  /** The beginning of a head. */
  #held: Buffer = Buffer.alloc(0);

  /** Replaces the socket's `read`. Of a head that is longer than `mostBytes`, nothing is changed. */
  constructor(socket: ReadableSocket, mostBytes: number) {
    this.#mostBytes = mostBytes;
    this.#read = socket.read.bind(socket);
    socket.read = (size) => this.#isHeadDue ? this.#readHead(size) : this.#read(size);
  }

  /** A request is sent: the next bytes begin a response. */
  expect(): void {
    this.#isHeadDue = true;
  }

  #readHead(size: number | undefined): Uint8Array | null {
    while (true) {
      const chunk = this.#read(size);
      if (chunk === null) return null;
      this.#held = Buffer.concat([this.#held, chunk]);
      const filtered = this.#filtered();
      if (filtered === undefined) continue;
      this.#isHeadDue = false;
      this.#held = Buffer.alloc(0);
      return filtered;
    }
  }

  /** The head of the response and what follows it; undefined while the head is incomplete. */
  #filtered(): Buffer | undefined {
    while (true) {
      const text = this.#held.toString("latin1", 0, this.#mostBytes);
      if (!text.startsWith(PROTOCOL.slice(0, text.length))) return this.#held;
      const [end] = /\r?\n\r?\n/.exec(text) ?? [];
      if (end === undefined) return text.length < this.#mostBytes ? undefined : this.#held;
      const length = text.indexOf(end) + end.length;
      const rest = this.#held.subarray(length);
      if (!CONTINUE.test(text)) {
        return Buffer.concat([Buffer.from(readable(text.slice(0, length)), "latin1"), rest]);
      }
      this.#held = rest;
    }
  }
}

const PROTOCOL = "HTTP/1.";
const CONTINUE = /^HTTP\/1\.[01] 100[ \r\n]/;

/** A head whose lines end in CR LF, with one length, or none where the body comes in chunks. Two lengths that differ
 * stay: the body cannot be told. */
function readable(head: string): string {
  const lines = head.split(/\r?\n/);
  const lengths = lines.filter((line) => LENGTH.test(line));
  const isChunked = lines.some((line) => CHUNKED.test(line));
  const isOne = new Set(lengths.map((line) => line.replace(LENGTH, "").trim())).size === 1;
  if (!isChunked && !isOne) return lines.join("\r\n");
  const first = isChunked ? -1 : lines.indexOf(lengths[0]);
  return lines.filter((line, i) => i === first || !LENGTH.test(line)).join("\r\n");
}

const LENGTH = /^content-length:/i;
const CHUNKED = /^transfer-encoding:.*\bchunked\s*$/i;
