/**
 * The arithmetic of rates and limits: a token bucket, a meter of recent events, and CUBIC growth
 * (RFC 9438).
 *
 * @module
 */

/** The burst after a pause, as milliseconds of the rate. */
const BURST_MS = 50;

/** A token bucket that lets amounts through at a smooth rate, not a minute's share at once. Times
 * are in milliseconds. */
export class TokenBucket {
  #perMs: number;
  #level = 0;
  #seenAt: number;
  readonly #burstMs: number;

  /** @param burstMs The burst after a pause, as milliseconds of the rate. */
  constructor(perSecond: number, now: number, burstMs = BURST_MS) {
    this.#burstMs = burstMs;
    this.#perMs = perSecond / 1_000;
    this.#seenAt = now;
  }

  /** Changes the rate. A debt keeps its amount. */
  setRate(perSecond: number, now: number): void {
    this.#fill(now);
    this.#perMs = perSecond / 1_000;
  }

  /** Removes the burst that could be taken now. */
  drain(now: number): void {
    this.#fill(now);
    this.#level = Math.min(0, this.#level);
  }

  /** Milliseconds until an amount may be taken; 0 if it may be now. */
  delayMs(now: number): number {
    this.#fill(now);
    if (this.#perMs === 0) return Infinity;
    return this.#level >= 0 ? 0 : -this.#level / this.#perMs;
  }

  /** Takes any amount, which may lead to a debt; a negative amount is given back. */
  take(amount: number, now: number): void {
    this.#fill(now);
    this.#level -= amount;
  }

  /** Fills the bucket with time, up to the burst. What was given back beyond that stays. */
  #fill(now: number): void {
    const maxLevel = this.#perMs * this.#burstMs;
    if (this.#level < maxLevel) {
      this.#level = Math.min(maxLevel, this.#level + (now - this.#seenAt) * this.#perMs);
    }
    this.#seenAt = now;
  }
}

/** Attempts are sent at most this many times as fast as they end. TCP's pacing in Linux has 1.2;
 * with that, the limit follows a falling capacity too slowly. */
const PACING = 1.3;
/** The factor during a careful start, which triples the attempts in flight. */
const START_PACING = 3;
/** How many answers the mean latency covers. */
const MEAN_ANSWERS = 20;
/** Shorter latencies, in milliseconds, leave no even spacing: few attempts in flight reach any
 * rate, which the adaptive rate limits. */
const MIN_PACED_LATENCY_MS = 100;
/** All attempts that may be in flight are sent within this time, in milliseconds, even if answers
 * take longer: lanes that are free again would stay idle for most of a quota's minute. */
const MAX_SPREAD_MS = 10_000;
/** The share of a limit on attempts in flight that spacing may leave idle: `PACING` would leave a
 * tenth of a limit of 10. */
const MAX_IDLE_SHARE = 0.01;
/** The burst of paced attempts, as milliseconds of their rate. */
const PACED_BURST_MS = 5;
/** How many answers a throttled attempt is compared with. */
const COMPARED_ANSWERS = 64;
/** How many throttled attempts the mean of these comparisons covers. */
const COMPARED_ATTEMPTS = 64;
/** Fewer throttled attempts do not show what the limit depends on. */
const MIN_COMPARED_ATTEMPTS = 24;
/** Up to this mean share, the limit depends on the attempts in flight. */
const MAX_ACCEPTED_SHARE = 0.01;

/**
 * Tells a limit on attempts in flight from a limit on their rate: the former never accepts an
 * attempt beside as many others as one that it throttles.
 */
class LimitComparison {
  /** Attempts in flight when each of the last answered ones was sent. */
  readonly #answered = new Uint32Array(COMPARED_ANSWERS);
  #answers = 0;
  #throttled = 0;
  /** The mean share of answered attempts that were sent beside as many as a throttled one. */
  #meanShare = 0;

  answered(inFlightAtStart: number): void {
    this.#answered[this.#answers++ % COMPARED_ANSWERS] = inFlightAtStart;
  }

