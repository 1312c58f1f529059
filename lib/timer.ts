/**
 * Timers and clocks. Timers with a callback do not keep the process alive, unless asked.
 *
 * @module
 */

export const DAY_MS = 86_400_000;

/** `setTimeout` takes a signed 32-bit number of milliseconds and fires at once above that. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** How long, in milliseconds, code that never awaits may keep the event loop from timers and
 * sockets. */
export const LONGEST_TURN_MS = 20;

/** Calls back once after `ms` milliseconds, which may exceed `MAX_TIMER_MS`, unless the returned
 * function is called first. */
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

/** Resolves after `ms` milliseconds. Keeps the process alive until then. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export interface EveryOptions {
  /** Whether the timer keeps the process alive. @default false: a run has sockets that do */
  readonly keepsAlive?: boolean;
}

/**
 * Calls back every `intervalMs` milliseconds until the returned function is called.
 *
 * All intervals share one timer. A callback comes early if another one wakes the process shortly
 * before: each wake-up costs 0.3 ms of CPU, whatever it does.
 */
export function every(
  intervalMs: number,
  callback: () => void,
  { keepsAlive = false }: EveryOptions = {},
): () => void {
  const beat = { intervalMs, callback, keepsAlive, dueAt: performance.now() + intervalMs };
  beats.add(beat);
  armBeats();
  return () => {
    if (beats.delete(beat)) armBeats();
  };
}

interface Beat {
  readonly intervalMs: number;
  readonly callback: () => void;
  readonly keepsAlive: boolean;
  dueAt: number;
}

const beats = new Set<Beat>();
let beatTimer: ReturnType<typeof setTimeout> | undefined;
/** When the shared timer fires. */
let beatAt = Infinity;
let isCalling = false;
/** How far the shared timer may be off before it is set again, in milliseconds. */
const EARLY_MS = 1;

/** Sets the shared timer to the first beat that is due. */
function armBeats(): void {
  if (isCalling) return;
  let firstAt = Infinity, keepsAlive = false;
  for (const beat of beats) {
    firstAt = Math.min(firstAt, beat.dueAt);
    keepsAlive ||= beat.keepsAlive;
  }
  if (Math.abs(firstAt - beatAt) > EARLY_MS) {
    clearTimeout(beatTimer);
    beatAt = firstAt;
    // Not an interval: after one that is cleared while it is called, Deno 2.9.6 wakes up once more.
    beatTimer = firstAt === Infinity
      ? undefined
      : setTimeout(callBeats, Math.max(1, firstAt - performance.now()));
  }
  if (keepsAlive) (beatTimer as RefTimer | undefined)?.ref?.();
  else unref(beatTimer);
}

/**
 * Calls all beats that are due, or would be within half of their interval and of the shortest one.
 */
function callBeats(): void {
  const now = performance.now();
  let shortestMs = Infinity;
  for (const { intervalMs } of beats) shortestMs = Math.min(shortestMs, intervalMs);
  isCalling = true;
  beatAt = -Infinity;
  try {
    for (const beat of beats) {
      if (beat.dueAt > now + Math.min(beat.intervalMs, shortestMs) / 2) continue;
      beat.dueAt = now + beat.intervalMs;
      beat.callback();
    }
  } finally {
    isCalling = false;
    armBeats();
  }
}

/** Timers are objects with these methods in Deno, Node and Bun; web types say that they are
 * numbers. */
interface RefTimer {
  ref?(): void;
  unref?(): void;
}

function unref(timer: unknown): void {
  (timer as RefTimer | undefined)?.unref?.();
}

/** A clock that remembers its last reading. A reading costs 0.15 µs, more than most code that uses
 * it; one per turn of the event loop is enough. */
export class Clock {
  readonly #now: () => number;
  #lastMs: number;

  /** @param now A monotonic clock, in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
    this.#lastMs = now();
  }

  /** Reads the clock. */
  readonly read = (): number => this.#lastMs = this.#now();

  /** The last reading. */
  readonly last = (): number => this.#lastMs;
}

/** A clock that stops while nothing can be sent, so that an outage or a pause does not use up the
 * time of waiting rows. */
export class RowClock {
  readonly #now: () => number;
  #stoppedMs = 0;
  #seenAt: number;

  /** @param now A monotonic clock, in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
    this.#seenAt = now();
  }

  /** Milliseconds without the time in which the clock was stopped. */
  readonly now = (): number => this.#now() - this.#stoppedMs;

  /**
   * Called two to ten times a second, and before `isStopped` changes.
   *
   * @param isStopped Whether nothing could be sent since the last call.
   */
  tick(isStopped: boolean): void {
    const now = this.#now();
    if (isStopped) this.#stoppedMs += now - this.#seenAt;
    this.#seenAt = now;
  }
}
