// @ts-check
/**
 * Figures, durations and times for the page: by `Intl`, in the page's own language, so that they read as the
 * terminal's do, and in the time zone of the person who watches.
 *
 * @module
 */

const LOCALE = "en-US";
/** Day before month, and hours from 0 to 23. */
const DATE_LOCALE = "en-GB";

/** What stands where nothing is known. */
export const UNKNOWN = "–";

const WHOLE = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
const ONE_DIGIT = new Intl.NumberFormat(LOCALE, {
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const TWO_DIGITS = new Intl.NumberFormat(LOCALE, {
  minimumFractionDigits: 2,
  maximumFractionDigits: 2,
});
const COMPACT = new Intl.NumberFormat(LOCALE, {
  notation: "compact",
  maximumSignificantDigits: 3,
});
const MARK = new Intl.NumberFormat(LOCALE, { notation: "compact", maximumSignificantDigits: 3 });
const SHARE = new Intl.NumberFormat(LOCALE, {
  style: "percent",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const CENTS = new Intl.NumberFormat(LOCALE, {
  style: "currency",
  currency: "USD",
  currencyDisplay: "narrowSymbol",
});
const DOLLARS = new Intl.NumberFormat(LOCALE, {
  style: "currency",
  currency: "USD",
  currencyDisplay: "narrowSymbol",
  maximumFractionDigits: 0,
});
const SMALL_CHANGE = new Intl.NumberFormat(LOCALE, {
  style: "currency",
  currency: "USD",
  currencyDisplay: "narrowSymbol",
  minimumFractionDigits: 4,
  maximumFractionDigits: 4,
});
const CLOCK = new Intl.DateTimeFormat(DATE_LOCALE, { timeStyle: "medium", hourCycle: "h23" });
const SHORT_CLOCK = new Intl.DateTimeFormat(DATE_LOCALE, {
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});
const DAY_AND_CLOCK = new Intl.DateTimeFormat(DATE_LOCALE, {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});
const DAY = new Intl.DateTimeFormat(DATE_LOCALE, { day: "numeric", month: "short" });
const WHOLE_DATE = new Intl.DateTimeFormat(DATE_LOCALE, {
  dateStyle: "medium",
  timeStyle: "short",
});

/** @type {Map<string, Intl.NumberFormat>} */
const UNITS = new Map();

/**
 * A number with its unit, `12ms`.
 *
 * @param {number} value
 * @param {string} unit a unit of `Intl.NumberFormat`
 * @param {{ digits?: number, pad?: number, display?: "narrow" | "short" }} [options]
 */
function withUnit(value, unit, { digits = 0, pad = 1, display = "narrow" } = {}) {
  const key = `${unit} ${digits} ${pad} ${display}`;
  let format = UNITS.get(key);
  if (format === undefined) {
    format = new Intl.NumberFormat(LOCALE, {
      style: "unit",
      unit,
      unitDisplay: display,
      minimumIntegerDigits: pad,
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
    UNITS.set(key, format);
  }
  return format.format(value);
}

/** A whole number: `1,319`. @param {number} value */
export function formatCount(value) {
  return WHOLE.format(value);
}

/** A number in three digits: `1.24M`. @param {number} value */
export function formatCompact(value) {
  return Math.abs(value) < 10_000 ? WHOLE.format(value) : COMPACT.format(value);
}

/** How often a second, without the unit: `0.42`, `31.4`, `1,240`. @param {number} value */
export function formatRate(value) {
  if (value === 0) return "0";
  if (value < 9.995) return TWO_DIGITS.format(value);
  return value < 99.95 ? ONE_DIGIT.format(value) : formatCompact(value);
}

/**
 * A share: `62.4%`. Rounded down, so that 100.0% is all of it.
 *
 * @param {number} part
 * @param {number} whole
 */
export function formatShare(part, whole) {
  return SHARE.format(whole > 0 ? Math.floor(part / whole * 1000) / 1000 : 1);
}

/** Per cent of one core: `42%`. @param {number} value */
export function formatPercent(value) {
  return withUnit(value, "percent", { digits: value < 9.95 ? 1 : 0 });
}

/** A mark on an axis of per cent, a round figure: `50%`. @param {number} value */
export function formatPercentMark(value) {
  return withUnit(value, "percent");
}

/** A duration: `0.4s`, `41s`, `3m 05s`, `2h 05m`, `3d 04h`. @param {number} durationMs */
export function formatDuration(durationMs) {
  const seconds = Math.max(0, durationMs) / 1000;
  if (seconds < 9.95) return withUnit(seconds, "second", { digits: 1 });
  const whole = Math.round(seconds);
  if (whole < 60) return withUnit(whole, "second");
  if (whole < 3600) return pairOf(whole, 60, "minute", "second");
  const minutes = Math.round(seconds / 60);
  if (minutes < 24 * 60) return pairOf(minutes, 60, "hour", "minute");
  return pairOf(Math.round(seconds / 3600), 24, "day", "hour");
}

/** An age in whole seconds and above: `0s`, `12s`, `3m 05s`. @param {number} ageMs */
export function formatAge(ageMs) {
  const seconds = Math.floor(Math.max(0, ageMs) / 1000);
  return seconds < 60 ? withUnit(seconds, "second") : formatDuration(seconds * 1000);
}

/**
 * @param {number} value
 * @param {number} base
 * @param {string} big
 * @param {string} small
 */
function pairOf(value, base, big, small) {
  const first = withUnit(Math.floor(value / base), big);
  return `${first} ${withUnit(value % base, small, { pad: 2 })}`;
}

/** A latency: `0.8ms`, `512ms`, `1.24s`, `3m 05s`. @param {number} latencyMs */
export function formatLatency(latencyMs) {
  if (latencyMs === 0) return withUnit(0, "millisecond");
  if (latencyMs < 9.95) return withUnit(latencyMs, "millisecond", { digits: 1 });
  if (latencyMs < 999.5) return withUnit(latencyMs, "millisecond");
  if (latencyMs < 9_995) return withUnit(latencyMs / 1000, "second", { digits: 2 });
  if (latencyMs < 59_950) return withUnit(latencyMs / 1000, "second", { digits: 1 });
  return formatDuration(latencyMs);
}

/** A mark on an axis of latencies, a round figure: `0`, `500ms`, `2.5s`, `30s`, `1m 30s`. @param {number} latencyMs */
export function formatLatencyMark(latencyMs) {
  if (latencyMs === 0) return WHOLE.format(0);
  if (latencyMs < 1_000) return withUnit(latencyMs, "millisecond", { digits: digitsOf(latencyMs) });
  const seconds = latencyMs / 1_000;
  if (seconds < 60) return withUnit(seconds, "second", { digits: digitsOf(seconds) });
  const minutes = seconds / 60;
  return Number.isInteger(minutes) && minutes < 60
    ? withUnit(minutes, "minute")
    : formatDuration(latencyMs);
}

/** @param {number} value */
function digitsOf(value) {
  return Number.isInteger(value) ? 0 : 1;
}

/** A mark on an axis of rates or counts, a round figure: `0.5`, `2,000`, `20K`. @param {number} value */
export function formatMark(value) {
  return MARK.format(value);
}

/** Bytes: `85 MB`, `1.2 GB`. @param {number} bytes */
export function formatBytes(bytes) {
  if (bytes < 1e6) return withUnit(bytes / 1e3, "kilobyte", { display: "short" });
  if (bytes < 999.5e6) return withUnit(bytes / 1e6, "megabyte", { display: "short" });
  return withUnit(bytes / 1e9, "gigabyte", { digits: 1, display: "short" });
}

/** US dollars: `$1,204.50`, `$1.20`, `$0.0042`. @param {number} usd */
export function formatUsd(usd) {
  return usd > 0 && usd < 0.0995 ? SMALL_CHANGE.format(usd) : CENTS.format(usd);
}

/** US dollars that are a guess: `$14`, `$1.20`. @param {number} usd */
export function formatRoughUsd(usd) {
  return usd < 9.995 ? formatUsd(usd) : DOLLARS.format(usd);
}

/** US dollars that somebody has set: `$40`, `$25.50`. @param {number} usd */
export function formatCapUsd(usd) {
  return Number.isInteger(usd) ? DOLLARS.format(usd) : formatUsd(usd);
}

/** A mark on an axis of bytes, a round figure: `50 MB`, `1 GB`. @param {number} bytes */
export function formatBytesMark(bytes) {
  return bytes === 0 ? WHOLE.format(0) : formatBytes(bytes).replace(/[.,]0(?=\D)/, "");
}

/**
 * A time that is none must not stop the page: `Intl` throws at it.
 *
 * @param {Intl.DateTimeFormat} format
 * @param {number} timeMs
 */
function formatTime(format, timeMs) {
  return Number.isNaN(new Date(timeMs).getTime()) ? UNKNOWN : format.format(timeMs);
}

/** The time of day: `12:03:07`. @param {number} timeMs Unix milliseconds */
export function formatClock(timeMs) {
  return formatTime(CLOCK, timeMs);
}

/**
 * When something is or was, seen from `nowMs`: `12:03` on the same day, else `14 Mar, 12:03`.
 *
 * @param {number} timeMs Unix milliseconds
 * @param {number} nowMs Unix milliseconds
 */
export function formatMoment(timeMs, nowMs) {
  const isSameDay = new Date(timeMs).toDateString() === new Date(nowMs).toDateString();
  return formatTime(isSameDay ? SHORT_CLOCK : DAY_AND_CLOCK, timeMs);
}

/** A date with its time. @param {number} timeMs Unix milliseconds */
export function formatDate(timeMs) {
  return formatTime(WHOLE_DATE, timeMs);
}

/**
 * A mark on a time axis, as long as the distance between two marks needs.
 *
 * @param {number} timeMs Unix milliseconds
 * @param {number} stepMs between two marks
 */
export function formatAxisTime(timeMs, stepMs) {
  if (stepMs < 60_000) return formatClock(timeMs);
  const isMidnight = new Date(timeMs).getHours() === 0 && new Date(timeMs).getMinutes() === 0;
  return formatTime(stepMs >= 86_400_000 || isMidnight ? DAY : SHORT_CLOCK, timeMs);
}
