/**
 * Learns how a teacher's server handles HTTP.
 *
 * Whether, and until when, its connections can be reused. Servers announce it (`Keep-Alive:
 * timeout=5, max=100`), but not all obey it: llama.cpp's server announces that and closes after
 * each streamed answer. A request that crosses such a close is lost, and may have been read. So the
 * server's actual closes count too.
 *
 * Whether it sends heads that undici rejects although other clients read them: an unrequested `100
 * Continue`, which RFC 9110 (15.2) requires clients to skip; one `Content-Length` stated twice
 * (8.6), or beside chunks (RFC 9112, 6.3); and lines that end in LF alone (2.2).
 *
 * @module
 */

import { errors } from "../deps/undici.ts";
import { Buffer } from "node:buffer";

/** A close within this time after an answer, in milliseconds, is a reaction to that answer: no idle
 * timeout is that short. */
export const RIGHT_BEHIND_MS = 100;

/** This many closes directly after answers end the reuse of connections. */
const FEW_CLOSES = 3;
/** How much each answer on a reused connection lowers the number of closes: reuse ends if more than
 * one in 32 answers is followed by a close. */
const REUSE_WEIGHT = 1 / 32;
/** How long a connection is watched after its only use, to see whether the server closes it, in
 * milliseconds. */
export const WATCH_MS = 500;
/** This many connections left open in a row start reuse again: the closes came from a restart. */
const MANY_LEFT_OPEN = 4;
/** How long one of the first connections is watched before its reuse, in milliseconds: nearly every
 * close has arrived by then. The others wait for its result, or for `RIGHT_BEHIND_MS`. */
const TRIAL_LISTEN_MS = 10;
/** How many attempts count as the first. */
const FIRST_ATTEMPTS = 10;
/** How long an idle connection is watched before it is used, in milliseconds. Deno's event loop
 * polls sockets at every 61st turn or when idle: the one turn that undici waits is not enough. */
const LISTEN_MS = 5;
/** How long before its announced timeout a connection is last used, in milliseconds: the request
 * needs time to arrive. At most half the timeout. */
const MARGIN_MS = 1_000;

/** A parsed `Keep-Alive` field. */
interface Hint {
  readonly text: string;
  /** In seconds; undefined if not stated. */
  readonly timeout: number | undefined;
  /** In requests; undefined if not stated. */
  readonly max: number | undefined;
}

/** Decides whether connections to a teacher are reused, from what it announces and does. */
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
  // Cached: every response of a server has the same field.
  #hint: Hint = { text: "", timeout: undefined, max: undefined };

  /** @param onDecided Called once it is known whether connections are reused: requests need not
   * watch them any longer. */
  constructor(onDecided: () => void = () => {}) {
    this.#onDecided = onDecided;
  }

  /** Whether each connection is used for one request only. */
  get isOnce(): boolean {
    return this.#isOnce;
  }

  /** The longest idle time after which a connection is reused, in milliseconds; -1 for never. */
  get longestIdleMs(): number {
    return this.#isOnce ? -1 : Math.min(this.#hintedMs, this.#learntMs);
  }

  /** How long a connection has to be watched before it is used, in milliseconds: a request on one
   * that the server has closed would be lost. */
  listenMs(idleMs: number): number {
    if (idleMs > RIGHT_BEHIND_MS) return LISTEN_MS;
    if (this.#isProven) return 0;
    const isTrial = !this.#isTried && this.#attempts <= FIRST_ATTEMPTS;
    this.#isTried = true;
    return Math.max(0, (isTrial ? TRIAL_LISTEN_MS : RIGHT_BEHIND_MS) - idleMs);
  }

  /** Called for each attempt. */
  attempted(): void {
    this.#attempts++;
  }

  /** Called when a connection has carried a further answer. */
  reused(): void {
    if (!this.#isProven) {
      this.#isProven = true;
      this.#onDecided();
    }
    if (this.#closes > 0) this.#closes = Math.max(0, this.#closes - REUSE_WEIGHT);
  }

  /** Called when the server has closed a connection `idleMs` after an answer. */
  closed(idleMs: number): void {
    this.#leftOpen = 0;
    if (idleMs > RIGHT_BEHIND_MS) {
      // An unannounced idle timeout, or a restart: lowers the longest idle time, but not below 100
      // ms.
      this.#learntMs = Math.min(this.#learntMs, Math.max(RIGHT_BEHIND_MS, idleMs / 2));
    } else if (++this.#closes >= FEW_CLOSES && !this.#isOnce) {
      this.#isOnce = true;
      this.#onDecided();
    }
  }

  /** Called when a connection was still open `WATCH_MS` after its only use. */
  leftOpen(): void {
    if (!this.#isOnce || ++this.#leftOpen < MANY_LEFT_OPEN) return;
    this.#isOnce = false;
    this.#isProven = true;
    this.#closes = this.#leftOpen = 0;
  }

  /** Reads a `Keep-Alive` field. Returns how many further requests it allows, this one included. */
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

/** Requests that begin to watch within this time, in milliseconds, share a timer: after the event
 * loop was blocked, that is every request of a turn. */
const TOGETHER_MS = 1;

/** Requests that watch their connections for the same time. */
interface Listeners {
  readonly ms: number;
  readonly since: number;
  readonly timer: ReturnType<typeof setTimeout>;
  readonly sends: (() => void)[];
}

/** All requests that watch their connections before they are sent. */
export class Listening {
  readonly #waiting = new Set<Listeners>();
  #newest: Listeners | undefined;

  /** Calls `send` after `ms` milliseconds or shortly later, or at `end()`. */
  add(ms: number, send: () => void): void {
    const newest = this.#newest, now = performance.now();
    if (newest !== undefined && newest.ms === ms && now - newest.since < TOGETHER_MS) {
      newest.sends.push(send);
      return;
    }
    // The last request of the group has to watch for `ms` too.
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

/** The part of a socket that `HeadFilter` replaces. */
export interface ReadableSocket {
  read(size?: number): Uint8Array | null;
}

/** A head that undici rejected, and that `HeadFilter` makes readable from now on. The message says
 * what is odd. */
export class OddHead extends Error {}

/**
 * What is odd about a rejected head, if {@linkcode HeadFilter} makes such heads readable; else
 * undefined.
 *
 * @param hasHead Whether undici has read the head, so that the rejected lines are those of chunks.
 */
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

/** Rewrites the heads on one socket so that undici reads them: drops each `100 Continue`,
 * normalizes line ends and lengths. */
export class HeadFilter {
  readonly #read: ReadableSocket["read"];
  readonly #mostBytes: number;
  #isHeadDue = true;
  /** The incomplete head so far. */
  #held: Buffer = Buffer.alloc(0);

  /** Replaces the socket's `read`. Heads longer than `mostBytes` are not changed. */
  constructor(socket: ReadableSocket, mostBytes: number) {
    this.#mostBytes = mostBytes;
    this.#read = socket.read.bind(socket);
    socket.read = (size) => this.#isHeadDue ? this.#readHead(size) : this.#read(size);
  }

  /** Called when a request is sent: the next bytes begin a response. */
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

  /** The rewritten head and the bytes after it; undefined if the head is incomplete. */
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

/** A head with lines that end in CR LF and one length, or none if the body is chunked. Two
 * different lengths stay, because the body's end is ambiguous. */
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
