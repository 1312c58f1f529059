/** A connection to a teacher. It has one socket at a time; if the socket is closed, the next
 * request opens another one. @module */

import {
  Client,
  type Connector,
  type DispatchHandler,
  type DispatchOptions,
  errors,
  ProxyAgent,
} from "../deps/undici.ts";
import type { Connections } from "./connections.ts";
import { Buffer } from "node:buffer";

/** A connector. undici's own type omits the result: a socket, or a promise if there is a tunnel. */
export type Connect = (...args: Parameters<Connector>) => Socket | Promise<void>;

interface Socket {
  readonly readableLength: number;
  read(size?: number): Uint8Array | null;
  destroy(error?: Error): void;
  emit(event: "readable"): boolean;
}

// With HTTP/2, undici would resend unanswered requests after a GOAWAY. They may have been billed.
export const NO_HTTP2 = { allowH2: false } as const;
export const MAX_HEAD_BYTES = 256 * 1024;
/** A close this soon after an answer is a reaction to it, because idle timeouts are longer. */
export const MAX_REACTION_MS = 100;
/** A close this soon after a request was sent is taken for one of an idle connection. */
const MAX_CROSSING_MS = 100;
const CLIENT_OPTIONS = {
  ...NO_HTTP2,
  // `Deadlines` enforces the timeouts.
  headersTimeout: 0,
  bodyTimeout: 0,
  pipelining: 1,
  // The head may exceed undici's default of 16 KiB if a gateway sets login cookies.
  maxHeaderSize: MAX_HEAD_BYTES,
  // undici drops a connection this long before its announced timeout. `ReusePolicy` acts earlier.
  keepAliveTimeoutThreshold: 500,
} as const;

/** Shared because Node's streams format the stack of each new error, which takes 0.1 ms. */
let closedError: Error | undefined;

/** A connection that `Connections` lends to one attempt at a time. */
export class Connection {
  /** Whether the socket is connected. Stays true until a close by the server is noticed. */
  isOpen = false;
  /** Whether `close()` was called, after which nothing can be sent. */
  isDisposed = false;
  idleSince = 0;
  /** Whether the last request was given to undici while a socket was open, and undici has not
   * needed another socket since then. If the request fails before it was started, undici has
   * written none of its bytes, so it may be sent on another connection. */
  wasOpenAtDispatch = false;

  readonly #shared: Connections;
  readonly #dispatcher: Client | ProxyAgent;
  #socket: Socket | undefined;
  #filter: HeadFilter | undefined;
  /** Whether heads were filtered for the last request. `#filter` is gone after a close. */
  #isFiltered = false;
  /** When an attempt took the connection; -1 while it is free. */
  #acquiredAt = -1;
  #hasHead = false;
  #responses = 0;
  /** Maximum number of responses on the current socket. */
  #maxResponses = Infinity;

