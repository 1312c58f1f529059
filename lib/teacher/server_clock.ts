/**
 * The teacher's own clock: a moment that it names is on its clock, which may be hours away from ours.
 *
 * @module
 */

/**
 * Unix time in milliseconds on the clock of the server that sent these header fields, at the moment
 * at which it sent them: their `date`, or `now` where there is none that can be read.
 */
export function serverTime(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  now: number,
): number {
  const { date } = headers;
  const ms = Date.parse((Array.isArray(date) ? date[0] : date) ?? "");
  return Number.isNaN(ms) ? now : ms;
}
