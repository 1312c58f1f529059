/**
 * One connection to a teacher: one socket at a time, opened again for the next request after it was closed.
 *
 * Some servers send `100 Continue` although no request asked for it. undici destroys the socket then;
 * RFC 9110 (15.2) wants it skipped, so it is taken out of the bytes here.
 *
 * @module
 */

import {
  Client,
  type Connector,
  type DispatchHandler,
  type DispatchOptions,
  ProxyAgent,
} from "../deps/undici.ts";
import type { TlsSettings } from "./network_options.ts";
import { type Reuse, RIGHT_BEHIND_MS } from "./reuse.ts";
import { Buffer } from "node:buffer";

/** What all connections to a teacher share. */
export interface ConnectionShared {
  /** Scheme, host and port of the teacher. */
  readonly origin: string;
  /** The proxy to go through, or undefined. */
  readonly proxy: string | undefined;
  /** After how long a proxy's connections are given up, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** Certificates, for a teacher that is asked over TLS. */
  readonly tls: TlsSettings;
  /** Makes sockets. One for all, so that they share their TLS sessions. */
  readonly connect: Connect;
  /** Learns from what the teacher does with its connections. */
  readonly reuse: Reuse;
  /** Whether the teacher sends `100 Continue` unasked. */
  readonly skipsContinue: boolean;
  /** A connection has no socket any more. */
  onClosed(connection: Connection): void;
}

/** undici's connector. What it returns is not in its types: its socket, or nothing yet. */
export type Connect = (...args: Parameters<Connector>) => Socket | Promise<void>;

interface Socket extends ReadableSocket {
  destroy(error?: Error): void;
}

// HTTP/2 is off: over TLS, undici sends again what a GOAWAY left open, and the teacher bills twice.
export const PROTOCOL = { allowH2: false } as const;
const CLIENT = {
  ...PROTOCOL,
  // Ours rule.
  headersTimeout: 0,
  bodyTimeout: 0,
  pipelining: 1,
  // Which idle connections are used is decided by `Reuse`; this only closes those that are not.
  keepAliveTimeoutThreshold: 500,
} as const;

/** A connection. `Connections` gives it to one attempt at a time. */
export class Connection {
  /** Whether it has a socket that is connected, as far as is known. */
  isOpen = false;
  /** Whether it can be used no more. */
  isDropped = false;
  /** When its last answer ended, on the clock of `performance.now()`. */
  idleSince = 0;

  readonly #shared: ConnectionShared;
  readonly #dispatcher: Client | ProxyAgent;
  #socket: Socket | undefined;
  #filter: UnaskedContinue | undefined;
  #takenAt = -1;
  #hasHead = false;
  #wasOpen = false;
  /** Answers on this socket, and how many the server allows. */
  #answers = 0;
  #allowed = Infinity;

