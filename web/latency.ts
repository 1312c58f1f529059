/**
 * How long rows take: over the whole run, and over the last half minute.
 *
 * @module
 */

import type { LatencyHistogram } from "./monitor_state.ts";

/** Buckets per doubling: each is 2.2 % wider than the one before. */
const PER_OCTAVE = 32;

/** The maximum number of bars on the page: buckets are merged until the measured range fits. */
const MAX_BARS = 48;

/** The minimum number of bars: with fewer, empty ones are added at the sides. */
const MIN_BARS = 12;

/** From 1 ms to 2^27 ms, 37 hours; values outside count as the first or the last. */
const BUCKETS = 27 * PER_OCTAVE;

/** The duration of one slot of the window. */
const SLOT_MS = 5_000;

/** The number of slots in the window: 30 s. */
const SLOTS = 6;

/** Percentiles in milliseconds, or null where nothing was measured. */
export interface WindowPercentiles {
  /** Half are at or below. */
  readonly p50: number | null;
  /** 90 % are at or below. */
  readonly p90: number | null;
  /** 99 % are at or below. */
  readonly p99: number | null;
}

/**
 * Durations in buckets that grow by 2.2 %: recording one is two increments, and a percentile is at
 * most 1.1 % off. The snapshot's percentiles are exact and cover the whole run; a chart over time
 * needs those of the last half minute.
 */
export class Latency {
  readonly #now: () => number;
  readonly #all = new Float64Array(BUCKETS);
  readonly #slots = Array.from({ length: SLOTS }, () => new Uint32Array(BUCKETS));
  #slot = 0;
  #sumMs = 0;
  #count = 0;

  /** `now`: milliseconds of a monotonic clock. */
  constructor(now: () => number) {
    this.#now = now;
    this.#slot = this.#slotNow();
  }

  /** How many were recorded. */
  get count(): number {
    return this.#count;
  }

  /** All of them together, in milliseconds. */
  get sumMs(): number {
    return this.#sumMs;
  }

  /** Records some durations that have just been measured. */
  record(durationsMs: readonly number[]): void {
    this.#moveOn();
    for (const durationMs of durationsMs) this.add(durationMs);
  }

  /**
   * Records one duration without reading the clock: it counts for the time of the last `window()`.
   */
  add(durationMs: number): void {
    const bucket = bucketOf(durationMs);
    this.#all[bucket]++;
    this.#slots[this.#slot % SLOTS][bucket]++;
    this.#count++;
    this.#sumMs += Math.max(0, durationMs) || 0;
  }

  /** The percentiles of the last half minute. */
  window(): WindowPercentiles {
    this.#moveOn();
    const counts = new Float64Array(BUCKETS);
    for (const slot of this.#slots) slot.forEach((count, bucket) => counts[bucket] += count);
    const total = counts.reduce((sum, count) => sum + count, 0);
    if (total === 0) return { p50: null, p90: null, p99: null };
    return {
      p50: percentile(counts, total * 0.5),
      p90: percentile(counts, total * 0.9),
      p99: percentile(counts, total * 0.99),
    };
  }

  /** The whole run, from the first bucket that holds something to the last, in 12 to 48 bars. */
  histogram(): LatencyHistogram {
    let first = this.#all.findIndex((count) => count > 0);
    if (first < 0) return { bounds_ms: [], counts: [] };
    let last = this.#all.findLastIndex((count) => count > 0);
    const missing = Math.max(0, MIN_BARS - (last - first + 1));
    first = Math.max(0, first - Math.floor(missing / 2));
    last = Math.min(BUCKETS - 1, last + Math.ceil(missing / 2));
    let merged = 1;
    while ((last - first + 1) / merged > MAX_BARS) merged *= 2;
    const counts: number[] = [], bounds: number[] = [];
    // Bounds are multiples of `merged`, so that bars do not shift while more is measured.
    for (let at = Math.floor(first / merged) * merged; at <= last; at += merged) {
      bounds.push(rounded(lowerBound(at)));
      let count = 0;
      for (let i = at; i < Math.min(at + merged, BUCKETS); i++) count += this.#all[i];
      counts.push(count);
    }
    bounds.push(rounded(lowerBound(Math.floor(last / merged) * merged + merged)));
    return { bounds_ms: bounds, counts };
  }

  /** How many took less than 2, 4, 8, … ms, up to 37 hours. */
  octaves(): { upToMs: number; count: number }[] {
    const found: { upToMs: number; count: number }[] = [];
    let count = 0;
    for (let i = 0; i < BUCKETS; i++) {
      count += this.#all[i];
      if ((i + 1) % PER_OCTAVE === 0) found.push({ upToMs: lowerBound(i + 1), count });
    }
    return found;
  }

  #moveOn(): void {
    const slot = this.#slotNow();
    for (let i = Math.max(this.#slot + 1, slot - SLOTS + 1); i <= slot; i++) {
      this.#slots[i % SLOTS].fill(0);
    }
    this.#slot = slot;
  }

  #slotNow(): number {
    return Math.floor(this.#now() / SLOT_MS);
  }
}

function bucketOf(durationMs: number): number {
  const bucket = Math.floor(Math.log2(durationMs) * PER_OCTAVE);
  return bucket > 0 ? Math.min(bucket, BUCKETS - 1) : 0;
}

function lowerBound(bucket: number): number {
  return 2 ** (bucket / PER_OCTAVE);
}

/** The middle of the bucket in which the given rank lies. */
function percentile(counts: Float64Array, rank: number): number {
  let seen = 0;
  for (let i = 0; i < BUCKETS; i++) {
    seen += counts[i];
    if (seen >= rank && counts[i] > 0) return rounded(lowerBound(i + 0.5));
  }
  return rounded(lowerBound(BUCKETS));
}

function rounded(ms: number): number {
  return Number(ms.toPrecision(4));
}
