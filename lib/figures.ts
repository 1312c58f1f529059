/**
 * Formats numbers, durations, sizes and amounts for users; and sums numbers.
 *
 * @module
 */

/** Rounded, with separators: `1,319`. */
export function formatCount(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(?:\d{3})+$)/g, ",");
}

/** `1 row`, `1,319 rows`. */
export function formatCountOf(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** `0.4 s`, `41 s`, `3m 05s`, `2h 05m`, `3d 04h`. */
export function formatDuration(durationMs: number): string {
  const seconds = durationMs / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return inTwoUnits(whole, 60, "m", "s");
  const minutes = Math.round(seconds / 60);
  if (minutes < 24 * 60) return inTwoUnits(minutes, 60, "h", "m");
  return inTwoUnits(Math.round(seconds / 3600), 24, "d", "h");
}

/** `3.0 – 9.5 s`, `41 s – 2m 05s`; one duration if both look the same. */
export function formatDurationRange(minMs: number, maxMs: number): string {
  const [min, max] = [formatDuration(minMs), formatDuration(maxMs)];
  if (min === max) return max;
  return `${min.endsWith(" s") && max.endsWith(" s") ? min.slice(0, -2) : min} – ${max}`;
}

/** `0.8 ms`, `512 ms`, `1.24 s`, `41 s`, `3m 05s`. */
export function formatLatency(latencyMs: number): string {
  if (latencyMs < 9.95) return `${latencyMs.toFixed(1)} ms`;
  if (latencyMs < 999.5) return `${Math.round(latencyMs)} ms`;
  if (latencyMs < 9_995) return `${(latencyMs / 1000).toFixed(2)} s`;
  return formatDuration(latencyMs);
}

/** Per minute if below one per second: `1,240 rows/s`, `3.5 rows/min`. */
export function formatRate(perSecond: number, unit: string): string {
  if (perSecond > 0 && perSecond < 1) return `${(perSecond * 60).toFixed(1)} ${unit}/min`;
  return `${perSecond < 99.95 ? perSecond.toFixed(1) : formatCount(perSecond)} ${unit}/s`;
}

/** `62.4%`. Never rounded up to 100.0%; 0.0% if `whole` is 0. */
export function formatPercent(part: number, whole: number): string {
  if (whole === 0) return "0.0%";
  const permille = part < whole ? Math.min(999, Math.round(part / whole * 1000)) : 1000;
  return `${(permille / 10).toFixed(1)}%`;
}

const BYTE_UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];
const GIGABYTES = BYTE_UNITS.indexOf("GB");

/** Units are decimal: `85 MB`, `1.2 GB`. `toLocaleString`, which the standard library uses, would
 * write digits as the system's language does, and takes 11 ms at its first call. */
export function formatBytes(bytes: number): string {
  let size = bytes, unit = 0;
  for (; size >= 999.5 && unit < BYTE_UNITS.length - 1; unit++) size /= 1000;
  return `${Number(size.toFixed(unit < GIGABYTES ? 0 : 1))} ${BYTE_UNITS[unit]}`;
}

/** Two decimals, four below 10 cents: `$1,204.50`, `$1.20`, `$0.0042`. */
export function formatUsd(usd: number): string {
  if (usd > 0 && usd < 0.0995) return usd < 0.00005 ? "< $0.0001" : `$${usd.toFixed(4)}`;
  const [dollars, cents] = usd.toFixed(2).split(".");
  return `$${formatCount(Number(dollars))}.${cents}`;
}

/** Without cents from $10 up: `$14`, `$1.20`. */
export function formatRoughUsd(usd: number): string {
  return usd < 9.995 ? formatUsd(usd) : `$${formatCount(usd)}`;
}

/** The local time of day: `12:03:07`. */
export function formatTime(iso: string): string {
  return new Date(iso).toTimeString().slice(0, 8);
}

function inTwoUnits(value: number, base: number, big: string, small: string): string {
  return `${Math.floor(value / base)}${big} ${String(value % base).padStart(2, "0")}${small}`;
}

export function sumOf<T>(items: Iterable<T>, figureOf: (item: T) => number): number {
  let sum = 0;
  for (const item of items) sum += figureOf(item);
  return sum;
}
