/**
 * The connections to one teacher. undici's own `Pool` looks through all of its connections for each
 * request; here a free one is taken from a stack, and how many there are follows from how many
 * requests are under way: lanes are the limit.
 *
 * @module
 */

import { buildConnector } from "../deps/undici.ts";
import { type Connect, Connection, type ConnectionShared, PROTOCOL } from "./connection.ts";
import { Listening, Reuse, RIGHT_BEHIND_MS, WATCH_MS } from "./reuse.ts";
import type { TlsSettings } from "./network_options.ts";

/** What {@linkcode Connections} is made with. */
export interface ConnectionsOptions
  extends Pick<ConnectionShared, "origin" | "proxy" | "connectTimeoutMs"> {
  /** Certificates, for a teacher that is asked over TLS. @default those that this machine trusts */
  readonly tls?: TlsSettings;
  /** Makes sockets. @default undici's connector */
  readonly connect?: Connect;
}

/** Connections that are used up wait for their server to close them, at most this many: the side that
 * closes first keeps the port busy for a minute. */
const MOST_USED_UP = 256;

/** The free connections to a teacher, and those that are taken. */
export class Connections implements ConnectionShared {
  readonly origin: string;
  readonly proxy: string | undefined;
  readonly connectTimeoutMs: number;
  readonly tls: TlsSettings;
  readonly connect: Connect;
  readonly listening = new Listening();
  readonly reuse = new Reuse(() => this.listening.end());
  skipsContinue = false;
  readonly #all = new Set<Connection>();
  /** Free ones that had a socket when they were given back; the last one is the first to be taken. */
  readonly #free: Connection[] = [];
  /** Free ones without a socket. */
  readonly #closed: Connection[] = [];
  /** Not used again, the oldest first. */
  readonly #usedUp = new Set<Connection>();
  /** The one of them that shows whether the server still closes connections. */
  #watched: Connection | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Makes it without a connection. */
  constructor({ origin, proxy, connectTimeoutMs, tls = {}, connect }: ConnectionsOptions) {
    this.origin = origin;
    this.proxy = proxy;
    this.connectTimeoutMs = connectTimeoutMs;
    this.tls = tls;
    // The time is kept by the attempts' deadlines: a timer of undici's would continue for a while after
    // the last connection.
    this.connect = connect ??
      buildConnector({ ...PROTOCOL, ...tls, timeout: 0 }) as unknown as Connect;
  }

  /** How many connections there are, open or not. */
  get size(): number {
    return this.#all.size;
  }

  /** A connection that no one uses: the one that was given back last, or a new one. */
  take(): Connection {
    const now = performance.now();
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

  /** The teacher has sent `100 Continue` unasked: it is skipped from now on. */
  skipContinue(): void {
    if (this.skipsContinue) return;
    this.skipsContinue = true;
    for (const connection of this.#all) connection.skipContinue();
  }

  onClosed(connection: Connection): void {
    if (this.#watched === connection) this.#watched = undefined;
    if (this.#usedUp.delete(connection)) this.#closed.push(connection);
  }

  /** Cuts all connections. */
  async close(): Promise<void> {
    this.#free.length = this.#closed.length = 0;
    this.#usedUp.clear();
    clearTimeout(this.#timer);
    const ending = [...this.#all].map((connection) => connection.close());
    this.#all.clear();
    // They fail, for their connections are closed.
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

  /** Leaves it to the server to close. */
  #useUp(connection: Connection): void {
    this.#usedUp.add(connection);
    if (this.reuse.isOnce) this.#watched ??= connection;
    if (this.#usedUp.size > MOST_USED_UP) this.#hangUp(performance.now());
    else this.#timer ??= this.#later();
  }

  /** Some servers have a thread for each connection: one that is left open keeps others waiting. */
  #later(): ReturnType<typeof setTimeout> {
    return setTimeout(() => {
      this.#timer = undefined;
      this.#hangUp(performance.now());
    }, RIGHT_BEHIND_MS);
  }

  /** Closes what the server has left open, and the oldest where there are too many. */
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
