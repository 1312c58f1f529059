/** The connections to one teacher. A request takes a free connection from a stack, whereas undici's
 * `Pool` would search them all. The engine's concurrency limits their number. @module */

import { buildConnector } from "../deps/undici.ts";
import { type Connect, Connection, MAX_REACTION_MS, NO_HTTP2 } from "./connection.ts";
import type { TlsSettings } from "./network.ts";

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

/** Maximum number of used-up connections that wait for a close by the server. The side that closes
 * first keeps the port in TIME_WAIT for a minute. */
const MAX_USED_UP = 256;

export class Connections {
  readonly options: ConnectionsOptions;
  // All connections use the same connector, and so share its cache of TLS sessions.
  readonly connect: Connect;
  readonly now: () => number;
  readonly watchTimers = new WatchTimers();
  readonly reuse = new ReusePolicy(() => this.watchTimers.end());
  /** Whether a `HeadFilter` repairs response heads, because undici has rejected one. */
  filtersHeads = false;
  readonly #all = new Set<Connection>();
  /** Free connections that were open when they were released. The latest is acquired first. */
  readonly #free: Connection[] = [];
  readonly #closed: Connection[] = [];
  /** Connections that must not be reused but are still open, oldest first. */
  readonly #usedUp = new Set<Connection>();
  /** A used-up connection that shows whether the server still closes connections after use. */
  #watched: Connection | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ConnectionsOptions) {
    const { tls, connect, now } = options;
    this.options = options;
    this.now = now ?? (() => performance.now());
    // `Deadlines` enforces the timeout, because undici's timer would outlive the last connection.
    this.connect = connect ??
      buildConnector({ ...NO_HTTP2, ...tls, timeout: 0 }) as unknown as Connect;
  }

  /** Returns the open connection that was released last, or else one that needs a new socket. */
  acquire(now: number): Connection {
    this.reuse.attempts++;
    const connection = this.#acquireFree(now) ?? this.#closed.pop() ?? this.#make();
    connection.onAcquired(now);
    return connection;
  }

  release(connection: Connection): void {
    connection.onReleased();
    if (connection.isDisposed) this.#all.delete(connection);
    else if (!connection.isOpen) this.#closed.push(connection);
    else if (this.reuse.isSingleUse || connection.isUsedUp) this.#useUp(connection);
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
    // Attempts that watch their connections stop waiting. They fail on the closed connections.
    this.watchTimers.end();
    await Promise.all(ending);
  }

  #make(): Connection {
    const connection = new Connection(this);
    this.#all.add(connection);
    return connection;
  }

  #acquireFree(now: number): Connection | undefined {
    const { maxIdleMs } = this.reuse;
    for (let free; (free = this.#free.pop()) !== undefined;) {
      if (free.isOpen && now - free.idleSince <= maxIdleMs) return free;
      if (free.isOpen) free.closeSocket();
      this.#closed.push(free);
    }
    return undefined;
  }

  /** Keeps a used-up connection for a moment, so that the server can close it first. */
  #useUp(connection: Connection): void {
    this.#usedUp.add(connection);
    if (this.reuse.isSingleUse) this.#watched ??= connection;
    if (this.#usedUp.size > MAX_USED_UP) this.#hangUp(this.now());
    else this.#scheduleHangUp();
  }

  /** Closes used-up connections soon, because an open connection occupies a thread of llama.cpp's
   * server, which has a fixed number of threads. */
  #scheduleHangUp(): void {
    this.#timer ??= setTimeout(() => {
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
    if (this.#usedUp.size > 0) this.#scheduleHangUp();
  }
}

/** The number of closes in reaction to answers after which connections are no longer reused. */
const CLOSES_TO_STOP = 3;
/** Each answer on a reused connection reduces the number of closes by this amount. So reuse ends if
 * more than one in 32 answers is followed by a close. */
const REUSE_WEIGHT = 1 / 32;
/** While connections are not reused, one used connection is watched for this long, to see whether
 * the server still closes it. */
const WATCH_AFTER_USE_MS = 500;
/** Reuse begins again after the server has left this number of connections in a row open. The
 * earlier closes were then due to a restart. */
const LEFT_OPEN_TO_RESUME = 4;
/** How long the first connection is watched before its reuse. Nearly every close arrives by then.
 * Other connections wait for the end of this trial, or for `MAX_REACTION_MS`. */
const TRIAL_WATCH_MS = 10;
/** The trial happens only if it begins within the first attempts, up to this number. */
const TRIAL_ATTEMPTS = 10;
/** How long an idle connection is watched before it is used. undici waits for one turn of the event
 * loop, but Deno polls sockets only every 61st turn or when it is idle. */
