/** The connections to one teacher. A request takes a free one from a stack; undici's `Pool` would
 * search all of them. The engine's concurrency limits their number. @module */

import { buildConnector } from "../deps/undici.ts";
import { type Connect, Connection, NO_HTTP2 } from "./connection.ts";
import type { TlsSettings } from "./network.ts";
import {
  IDLE_WATCH_MS,
  MAX_REACTION_MS,
  ReusePolicy,
  WATCH_AFTER_USE_MS,
} from "./server_habits.ts";

export interface ConnectionsOptions {
  readonly origin: string;
  readonly proxy?: string;
  readonly connectTimeoutMs: number;
  readonly tls?: TlsSettings;
  /** @default undici's connector */
  readonly connect?: Connect;
  /** A monotonic clock. @default performance.now */
  readonly now?: () => number;
}

/** Maximum number of used-up connections that wait for a close by the server: the side that
 * closes first has the port in TIME_WAIT for a minute. */
const MAX_USED_UP = 256;

export class Connections {
  readonly options: ConnectionsOptions;
  // All connections use one connector, to share its cache of TLS sessions.
  readonly connect: Connect;
  readonly now: () => number;
  readonly watchTimers = new WatchTimers();
  readonly reuse = new ReusePolicy(() => this.watchTimers.end());
  filtersHeads = false;
  readonly #all = new Set<Connection>();
  /** Free connections that were open when they were given back. The last is taken first. */
  readonly #free: Connection[] = [];
  readonly #closed: Connection[] = [];
  /** Connections that must not be reused but are still open, oldest first. */
  readonly #usedUp = new Set<Connection>();
  /** The used-up connection that shows whether the server still closes after a response. */
  #watched: Connection | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ConnectionsOptions) {
    const { tls, connect, now } = options;
    this.options = options;
    this.now = now ?? (() => performance.now());
    // `Deadlines` enforces the timeout: undici's timer would outlive the last connection.
    this.connect = connect ??
      buildConnector({ ...NO_HTTP2, ...tls, timeout: 0 }) as unknown as Connect;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Returns the open connection that was given back last, or else one that needs a new socket. */
  take(now: number): Connection {
    this.reuse.onAttempt();
    const connection = this.#takeFree(now) ?? this.#closed.pop() ?? this.#make();
    connection.onTaken(now);
    return connection;
  }

  give(connection: Connection): void {
    connection.onReturned();
    if (connection.isDropped) this.#all.delete(connection);
    else if (!connection.isOpen) this.#closed.push(connection);
    else if (this.reuse.isSingleUse || connection.isSpent) this.#useUp(connection);
    else this.#free.push(connection);
  }

  filterHeads(): void {
    if (this.filtersHeads) return;
    this.filtersHeads = true;
    for (const connection of this.#all) connection.filterHeads();
  }

  onClosed(connection: Connection): void {
    if (this.#watched === connection) this.#watched = undefined;
    if (this.#usedUp.delete(connection)) this.#closed.push(connection);
  }

  async close(): Promise<void> {
    this.#free.length = this.#closed.length = 0;
    this.#usedUp.clear();
    clearTimeout(this.#timer);
    const ending = [...this.#all].map((connection) => connection.close());
    this.#all.clear();
    // Attempts that watch their connections stop waiting, and fail on the closed connections.
    this.watchTimers.end();
    await Promise.all(ending);
  }

  #make(): Connection {
    const connection = new Connection(this);
    this.#all.add(connection);
    return connection;
  }

  #takeFree(now: number): Connection | undefined {
    const { maxIdleMs } = this.reuse;
    for (let free; (free = this.#free.pop()) !== undefined;) {
      if (free.isOpen && now - free.idleSince <= maxIdleMs) return free;
      if (free.isOpen) free.closeSocket();
      this.#closed.push(free);
    }
    return undefined;
  }

  /** Gives the server time to close the connection first. */
  #useUp(connection: Connection): void {
    this.#usedUp.add(connection);
    if (this.reuse.isSingleUse) this.#watched ??= connection;
    if (this.#usedUp.size > MAX_USED_UP) this.#hangUp(this.now());
    else this.#timer ??= this.#scheduleHangUp();
  }

  /** llama.cpp's server has a thread for each connection, so an open connection blocks others. */
  #scheduleHangUp(): ReturnType<typeof setTimeout> {
    return setTimeout(() => {
      this.#timer = undefined;
      this.#hangUp(this.now());
    }, MAX_REACTION_MS);
  }

  /** Closes connections that the server has left open, and the oldest if there are too many. */
  #hangUp(now: number): void {
    for (const connection of this.#usedUp) {
      const isWatched = connection === this.#watched;
      const limitMs = isWatched ? WATCH_AFTER_USE_MS : MAX_REACTION_MS;
      const isLeftOpen = now - connection.idleSince > limitMs;
      if (!isLeftOpen && isWatched) continue;
      if (!isLeftOpen && this.#usedUp.size <= MAX_USED_UP) break;
      this.onClosed(connection);
      connection.closeSocket();
      if (isWatched) this.reuse.onLeftOpen();
    }
    if (this.#usedUp.size > 0) this.#timer ??= this.#scheduleHangUp();
  }
}

/** Requests that begin to watch within this time share a timer: after the event loop was
 * blocked, hundreds may begin at once. */
const GROUP_MS = 1;
/** A timer this late means that the event loop was blocked and has not polled the sockets since. */
const LATE_MS = 3;

interface WatchGroup {
  readonly watchMs: number;
  readonly startedAt: number;
  timer: ReturnType<typeof setTimeout>;
  readonly sends: (() => void)[];
}

/** Delays requests until a close of the connection would have been noticed. */
export class WatchTimers {
  readonly #groups = new Set<WatchGroup>();
  #newest: WatchGroup | undefined;

  /** `send` is called after `watchMs` or shortly later, or at `end()`. */
  add(watchMs: number, send: () => void): void {
    const newest = this.#newest, now = performance.now();
    const isSoon = newest !== undefined && now - newest.startedAt < GROUP_MS;
    if (isSoon && newest.watchMs === watchMs) {
      newest.sends.push(send);
      return;
    }
    // The last request of the group must watch for `watchMs`, too.
    const timer = setTimeout(() => this.#watched(group), watchMs + GROUP_MS);
    const group: WatchGroup = { watchMs, startedAt: now, timer, sends: [send] };
    this.#groups.add(group);
    this.#newest = group;
  }

  end(): void {
    for (const group of this.#groups) {
      clearTimeout(group.timer);
      this.#send(group);
    }
  }

  /** Watches once more if the timer is late: a close may have arrived meanwhile. */
  #watched(group: WatchGroup): void {
    const lateMs = performance.now() - group.startedAt - group.watchMs - GROUP_MS;
    if (lateMs < LATE_MS) return this.#send(group);
    if (this.#newest === group) this.#newest = undefined;
    group.timer = setTimeout(() => this.#send(group), IDLE_WATCH_MS);
  }

  #send(group: WatchGroup): void {
    this.#groups.delete(group);
    if (this.#newest === group) this.#newest = undefined;
    for (const send of group.sends) send();
  }
}
