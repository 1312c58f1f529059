/**
 * Timers, clocks and rates. Timers with a callback do not keep the process alive unless their
 * documentation or an option says so.
 *
 * @module
 */

export const DAY_MS = 86_400_000;

/** The longest time for `setTimeout`, which is the largest signed 32-bit number. Longer timers fire
 * at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** The longest turn of the event loop that code may cause. Timers and sockets wait until it
 * ends. */
export const MAX_TURN_MS = 20;

/** Calls `callback` after `ms`, like `setTimeout`, but also for times above `MAX_TIMER_MS`. The
 * returned function cancels the timer. */
export function after(ms: number, callback: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const arm = (leftMs: number) => {
    const stepMs = Math.min(MAX_TIMER_MS, leftMs);
    timer = setTimeout(() => leftMs > stepMs ? arm(leftMs - stepMs) : callback(), stepMs);
    unref(timer);
  };
  arm(ms);
  return () => clearTimeout(timer);
}

/** Resolves after `ms`, or when the signal is aborted. Keeps the process alive until then, unless
 * an option says otherwise. */
export function delay(
  ms: number,
  signal?: AbortSignal,
  { keepsAlive = true }: { readonly keepsAlive?: boolean } = {},
): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, ms);
    if (!keepsAlive) unref(timer);
    signal?.addEventListener("abort", end);
    if (signal?.aborted) end();

    function end(): void {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    }
  });
}

/** Calls `callback` at an interval, until the returned function is called. All intervals share one
 * timer, and callbacks may come early, together with others, because a wake-up of the process costs
 * 0.3 ms of CPU time. Keeps the process alive only if an option says so. During a run, its sockets
 * do that already. */
export function every(
  intervalMs: number,
  callback: () => void,
  { keepsAlive = false }: { readonly keepsAlive?: boolean } = {},
): () => void {
  const interval = { intervalMs, callback, keepsAlive, dueAt: performance.now() + intervalMs };
  intervals.add(interval);
  setSharedTimer();
  return () => {
    if (intervals.delete(interval)) setSharedTimer();
  };
}

interface Interval {
  readonly intervalMs: number;
  readonly callback: () => void;
  readonly keepsAlive: boolean;
  dueAt: number;
}

const intervals = new Set<Interval>();
let sharedTimer: ReturnType<typeof setTimeout> | undefined;
let firesAt = Infinity;
let isCalling = false;
/** The shared timer is kept if it fires at most this much too early or too late. */
const TOLERANCE_MS = 1;

function setSharedTimer(): void {
  if (isCalling) return;
  let firstDueAt = Infinity, keepsAlive = false;
  for (const interval of intervals) {
    firstDueAt = Math.min(firstDueAt, interval.dueAt);
    keepsAlive ||= interval.keepsAlive;
  }
  if (Math.abs(firstDueAt - firesAt) > TOLERANCE_MS) {
    clearTimeout(sharedTimer);
    firesAt = firstDueAt;
    // This is not `setInterval`: if an interval is cleared by its own callback, Deno 2.9.6 wakes up
    // once more.
    sharedTimer = firstDueAt === Infinity
      ? undefined
      : setTimeout(callDue, Math.max(1, firstDueAt - performance.now()));
  }
  if (keepsAlive) (sharedTimer as RefTimer | undefined)?.ref?.();
  else unref(sharedTimer);
}

/** Calls the callbacks that are due now, or within half of the shortest interval. */
function callDue(): void {
  const now = performance.now();
  let shortestMs = Infinity;
  for (const { intervalMs } of intervals) shortestMs = Math.min(shortestMs, intervalMs);
  isCalling = true;
  firesAt = -Infinity;
  try {
    for (const interval of intervals) {
      if (interval.dueAt > now + Math.min(interval.intervalMs, shortestMs) / 2) continue;
      interval.dueAt = now + interval.intervalMs;
      interval.callback();
    }
  } finally {
    isCalling = false;
    setSharedTimer();
  }
}

/** A timer of Deno or Node. In the types of the web, timers are numbers. */
interface RefTimer {
  ref?(): void;
  unref?(): void;
}

function unref(timer: unknown): void {
  (timer as RefTimer | undefined)?.unref?.();
}

/** A clock that remembers its last reading. Reading the time costs 0.15 µs, more than most of the
 * code that needs it. One reading per turn of the event loop is enough. */
export class Clock {
  readonly #now: () => number;
  #lastMs: number;

  constructor(now: () => number) {
    this.#now = now;
    this.#lastMs = now();
  }

  readonly read = (): number => this.#lastMs = this.#now();

  readonly last = (): number => this.#lastMs;
}