  constructor(shared: Connections) {
    this.#shared = shared;
    const { options: { origin, proxy, connectTimeoutMs, tls }, connect } = shared;
    this.#dispatcher = proxy === undefined ? this.#client(origin, connect) : new ProxyAgent({
      ...NO_HTTP2,
      uri: proxy,
      connectTimeout: connectTimeoutMs,
      // A company's proxy often has a certificate from the same authority as the teacher. The
      // client certificate is only for the teacher.
      proxyTls: { ...NO_HTTP2, ca: tls?.ca },
      requestTls: { ...NO_HTTP2, ...tls },
      // This client carries the teacher's requests, either to the proxy or through its tunnel.
      factory: (target: string | URL, options: { connect?: Connect }) =>
        this.#client(target, options.connect!),
    });
  }

  get isUsedUp(): boolean {
    return this.#responses >= this.#maxResponses;
  }

  /** Returns how long to watch for a close by the server before a request, in milliseconds. */
  watchMs(): number {
    return this.isOpen ? this.#shared.reuse.watchMs(this.#acquiredAt - this.idleSince) : 0;
  }

  onAcquired(now: number): void {
    this.#acquiredAt = now;
    this.#hasHead = false;
  }

  onReleased(): void {
    this.#acquiredAt = -1;
  }

  dispatch(options: DispatchOptions, handler: DispatchHandler): void {
    // Another connection may have shown in the meantime that the server closes sockets after each
    // response.
    if (this.isOpen && this.#responses > 0 && this.#shared.reuse.isSingleUse) this.closeSocket();
    this.wasOpenAtDispatch = this.isOpen;
    this.#filter?.expectHead();
    this.#isFiltered = this.#filter !== undefined;
    this.#dispatcher.dispatch(options, handler);
  }

  onHead(keepAlive: string | string[] | undefined): void {
    this.#hasHead = true;
    if (keepAlive === undefined) return;
    const allowed = this.#shared.reuse.readKeepAlive(String(keepAlive));
    // Some servers count `max` down to 0, and others always send the same number.
    this.#maxResponses = Math.min(this.#maxResponses, this.#responses + allowed);
  }

  onEnd(): void {
    this.idleSince = this.#shared.now();
    if (++this.#responses > 1) this.#shared.reuse.onReused();
  }

  /** If undici rejected a head that `HeadFilter` can repair, returns an `OddHead` and filters heads
   * from now on. Returns any other error unchanged. */
  interpret(error: Error): Error {
    const oddity = this.#isFiltered ? undefined : oddityOf(error, this.#hasHead);
    if (oddity === undefined) return error;
    this.#shared.filterHeads();
    return new OddHead(oddity);
  }

  filterHeads(): void {
    if (this.isOpen && this.#socket !== undefined) this.#filter ??= new HeadFilter(this.#socket);
  }

  closeSocket(): void {
    this.isOpen = false;
    this.#socket?.destroy();
  }

  async close(): Promise<void> {
    this.isDisposed = true;
    this.isOpen = this.wasOpenAtDispatch = false;
    const closed = this.#dispatcher.destroy(closedError ??= new errors.ClientDestroyedError());
    // undici does not destroy a socket that is still connecting.
    this.#socket?.destroy();
    await closed;
  }

  #client(origin: string | URL, connect: Connect): Client {
    const client = new Client(origin, {
      ...CLIENT_OPTIONS,
      connect: (options, callback) => {
        // undici needs a new socket only after the previous one was closed.
        this.wasOpenAtDispatch = false;
        const connecting = connect(options, (...[error, socket]) => {
          if (error) return callback(error, null);
          this.#opened(socket as unknown as Socket);
          callback(null, socket);
        });
        // `close` must be able to destroy the socket while it is connecting. A tunnel has no socket
        // until the proxy has opened it.
        if (!(connecting instanceof Promise)) this.#socket = connecting;
      },
    });
    // This code means that undici itself closed the socket.
    client.on("disconnect", (_origin, _clients, { code }) => this.#closed(code !== "UND_ERR_INFO"));
    return client;
  }

  #opened(socket: Socket): void {
    readBeforeReset(socket);
    this.#socket = socket;
    this.isOpen = true;
    this.#responses = 0;
    this.#maxResponses = Infinity;
    this.#isFiltered = this.#shared.filtersHeads;
    this.#filter = this.#isFiltered ? new HeadFilter(socket) : undefined;
  }

  #closed(isByServer: boolean): void {
    const wasOpen = this.isOpen;
    this.isOpen = false;
    this.#socket = this.#filter = undefined;
    if (wasOpen && isByServer && this.#responses > 0) this.#reportClose();
    this.#shared.onClosed(this);
  }

  #reportClose(): void {
    const now = this.#shared.now(), isFree = this.#acquiredAt < 0;
    // A socket that breaks during a response, or long after the request was sent, was not idle.
    if (!isFree && (this.#hasHead || now - this.#acquiredAt > MAX_CROSSING_MS)) return;
    this.#shared.reuse.onClosed((isFree ? now : this.#acquiredAt) - this.idleSince);
  }
}

/** Lets undici read what arrived before a reset. Sockets announce bytes one turn of the event loop
 * after they arrive, and Deno may have polled the reset by then. In that case, Deno destroys the
 * socket, and a complete answer would be lost and have to be paid for again. */
function readBeforeReset(socket: Socket): void {
  const destroy = socket.destroy.bind(socket);
  socket.destroy = (error?: Error & { syscall?: string }) => {
    // undici also destroys sockets, but with its own errors and while it is reading.
    if (error?.syscall === "read" && socket.readableLength > 0) socket.emit("readable");
    return destroy(error);
  };
}

/** The error for a head that undici rejected and that {@linkcode HeadFilter} repairs from now on.
 * The message describes what is odd, in words that follow "sent". */
export class OddHead extends Error {}

/** Describes what is odd about a head; undefined if {@linkcode HeadFilter} cannot repair it. If
 * `hasHead` is set, undici has read the head, so the rejected line belongs to a chunked body. */
function oddityOf(error: unknown, hasHead: boolean): string | undefined {
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

/** Repairs heads that undici rejects although other clients accept them: an unrequested
 * `100 Continue`, which clients must skip (RFC 9110, 15.2); a `Content-Length` stated twice with
 * the same value (8.6), or in a chunked response (RFC 9112, 6.3); and lines that end in LF alone
 * (2.2). */
class HeadFilter {
  readonly #read: Socket["read"];
  #isHeadDue = true;
  #buffered: Buffer = Buffer.alloc(0);

  /** Replaces the socket's `read`. Heads longer than `MAX_HEAD_BYTES` are left unchanged. */
  constructor(socket: Socket) {
    this.#read = socket.read.bind(socket);
    socket.read = (size) => this.#isHeadDue ? this.#readHead(size) : this.#read(size);
  }

  /** To be called when the next bytes begin a response. */
  expectHead(): void {
    this.#isHeadDue = true;
  }

  #readHead(size: number | undefined): Uint8Array | null {
    while (true) {
      const chunk = this.#read(size);
      if (chunk === null) return null;
      this.#buffered = Buffer.concat([this.#buffered, chunk]);
      const repaired = this.#repaired();
      if (repaired === undefined) continue;
      this.#isHeadDue = false;
      this.#buffered = Buffer.alloc(0);
      return repaired;
    }
  }

  /** Returns the buffered bytes with a repaired head; undefined until the head is complete. */
  #repaired(): Buffer | undefined {
    while (true) {
      const text = this.#buffered.toString("latin1", 0, MAX_HEAD_BYTES);
      if (!text.startsWith(PROTOCOL.slice(0, text.length))) return this.#buffered;
      const [end] = /\r?\n\r?\n/.exec(text) ?? [];
      if (end === undefined) return text.length < MAX_HEAD_BYTES ? undefined : this.#buffered;
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

/** Ends each line in CR LF, and keeps one `Content-Length`, or none if the body is chunked. Keeps
 * different lengths, so that undici rejects the head, because the end of the body is ambiguous. */
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
