/**
 * The arithmetic of rates and limits: a token bucket, a meter of recent events, and the growth of CUBIC (RFC
 * 9438).
 *
 * @module
 */

/** The burst that is allowed after a pause, as milliseconds of the rate. */
const BURST_MS = 50;

/** A token bucket: lets amounts through at a smooth rate, not a minute's share at once. */
export class TokenBucket {
  #perMs: number;
  #level = 0;
  #seenAt: number;
  readonly #burstMs: number;

  /** Lets `perSecond` through from `now` (in milliseconds) on. `burstMs`: the burst that is allowed after a
   * pause, as milliseconds of the rate. */
  constructor(perSecond: number, now: number, burstMs = BURST_MS) {
    this.#burstMs = burstMs;
    this.#perMs = perSecond / 1_000;
    this.#seenAt = now;
  }

  /** Changes the rate; a debt stays as large as it is. */
  setRate(perSecond: number, now: number): void {
    this.#fill(now);
    this.#perMs = perSecond / 1_000;
  }

  /** Drops the burst that may be taken now. */
  drain(now: number): void {
    this.#fill(now);
    this.#level = Math.min(0, this.#level);
  }

  /** 0 when an amount may be taken now, else milliseconds until then. */
  delayMs(now: number): number {
    this.#fill(now);
    if (this.#perMs === 0) return Infinity;
    return this.#level >= 0 ? 0 : -this.#level / this.#perMs;
  }

  /** Takes any amount; a negative one is given back. */
  take(amount: number, now: number): void {
    this.#fill(now);
    this.#level -= amount;
  }

  /** Time fills the bucket up to a small burst only; what was given back stays. */
  #fill(now: number): void {
    const most = this.#perMs * this.#burstMs;
    if (this.#level < most) {
      this.#level = Math.min(most, this.#level + (now - this.#seenAt) * this.#perMs);
    }
    this.#seenAt = now;
  }
}

const SLOT_MS = 100;

/** The longest window of a `RateMeter`, in milliseconds. */
export const LONGEST_WINDOW_MS = 5_000;

/** The shortest window, in milliseconds: what happens in the first moment is no rate yet. */
export const SHORTEST_WINDOW_MS = 1_000;

/** In the last second a steady rate is at most this multiple of its mean over five. */
const STEADY = 1.5;

/** Counts events of the last 5 s, in tenths of a second. */
export class RateMeter {
  // The full tenths, and the current one.
  readonly #counts = new Float64Array(LONGEST_WINDOW_MS / SLOT_MS + 1);
  readonly #startedAt: number;
  #slot = 0;

  /** Starts at `now`, in milliseconds of a monotonic clock. */
  constructor(now: number) {
    this.#startedAt = now;
  }

  /** Counts an event. */
  add(now: number): void {
    this.#advance(now);
    this.#counts[this.#slot % this.#counts.length]++;
  }

  /** Events a second over the last `windowMs`, limited to 1 to 5 s. */
  perSecond(now: number, windowMs: number = LONGEST_WINDOW_MS): number {
    this.#advance(now);
    const slots = Math.ceil(Math.max(SHORTEST_WINDOW_MS, windowMs) / SLOT_MS);
    const back = Math.min(slots, this.#slot, this.#counts.length - 1);
    let count = 0;
    for (let slot = this.#slot - back; slot <= this.#slot; slot++) {
      count += this.#counts[slot % this.#counts.length];
    }
    const spanMs = back * SLOT_MS + (now - this.#startedAt) % SLOT_MS;
    return count * 1_000 / Math.max(SHORTEST_WINDOW_MS, spanMs);
  }

  /** Whether events have come for long enough, and evenly enough, to call it a rate. */
  isSteady(now: number): boolean {
    return now - this.#startedAt >= LONGEST_WINDOW_MS &&
      this.perSecond(now, SHORTEST_WINDOW_MS) <= STEADY * this.perSecond(now);
  }

  #advance(now: number): void {
    const slot = Math.floor((now - this.#startedAt) / SLOT_MS);
    if (slot <= this.#slot) return;
    const first = Math.max(this.#slot + 1, slot - this.#counts.length + 1);
    for (let due = first; due <= slot; due++) this.#counts[due % this.#counts.length] = 0;
    this.#slot = slot;
  }
}

/** The time until the size before a decrease is reached again, in milliseconds: K of the formula. */
export const RECOVERY_MS = 15_000;

/** The growth of a limit after a decrease. It has no unit and no clock of its own: times are milliseconds of
 * the caller's clock. */
export class CubicGrowth {
  #decreasedAt = 0;
  #from = Infinity;
  #to = Infinity;
  #scaleBeyond = 0;

  /** Restarts at `to`; `from` is the size that was too high, and above `to`. Growth beyond `from` is that after
   * a decrease by `scaleBeyond`. */
  decrease(now: number, to: number, from: number, scaleBeyond: number = from - to): void {
    this.#scaleBeyond = scaleBeyond;
    this.#decreasedAt = now;
    this.#to = to;
    this.#from = from;
  }

  /** The size at a time; Infinity before the first decrease. */
  at(now: number): number {
    if (this.#from === Infinity) return Infinity;
    const distance = (now - this.#decreasedAt - RECOVERY_MS) / RECOVERY_MS;
    const scale = distance > 0 ? this.#scaleBeyond : this.#from - this.#to;
    return this.#from + scale * distance ** 3;
  }
}
