// @ts-check
/**
 * Formats figures, durations, times and ids for the pages. Numbers look like those in the terminal;
 * times are in the user's time zone.
 *
 * @module
 */

const LOCALE = "en-US";
/** A locale with the day before the month, and hours from 0 to 23. */
const DATE_LOCALE = "en-GB";

export const UNKNOWN = "–";

const WHOLE = numberFormat(0);
const ONE_DIGIT = numberFormat(1);
const COMPACT = new Intl.NumberFormat(LOCALE, { notation: "compact", maximumSignificantDigits: 3 });
const SHARE = numberFormat(1, { style: "percent" });
const USD = { style: "currency", currency: "USD", currencyDisplay: "narrowSymbol" };
const DOLLARS = numberFormat(0, USD);
const CENTS = numberFormat(2, USD);
const SMALL_CHANGE = numberFormat(4, USD);

const CLOCK = timeFormat({ timeStyle: "medium" });
const HOUR_AND_MINUTE = { hour: "2-digit", minute: "2-digit" };
const DAY_AND_MONTH = { day: "numeric", month: "short" };
const SHORT_CLOCK = timeFormat(HOUR_AND_MINUTE);
const DAY_AND_CLOCK = timeFormat({ ...DAY_AND_MONTH, ...HOUR_AND_MINUTE });
const DAY = timeFormat(DAY_AND_MONTH);
const WHOLE_DATE = timeFormat({ dateStyle: "medium", timeStyle: "short" });

/** @param {number} digits after the point @param {object} [options] of `Intl.NumberFormat` */
function numberFormat(digits, options) {
  const fraction = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat(LOCALE, { ...fraction, ...options });
}

/** @param {object} options of `Intl.DateTimeFormat` */
function timeFormat(options) {
  return new Intl.DateTimeFormat(DATE_LOCALE, { hourCycle: "h23", ...options });
}

/** Formats a count: `1,319`. @param {number} value */
export function formatCount(value) {
  return WHOLE.format(value);
}

/**
 * Formats a count with its noun: `1 row`, `1,319 rows`.
 * @param {number} count
 * @param {string} noun whose plural ends in "s"
 */
export function formatCountOf(count, noun) {
  return `${WHOLE.format(count)} ${pluralOf(count, noun)}`;
}

/**
 * Formats a shortened count with its noun: `1 row`, `1.24M rows`.
 * @param {number} count
 * @param {string} noun whose plural ends in "s"
 */
export function formatCompactOf(count, noun) {
  return `${formatCompact(count)} ${pluralOf(count, noun)}`;
}

/** @param {number} count @param {string} noun */
function pluralOf(count, noun) {
  return count === 1 ? noun : `${noun}s`;
}

/** Characters without width. Some change the direction of the text after them. */
const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]/gu;

/** Escapes invisible characters, so that different ids look different. @param {string} uid */
export function formatId(uid) {
  return escaped(uid, INVISIBLE);
}

/**
 * Escapes each of the characters as in JSON: `\u200b`.
 * @param {string} text
 * @param {RegExp} characters with the flag `g`
 */
export function escaped(text, characters) {
  return text.replaceAll(
    characters,
    (character) =>
      character.split("").map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
        .join(""),
  );
}

/**
 * Formats a count, with three digits from 10,000 up: `9,999`, `12.4K`, `1.24M`.
 * @param {number} value
 */
export function formatCompact(value) {
  return Math.abs(value) < 10_000 ? WHOLE.format(value) : COMPACT.format(value);
}

/**
 * Formats a rate per second: `31.4`, `1,240`. A rate below 1 is shown per minute: `30.0/min`.
 * @param {number} value
 */
export function formatRate(value) {
  if (value > 0 && value < 1) return `${ONE_DIGIT.format(value * 60)}/min`;
  return value < 99.95 ? ONE_DIGIT.format(value) : formatCompact(value);
}

/**
 * Formats a share: `62.4%`. Rounds to `100.0%` only if nothing is missing.
 * @param {number} part
 * @param {number} whole
 */
export function formatShare(part, whole) {
  return SHARE.format(part < whole ? Math.min(999, Math.round(part / whole * 1000)) / 1000 : 1);
}

/** Formats a percentage: `7.5%`, `42%`. @param {number} value */
export function formatPercent(value) {
  return `${(value < 9.95 ? ONE_DIGIT : WHOLE).format(value)}%`;
}

/** Formats a percentage for an axis: `50%`. @param {number} value */
export function formatPercentTick(value) {
  return `${WHOLE.format(value)}%`;
}

/** Formats a duration: `0.4 s`, `41 s`, `3m 05s`, `2h 05m`, `3d 04h`. @param {number} durationMs */
export function formatDuration(durationMs) {
  const seconds = Math.max(0, durationMs) / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return pairOf(whole, 60, "m", "s");
  const minutes = Math.round(seconds / 60);
  if (minutes < 24 * 60) return pairOf(minutes, 60, "h", "m");
  return pairOf(Math.round(seconds / 3600), 24, "d", "h");
}

/**
 * Formats a range of durations: `11 – 16 s`, `50 s – 2m 05s`.
 * @param {number} leastMs
 * @param {number} mostMs
 */
export function formatDurationRange(leastMs, mostMs) {
  const [least, most] = [formatDuration(leastMs), formatDuration(mostMs)];
  if (least === most) return most;
  return `${least.endsWith(" s") && most.endsWith(" s") ? least.slice(0, -2) : least} – ${most}`;
}

