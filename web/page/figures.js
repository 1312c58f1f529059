// @ts-check
/**
 * Formats what only the pages show: compact figures, labels of axes, ids, and times in the user's
 * time zone.
 *
 * @module
 */

import {
  formatBytes,
  formatCount,
  formatDuration,
  formatUsd,
  pluralOf,
} from "../../lib/figures.js";

/** A locale with the day before the month, and hours from 0 to 23. */
const DATE_LOCALE = "en-GB";

export const UNKNOWN = "–";

const COMPACT = new Intl.NumberFormat("en-US", {
  notation: "compact",
  maximumSignificantDigits: 3,
});

const CLOCK = timeFormat({ timeStyle: "medium" });
const HOUR_AND_MINUTE = { hour: "2-digit", minute: "2-digit" };
const DAY_AND_MONTH = { day: "numeric", month: "short" };
const SHORT_CLOCK = timeFormat(HOUR_AND_MINUTE);
const DAY_AND_CLOCK = timeFormat({ ...DAY_AND_MONTH, ...HOUR_AND_MINUTE });
const DAY = timeFormat(DAY_AND_MONTH);
const WHOLE_DATE = timeFormat({ dateStyle: "medium", timeStyle: "short" });

/** @param {object} options of `Intl.DateTimeFormat` */
function timeFormat(options) {
  return new Intl.DateTimeFormat(DATE_LOCALE, { hourCycle: "h23", ...options });
}

/**
 * Formats a shortened count with its noun: `1 row`, `1.24M rows`.
 * @param {number} count
 * @param {string} noun whose plural ends in "s"
 */
export function formatCompactOf(count, noun) {
  return `${formatCompact(count)} ${pluralOf(count, noun)}`;
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
  return Math.abs(value) < 10_000 ? formatCount(value) : COMPACT.format(value);
}

/**
 * Formats a rate per second: `31.4`, `1,240`. A rate below 1 is shown per minute: `30.0/min`.
 * @param {number} value
 */
export function formatRate(value) {
  if (value > 0 && value < 1) return `${(value * 60).toFixed(1)}/min`;
  return value < 99.95 ? value.toFixed(1) : formatCompact(value);
}

/** Formats a percentage: `7.5%`, `42%`. @param {number} value */
export function formatPercent(value) {
  return `${value < 9.95 ? value.toFixed(1) : formatCount(value)}%`;
}

/** Formats a percentage for an axis: `50%`. @param {number} value */
export function formatPercentTick(value) {
  return `${formatCount(value)}%`;
}

/** Formats an age without fractions of a second: `0 s`, `12 s`, `3m 05s`. @param {number} ageMs */
export function formatAge(ageMs) {
  const seconds = Math.floor(Math.max(0, ageMs) / 1000);
  return seconds < 60 ? `${seconds} s` : formatDuration(seconds * 1000);
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

/** Formats a cap on the cost: `$40`, `$25.50`. @param {number} usd */
export function formatCapUsd(usd) {
  return Number.isInteger(usd) ? `$${formatCount(usd)}` : formatUsd(usd);
}

/** Formats a size for an axis: `50 MB`, `1 GB`. @param {number} bytes */
export function formatBytesTick(bytes) {
  return bytes === 0 ? "0" : formatBytes(bytes);
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