  /** Nothing is connected yet. */
  constructor(shared: ConnectionShared) {
    this.#shared = shared;
    const { origin, proxy, connect } = shared;
    this.#dispatcher = proxy === undefined ? this.#client(origin, connect) : new ProxyAgent({
      ...PROTOCOL,
      uri: proxy,
      connectTimeout: shared.connectTimeoutMs,
      // A proxy of the same house has its certificate from the same authority; ours is for the teacher.
      proxyTls: { ...PROTOCOL, ...(shared.tls.ca === undefined ? {} : { ca: shared.tls.ca }) },
      requestTls: { ...PROTOCOL, ...shared.tls },
      // The one client that carries the teacher's requests, to the proxy or through its tunnel.
      factory: (to: string | URL, options: { connect?: Connect }) =>
        this.#client(to, options.connect!),
    });
  }

  /** Whether the server takes another request on this socket. */
  get isSpent(): boolean {
    return this.#answers >= this.#allowed;
  }

  /** How long to listen to it before a request is sent, in milliseconds: the server may have closed it. */
  listenMs(): number {
    return this.isOpen ? this.#shared.reuse.listenMs(this.#takenAt - this.idleSince) : 0;
  }

  /** Whether the socket was found closed before any byte of the request was handed to it: the request
   * may be sent on another connection. Asked when the request has failed without being started. */
  get wasFoundClosed(): boolean {
    return this.#wasOpen;
  }

  /** It belongs to an attempt from now on. */
  taken(now: number): void {
    this.#takenAt = now;
    this.#hasHead = false;
  }

  /** It belongs to no one. */
  given(): void {
    this.#takenAt = -1;
  }

  /** Sends a request; everything after that is told to the handler. */
  dispatch(options: DispatchOptions, handler: DispatchHandler): void {
    // The teacher may have closed another connection while this one was listened to.
    if (this.isOpen && this.#answers > 0 && this.#shared.reuse.isOnce) this.hangUp();
    this.#wasOpen = this.isOpen;
    this.#filter?.expect();
    this.#dispatcher.dispatch(options, handler);
  }

  /** The head of the answer is there. */
  onHead(keepAlive: string | string[] | undefined): void {
    this.#hasHead = true;
    if (keepAlive === undefined) return;
    const requests = this.#shared.reuse.read(String(keepAlive));
    // Some count down to 0, others say the same each time.
    this.#allowed = Math.min(this.#allowed, this.#answers + requests);
  }

  /** The answer has ended, and the socket is free. */
  onEnd(): void {
    this.idleSince = performance.now();
    if (++this.#answers > 1) this.#shared.reuse.reused();
  }

  /** Skips `100 Continue` from now on. */
  skipContinue(): void {
    if (this.isOpen && this.#socket !== undefined) {
      this.#filter ??= new UnaskedContinue(this.#socket);
    }
  }

  /** Closes the socket; the next request makes a new one. */
  hangUp(): void {
    this.isOpen = false;
    this.#socket?.destroy();
  }

  /** Cuts a request that was not sent yet. */
  drop(): void {
    void this.close();
  }

  /** Cuts it; it can be used no more. */
  async close(): Promise<void> {
    this.isDropped = true;
    this.#wasOpen = false;
    const closed = this.#dispatcher.destroy();
    // undici lets a socket that is being made live until it is connected.
    this.#socket?.destroy();
    await closed;
  }

  #client(origin: string | URL, connect: Connect): Client {
    const client = new Client(origin, {
      ...CLIENT,
      connect: (options, callback) => {
        // Whatever was open before is gone.
        this.#wasOpen = false;
        const made = connect(options, (...[error, socket]) => {
          if (error) return callback(error, null);
          this.#opened(socket as unknown as Socket);
          callback(null, socket);
        });
        // While it is connected it can be cut, but for a tunnel that a proxy still has to make.
        if (!(made instanceof Promise)) this.#socket = made;
      },
    });
    // undici's own errors of this code are its reasons to close.
    client.on("disconnect", (_origin, _clients, { code }) => this.#closed(code !== "UND_ERR_INFO"));
    return client;
  }

  #opened(socket: Socket): void {
    this.#socket = socket;
    this.isOpen = true;
    this.#answers = 0;
    this.#allowed = Infinity;
    this.#filter = this.#shared.skipsContinue ? new UnaskedContinue(socket) : undefined;
  }

  #closed(isByServer: boolean): void {
    const wasOpen = this.isOpen;
    this.isOpen = false;
    this.#socket = this.#filter = undefined;
    if (wasOpen && isByServer && this.#answers > 0) this.#learn();
    this.#shared.onClosed(this);
  }

  /** The server closed a socket on which it had answered. */
  #learn(): void {
    const now = performance.now();
    const isIdle = this.#takenAt < 0;
    // What breaks in an answer, or long after the request was sent, is no idle connection.
    if (!isIdle && (this.#hasHead || now - this.#takenAt > RIGHT_BEHIND_MS)) return;
    this.#shared.reuse.closed((isIdle ? now : this.#takenAt) - this.idleSince);
  }
}

/** What is needed of a socket. */
interface ReadableSocket {
  /** Takes what has come, or null where there is nothing. */
  read(size?: number): Uint8Array | null;
}

const STATUS_LINE = /^HTTP\/1\.[01] 100[ \r]/;
const STATUS_LINE_LENGTH = "HTTP/1.1 100 ".length;
const END = "\r\n\r\n";

/** Takes each `100 Continue` out of what is read from one socket. */
class UnaskedContinue {
  readonly #read: ReadableSocket["read"];
  #isHeadDue = true;
  /** The beginning of an answer that may be one. */
  #held: Buffer = Buffer.alloc(0);

  /** From now on the socket's `read` leaves them out. */
  constructor(socket: ReadableSocket) {
    this.#read = socket.read.bind(socket);
    socket.read = (size) => this.#isHeadDue ? this.#readHead(size) : this.#read(size);
  }

  /** A request is sent: the next bytes begin an answer. */
  expect(): void {
    this.#isHeadDue = true;
  }

  #readHead(size: number | undefined): Uint8Array | null {
    while (true) {
      const chunk = this.#read(size);
      if (chunk === null) return null;
      this.#held = Buffer.concat([this.#held, chunk]);
      const rest = this.#rest();
      if (rest === undefined) continue;
      this.#isHeadDue = false;
      this.#held = Buffer.alloc(0);
      return rest;
    }
  }

  /** What follows; undefined while it is not all there. */
  #rest(): Buffer | undefined {
    while (this.#held.length >= STATUS_LINE_LENGTH) {
      if (!STATUS_LINE.test(this.#held.toString("latin1", 0, STATUS_LINE_LENGTH))) {
        return this.#held;
      }
      const end = this.#held.indexOf(END);
      if (end < 0) return undefined;
      this.#held = this.#held.subarray(end + END.length);
    }
    return undefined;
  }
}