/** Formats an age without fractions of a second: `0 s`, `12 s`, `3m 05s`. @param {number} ageMs */
export function formatAge(ageMs) {
  const seconds = Math.floor(Math.max(0, ageMs) / 1000);
  return seconds < 60 ? `${seconds} s` : formatDuration(seconds * 1000);
}

/** @param {number} value @param {number} base @param {string} big @param {string} small */
function pairOf(value, base, big, small) {
  return `${Math.floor(value / base)}${big} ${String(value % base).padStart(2, "0")}${small}`;
}

/** Formats a latency: `0.8 ms`, `512 ms`, `1.24 s`, `41 s`, `3m 05s`. @param {number} latencyMs */
export function formatLatency(latencyMs) {
  if (latencyMs < 9.95) return `${latencyMs.toFixed(1)} ms`;
  if (latencyMs < 999.5) return `${Math.round(latencyMs)} ms`;
  if (latencyMs < 9_995) return `${(latencyMs / 1000).toFixed(2)} s`;
  return formatDuration(latencyMs);
}

/**
 * Formats a latency for an axis: `0`, `500 ms`, `2.5 s`, `30 s`, `1m 30s`.
 * @param {number} latencyMs
 */
export function formatLatencyTick(latencyMs) {
  if (latencyMs === 0) return "0";
  if (latencyMs < 1_000) return `${rounded(latencyMs)} ms`;
  const seconds = latencyMs / 1_000;
  if (seconds < 60) return `${rounded(seconds)} s`;
  const minutes = seconds / 60;
  return Number.isInteger(minutes) && minutes < 60 ? `${minutes}m` : formatDuration(latencyMs);
}

/** @param {number} value */
function rounded(value) {
  return Number.isInteger(value) ? String(value) : value.toFixed(1);
}

/** Formats a number for an axis: `0.5`, `2K`, `20K`. @param {number} value */
export function formatCompactTick(value) {
  return COMPACT.format(value);
}

/** Formats a size: `85 MB`, `1.2 GB`. @param {number} bytes */
export function formatBytes(bytes) {
  if (bytes < 999.5e3) return `${WHOLE.format(bytes / 1e3)} kB`;
  if (bytes < 999.5e6) return `${WHOLE.format(bytes / 1e6)} MB`;
  return `${ONE_DIGIT.format(bytes / 1e9)} GB`;
}

/** Formats a cost: `$1,204.50`, `$1.20`, `$0.0042`. @param {number} usd */
export function formatUsd(usd) {
  if (usd > 0 && usd < 0.00005) return "< $0.0001";
  return usd > 0 && usd < 0.0995 ? SMALL_CHANGE.format(usd) : CENTS.format(usd);
}

/** Formats a cost, without cents from $10 up: `$14`, `$1.20`. @param {number} usd */
export function formatRoughUsd(usd) {
  return usd < 9.995 ? formatUsd(usd) : DOLLARS.format(usd);
}

/** Formats a budget, without cents if there are none: `$40`, `$25.50`. @param {number} usd */
export function formatCapUsd(usd) {
  return Number.isInteger(usd) ? DOLLARS.format(usd) : formatUsd(usd);
}

/** Formats a size for an axis: `50 MB`, `1 GB`. @param {number} bytes */
export function formatBytesTick(bytes) {
  return bytes === 0 ? WHOLE.format(0) : formatBytes(bytes).replace(/[.,]0(?=\D)/, "");
}

/**
 * Formats a time. Returns "–" if it is invalid: `Intl` would throw, and stop the page.
 * @param {Intl.DateTimeFormat} format
 * @param {number} timeMs
 */
function formatTime(format, timeMs) {
  return Number.isNaN(new Date(timeMs).getTime()) ? UNKNOWN : format.format(timeMs);
}

/** Formats a time of day: `12:03:07`. @param {number} timeMs Unix milliseconds */
export function formatClock(timeMs) {
  return formatTime(CLOCK, timeMs);
}

/**
 * Formats a time: `12:03` on the day of `nowMs`, otherwise `14 Mar, 12:03`.
 * @param {number} timeMs Unix milliseconds
 * @param {number} nowMs Unix milliseconds
 */
export function formatMoment(timeMs, nowMs) {
  const isSameDay = new Date(timeMs).toDateString() === new Date(nowMs).toDateString();
  return formatTime(isSameDay ? SHORT_CLOCK : DAY_AND_CLOCK, timeMs);
}

/**
 * Parses a URL. Returns undefined for any other text. Firefox 115 and Safari 16 lack `URL.parse`.
 * @param {string} text
 */
export function urlOf(text) {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

/** Formats a date and time: `14 Mar 2026, 12:03`. @param {number} timeMs Unix milliseconds */
export function formatDate(timeMs) {
  return formatTime(WHOLE_DATE, timeMs);
}

/**
 * Formats a label of a time axis, as precisely as the distance between labels requires.
 * @param {number} timeMs Unix milliseconds
 * @param {number} stepMs between two labels
 */
export function formatAxisTime(timeMs, stepMs) {
  if (stepMs < 60_000) return formatClock(timeMs);
  const isMidnight = new Date(timeMs).getHours() === 0 && new Date(timeMs).getMinutes() === 0;
  return formatTime(stepMs >= 86_400_000 || isMidnight ? DAY : SHORT_CLOCK, timeMs);
}
