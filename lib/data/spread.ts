/**
 * Summaries of distributions.
 *
 * @module
 */

/** A summary of numbers. */
export interface Spread {
  readonly sum: number;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
}

/** Summarizes numbers. Sorts the array in place. */
export function spreadOf(values: Uint32Array<ArrayBuffer>): Spread {
  values.sort();
  let sum = 0;
  for (const value of values) sum += value;
  const at = (share: number) =>
    values[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0;
  return { sum, p50: at(0.5), p95: at(0.95), max: at(1) };
}
