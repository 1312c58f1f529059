/**
 * Learns how a teacher's server handles connections and heads, and adapts to it.
 *
 * Servers announce how long connections can be reused (`Keep-Alive: timeout=5, max=100`), but some
 * close earlier: llama.cpp's server closes after each streamed answer. A request that crosses such
 * a close is lost, and the server may have read it. So `ReusePolicy` also counts the actual closes.
 *
 * `HeadFilter` repairs heads that undici rejects although other clients read them: an unrequested
 * `100 Continue`, which RFC 9110 (15.2) requires clients to skip; one `Content-Length` stated twice
 * (8.6), or in a chunked response (RFC 9112, 6.3); and lines that end in LF alone (2.2).
 *
 * @module
 */

import { errors } from "../deps/undici.ts";
import { Buffer } from "node:buffer";

/** A close this soon after an answer is a reaction to it: no idle timeout is as short. */
export const MAX_REACTION_MS = 100;

/** Reuse ends after this many closes that are reactions to answers. */
const CLOSES_TO_STOP = 3;
/** Each answer on a reused connection takes this much from the number of closes, so that reuse ends
 * if a close follows more than one in 32 answers. */
const REUSE_WEIGHT = 1 / 32;
/** While connections are not reused, one used connection is watched this long for a close by the
 * server. */
export const WATCH_AFTER_USE_MS = 500;
/** Reuse begins again after the server has left this many connections in a row open: the earlier
 * closes were due to a restart. */
const LEFT_OPEN_TO_RESUME = 4;
/** How long the first connection is watched before its reuse, because nearly every close arrives by
 * then. Other connections wait for this trial, or for `MAX_REACTION_MS`. */
const TRIAL_WATCH_MS = 10;
/** The trial takes place only if it begins within this many attempts of a run. */
const TRIAL_ATTEMPTS = 10;
/** How long an idle connection is watched before it is used. undici waits for one turn of the event
 * loop, but Deno polls sockets only at every 61st turn or when idle. */
export const IDLE_WATCH_MS = 5;
/** Connections are used until this long before their announced timeout, but at least for half of
 * it: requests need time to arrive. */
const MARGIN_MS = 1_000;

export class ReusePolicy {
  readonly #onDecided: () => void;
  /** The number of closes that were reactions to answers, reduced by `REUSE_WEIGHT` with each
   * reuse. */
  #closes = 0;
  /** Connections in a row that the server left open while none was reused. */
  #leftOpen = 0;
  isSingleUse = false;
  /** Whether a connection was reused: then none needs to be watched right after use. */
  #isProven = false;
  #hadTrial = false;
  #attempts = 0;
  /** The longest idle time that the server's `Keep-Alive` field allows. */
  #announcedMs = Infinity;
  /** The longest idle time that the server's closes suggest. */
  #observedMs = Infinity;
  // The last `Keep-Alive` field, and the requests that it allows.
  #keepAlive = "";
  #maxRequests = Infinity;

  /** @param onDecided Called once it is known whether connections are reused: watching can end. */
  constructor(onDecided: () => void = () => {}) {
    this.#onDecided = onDecided;
  }