/** A timer that callers set to the earliest of several times. Keeps the process alive. */
export class Alarm {
  readonly #now: () => number;
  readonly #onDue: () => void;
  #at = Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(now: () => number, onDue: () => void) {
    this.#now = now;
    this.#onDue = onDue;
  }

  /** Replaces the time; Infinity sets no time. Setting the same time again changes nothing, even if
   * it has passed: otherwise, a caller that cannot act yet would be called again and again. */
  set(at: number): void {
    if (at === this.#at) return;
    this.#at = at;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (at < Infinity) this.#arm();
  }

  /** Sets the time, unless an earlier time is set and has not passed yet. */
  setEarlier(at: number): void {
    if (this.#timer === undefined || at < this.#at) this.set(at);
  }

  #arm(): void {
    const leftMs = Math.max(0, Math.ceil(this.#at - this.#now()));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      // Either the time was above `MAX_TIMER_MS`, or the timer has fired early.
      if (this.#at > this.#now()) this.#arm();
      else this.#onDue();
    }, Math.min(MAX_TIMER_MS, leftMs));
  }
}

interface RateMeterOptions {
  readonly slotMs: number;
  readonly windowMs: number;
  /** The minimum time over which a rate is computed, even if the meter has just begun. */
  readonly minSpanMs: number;
}

/** Counts the events in a recent window of time, which is divided into slots. */
export class RateMeter {
  readonly #options: RateMeterOptions;
  readonly #counts: Float64Array;
  readonly #startedAt: number;
  #slot = 0;

  constructor(now: number, options: RateMeterOptions) {
    this.#options = options;
    this.#startedAt = now;
    // There is one slot more than in the window, because the current slot is incomplete.
    this.#counts = new Float64Array(options.windowMs / options.slotMs + 1);
  }

  add(now: number, count = 1): void {
    this.#advance(now);
    this.#counts[this.#slot % this.#counts.length] += count;
  }

  /**
   * Returns the number of events.
   *
   * @param windowMs Counts only the last part of the window, of this length but at least
   * `minSpanMs`. @default all of it
   */
  sum(now: number, windowMs: number = this.#options.windowMs): number {
    this.#advance(now);
    let sum = 0;
    for (let slot = this.#slot - this.#pastSlots(windowMs); slot <= this.#slot; slot++) {
      sum += this.#counts[slot % this.#counts.length];
    }
    return sum;
  }

  /**
   * Returns the number of events per second.
   *
   * @param windowMs As for `sum`.
   */
  perSecond(now: number, windowMs: number = this.#options.windowMs): number {
    const { slotMs, minSpanMs } = this.#options;
    const sum = this.sum(now, windowMs);
    const elapsedMs = this.#pastSlots(windowMs) * slotMs + (now - this.#startedAt) % slotMs;
    const spanMs = Math.max(minSpanMs, elapsedMs);
    return spanMs > 0 ? sum * 1_000 / spanMs : 0;
  }

  /** Returns the number of complete slots in a window. */
  #pastSlots(windowMs: number): number {
    const { slotMs, minSpanMs } = this.#options;
    const slots = Math.ceil(Math.max(minSpanMs, windowMs) / slotMs);
    return Math.min(slots, this.#slot, this.#counts.length - 1);
  }

  #advance(now: number): void {
    const slot = Math.floor((now - this.#startedAt) / this.#options.slotMs);
    if (slot <= this.#slot) return;
    const firstStale = Math.max(this.#slot + 1, slot - this.#counts.length + 1);
    for (let n = firstStale; n <= slot; n++) this.#counts[n % this.#counts.length] = 0;
    this.#slot = slot;
  }
}

/** The longest expected time between two calls of `ActiveClock.tick()`. After a longer time, the
 * process was stopped (SIGSTOP, a frozen container) or its thread was blocked. */
const MAX_TICK_GAP_MS = 2_000;

/** A clock that excludes the time during which the process was stopped or nothing could be sent.
 * During that time, no deadline of a row or an attempt passes. */
export class ActiveClock {
  readonly #now: () => number;
  #time: number;
  #tickedAt: number;

  constructor(now: () => number) {
    this.#now = now;
    this.#time = this.#tickedAt = now();
  }

  readonly now = (): number => this.#time + Math.min(MAX_TICK_GAP_MS, this.#now() - this.#tickedAt);

  /**
   * Must be called two to ten times a second, and before `isStopped` changes.
   *
   * @param isStopped Whether the time since the last call does not count.
   */
  tick(isStopped: boolean = false): void {
    if (!isStopped) this.#time = this.now();
    this.#tickedAt = this.#now();
  }
}
