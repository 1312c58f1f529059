/**
 * What a teacher says when it does not answer: the error of an attempt in the teacher's own words.
 *
 * @module
 */

import { TeacherError } from "../errors.ts";
import { redactAddress } from "./address.ts";
import { codeOf, statedDelayMs, wordsOf } from "./error_body.ts";
import { parseJson } from "./json.ts";
import { exhaustion } from "./rate_headers.ts";
import type { Redact } from "./secrets.ts";
import { serverTime } from "./server_clock.ts";

/** The header fields of an answer, names in lower case. */
export type AnswerHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** What {@linkcode refusal} is made from. */
export interface RefusalOptions {
  /** The HTTP status, not 2xx. */
  status: number;
  /** The header fields. */
  headers: AnswerHeaders;
  /** The body, or its beginning. */
  text: string;
  /** The base URL as it may be shown. */
  address: string;
  /** Whether the base URL names a version (`/v1`, `api-version`). */
  versioned: boolean;
  /** Takes secrets out of messages. */
  redact: Redact;
  /** The clock: Unix time in milliseconds. */
  now: number;
}

/** How much of a body that is no JSON is shown. */
const TEXT_LENGTH = 300;
/** How much is shown of words that are meant for us. */
const WORDS_LENGTH = 1_000;
const DAY_MS = 86_400_000;
/** A limit that is full again only tomorrow is asked about before that: others may free it. */
const RESET_CAP_MS = 60_000;

/** The error for an answer with a status that is not 2xx. */
export function refusal(options: RefusalOptions): TeacherError {
  const { status, headers, redact } = options;
  const body = parseJson(options.text);
  const limit = usedUp(options);
  const resetMs = limit?.resetMs === undefined ? undefined : Math.min(RESET_CAP_MS, limit.resetMs);
  // Redacted before it is cut, here and below: half a key would not be found.
  return new TeacherError(redact(messageOf(options, body)).slice(0, WORDS_LENGTH), {
    status,
    code: codeOf(body, redact),
    retryable: shouldRetry(headers),
    retryAfterMs: retryAfterMs(headers, options.now) ?? statedDelayMs(body) ?? resetMs,
    isExhausted: limit !== undefined,
  });
}

/**
 * How long a teacher asks to be left alone, in milliseconds: `retry-after-ms`, else `retry-after` (seconds,
 * also fractions, or an HTTP date, which is on the teacher's clock). What is negative, no number or
 * beyond a day is ignored.
 */
export function retryAfterMs(headers: AnswerHeaders, now: number): number | undefined {
  const inMs = textOf(headers["retry-after-ms"]);
  const waitMs = plausible(inMs === "" ? NaN : Number(inMs));
  if (waitMs !== undefined) return waitMs;
  const after = textOf(headers["retry-after"]);
  if (after === "") return undefined;
  const seconds = Number(after);
  return plausible(
    Number.isNaN(seconds) ? Date.parse(after) - serverTime(headers, now) : seconds * 1_000,
  );
}

function plausible(ms: number): number | undefined {
  return ms >= 0 && ms <= DAY_MS ? Math.ceil(ms) : undefined;
}

/** The teacher's explicit word, as OpenAI and Anthropic give it to their own clients. */
function shouldRetry(headers: AnswerHeaders): boolean | undefined {
  const word = textOf(headers["x-should-retry"]).toLowerCase();
  return word === "true" ? true : word === "false" ? false : undefined;
}

/** What is used up, where a refusal for load says so. */
function usedUp({ status, headers, now }: RefusalOptions): ReturnType<typeof exhaustion> {
  return status === 429 || status === 503 || status === 529 ? exhaustion(headers, now) : undefined;
}

function messageOf(
  { status, headers, text, address, versioned, redact }: RefusalOptions,
  body: unknown,
): string {
  if (status >= 300 && status < 400) {
    const location = textOf(headers.location);
    const target = location === "" ? "another place" : JSON.stringify(redactAddress(location));
    return `The teacher at ${address} redirects (${status}) to ${target}: ` +
      "redirects are not followed, give the final address as the base URL";
  }
  const words = wordsOf(body) ?? redact(text).trim().slice(0, TEXT_LENGTH);
  const message = words === "" ? `The teacher answered ${status} without a word` : words;
  if (status !== 404 || versioned) return message;
  const wanted = /\.azure\./.test(address)
    ? "Azure wants /openai/v1, or /openai/deployments/NAME and ?api-version=2024-10-21"
    : "most teachers want one";
  return `${message} (${address} has no "/v1" in it: ${wanted})`;
}

function textOf(value: string | string[] | undefined): string {
  return (Array.isArray(value) ? value[0] : value)?.trim() ?? "";
}
