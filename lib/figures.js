// @ts-check
/**
 * Formats numbers, durations, sizes and amounts for users, says which may be shown, and sums
 * numbers. This file is JavaScript because the pages in the browser use it too.
 *
 * @module
 */

/** Returns a rounded count with separators: `1,319`. @param {number} count */
export function formatCount(count) {
  return String(Math.round(count)).replace(/\B(?=(?:\d{3})+$)/g, ",");
}

/**
 * Returns a count with its noun: `1 row`, `1,319 rows`.
 * @param {number} count
 * @param {string} noun a noun whose plural ends in "s"
 */
export function formatCountOf(count, noun) {
  return `${formatCount(count)} ${pluralOf(count, noun)}`;
}

/** @param {number} count @param {string} noun */
export function pluralOf(count, noun) {
  return count === 1 ? noun : `${noun}s`;
}

/** Returns `0.4 s`, `41 s`, `3m 05s`, `2h 05m` or `3d 04h`. @param {number} durationMs */
export function formatDuration(durationMs) {
  const seconds = Math.max(0, durationMs) / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return inTwoUnits(whole, 60, "m", "s");
  const minutes = Math.round(seconds / 60);
  if (minutes < 24 * 60) return inTwoUnits(minutes, 60, "h", "m");
  return inTwoUnits(Math.round(seconds / 3600), 24, "d", "h");
}

/** @param {number} value @param {number} base @param {string} big @param {string} small */
function inTwoUnits(value, base, big, small) {
  return `${Math.floor(value / base)}${big} ${String(value % base).padStart(2, "0")}${small}`;
}

/**
 * Returns `3.0 – 9.5 s` or `41 s – 2m 05s`. If both durations look the same, returns only one.
 * @param {number} minMs
 * @param {number} maxMs
 */
export function formatDurationRange(minMs, maxMs) {
  const [min, max] = [formatDuration(minMs), formatDuration(maxMs)];
  if (min === max) return max;
  return `${min.endsWith(" s") && max.endsWith(" s") ? min.slice(0, -2) : min} – ${max}`;
}

/** Returns `0.8 ms`, `512 ms`, `1.24 s`, `41 s` or `3m 05s`. @param {number} latencyMs */
export function formatLatency(latencyMs) {
  if (latencyMs < 9.95) return `${latencyMs.toFixed(1)} ms`;
  if (latencyMs < 999.5) return `${Math.round(latencyMs)} ms`;
  if (latencyMs < 9_995) return `${(latencyMs / 1000).toFixed(2)} s`;
  return formatDuration(latencyMs);
}

/**
 * Returns `62.4%`, for example. Returns `100.0%` only if nothing is missing.
 * @param {number} part
 * @param {number} whole
 */
export function formatShare(part, whole) {
  const permille = part < whole ? Math.min(999, Math.round(part / whole * 1000)) : 1000;
  return `${(permille / 10).toFixed(1)}%`;
}

const BYTE_UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];
const GIGABYTES = BYTE_UNITS.indexOf("GB");

/**
 * Returns a size in decimal units: `85 MB`, `1.2 GB`. The standard library uses `toLocaleString`,
 * which writes digits as in the system's language and takes 11 ms at its first call.
 * @param {number} bytes
 */
export function formatBytes(bytes) {
  let size = bytes, unit = 0;
  for (; size >= 999.5 && unit < BYTE_UNITS.length - 1; unit++) size /= 1000;
  return `${Number(size.toFixed(unit < GIGABYTES ? 0 : 1))} ${BYTE_UNITS[unit]}`;
}

/**
 * Returns an amount with two decimals, or four below 10 cents: `$1,204.50`, `$1.20`, `$0.0042`.
 * @param {number} usd
 */
export function formatUsd(usd) {
  if (usd > 0 && usd < 0.0995) return usd < 0.00005 ? "< $0.0001" : `$${usd.toFixed(4)}`;
  const [dollars, cents] = usd.toFixed(2).split(".");
  return `$${formatCount(Number(dollars))}.${cents}`;
}

/** Returns an amount without cents from $10 on: `$14`, `$1.20`. @param {number} usd */
export function formatRoughUsd(usd) {
  return usd < 9.995 ? formatUsd(usd) : `$${formatCount(usd)}`;
}

/**
 * Whether the cost is unknown because no answer has token counts.
 * @param {{ cost_usd: number | null, succeeded: number, prompt_tokens: number, completion_tokens: number }} totals
 */
export function isUncounted({ cost_usd, succeeded, prompt_tokens, completion_tokens }) {
  return cost_usd === null && succeeded > 0 && prompt_tokens + completion_tokens === 0;
}

/** A shorter ETA would be shown as `0.0 s`. */
export const MIN_ETA_MS = 50;

/** Minimum age of a run for a lower bound of its ETA to be shown, unless the run is throttled. */
export const MIN_BOUND_AGE_MS = 10_000;

/**
 * @template T
 * @param {Iterable<T>} items
 * @param {(item: T) => number} figureOf
 */
export function sumOf(items, figureOf) {
  let sum = 0;
  for (const item of items) sum += figureOf(item);
  return sum;
}
