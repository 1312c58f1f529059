/**
 * Reads a teacher's rate limits in the header fields of its responses.
 *
 * @module
 */

import { DAY_MS } from "../timer.ts";
import type { RateLimit } from "./teacher.ts";

/** The header fields of a response; names in lower case. */
export type HeaderFields = Readonly<Record<string, HeaderField>>;

type HeaderField = string | string[] | undefined;

/** What a response says about one limit. */
interface LimitState {
  left: number | undefined;
  limit: number | undefined;
  resetMs: number | undefined;
}

/** A number without a unit is a Unix time in seconds from this value on; below, a duration. */
const MIN_UNIX_S = 1e9;
/** A number without a unit is a Unix time in milliseconds from this value on. */
const MIN_UNIX_MS = 1e12;

/**
 * Reads `x-ratelimit-{limit,remaining,reset}-{requests,tokens}` (OpenAI, Groq, Azure and many more)
 * and `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`.
 * Of several token limits, the one with the smallest remaining share counts. Absolute times are on
 * the teacher's clock.
 *
 * @param headers Names in lower case.
 * @param now Unix time in milliseconds.
 * @param ageMs The time since the header fields arrived, in milliseconds. What is left of limits
 * that were reset meanwhile is omitted.
 * @returns The limits without implausible values (negative, not a number, a reset more than a day
 * away); undefined if there are none.
 */
export function rateLimitOf(
  headers: HeaderFields,
  now: number,
  ageMs: number = 0,
): RateLimit | undefined {
  if (hasOpenAiFields(headers)) {
    const time = serverNow(headers, now, ageMs);
    return rateLimitFrom(
      openAiLimit(headers, "requests", time, ageMs),
      openAiLimit(headers, "tokens", time, ageMs),
    );
  }
  if (hasAnthropicFields(headers)) {
    const time = serverNow(headers, now, ageMs);
    const requests = anthropicLimit(headers, "requests", time, ageMs);
    const tokens = ["tokens", "input-tokens", "output-tokens"]
      .map((resource) => anthropicLimit(headers, resource, time, ageMs));
    return rateLimitFrom(requests, tokens.reduce(tighter));
  }
  return undefined;
}

/** Whether header fields may state limits for `rateLimitOf`. Most do not, and then no clock has to
 * be read. */
export function statesRateLimit(headers: HeaderFields): boolean {
  return hasOpenAiFields(headers) || hasAnthropicFields(headers);
}

function hasOpenAiFields(headers: HeaderFields): boolean {
  return headers["x-ratelimit-remaining-requests"] !== undefined ||
    headers["x-ratelimit-remaining-tokens"] !== undefined;
}

function hasAnthropicFields(headers: HeaderFields): boolean {
  return headers["anthropic-ratelimit-requests-remaining"] !== undefined ||
    headers["anthropic-ratelimit-tokens-remaining"] !== undefined ||
    headers["anthropic-ratelimit-output-tokens-remaining"] !== undefined;
}

/**
 * Matches the names of fields that say how much of a limit is left, from any server:
 * `x-ratelimit-remaining-requests`, `anthropic-ratelimit-tokens-remaining`, `ratelimit-remaining`,
 * `x-tokenlimit-remaining`.
 */
const REMAINING = /(?:rate|token)-?limit.*remaining/;
/** Nothing left, in `RateLimit: "minute";r=0;t=12` (draft-ietf-httpapi-ratelimit-headers). */
const NONE_LEFT = /;\s*r=0(?![\d.])/;
/** The seconds until the reset, in the same field. */
const RESET_SECONDS = /;\s*t=(\d+)/;

/**
 * Whether an error response says that a limit is used up, and when it is reset.
 *
 * @param headers Names in lower case.
 * @param now Unix time in milliseconds.
 * @returns undefined if no limit is known to be used up. If several are, the latest reset counts.
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
    if (name === "x-ratelimit-over-limit") return text === "yes" ? [undefined] : [];
    if (name !== "ratelimit" || !NONE_LEFT.test(text)) return [];
    return [resetOf(RESET_SECONDS.exec(text)?.[1] ?? "", time, 0)];
  });
  if (resets.length === 0) return undefined;
  const knownResets = resets.filter((ms) => ms !== undefined && ms >= 0) as number[];
  return { resetMs: knownResets.length === 0 ? undefined : Math.max(...knownResets) };
}

/** The current time on the teacher's clock. */
function serverNow(headers: HeaderFields, now: number, ageMs: number): number {
  return serverTime(headers, now - ageMs) + ageMs;
}

function openAiLimit(
  headers: HeaderFields,
  resource: string,
  now: number,
  ageMs: number,
): LimitState {
  return limitState(
    headers[`x-ratelimit-remaining-${resource}`],
    headers[`x-ratelimit-limit-${resource}`],
    headers[`x-ratelimit-reset-${resource}`],
    now,
    ageMs,
  );
}

function anthropicLimit(
  headers: HeaderFields,
  resource: string,
  now: number,
  ageMs: number,
): LimitState {
  const name = `anthropic-ratelimit-${resource}`;
  return limitState(
    headers[`${name}-remaining`],
    headers[`${name}-limit`],
    headers[`${name}-reset`],
    now,
    ageMs,
  );
}

function limitState(
  left: HeaderField,
  limit: HeaderField,
  reset: HeaderField,
  now: number,
  ageMs: number,
): LimitState {
  const resetMs = resetOf(fieldText(reset), now, ageMs);
  const wasReset = resetMs !== undefined && resetMs < 0;
  return {
    left: wasReset ? undefined : countOf(left),
    limit: countOf(limit),
    resetMs: wasReset ? undefined : resetMs,
  };
}

/** Milliseconds until a reset; negative if the limit was reset since the header arrived; undefined
 * if implausible. */
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

/** `6m0s`, `120ms` or `1h2m3.5s` in milliseconds; NaN for other text. */
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

/** The value of a field, the first one if there are several; "" if there is none. */
export function fieldText(field: HeaderField): string {
  return (Array.isArray(field) ? field[0] : field)?.trim() ?? "";
}

function tighter(first: LimitState, second: LimitState): LimitState {
  return shareLeft(second) < shareLeft(first) ? second : first;
}

function shareLeft({ left, limit }: LimitState): number {
  if (left === undefined) return Infinity;
  // Without a limit, the share is unknown: such a limit counts only if there is no other.
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

/** The Unix time in milliseconds on the server's clock when it sent these header fields: their
 * `date`, or `now` if that is unreadable. */
export function serverTime(headers: HeaderFields, now: number): number {
  const ms = Date.parse(fieldText(headers.date));
  return Number.isNaN(ms) ? now : ms;
}