  /** The longest idle time after which a connection is reused; -1 for never. */
  get maxIdleMs(): number {
    return this.isSingleUse ? -1 : Math.min(this.#announcedMs, this.#observedMs);
  }

  /** How long to watch a connection before it is used: a request would be lost if it is closed. */
  watchMs(idleMs: number): number {
    if (idleMs > MAX_REACTION_MS) return IDLE_WATCH_MS;
    if (this.#isProven) return 0;
    const isTrial = !this.#hadTrial && this.#attempts <= TRIAL_ATTEMPTS;
    this.#hadTrial = true;
    return Math.max(0, (isTrial ? TRIAL_WATCH_MS : MAX_REACTION_MS) - idleMs);
  }

  onAttempt(): void {
    this.#attempts++;
  }

  /** Called when a connection has carried another answer after its first. */
  onReused(): void {
    if (!this.#isProven) {
      this.#isProven = true;
      this.#onDecided();
    }
    if (this.#closes > 0) this.#closes = Math.max(0, this.#closes - REUSE_WEIGHT);
  }

  /** Called when the server has closed a connection `idleMs` after an answer. */
  onClosed(idleMs: number): void {
    this.#leftOpen = 0;
    if (idleMs > MAX_REACTION_MS) {
      // An unannounced idle timeout, or a restart.
      this.#observedMs = Math.min(this.#observedMs, Math.max(MAX_REACTION_MS, idleMs / 2));
    } else if (++this.#closes >= CLOSES_TO_STOP && !this.isSingleUse) {
      this.isSingleUse = true;
      this.#onDecided();
    }
  }

  /** Called when a connection was still open `WATCH_AFTER_USE_MS` after its only use. */
  onLeftOpen(): void {
    if (!this.isSingleUse || ++this.#leftOpen < LEFT_OPEN_TO_RESUME) return;
    this.isSingleUse = false;
    this.#isProven = true;
    this.#closes = this.#leftOpen = 0;
  }

  /** Returns how many requests the server allows on the connection, including the answered one. */
  readKeepAlive(text: string): number {
    if (text !== this.#keepAlive) {
      this.#keepAlive = text;
      this.#maxRequests = numberAfter("max", text);
      const timeoutMs = numberAfter("timeout", text) * 1_000;
      this.#announcedMs = Math.max(timeoutMs - MARGIN_MS, timeoutMs / 2);
    }
    return this.#maxRequests;
  }
}

function numberAfter(name: string, text: string): number {
  const digits = new RegExp(`(?:^|[,;\\s])${name}\\s*=\\s*"?(\\d{1,9})`, "i").exec(text)?.[1];
  return Number(digits ?? Infinity);
}

export interface ReadableSocket {
  read(size?: number): Uint8Array | null;
}

/** undici rejected a head that {@linkcode HeadFilter} repairs from now on. The message says what is
 * odd, in words that follow "sent". */
export class OddHead extends Error {}

/**
 * Returns what is odd about a head, in words that follow "sent"; undefined if {@linkcode
 * HeadFilter} cannot repair it.
 *
 * @param hasHead Whether undici has read the head: then a rejected line is one of a chunked body.
 */
export function oddityOf(error: unknown, hasHead: boolean): string | undefined {
  if (error instanceof errors.SocketError && error.message === "bad response") {
    return 'an unrequested "100 Continue"';
  }
  if (error instanceof errors.ResponseContentLengthMismatchError) {
    return "the length of its body twice";
  }
  const isLine = !hasHead && error instanceof errors.HTTPParserError &&
    /expected (?:CR|LF)\b/.test(error.message);
  return isLine ? "lines that end in LF alone" : undefined;
}

export class HeadFilter {
  readonly #read: ReadableSocket["read"];
  readonly #maxBytes: number;
  #isHeadDue = true;
  #buffered: Buffer = Buffer.alloc(0);

  /** Replaces the socket's `read`. Heads longer than `maxBytes` are not changed. */
  constructor(socket: ReadableSocket, maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#read = socket.read.bind(socket);
    socket.read = (size) => this.#isHeadDue ? this.#readHead(size) : this.#read(size);
  }

  /** The next bytes begin a response. */
  expectHead(): void {
    this.#isHeadDue = true;
  }

  #readHead(size: number | undefined): Uint8Array | null {
    while (true) {
      const chunk = this.#read(size);
      if (chunk === null) return null;
      this.#buffered = Buffer.concat([this.#buffered, chunk]);
      const rewritten = this.#rewrite();
      if (rewritten === undefined) continue;
      this.#isHeadDue = false;
      this.#buffered = Buffer.alloc(0);
      return rewritten;
    }
  }

  #rewrite(): Buffer | undefined {
    while (true) {
      const text = this.#buffered.toString("latin1", 0, this.#maxBytes);
      if (!text.startsWith(PROTOCOL.slice(0, text.length))) return this.#buffered;
      const [end] = /\r?\n\r?\n/.exec(text) ?? [];
      if (end === undefined) return text.length < this.#maxBytes ? undefined : this.#buffered;
      const length = text.indexOf(end) + end.length;
      const rest = this.#buffered.subarray(length);
      if (!CONTINUE.test(text)) {
        return Buffer.concat([Buffer.from(normalized(text.slice(0, length)), "latin1"), rest]);
      }
      this.#buffered = rest;
    }
  }
}

const PROTOCOL = "HTTP/1.";
const CONTINUE = /^HTTP\/1\.[01] 100[ \r\n]/;

/** Ends lines in CR LF, and keeps one length, or none if the body is chunked. Two different lengths
 * stay, so that undici rejects the head: the end of the body is ambiguous. */
function normalized(head: string): string {
  const lines = head.split(/\r?\n/);
  const lengths = lines.filter((line) => LENGTH.test(line));
  const isChunked = lines.some((line) => CHUNKED.test(line));
  const hasOneLength = new Set(lengths.map((line) => line.replace(LENGTH, "").trim())).size === 1;
  if (!isChunked && !hasOneLength) return lines.join("\r\n");
  const keptIndex = isChunked ? -1 : lines.indexOf(lengths[0]);
  return lines.filter((line, i) => i === keptIndex || !LENGTH.test(line)).join("\r\n");
}

const LENGTH = /^content-length:/i;
const CHUNKED = /^transfer-encoding:.*\bchunked\s*$/i;
