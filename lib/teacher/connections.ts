/**
 * The connections to one teacher. undici's own `Pool` searches all of its connections for each request; here a
 * free one is taken from a stack. Lanes limit how many there are.
 *
 * @module
 */

import { buildConnector } from "../deps/undici.ts";
import { type Connect, Connection, type ConnectionShared, PROTOCOL } from "./connection.ts";
import { Listening, Reuse, RIGHT_BEHIND_MS, WATCH_MS } from "./server_habits.ts";
import type { TlsSettings } from "./network_options.ts";

/** Settings of {@linkcode Connections}. */
export interface ConnectionsOptions
  extends Pick<ConnectionShared, "origin" | "proxy" | "connectTimeoutMs"> {
  /** Certificates, for a teacher behind TLS. @default those that this machine trusts */
  readonly tls?: TlsSettings;
  /** Creates sockets. @default undici's connector */
  readonly connect?: Connect;
  /** The clock, in milliseconds. @default performance.now */
  readonly now?: () => number;
}

/** The most used-up connections that wait for their server to close them: the side that closes first keeps the
 * port busy for a minute. */
const MOST_USED_UP = 256;

/** The connections to a teacher, free and taken. */
export class Connections implements ConnectionShared {
  readonly origin: string;
  readonly proxy: string | undefined;
  readonly connectTimeoutMs: number;
  readonly tls: TlsSettings;
  readonly connect: Connect;
  readonly now: () => number;
  readonly listening = new Listening();
  readonly reuse = new Reuse(() => this.listening.end());
  filtersHeads = false;
  readonly #all = new Set<Connection>();
  /** Free connections that had a socket when they were given back; the last one is taken first. */
  readonly #free: Connection[] = [];
  /** Free connections without a socket. */
  readonly #closed: Connection[] = [];
  /** Connections that are not used again, the oldest first. */
  readonly #usedUp = new Set<Connection>();
  /** The one of them that shows whether the server still closes connections. */
  #watched: Connection | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** There is no connection yet. */
  constructor(options: ConnectionsOptions) {
    const { origin, proxy, connectTimeoutMs, tls = {}, connect, now } = options;
    this.origin = origin;
    this.proxy = proxy;
    this.connectTimeoutMs = connectTimeoutMs;
    this.tls = tls;
    this.now = now ?? (() => performance.now());
    // `Deadlines` has the timeouts: a timer of undici's would outlive the last connection.
    this.connect = connect ??
      buildConnector({ ...PROTOCOL, ...tls, timeout: 0 }) as unknown as Connect;
  }

  /** The number of connections, open or not. */
  get size(): number {
    return this.#all.size;
  }

  /** A connection that no attempt uses: the one that was given back last, or a new one. `now`: a reading of its
   * clock, which each attempt reads once. */
  take(now: number): Connection {
    this.reuse.attempted();
    const connection = this.#takeFree(now) ?? this.#closed.pop() ?? this.#make();
    connection.taken(now);
    return connection;
  }

  /** Takes back a connection whose request has ended, well or not. */
  give(connection: Connection): void {
    connection.given();
    if (connection.isDropped) this.#all.delete(connection);
    else if (!connection.isOpen) this.#closed.push(connection);
    else if (this.reuse.isOnce || connection.isSpent) this.#useUp(connection);
    else this.#free.push(connection);
  }

  /** The teacher has sent a head that undici rejects: heads are filtered from now on. */
  filterHeads(): void {
    if (this.filtersHeads) return;
    this.filtersHeads = true;
    for (const connection of this.#all) connection.filterHeads();
  }

  onClosed(connection: Connection): void {
    if (this.#watched === connection) this.#watched = undefined;
    if (this.#usedUp.delete(connection)) this.#closed.push(connection);
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    this.#free.length = this.#closed.length = 0;
    this.#usedUp.clear();
    clearTimeout(this.#timer);
    const ending = [...this.#all].map((connection) => connection.close());
    this.#all.clear();
    // Attempts that listen fail now, because their connections are closed.
    this.listening.end();
    await Promise.all(ending);
  }

  #make(): Connection {
    const made = new Connection(this);
    this.#all.add(made);
    return made;
  }

  #takeFree(now: number): Connection | undefined {
    const { longestIdleMs } = this.reuse;
    for (let free; (free = this.#free.pop()) !== undefined;) {
      if (free.isOpen && now - free.idleSince <= longestIdleMs) return free;
      if (free.isOpen) free.hangUp();
      this.#closed.push(free);
    }
    return undefined;
  }

  /** Leaves it to the server to close a connection. */
  #useUp(connection: Connection): void {
    this.#usedUp.add(connection);
    if (this.reuse.isOnce) this.#watched ??= connection;
    if (this.#usedUp.size > MOST_USED_UP) this.#hangUp(this.now());
    else this.#timer ??= this.#later();
  }

  /** Some servers have a thread for each connection: one that is left open blocks others. */
  #later(): ReturnType<typeof setTimeout> {
    return setTimeout(() => {
      this.#timer = undefined;
      this.#hangUp(this.now());
    }, RIGHT_BEHIND_MS);
  }

  /** Closes connections that the server has left open, and the oldest if there are too many. */
  #hangUp(now: number): void {
    for (const connection of this.#usedUp) {
      const isWatched = connection === this.#watched;
      const isLeftOpen = now - connection.idleSince > (isWatched ? WATCH_MS : RIGHT_BEHIND_MS);
      if (!isLeftOpen && isWatched) continue;
      if (!isLeftOpen && this.#usedUp.size <= MOST_USED_UP) break;
      this.onClosed(connection);
      connection.hangUp();
      if (isWatched) this.reuse.leftOpen();
    }
    if (this.#usedUp.size > 0) this.#timer ??= this.#later();
  }
}
