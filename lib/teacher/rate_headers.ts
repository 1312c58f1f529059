/** Reads rate limits and requested waits from the header fields of responses. @module */

import { DAY_MS } from "../timer.ts";
import type { RateLimit } from "./teacher.ts";

/** Header fields by their names in lower case. */
export type HeaderFields = Readonly<Record<string, HeaderField>>;

type HeaderField = string | string[] | undefined;

const ANTHROPIC_RESOURCES = ["requests", "tokens", "input-tokens", "output-tokens"];
const ANTHROPIC_REMAINING = ANTHROPIC_RESOURCES.map((name) =>
  `anthropic-ratelimit-${name}-remaining`
);

interface LimitState {
  left: number | undefined;
  limit: number | undefined;
  resetMs: number | undefined;
}

/** Numbers without a unit are Unix times in seconds if they are at least this value; smaller
 * numbers are durations. */
const MIN_UNIX_S = 1e9;
/** Numbers without a unit are Unix times in milliseconds if they are at least this value. */
const MIN_UNIX_MS = 1e12;

/**
 * Reads `x-ratelimit-{limit,remaining,reset}-{requests,tokens}` (OpenAI, Groq, Azure and others)
 * and `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`.
 * If there are several token limits, returns the one with the smallest remaining share. Ignores
 * negative values, and a reset more than a day away. Returns undefined if no field says what is
 * left of a limit.
 *
 * @param now Unix time in milliseconds.
 * @param ageMs The time since the fields arrived. If a limit was reset in that time, what remained
 * of it is omitted.
 */
export function rateLimitOf(
  headers: HeaderFields,
  now: number,
  ageMs: number = 0,
): RateLimit | undefined {
  const time = serverTime(headers, now - ageMs) + ageMs;
  if (hasOpenAiFields(headers)) {
    return rateLimitFrom(
      limitState(headers, "x-ratelimit-", "-requests", time, ageMs),
      limitState(headers, "x-ratelimit-", "-tokens", time, ageMs),
    );
  }
  const [requests, ...tokens] = ANTHROPIC_RESOURCES
    .map((resource) => limitState(headers, `anthropic-ratelimit-${resource}-`, "", time, ageMs));
  return rateLimitFrom(requests, tokens.reduce((a, b) => shareLeft(b) < shareLeft(a) ? b : a));
}

/** Whether a response states limits, which most responses do not. This is cheaper than {@linkcode
 * rateLimitOf}. */
export function statesRateLimit(headers: HeaderFields): boolean {
  return hasOpenAiFields(headers) ||
    ANTHROPIC_REMAINING.some((name) => headers[name] !== undefined);
}

function hasOpenAiFields(headers: HeaderFields): boolean {
  return headers["x-ratelimit-remaining-requests"] !== undefined ||
    headers["x-ratelimit-remaining-tokens"] !== undefined;
}

/** Matches the fields that state how much of a limit is left: `x-ratelimit-remaining-requests`,
 * `anthropic-ratelimit-tokens-remaining`, `ratelimit-remaining`, `x-tokenlimit-remaining`. */
const REMAINING = /(?:rate|token)-?limit.*remaining/;
/** Matches a limit with nothing left, as in `RateLimit: "minute";r=0;t=12`
 * (draft-ietf-httpapi-ratelimit-headers). */
const NONE_LEFT = /;\s*r=0(?![\d.])/;
const RESET_SECONDS = /;\s*t=(\d+)/;

/**
 * Returns the time until the limits that an error response reports as used up have all been reset.
 * The time may be unknown. Returns undefined if no limit is used up.
 *
 * @param now Unix time in milliseconds.
 */
export function exhaustion(
  headers: HeaderFields,
  now: number,
): { readonly resetMs: number | undefined } | undefined {
  const time = serverTime(headers, now);
  const resets = Object.entries(headers).flatMap(([name, field]) => {
    const text = fieldText(field);
    if (REMAINING.test(name)) {
      if (countOf(field) !== 0) return [];
      return [resetOf(fieldText(headers[name.replace("remaining", "reset")]), time, 0)];
    }
    // Fireworks sends this field.
    if (name === "x-ratelimit-over-limit") return text === "yes" ? [undefined] : [];
    if (name !== "ratelimit" || !NONE_LEFT.test(text)) return [];
    return [resetOf(RESET_SECONDS.exec(text)?.[1] ?? "", time, 0)];
  });
  if (resets.length === 0) return undefined;
  const knownResets = resets.filter((ms) => ms !== undefined && ms >= 0) as number[];
  return { resetMs: knownResets.length === 0 ? undefined : Math.max(...knownResets) };
}

