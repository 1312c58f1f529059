/**
 * What a teacher says when it does not answer: the error of an attempt in the teacher's own words.
 *
 * @module
 */

import { TeacherError } from "../errors.ts";
import { redactAddress } from "./address.ts";
import { asObject, asText, type JsonObject, parseJson } from "./json.ts";
import { rateLimitOf } from "./rate_headers.ts";
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
/** A code is one word with a letter in it; numbers repeat the status, sentences are words. */
const CODE = /^(?=.*[a-z])[\w.:/-]{2,100}$/i;
/** What servers write that have none. */
const NO_CODE = /^(?:none|null|error|unknown|unknown_error)$/i;

/** The error for an answer with a status that is not 2xx. */
export function refusal(options: RefusalOptions): TeacherError {
  const { status, headers, redact } = options;
  const body = parseJson(options.text);
  // Redacted before it is cut, here and below: half a key would not be found.
  return new TeacherError(redact(messageOf(options, body)).slice(0, WORDS_LENGTH), {
    status,
    code: codeOf(body, redact),
    retryable: shouldRetry(headers),
    retryAfterMs: retryAfterMs(headers, options.now) ?? statedDelayMs(body) ??
      resetMs(status, headers, options.now),
  });
}

/**
 * The error that stands in an answer, or undefined where there is none. Some servers always send the
 * field: as null, false, "", `{}`, or an object of nothing but such values.
 */
export function errorIn(choice: JsonObject | undefined, answer: JsonObject): unknown {
  if (saysSomething(choice?.error)) return choice?.error;
  return saysSomething(answer.error) ? answer.error : undefined;
}

function saysSomething(value: unknown, levels = 3): boolean {
  if (typeof value === "string") return value.trim() !== "";
  if (typeof value !== "object" || value === null) return Boolean(value);
  return levels === 0 || Object.values(value).some((one) => saysSomething(one, levels - 1));
}

/**
 * The error that a teacher states in an answer that is 2xx itself, or in a stream. A `code` that is
 * an HTTP status is taken for one (OpenRouter answers so).
 */
export function statedError(error: unknown, status: number, redact: Redact): TeacherError {
  const body = { error };
  const words = wordsOf(body) ?? JSON.stringify(error);
  const message = redact(words).slice(0, WORDS_LENGTH);
  const code = codeOf(body, redact);
  const stated = statedStatus(error);
  if (stated === undefined) return new TeacherError(message, { type: "response", status, code });
  return new TeacherError(message, { status: stated, code, retryAfterMs: statedDelayMs(body) });
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

/** When what is used up will be there again, where a refusal for load says nothing else. */
function resetMs(status: number, headers: AnswerHeaders, now: number): number | undefined {
  if (status !== 429 && status !== 503 && status !== 529) return undefined;
  const { requestsLeft, requestsResetMs, tokensLeft, tokensResetMs } = rateLimitOf(headers, now) ??
    {};
  const resets = [
    requestsLeft === 0 ? requestsResetMs : undefined,
    tokensLeft === 0 ? tokensResetMs : undefined,
  ].filter((ms) => ms !== undefined && ms >= 0) as number[];
  return resets.length === 0 ? undefined : Math.ceil(Math.min(RESET_CAP_MS, Math.max(...resets)));
}

/**
 * The code of an error body. The narrowest comes first: Anthropic and OpenRouter say what was
 * exceeded beside a type that is that of any 429, Google names the reason in a list of details.
 */
function codeOf(body: unknown, redact: Redact): string | undefined {
  if (Array.isArray(body)) return codeOf(body[0], redact);
  const top = asObject(body) ?? {};
  const error = asObject(top.error) ?? asObject(top.detail) ?? {};
  const metadata = asObject(error.metadata) ?? {};
  const candidates = [
    asObject(error.details)?.error_code,
    detailOf(error, "ErrorInfo")?.reason,
    metadata.error_type,
    metadata.limit_source,
    "flagged_input" in metadata ? "flagged_input" : undefined,
    ...[error.code, error.type, error.status],
    ...[top.code, top.error_type, top.type],
  ];
  const code = candidates.map(asText).find((text) => CODE.test(text) && !NO_CODE.test(text));
  return code === undefined ? undefined : redact(code);
}

/** Google gives the time to wait in the body: `"retryDelay": "34.07s"`. */
function statedDelayMs(body: unknown): number | undefined {
  if (Array.isArray(body)) return statedDelayMs(body[0]);
  const delay = detailOf(asObject(asObject(body)?.error) ?? {}, "RetryInfo")?.retryDelay;
  const seconds = /^([\d.]+)s$/.exec(asText(delay))?.[1];
  return seconds === undefined ? undefined : plausible(Number(seconds) * 1_000);
}

/** One of Google's details, by the end of its type. */
function detailOf({ details }: JsonObject, type: string): JsonObject | undefined {
  if (!Array.isArray(details)) return undefined;
  return details.map(asObject).find((detail) => asText(detail?.["@type"]).endsWith(`.${type}`));
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

/** The words of an error body, in the forms of OpenAI, FastAPI, Ollama and others. */
function wordsOf(body: unknown): string | undefined {
  if (Array.isArray(body)) return wordsOf(body[0]);
  const object = asObject(body);
  if (object === undefined) return undefined;
  const { error, message, detail } = object;
  const words = asText(asObject(error)?.message) || asText(error) || asText(message) ||
    detailWords(detail) || asText(asObject(detail)?.message);
  if (words !== "") return words;
  return asObject(error) === undefined ? undefined : JSON.stringify(error);
}

/** FastAPI: a text, or a list of what is wrong where. */
function detailWords(detail: unknown): string {
  if (!Array.isArray(detail)) return asText(detail);
  return detail.map((entry) => {
    const { loc, msg } = asObject(entry) ?? {};
    const place = Array.isArray(loc) ? `${loc.join(".")}: ` : "";
    return place + asText(msg);
  }).filter((words) => words !== "").join("; ");
}

function statedStatus(error: unknown): number | undefined {
  const { code, status, status_code: statusCode } = asObject(error) ?? {};
  for (const value of [code, status, statusCode]) {
    const number = typeof value === "number" || typeof value === "string" ? Number(value) : NaN;
    if (Number.isInteger(number) && number >= 400 && number <= 599) return number;
  }
  return undefined;
}

function textOf(value: string | string[] | undefined): string {
  return (Array.isArray(value) ? value[0] : value)?.trim() ?? "";
}
