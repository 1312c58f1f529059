/**
 * The connections to one teacher. undici's own `Pool` looks through all of its connections for each
 * request; here a free one is taken from a stack, and how many there are follows from how many
 * requests are under way: lanes are the limit.
 *
 * @module
 */

import { buildConnector, Client, type Dispatcher, ProxyAgent } from "../deps/undici.ts";

/** Sends one request at a time. */
export interface Connection {
  /** Sends a request; everything after that is told to the handler. */
  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void;
  /** Cuts a request that was not sent yet, or leaves it to its handler where that is impossible. */
  drop(): void;
}

/** What {@linkcode Connections} is made with. */
export interface ConnectionsOptions {
  /** Scheme, host and port of the teacher. */
  origin: string;
  /** After how long a proxy's connections are given up, in milliseconds. */
  connectTimeoutMs: number;
  /** The proxy to go through, or undefined. */
  proxy: string | undefined;
}

// HTTP/2 is off: over TLS, undici sends again what a GOAWAY left open, and the teacher bills twice.
const PROTOCOL = { allowH2: false } as const;
// Ours rule. Given with each request too: undici hands them on to no plain HTTP proxy.
const NO_TIMEOUTS = { headersTimeout: 0, bodyTimeout: 0 } as const;

/** The free connections to a teacher, and those that are taken. */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #connect: Connect;
  readonly #free: DirectConnection[] = [];
  readonly #all = new Set<DirectConnection>();
  readonly #proxied: ProxiedConnection | undefined;

  /** Makes it without a connection. */
  constructor(options: ConnectionsOptions) {
    this.#options = options;
    // One for all, so that they share their TLS sessions. The time is kept by the attempts' deadlines:
    // a timer of undici's would go on for a while after the last connection. That the connector
    // returns its socket is not in undici's types.
    this.#connect = buildConnector({ ...PROTOCOL, timeout: 0 }) as unknown as Connect;
    if (options.proxy !== undefined) {
      this.#proxied = new ProxiedConnection(
        options.proxy,
        options.origin,
        options.connectTimeoutMs,
      );
    }
  }

  /** How many connections there are, open or not. */
  get size(): number {
    return this.#all.size;
  }

  /** A connection that nobody uses: the one that was given back last, or a new one. */
  take(): Connection {
    if (this.#proxied !== undefined) return this.#proxied;
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const made = new DirectConnection(this.#options, this.#connect);
    this.#all.add(made);
    return made;
  }

  /** Takes back a connection whose request has ended, well or not. */
  give(connection: Connection): void {
    if (!(connection instanceof DirectConnection)) return;
    if (connection.dropped) this.#all.delete(connection);
    else this.#free.push(connection);
  }

  /** Cuts all connections. */
  async close(): Promise<void> {
    this.#free.length = 0;
    const ending = [...this.#all].map((connection) => connection.close());
    this.#all.clear();
    if (this.#proxied !== undefined) ending.push(this.#proxied.close());
    await Promise.all(ending);
  }
}

interface Socket {
  destroy(error?: Error): void;
}
type Connect = (...args: Parameters<buildConnector.connector>) => Socket;

/** One socket at a time; it is made again when the last one is gone and a request comes. */
class DirectConnection implements Connection {
  readonly #client: Client;
  #socket: Socket | undefined;

  constructor({ origin }: ConnectionsOptions, connect: Connect) {
    this.#client = new Client(origin, {
      ...PROTOCOL,
      ...NO_TIMEOUTS,
      pipelining: 1,
      connect: (options, callback) => {
        this.#socket = connect(options, callback);
      },
    });
  }

  /** Whether it can be used no more. */
  get dropped(): boolean {
    return this.#client.destroyed;
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.#client.dispatch(options, handler);
  }

  drop(): void {
    this.#client.destroy(() => {});
    this.#abandon();
  }

  async close(): Promise<void> {
    const closed = this.#client.destroy();
    this.#abandon();
    await closed;
  }

  /** undici lets a socket that is being made live until it is connected. */
  #abandon(): void {
    this.#socket?.destroy();
  }
}

/** Any number of requests through a proxy; undici keeps the sockets. */
class ProxiedConnection implements Connection {
  readonly #agent: ProxyAgent;
  readonly #origin: string;

  constructor(proxy: string, origin: string, connectTimeout: number) {
    this.#origin = origin;
    this.#agent = new ProxyAgent({
      uri: proxy,
      connectTimeout,
      ...PROTOCOL,
      ...NO_TIMEOUTS,
      proxyTls: PROTOCOL,
    });
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.#agent.dispatch({ ...options, ...NO_TIMEOUTS, origin: this.#origin }, handler);
  }

  drop(): void {}

  close(): Promise<void> {
    return this.#agent.destroy();
  }
}