/** Returns the wait that a teacher requests in `retry-after-ms` or, if that is not valid, in
 * `retry-after`: a number of seconds, possibly fractional, or an HTTP date on the teacher's clock.
 * Ignores negative values, values above a day, and LiteLLM's `llm_provider-retry-after`, which is
 * always 60 if LiteLLM's router sends it. */
export function retryAfterMs(headers: HeaderFields, now: number): number | undefined {
  const inMs = fieldText(headers["retry-after-ms"]);
  const waitMs = plausibleMs(inMs === "" ? NaN : Number(inMs));
  if (waitMs !== undefined) return waitMs;
  const after = fieldText(headers["retry-after"]);
  if (after === "") return undefined;
  const seconds = Number(after);
  return plausibleMs(
    Number.isNaN(seconds) ? Date.parse(after) - serverTime(headers, now) : seconds * 1_000,
  );
}

function plausibleMs(ms: number): number | undefined {
  return ms >= 0 && ms <= DAY_MS ? Math.ceil(ms) : undefined;
}

/** Returns the value of `x-should-retry`, which OpenAI and Anthropic send; undefined without it. */
export function shouldRetry(headers: HeaderFields): boolean | undefined {
  const value = fieldText(headers["x-should-retry"]).toLowerCase();
  return value === "true" ? true : value === "false" ? false : undefined;
}

/** Reads the fields whose name is `prefix`, then `limit`, `remaining` or `reset`, then `suffix`. */
function limitState(
  headers: HeaderFields,
  prefix: string,
  suffix: string,
  now: number,
  ageMs: number,
): LimitState {
  const resetMs = resetOf(fieldText(headers[`${prefix}reset${suffix}`]), now, ageMs);
  const wasReset = resetMs !== undefined && resetMs < 0;
  return {
    left: wasReset ? undefined : countOf(headers[`${prefix}remaining${suffix}`]),
    limit: countOf(headers[`${prefix}limit${suffix}`]),
    resetMs: wasReset ? undefined : resetMs,
  };
}

/** Returns the milliseconds until a reset. Negative if the reset has happened since the header
 * arrived; undefined if the value is implausible. */
function resetOf(text: string, now: number, ageMs: number): number | undefined {
  if (text === "") return undefined;
  const number = Number(text);
  let ms: number;
  if (Number.isNaN(number)) ms = durationMs(text) - ageMs;
  else if (number >= MIN_UNIX_MS) ms = number - now;
  else if (number >= MIN_UNIX_S) ms = number * 1_000 - now;
  else ms = number * 1_000 - ageMs;
  if (Number.isNaN(ms)) ms = Date.parse(text) - now;
  return Math.abs(ms) <= DAY_MS && !text.startsWith("-") ? Math.ceil(ms) : undefined;
}

const DURATION = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d*)?)s)?(?:(\d+(?:\.\d*)?)ms)?$/;

/** Parses a duration such as `6m0s`, `120ms` or `1h2m3.5s`. Returns NaN for other text. */
function durationMs(text: string): number {
  const match = DURATION.exec(text);
  if (match === null) return NaN;
  const [days, hours, minutes, seconds, ms] = match.slice(1).map((part) => Number(part ?? 0));
  return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000 + ms;
}

function countOf(field: HeaderField): number | undefined {
  const text = fieldText(field);
  const count = text === "" ? NaN : Number(text);
  return count >= 0 && count < Infinity ? count : undefined;
}

/** Returns the first value if there are several; "" if there is none. */
export function fieldText(field: HeaderField): string {
  return (Array.isArray(field) ? field[0] : field)?.trim() ?? "";
}

function shareLeft({ left, limit }: LimitState): number {
  if (left === undefined) return Infinity;
  // The share is unknown, so this limit counts only if there is no other limit.
  return limit === undefined || limit === 0 ? Number.MAX_VALUE : left / limit;
}

function rateLimitFrom(requests: LimitState, tokens: LimitState): RateLimit | undefined {
  if (requests.left === undefined && tokens.left === undefined) return undefined;
  return {
    requestsLeft: requests.left,
    requestsLimit: requests.limit,
    requestsResetMs: requests.resetMs,
    tokensLeft: tokens.left,
    tokensLimit: tokens.limit,
    tokensResetMs: tokens.resetMs,
  };
}

/** Returns the `date` of these fields in Unix milliseconds, or `now` if the date is unreadable. */
function serverTime(headers: HeaderFields, now: number): number {
  const ms = Date.parse(fieldText(headers.date));
  return Number.isNaN(ms) ? now : ms;
}
