// @ts-check
/**
 * Scales of charts.
 *
 * @module
 */

/** Round distances between two labels, per power of ten. */
const ROUND_STEPS = [1, 2, 5, 10];

/**
 * Round distances between two labels in milliseconds, used above 5 s: powers of ten are not round
 * there.
 */
const TIME_STEPS = [10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 18_000, 36_000]
  .map((seconds) => seconds * 1_000);

const DAY_S = 86_400;

/**
 * Distances between two labels of a time axis, in seconds. Each is at most twice the one before, so
 * that a narrow chart has at least two labels.
 */
export const TIME_AXIS_STEPS = [
  ...[1, 2, 3, 5, 10, 15, 30, 60, 120, 180, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600],
  ...[43_200, DAY_S, 2 * DAY_S, 4 * DAY_S, 8 * DAY_S, 16 * DAY_S, 30 * DAY_S],
];

/** Shortest distance between two labels of a time axis, in CSS pixels: `12:03:07` and a space. */
export const TIME_AXIS_SPACE = 64;

/**
 * Chooses a scale from 0 with round labels. Returns the distance between two labels and the top of
 * the scale, which has a label, too.
 *
 * @param {number} max largest value
 * @param {number} maxLabels most labels above 0
 * @param {boolean} [isTime] whether values are milliseconds
 */
export function roundScale(max, maxLabels, isTime = false) {
  const minStep = max / maxLabels;
  const power = 10 ** Math.floor(Math.log10(minStep));
  const factor = ROUND_STEPS.find((step) => step * power >= minStep) ?? 10;
  const isLong = isTime && minStep > 5_000;
  const step = (isLong ? TIME_STEPS.find((time) => time >= minStep) : undefined) ?? factor * power;
  return { step, top: Math.ceil(max / step - 1e-9) * step };
}

/**
 * Returns the indexes of at most `maxCount` of `length` points, evenly spaced up to the last one.
 *
 * @param {number} length
 * @param {number} maxCount
 */
export function evenIndexes(length, maxCount) {
  const count = Math.min(length, maxCount);
  return Array.from({ length: count }, (_, i) => Math.round((i + 1) * length / count) - 1);
}

/**
 * Averages rates over the last `windowS` seconds: a few rows in half a second are not a reliable
 * rate. Each value covers the time since the one before.
 *
 * @param {readonly (number | null)[]} endsS end of the time that each value covers, in seconds
 * @param {readonly (number | null)[]} rates
 * @param {number} windowS
 * @param {readonly (number | null)[]} [inFlight] attempts in flight. If there are none and no row
 * has finished, the rate is 0 and the window starts again: a mean over a pause and the time before
 * it would be misleading
 * @returns {number[]}
 */
export function trailingMeans(endsS, rates, windowS, inFlight = []) {
  let first = 0, amount = 0;
  const end = (/** @type {number} */ i) => i < 0 ? 0 : endsS[i] ?? 0;
  const amountOf = (/** @type {number} */ i) => (rates[i] ?? 0) * (end(i) - end(i - 1));
  return rates.map((rate, i) => {
    if (rate === 0 && inFlight[i] === 0) {
      first = i + 1;
      amount = 0;
      return 0;
    }
    amount += amountOf(i);
    while (first < i && end(first) <= end(i) - windowS) amount -= amountOf(first++);
    const spanS = end(i) - end(first - 1);
    const mean = spanS > 0 ? amount / spanS : rate ?? 0;
    // Additions and subtractions leave rounding errors instead of 0.
    return mean < 1e-6 ? 0 : mean;
  });
}