const IDLE_WATCH_MS = 5;
/** Connections are used until this long before their announced timeout, but at least for half of
 * the timeout. Requests need time to arrive. */
const MARGIN_MS = 1_000;

/** Decides which connections are reused. Servers announce limits, as in `Keep-Alive: timeout=5`,
 * but some close earlier: llama.cpp's server closes after each streamed answer. A request sent at
 * the same time is lost, and the server may have read it. So closes are counted too. */
export class ReusePolicy {
  readonly #onDecided: () => void;
  /** The number of closes in reaction to answers, reduced by `REUSE_WEIGHT` for each reuse. */
  #closes = 0;
  /** The number of connections in a row that the server left open while none were reused. */
  #leftOpen = 0;
  isSingleUse = false;
  /** Whether the server is known to keep connections open, so that new ones need no watching. */
  #isProven = false;
  #hadTrial = false;
  attempts = 0;
  /** The longest idle time that the server's `Keep-Alive` header allows. */
  #announcedMs = Infinity;
  /** The longest idle time that seems safe after the closes observed so far. */
  #observedMs = Infinity;
  // The last `Keep-Alive` header, and the number of requests that it allows.
  #keepAlive = "";
  #maxRequests = Infinity;

  /** @param onDecided Called once it is known whether connections are reused: watching can end. */
  constructor(onDecided: () => void = () => {}) {
    this.#onDecided = onDecided;
  }

  /** The longest idle time after which a connection is reused; -1 if none is reused. */
  get maxIdleMs(): number {
    return this.isSingleUse ? -1 : Math.min(this.#announcedMs, this.#observedMs);
  }

  /** Returns how long to watch a connection before a request, because a close would lose it. */
  watchMs(idleMs: number): number {
    if (idleMs > MAX_REACTION_MS) return IDLE_WATCH_MS;
    if (this.#isProven) return 0;
    const isTrial = !this.#hadTrial && this.attempts <= TRIAL_ATTEMPTS;
    this.#hadTrial = true;
    return Math.max(0, (isTrial ? TRIAL_WATCH_MS : MAX_REACTION_MS) - idleMs);
  }

  /** Called when a connection has carried a second or later answer. */
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
      // The server has an idle timeout that it did not announce, or it was restarted.
      this.#observedMs = Math.min(this.#observedMs, Math.max(MAX_REACTION_MS, idleMs / 2));
    } else if (++this.#closes >= CLOSES_TO_STOP && !this.isSingleUse) {
      this.isSingleUse = true;
      this.#onDecided();
    }
  }

  /** Called when a connection is still open `WATCH_AFTER_USE_MS` after its only use. */
  onLeftOpen(): void {
    if (!this.isSingleUse || ++this.#leftOpen < LEFT_OPEN_TO_RESUME) return;
    this.isSingleUse = false;
    this.#isProven = true;
    this.#closes = this.#leftOpen = 0;
  }

  /** Records the allowed idle time. Returns how many requests are allowed, including this one. */
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

/** Requests that begin to watch within this time share a timer. After the event loop was blocked,
 * hundreds of them may begin at once. */
const GROUP_MS = 1;
/** A timer this late shows that the event loop was blocked and could not poll the sockets. */
const LATE_MS = 3;

interface WatchGroup {
  readonly watchMs: number;
  readonly startedAt: number;
  timer: ReturnType<typeof setTimeout>;
  readonly sends: (() => void)[];
}

/** Delays requests until a close of their connection would have been noticed. */
export class WatchTimers {
  readonly #groups = new Set<WatchGroup>();
  #newest: WatchGroup | undefined;

  /** Calls `send` after `watchMs` or slightly later, or at `end()`. */
  add(watchMs: number, send: () => void): void {
    const newest = this.#newest, now = performance.now();
    const isSoon = newest !== undefined && now - newest.startedAt < GROUP_MS;
    if (isSoon && newest.watchMs === watchMs) {
      newest.sends.push(send);
      return;
    }
    // The last request that joins the group must also watch for `watchMs`.
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

  /** Sends the requests of a group. If the timer is late, first watches again for a close. */
  #watched(group: WatchGroup): void {
    const lateMs = performance.now() - group.startedAt - group.watchMs - GROUP_MS;
    if (lateMs < LATE_MS) return this.#send(group);
    group.timer = setTimeout(() => this.#send(group), IDLE_WATCH_MS);
  }

  #send(group: WatchGroup): void {
    this.#groups.delete(group);
    if (this.#newest === group) this.#newest = undefined;
    for (const send of group.sends) send();
  }
}
