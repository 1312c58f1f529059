/**
 * What a teacher says when it does not answer: the error of an attempt in the teacher's own words.
 *
 * @module
 */

import { TeacherError } from "../errors.ts";
import { redactAddress } from "./address.ts";
import { asObject, asText, parseJson } from "./json.ts";
import type { Redact } from "./secrets.ts";

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
  /** Whether the base URL names a version (`/v1`). */
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

/** The error for an answer with a status that is not 2xx. */
export function refusal(options: RefusalOptions): TeacherError {
  const { status, headers, redact } = options;
  // Redacted before it is cut, here and below: half a key would not be found.
  return new TeacherError(redact(messageOf(options)).slice(0, WORDS_LENGTH), {
    status,
    retryAfterMs: retryAfterMs(headers, options.now),
  });
}

/**
 * The error that a teacher states in an answer that is 2xx itself, or in a stream. A `code` that is
 * an HTTP status is taken for one (OpenRouter answers so).
 */
export function statedError(error: unknown, status: number, redact: Redact): TeacherError {
  const words = wordsOf({ error }) ?? JSON.stringify(error);
  const message = redact(words).slice(0, WORDS_LENGTH);
  const stated = statedStatus(error);
  if (stated !== undefined) return new TeacherError(message, { status: stated });
  return new TeacherError(message, { type: "response", status });
}

/**
 * How long a teacher asks to be left alone, in milliseconds: `retry-after-ms`, else `retry-after` (seconds,
 * also fractions, or an HTTP date). What is negative, no number or beyond a day is ignored.
 */
export function retryAfterMs(headers: AnswerHeaders, now: number): number | undefined {
  const inMs = textOf(headers["retry-after-ms"]);
  const waitMs = plausible(inMs === "" ? NaN : Number(inMs));
  if (waitMs !== undefined) return waitMs;
  const after = textOf(headers["retry-after"]);
  if (after === "") return undefined;
  const seconds = Number(after);
  return plausible(Number.isNaN(seconds) ? Date.parse(after) - now : seconds * 1_000);
}

function plausible(ms: number): number | undefined {
  return ms >= 0 && ms <= DAY_MS ? Math.ceil(ms) : undefined;
}

function messageOf({ status, headers, text, address, versioned, redact }: RefusalOptions): string {
  if (status >= 300 && status < 400) {
    const location = textOf(headers.location);
    const target = location === "" ? "another place" : JSON.stringify(redactAddress(location));
    return `The teacher at ${address} redirects (${status}) to ${target}: ` +
      "redirects are not followed, give the final address as the base URL";
  }
  const words = wordsOf(parseJson(text)) ?? redact(text).trim().slice(0, TEXT_LENGTH);
  const message = words === "" ? `The teacher answered ${status} without a word` : words;
  if (status !== 404 || versioned) return message;
  return `${message} (${address} has no "/v1" in it: most teachers want one)`;
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
