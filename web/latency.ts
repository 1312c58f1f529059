/** Latency of rows: over the whole run, and over the last 30 s. @module */

import type { LatencyHistogram } from "./monitor_state.ts";

/** Buckets per doubling of the latency: each is 2.2 % wider than the one before. */
const BUCKETS_PER_OCTAVE = 32;

/** Maximum number of bars on the page. Buckets are merged until the measured range fits. */
const MAX_BARS = 48;

/** Minimum number of bars: empty ones are added at both ends. */
const MIN_BARS = 12;

/**
 * Number of buckets, from 1 ms to 2^27 ms (37 hours). The first and the last also count values
 * outside of this range.
 */
const BUCKETS = 27 * BUCKETS_PER_OCTAVE;

const SLOT_MS = 5_000;

/** Number of slots in the window: the current one, and the 25 s before it. */
const SLOTS = 6;

/** Percentiles of the last 30 s, in milliseconds; null if nothing was measured. */
export interface WindowPercentiles {
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
}

/**
 * Counts latencies in buckets: recording one takes a few increments, and a percentile is at most
 * 1.1 % off. The snapshots of a run have percentiles of the whole run, but charts over time need
 * those of the last 30 s.
 */
export class Latency {
  readonly #now: () => number;
  readonly #all = new Float64Array(BUCKETS);
  /** Counts of the window, as a ring of slots. */
  readonly #slots = Array.from({ length: SLOTS }, () => new Uint32Array(BUCKETS));
  /** Number of the current slot on the time axis. */
  #slot = 0;
  #sumMs = 0;
  #count = 0;

  /** @param now A monotonic clock, in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
    this.#slot = slotAt(now());
  }

  get count(): number {
    return this.#count;
  }

  get sumMs(): number {
    return this.#sumMs;
  }

  record(durationsMs: readonly number[]): void {
    const nowMs = this.#now();
    for (const durationMs of durationsMs) this.add(durationMs, nowMs);
  }

  /** Records a latency. `nowMs` is a time of the constructor's clock. */
  add(durationMs: number, nowMs: number): void {
    this.#moveTo(nowMs);
    const bucket = bucketOf(durationMs);
    this.#all[bucket]++;
    this.#slots[this.#slot % SLOTS][bucket]++;
    this.#count++;
    this.#sumMs += Math.max(0, durationMs) || 0;
  }

  window(): WindowPercentiles {
    this.#moveTo(this.#now());
    const counts = new Float64Array(BUCKETS);
    let total = 0;
    // These loops have no closures, because a page of a thousand teachers calls this method for
    // each of them.
    for (const slot of this.#slots) {
      for (let bucket = 0; bucket < BUCKETS; bucket++) {
        counts[bucket] += slot[bucket];
        total += slot[bucket];
      }
    }
    if (total === 0) return { p50: null, p90: null, p99: null };
    return {
      p50: percentile(counts, total * 0.5),
      p90: percentile(counts, total * 0.9),
      p99: percentile(counts, total * 0.99),
    };
  }

  /** Returns 12 to 48 bars that cover all values; none if there are no values. */
  histogram(): LatencyHistogram {
    let first = this.#all.findIndex((count) => count > 0);
    if (first < 0) return { bounds_ms: [], counts: [] };
    let last = this.#all.findLastIndex((count) => count > 0);
    const missing = Math.max(0, MIN_BARS - (last - first + 1));
    first = Math.min(Math.max(0, first - Math.floor(missing / 2)), BUCKETS - MIN_BARS);
    last = Math.max(last, first + MIN_BARS - 1);
    let perBar = 1;
    while (Math.floor(last / perBar) - Math.floor(first / perBar) >= MAX_BARS) perBar *= 2;
    const counts: number[] = [], bounds: number[] = [];
    // Bounds are multiples of `perBar`, so that bars do not move as more is measured.
    for (let start = Math.floor(first / perBar) * perBar; start <= last; start += perBar) {
      bounds.push(rounded(lowerBound(start)));
      let count = 0;
      for (let i = start; i < Math.min(start + perBar, BUCKETS); i++) count += this.#all[i];
      counts.push(count);
    }
    bounds.push(rounded(lowerBound(Math.floor(last / perBar) * perBar + perBar)));
    return { bounds_ms: bounds, counts };
  }

  /** Returns cumulative counts for 2, 4, 8, … ms, up to 37 hours. */
  octaves(): { upToMs: number; count: number }[] {
    const octaves: { upToMs: number; count: number }[] = [];
    let count = 0;
    for (let i = 0; i < BUCKETS; i++) {
      count += this.#all[i];
      if ((i + 1) % BUCKETS_PER_OCTAVE === 0) octaves.push({ upToMs: lowerBound(i + 1), count });
    }
    return octaves;
  }

  #moveTo(nowMs: number): void {
    const slot = slotAt(nowMs);
    if (slot === this.#slot) return;
    for (let i = Math.max(this.#slot + 1, slot - SLOTS + 1); i <= slot; i++) {
      this.#slots[i % SLOTS].fill(0);
    }
    this.#slot = slot;
  }
}

function slotAt(nowMs: number): number {
  return Math.floor(nowMs / SLOT_MS);
}

function bucketOf(durationMs: number): number {
  const bucket = Math.floor(Math.log2(durationMs) * BUCKETS_PER_OCTAVE);
  return bucket > 0 ? Math.min(bucket, BUCKETS - 1) : 0;
}

function lowerBound(bucket: number): number {
  return 2 ** (bucket / BUCKETS_PER_OCTAVE);
}

/** Returns the middle of the bucket that contains the rank. */
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
