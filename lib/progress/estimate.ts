/**
 * What users are shown of a projection: an estimate with a range, once there is one.
 *
 * A projection alternates between a lower bound and an estimate: whenever nothing has finished for a while it is
 * a bound again. That is right, and unreadable. So once a run has an estimate it keeps one: where the
 * projection knows only a bound, the last estimate continues, no lower than the bound, with a wider range.
 *
 * @module
 */

/** Marks of the counter, one in 10 s, over the last five minutes. */
const MARK_MS = 10_000;
const MOST_MARKS = 31;

/** Rates are compared minute by minute, or in thirds of what there is. */
const WINDOW_MS = 60_000;

/** However even the rate was, the future may differ by this much. */
const LEAST_SPREAD = 0.05;

/** A range of more than this says nothing. */
const MOST_SPREAD = 4;

/** What a projection without an estimate of its own widens the range by. */
const DOUBT = 2;

/** A figure, whether it can only grow, and between which figures it is likely to end. */
export interface Estimate {
  /** The figure, or null while nothing is known. */
  readonly value: number | null;
  /** Whether it can only grow: the run is ramping up, and no estimate was ever made. */
  readonly isLowerBound: boolean;
  /** The likely range, or null while there is no estimate. */
  readonly range: readonly [number, number] | null;
}

/** Nothing is known. */
export const NO_ESTIMATE: Estimate = { value: null, isLowerBound: true, range: null };

/** Takes the place of `last`. `floor` is what the figure cannot go below. */
export function nextEstimate(
  last: Estimate,
  projected: { value: number | null; isLowerBound: boolean; range: readonly [number, number] },
): Estimate {
  const { value, isLowerBound, range } = projected;
  if (value !== null && !isLowerBound) return { value, isLowerBound, range };
  // Still ramping up.
  if (last.range === null || last.value === null) return { value, isLowerBound: true, range: null };
  const kept = Math.max(last.value, value ?? 0);
  return { value: kept, isLowerBound: false, range: [range[0], kept * DOUBT] };
}

/** How the rate of a counter has varied lately. */
export class RateSpread {
  readonly #marks: { ms: number; count: number }[] = [];
  #last: { ms: number; count: number } = { ms: 0, count: 0 };

  /** Takes the counter at a moment, holds of the run left out. */
  observe(ms: number, count: number): void {
    this.#last = { ms, count };
    const mark = this.#marks.at(-1);
    if (mark !== undefined && ms - mark.ms < MARK_MS) return;
    this.#marks.push(this.#last);
    if (this.#marks.length > MOST_MARKS) this.#marks.shift();
  }

  /** The slowest and the fastest minute of the last five, beside the mean of all: `[0.8, 1.3]`. Few rows say
   * little, hence a wider range. */
  factors(): readonly [slow: number, fast: number] {
    const marks = [...this.#marks, this.#last];
    const spanMs = this.#last.ms - marks[0].ms;
    const rows = this.#last.count - marks[0].count;
    if (spanMs <= 0 || rows <= 0) return [1 / MOST_SPREAD, MOST_SPREAD];
    let slow = 1, fast = 1;
    const windowMs = Math.min(WINDOW_MS, spanMs / 3);
    for (let from = 0, to = 0; to < marks.length; from++) {
      while (to < marks.length && marks[to].ms - marks[from].ms < windowMs) to++;
      if (to === marks.length) break;
      const share = (marks[to].count - marks[from].count) / rows /
        ((marks[to].ms - marks[from].ms) / spanMs);
      slow = Math.min(slow, share);
      fast = Math.max(fast, share);
    }
    const chance = Math.max(LEAST_SPREAD, 1 / Math.sqrt(rows));
    return [
      Math.max(1 / MOST_SPREAD, Math.min(slow, 1 - chance)),
      Math.min(MOST_SPREAD, Math.max(fast, 1 + chance)),
    ];
  }
}
