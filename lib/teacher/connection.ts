/**
 * One connection to a teacher: one socket at a time, opened again for the next request once it is closed.
 *
 * @module
 */

import {
  Client,
  type Connector,
  type DispatchHandler,
  type DispatchOptions,
  errors,
  ProxyAgent,
} from "../deps/undici.ts";
import type { TlsSettings } from "./network_options.ts";
import {
  HeadFilter,
  OddHead,
  oddityOf,
  type ReadableSocket,
  type Reuse,
  RIGHT_BEHIND_MS,
} from "./server_habits.ts";

/** What all connections to a teacher share. */
export interface ConnectionShared {
  /** Scheme, host and port of the teacher. */
  readonly origin: string;
  /** The proxy to go through, or undefined. */
  readonly proxy: string | undefined;
  /** The timeout of connections to a proxy, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** Certificates, for a teacher behind TLS. */
  readonly tls: TlsSettings;
  /** Creates sockets. Shared, so that they share their TLS sessions. */
  readonly connect: Connect;
  /** The clock, in milliseconds. */
  readonly now: () => number;
  /** Learns from how the teacher handles its connections. */
  readonly reuse: Reuse;
  /** Whether the teacher sends heads that undici rejects. */
  readonly filtersHeads: boolean;
  /** The socket of a connection has closed. */
  onClosed(connection: Connection): void;
  /** The teacher has sent a head that undici rejects. */
  filterHeads(): void;
}

/** undici's connector. Its types omit what it returns: its socket, or nothing yet. */
export type Connect = (...args: Parameters<Connector>) => Socket | Promise<void>;

interface Socket extends ReadableSocket {
  destroy(error?: Error): void;
}

// HTTP/2 is off: undici resends requests that a GOAWAY left open, and the teacher bills twice.
export const PROTOCOL = { allowH2: false } as const;
/** The maximum size of a response's header fields. */
export const MOST_HEAD_BYTES = 256 * 1024;
const CLIENT = {
  ...PROTOCOL,
  // `Deadlines` has the timeouts.
  headersTimeout: 0,
  bodyTimeout: 0,
  pipelining: 1,
  // Gateways with login cookies send more than undici's default of 16 KiB.
  maxHeaderSize: MOST_HEAD_BYTES,
  // `Reuse` decides which idle connections are used; this only closes the others.
  keepAliveTimeoutThreshold: 500,
} as const;

/** What requests on a closed connection fail with. One for all: Node's streams format the stack of each, which
 * takes 0.1 ms. */
let closedError: Error | undefined;

/** A connection, which `Connections` gives to one attempt at a time. */
export class Connection {
  /** Whether its socket is connected, as far as is known. */
  isOpen = false;
  /** Whether it can no longer be used. */
  isDropped = false;
  /** When its last answer ended, on the clock. */
  idleSince = 0;

