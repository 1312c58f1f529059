/**
 * The error of a failed attempt: an error response, or what went wrong on the network. Both name the host.
 *
 * @module
 */

import { errors } from "../deps/undici.ts";
import { TeacherError } from "../errors.ts";
import { DAY_MS } from "../timer.ts";
import { redactAddress } from "./address.ts";
import { MOST_HEAD_BYTES } from "./connection.ts";
import { type AnswerContext, NO_PARTS, toCompletion } from "./answer.ts";
import {
  codeOf,
  innermost,
  relayedIn,
  statedDelayMs,
  statedHeaders,
  wordsOf,
} from "./error_body.ts";
import { OddHead } from "./server_habits.ts";
import { asObject, asText, parseJson } from "./json.ts";
import { exhaustion, serverTime } from "./rate_headers.ts";
import type { Redact } from "./secrets.ts";
import type { Completion } from "./teacher.ts";

/** The header fields of an answer, names in lower case. */
export type AnswerHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** What {@linkcode refusal} needs. */
export interface RefusalOptions {
  /** The HTTP status, not 2xx. */
  status: number;
  /** The header fields. */
  headers: AnswerHeaders;
  /** The body, or its beginning. */
  text: string;
  /** The base URL without secrets. */
  address: string;
  /** Whether the base URL names a version (`/v1`, `api-version`). */
  versioned: boolean;
  /** Removes secrets from messages. */
  redact: Redact;
  /** How a partial answer in the body is read. @default it is not read */
  context?: AnswerContext;
  /** The clock: Unix time in milliseconds. */
  now: number;
}

/** The most characters that are shown of a body that is not JSON. */
const TEXT_LENGTH = 300;
/** The most characters that are shown of an error message. */
const WORDS_LENGTH = 1_000;
/** A limit that resets tomorrow is tried earlier: it may be lifted before. */
const RESET_CAP_MS = 60_000;

/** The error for an answer with a status that is not 2xx. */
export function refusal(options: RefusalOptions): TeacherError {
  const { status, headers, redact } = options;
  const outer = parseJson(options.text);
  const relayed = relayedIn(outer, status);
  const body = innermost(relayed?.body ?? outer);
  const limit = usedUp(options, innermost(outer));
  const resetMs = limit?.resetMs === undefined ? undefined : Math.min(RESET_CAP_MS, limit.resetMs);
  // Redacted before it is shortened, here and below: half a key would not be found.
  const message = relayed?.words ?? messageOf(options, body);
  return new TeacherError(redact(message).slice(0, WORDS_LENGTH), {
    status,
    isRelayed: relayed?.isWithTheirKey,
    code: codeOf(body, redact) ?? codeOf(outer, redact),
    retryable: shouldRetry(headers),
    retryAfterMs: retryAfterMs(headers, options.now) ?? statedDelayMs(body) ?? resetMs,
    isExhausted: limit !== undefined,
    partial: partialOf(options, body),
  });
}

/** Groq returns what the model wrote where it is not a tool call, or not JSON. */
function partialOf({ context }: RefusalOptions, body: unknown): Completion | undefined {
  const content = asText(asObject(asObject(body)?.error)?.failed_generation);
  if (context === undefined || content === "") return undefined;
  return toCompletion({ ...NO_PARTS, content, finishReason: "error" }, context);
}

/**
 * How long a teacher asks to wait, in milliseconds: `retry-after-ms`, else `retry-after` (seconds, also
 * fractions, or an HTTP date on the teacher's clock). What is negative, not a number or more than a day is
 * ignored. So is LiteLLM's `llm_provider-retry-after`: its router always says 60 there, whenever its minute
 * ends.
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

/** Whether the teacher itself says to retry (`x-should-retry`), as OpenAI and Anthropic do for their clients. */
function shouldRetry(headers: AnswerHeaders): boolean | undefined {
  const word = textOf(headers["x-should-retry"]).toLowerCase();
  return word === "true" ? true : word === "false" ? false : undefined;
}

/** The limit that is used up, if a throttling response says so. */
function usedUp(
  { status, headers, now }: RefusalOptions,
  body: unknown,
): ReturnType<typeof exhaustion> {
  if (!isLoad(status)) return undefined;
  return exhaustion(headers, now) ?? exhaustion(statedHeaders(body), now);
}

function isLoad(status: number): boolean {
  return status === 429 || status === 503 || status === 529;
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
  const message = words === "" ? `The teacher answered ${status} without a message` : words;
  if (status !== 404 || versioned) return message;
  const wanted = /\.azure\./.test(address)
    ? "Azure wants /openai/v1, or /openai/deployments/NAME and ?api-version=2024-10-21"
    : "most teachers want one";
  return `${message} (${address} has no "/v1" in it: ${wanted})`;
}

function textOf(value: string | string[] | undefined): string {
  return (Array.isArray(value) ? value[0] : value)?.trim() ?? "";
}

/** The stage at which an attempt broke. */
export type Stage = "connecting" | "sent" | "answering";

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "the name could not be looked up",
  EHOSTUNREACH: "host unreachable",
  ENETUNREACH: "network unreachable",
  ETIMEDOUT: "timed out",
  EPIPE: "the other side closed the connection",
  EMFILE: "too many open files",
  EADDRNOTAVAIL: "no free port on this machine",
  UND_ERR_SOCKET: "the other side closed the connection",
  UND_ERR_HEADERS_OVERFLOW: `its header fields are longer than ${MOST_HEAD_BYTES / 1024} KiB`,
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "its header fields give the body two lengths",
};