  throttled(inFlightAtStart: number): void {
    const count = Math.min(this.#answers, COMPARED_ANSWERS);
    if (count === 0) return;
    let accepted = 0;
    for (let i = 0; i < count; i++) if (this.#answered[i] >= inFlightAtStart) accepted++;
    const attempts = Math.min(++this.#throttled, COMPARED_ATTEMPTS);
    this.#meanShare += (accepted / count - this.#meanShare) / attempts;
  }

  /** Whether the limit depends on the attempts in flight, and not on their rate. */
  get isByInFlight(): boolean {
    return this.#throttled >= MIN_COMPARED_ATTEMPTS && this.#meanShare <= MAX_ACCEPTED_SHARE;
  }
}

/**
 * Spaces attempts evenly, at the rate at which those in flight end. Answers often arrive together.
 * If new attempts were sent together as well, a teacher whose rate limit allows no bursts would
 * throttle them, however few are in flight. For a limit on attempts in flight, they are spaced less,
 * so that few slots of the teacher are idle.
 */
export class Pacer {
  readonly #comparison = new LimitComparison();
  /** Undefined while attempts are not paced. */
  #bucket: TokenBucket | undefined;
  /** 0 before the first answer. */
  #meanLatencyMs = 0;

  /**
   * Called when an attempt was answered.
   *
   * @param inFlightAtStart Attempts in flight when it was sent, this one included.
   * @param limit How many attempts may be in flight, and more if some are always throttled.
   */
  answered(
    latencyMs: number,
    inFlightAtStart: number,
    limit: number,
    isStarting: boolean,
    now: number,
  ): void {
    this.#comparison.answered(inFlightAtStart);
    const answers = this.#meanLatencyMs === 0 ? 1 : MEAN_ANSWERS;
    this.#meanLatencyMs += (latencyMs - this.#meanLatencyMs) / answers;
    if (limit < 2 || this.#meanLatencyMs < MIN_PACED_LATENCY_MS) {
      this.#bucket = undefined;
      return;
    }
    const spreadMs = Math.min(MAX_SPREAD_MS, this.#meanLatencyMs);
    const factor = isStarting
      ? START_PACING
      : this.#comparison.isByInFlight
      ? pacingFor(limit)
      : PACING;
    const perSecond = 1_000 * factor * limit / spreadMs;
    this.#bucket ??= new TokenBucket(0, now, PACED_BURST_MS);
    this.#bucket.setRate(perSecond, now);
  }

  /** Called when an attempt was throttled. */
  throttled(inFlightAtStart: number): void {
    this.#comparison.throttled(inFlightAtStart);
  }

  /** Milliseconds until an attempt may be sent; 0 if it may be now. */
  delayMs(now: number): number {
    return this.#bucket?.delayMs(now) ?? 0;
  }

  /** Called when an attempt is sent. */
  take(now: number): void {
    this.#bucket?.take(1, now);
  }

  /** Called if the last attempt was not sent after all. */
  notSent(now: number): void {
    this.#bucket?.take(-1, now);
  }
}

/**
 * The factor at which `MAX_IDLE_SHARE` of the attempts that may be in flight wait for their turn,
 * but at least `PACING`. In a queue with random arrivals and constant service (M/D/1), a factor of f
 * leaves 1 / (2 f (f - 1) limit) of them idle.
 */
function pacingFor(limit: number): number {
  return Math.max(PACING, (1 + Math.sqrt(1 + 2 / (MAX_IDLE_SHARE * limit))) / 2);
}

const SLOT_MS = 100;

/** The longest window of a `RateMeter`, in milliseconds. */
export const LONGEST_WINDOW_MS = 5_000;

/** The shortest window, in milliseconds: events in the first moments are no rate yet. */
export const SHORTEST_WINDOW_MS = 1_000;

/** How far a steady rate over the last second may exceed that over five seconds, as a factor. */
const MAX_STEADY_FACTOR = 1.5;

/** Counts the events of the last 5 s in slots of 100 ms. */
export class RateMeter {
  // One more than the window has, for the current slot, which is incomplete.
  readonly #counts = new Float64Array(LONGEST_WINDOW_MS / SLOT_MS + 1);
  readonly #startedAt: number;
  #slot = 0;

  /** @param now When counting starts, in milliseconds of a monotonic clock. */
  constructor(now: number) {
    this.#startedAt = now;
  }

  add(now: number): void {
    this.#advance(now);
    this.#counts[this.#slot % this.#counts.length]++;
  }

  /** Undoes the last `add()`, which was a moment ago. */
  remove(now: number): void {
    this.#advance(now);
    this.#counts[this.#slot % this.#counts.length]--;
  }

  /** Events per second over the last `windowMs`, limited to 1 to 5 s. */
  perSecond(now: number, windowMs: number = LONGEST_WINDOW_MS): number {
    this.#advance(now);
    const slots = Math.ceil(Math.max(SHORTEST_WINDOW_MS, windowMs) / SLOT_MS);
    const pastSlots = Math.min(slots, this.#slot, this.#counts.length - 1);
    let count = 0;
    for (let slot = this.#slot - pastSlots; slot <= this.#slot; slot++) {
      count += this.#counts[slot % this.#counts.length];
    }
    const spanMs = pastSlots * SLOT_MS + (now - this.#startedAt) % SLOT_MS;
    return count * 1_000 / Math.max(SHORTEST_WINDOW_MS, spanMs);
  }

  /** Whether events have come long enough and evenly enough for a rate. */
  isSteady(now: number): boolean {
    return now - this.#startedAt >= LONGEST_WINDOW_MS &&
      this.perSecond(now, SHORTEST_WINDOW_MS) <= MAX_STEADY_FACTOR * this.perSecond(now);
  }

  #advance(now: number): void {
    const slot = Math.floor((now - this.#startedAt) / SLOT_MS);
    if (slot <= this.#slot) return;
    const firstStale = Math.max(this.#slot + 1, slot - this.#counts.length + 1);
    for (let n = firstStale; n <= slot; n++) this.#counts[n % this.#counts.length] = 0;
    this.#slot = slot;
  }
}

/** The time until the size before a decrease is reached again, in milliseconds: CUBIC's K. */
export const RECOVERY_MS = 15_000;

/** The growth of a limit after a decrease. Sizes have any unit; times are in milliseconds of the
 * caller's clock. */
export class CubicGrowth {
  #decreasedAt = 0;
  #from = Infinity;
  #to = Infinity;
  #scaleBeyond = 0;

  /**
   * Restarts growth.
   *
   * @param to The reduced size.
   * @param from The size that was too high.
   * @param scaleBeyond Growth beyond `from` is as fast as after a decrease by this much.
   */
  decrease(now: number, to: number, from: number, scaleBeyond: number = from - to): void {
    this.#scaleBeyond = scaleBeyond;
    this.#decreasedAt = now;
    this.#to = to;
    this.#from = from;
  }

  /** The size at a time; Infinity before the first decrease. */
  sizeAt(now: number): number {
    if (this.#from === Infinity) return Infinity;
    const distance = (now - this.#decreasedAt - RECOVERY_MS) / RECOVERY_MS;
    const scale = distance > 0 ? this.#scaleBeyond : this.#from - this.#to;
    return this.#from + scale * distance ** 3;
  }
}