  readonly #shared: ConnectionShared;
  readonly #dispatcher: Client | ProxyAgent;
  #socket: Socket | undefined;
  #filter: HeadFilter | undefined;
  #isFiltered = false;
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
      // A proxy of the same company has its certificate from the same authority; the client certificate is for
      // the teacher.
      proxyTls: { ...PROTOCOL, ...(shared.tls.ca === undefined ? {} : { ca: shared.tls.ca }) },
      requestTls: { ...PROTOCOL, ...shared.tls },
      // The one client that carries the teacher's requests, to the proxy or through its tunnel.
      factory: (to: string | URL, options: { connect?: Connect }) =>
        this.#client(to, options.connect!),
    });
  }

  /** Whether the server takes no further request on this socket. */
  get isSpent(): boolean {
    return this.#answers >= this.#allowed;
  }

  /** How long to listen to it before a request is sent, in milliseconds: the server may have closed it. */
  listenMs(): number {
    return this.isOpen ? this.#shared.reuse.listenMs(this.#takenAt - this.idleSince) : 0;
  }

  /** Whether the socket was found closed before any byte of the request was handed to it: the request may be
   * sent on another connection. Only meaningful after a request failed without being started. */
  get wasFoundClosed(): boolean {
    return this.#wasOpen;
  }

  /** It belongs to an attempt from now on. */
  taken(now: number): void {
    this.#takenAt = now;
    this.#hasHead = false;
  }

  /** It belongs to no attempt. */
  given(): void {
    this.#takenAt = -1;
  }

  /** Sends a request; the handler gets everything that follows. */
  dispatch(options: DispatchOptions, handler: DispatchHandler): void {
    // The teacher may have closed another connection while this one was watched.
    if (this.isOpen && this.#answers > 0 && this.#shared.reuse.isOnce) this.hangUp();
    this.#wasOpen = this.isOpen;
    this.#filter?.expect();
    this.#isFiltered = this.#filter !== undefined;
    this.#dispatcher.dispatch(options, handler);
  }

  /** The head of the response has arrived. */
  onHead(keepAlive: string | string[] | undefined): void {
    this.#hasHead = true;
    if (keepAlive === undefined) return;
    const requests = this.#shared.reuse.read(String(keepAlive));
    // Some servers count down to 0, others send the same number each time.
    this.#allowed = Math.min(this.#allowed, this.#answers + requests);
  }

  /** The response has ended, and the socket is free. */
  onEnd(): void {
    this.idleSince = this.#shared.now();
    if (++this.#answers > 1) this.#shared.reuse.reused();
  }

  /** The error of a response, in words of its own where another attempt can read what undici could not. */
  understood(error: Error): Error {
    const oddity = this.#isFiltered ? undefined : oddityOf(error, this.#hasHead);
    if (oddity === undefined) return error;
    this.#shared.filterHeads();
    return new OddHead(oddity);
  }

  /** Filters heads from now on. */
  filterHeads(): void {
    if (this.isOpen && this.#socket !== undefined) {
      this.#filter ??= new HeadFilter(this.#socket, MOST_HEAD_BYTES);
    }
  }

  /** Closes the socket; the next request makes a new one. */
  hangUp(): void {
    this.isOpen = false;
    this.#socket?.destroy();
  }

  /** Drops a request that was not sent yet. */
  drop(): void {
    void this.close();
  }

  /** Closes it; it can no longer be used. */
  async close(): Promise<void> {
    this.isDropped = true;
    this.#wasOpen = false;
    const closed = this.#dispatcher.destroy(closedError ??= new errors.ClientDestroyedError());
    // undici keeps a socket that is still connecting.
    this.#socket?.destroy();
    await closed;
  }

  #client(origin: string | URL, connect: Connect): Client {
    const client = new Client(origin, {
      ...CLIENT,
      connect: (options, callback) => {
        // A socket that was open before is closed by now.
        this.#wasOpen = false;
        const made = connect(options, (...[error, socket]) => {
          if (error) return callback(error, null);
          this.#opened(socket as unknown as Socket);
          callback(null, socket);
        });
        // A socket that is still connecting can be destroyed, except for a tunnel that a proxy has yet to make.
        if (!(made instanceof Promise)) this.#socket = made;
      },
    });
    // Errors with this code mean that undici itself closed the socket.
    client.on("disconnect", (_origin, _clients, { code }) => this.#closed(code !== "UND_ERR_INFO"));
    return client;
  }

  #opened(socket: Socket): void {
    this.#socket = socket;
    this.isOpen = true;
    this.#answers = 0;
    this.#allowed = Infinity;
    this.#isFiltered = this.#shared.filtersHeads;
    this.#filter = this.#isFiltered ? new HeadFilter(socket, MOST_HEAD_BYTES) : undefined;
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
    const now = this.#shared.now();
    const isIdle = this.#takenAt < 0;
    // A socket that breaks during a response, or long after the request was sent, was not an idle one.
    if (!isIdle && (this.#hasHead || now - this.#takenAt > RIGHT_BEHIND_MS)) return;
    this.#shared.reuse.closed((isIdle ? now : this.#takenAt) - this.idleSince);
  }
}