/**
 * The error of an attempt that broke off without an answer.
 *
 * @param error The error of the transport.
 * @param host `host:port`.
 * @param stage The stage at which it broke.
 * @param through The proxy's `host:port`, if there is one.
 */
export function networkError(
  error: unknown,
  host: string,
  stage: Stage,
  through: string | undefined,
): TeacherError {
  const { code = "", message } = rootOf(error);
  if (error instanceof errors.InvalidArgumentError && !isProxyRefusal(message)) {
    return new TeacherError(`Cannot send the request to ${host}: ${message}`, { type: "request" });
  }
  const place = through === undefined ? host : `${host} through the proxy ${through}`;
  if (isProxyRefusal(message)) {
    return new TeacherError(`Cannot reach ${place}: it requires other credentials (407)`, {
      type: "request",
      status: 407,
    });
  }
  if (error instanceof OddHead) {
    const message = `${place} sent ${error.message}. From now on that is accepted`;
    return new TeacherError(message, { type: "network" });
  }
  if (/^Requires net access/.test(message)) {
    const reason = "Retort was started without the permission (--allow-net)";
    return new TeacherError(`${WHAT[stage](place)}: ${reason}`, {
      type: "network",
      code: "no_permission",
      cause: error,
    });
  }
  const reason = code === "UND_ERR_CONNECT_TIMEOUT"
    ? "no connection within the time limit"
    : REASONS[code] ?? message;
  const trouble = tlsTrouble(code, message, stage) ?? protocolTrouble(error, stage);
  return new TeacherError(`${WHAT[stage](place)}: ${reason}`, {
    type: "network",
    code: trouble ?? code,
    isUnreachable: stage === "connecting" && trouble === undefined,
    cause: withoutData(error),
  });
}

/** TLS errors that another attempt does not fix: a certificate that is not trusted, ours or the teacher's, or
 * no TLS at all. */
function tlsTrouble(
  code: string,
  message: string,
  stage: Stage,
): "certificate" | "client_certificate" | "no_tls" | undefined {
  const words = `${code} ${message}`;
  // An alert comes from the other side, which has seen no certificate but ours, if any.
  if (/fatal alert: (?!ProtocolVersion|InternalError)/.test(message)) return "client_certificate";
  if (/certificate|CERT_|_CERT\b|LEAF_SIGNATURE/i.test(words)) return "certificate";
  if (stage !== "connecting") return undefined;
  return /WRONG_VERSION_NUMBER|InvalidContentType/.test(words) ? "no_tls" : undefined;
}

/** What a retry does not fix if it is the first answer of a server: it is not HTTP/1.1 but another protocol,
 * or the server requires TLS. */
function protocolTrouble(error: unknown, stage: Stage): "no_http" | "wants_tls" | undefined {
  if (stage !== "sent") return undefined;
  if (error instanceof errors.HTTPParserError) {
    const { data = "" } = error as { data?: string };
    return TLS_ALERT.test(data) ? "wants_tls" : "no_http";
  }
  const isMalformed = error instanceof errors.HeadersOverflowError ||
    error instanceof errors.ResponseContentLengthMismatchError;
  return isMalformed ? "no_http" : undefined;
}

// deno-lint-ignore no-control-regex -- a record of TLS: its type, an alert, and its version, 3.0 to 3.4
const TLS_ALERT = /^\x15\x03[\0-\x04]/;

const WHAT: Readonly<Record<Stage, (place: string) => string>> = {
  connecting: (place) => `Cannot connect to ${place}`,
  sent: (place) => `The connection to ${place} broke before an answer came`,
  answering: (place) => `The connection to ${place} broke in the middle of the answer`,
};

function rootOf(error: unknown): { code?: string; message: string } {
  // All addresses of the host were tried; the first error is enough.
  if (error instanceof AggregateError && error.errors.length > 0) return rootOf(error.errors[0]);
  if (!(error instanceof Error)) return { message: String(error) };
  const code = (error as { code?: unknown }).code;
  return { code: typeof code === "string" ? code : undefined, message: error.message };
}

/** Whether undici reports that a proxy rejects our credentials. */
function isProxyRefusal(message: string): boolean {
  return /\(407\)/.test(message);
}

/** A parser's error carries the bytes that it could not read, which may hold anything. */
function withoutData(error: unknown): unknown {
  return error instanceof errors.HTTPParserError ? undefined : error;
}

/** The error of an attempt at `host` without an answer within its time. `isRowsTime`: the limit was that of the
 * row. */
export function lateness(host: string, timeoutMs: number, isRowsTime: boolean): TeacherError {
  const lack = `o complete answer from ${host} within ${duration(timeoutMs)}`;
  return timedOut(isRowsTime ? `The row's time is up: n${lack}` : `N${lack}`);
}

/** The error of a stream from `host` that was silent for too long. */
export function silence(host: string, idleMs: number): TeacherError {
  return timedOut(`No token from ${host} for ${duration(idleMs)}`);
}

function timedOut(message: string): TeacherError {
  return new TeacherError(message, { type: "timeout" });
}

function duration(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${Number((ms / 1_000).toFixed(1))} s`;
}
