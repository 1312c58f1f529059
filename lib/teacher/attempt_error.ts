/**
 * Errors of failed attempts: error responses, timeouts, and what went wrong on the network.
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
  isPage,
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

/** The header fields of a response; names in lower case. */
export type AnswerHeaders = Readonly<Record<string, string | string[] | undefined>>;

export interface RefusalOptions {
  /** Not 2xx. */
  status: number;
  headers: AnswerHeaders;
  /** The body, or its first 64 KiB. */
  text: string;
  /** The base URL without secrets. */
  address: string;
  /** Whether the base URL names an API version (`/v1`, `api-version`). */
  versioned: boolean;
  redact: Redact;
  /** How to read a partial answer in the body. @default it is ignored */
  context?: AnswerContext;
  /** Unix time in milliseconds. */
  now: number;
}

/** The most characters of a body that messages quote if it is not JSON. */
const TEXT_LENGTH = 300;
/** The most characters of a server's error message that are kept. */
const WORDS_LENGTH = 1_000;
/** A longer wait until a limit resets is reduced to this: the limit may be raised before. */
const RESET_CAP_MS = 60_000;

/** The error for a response whose status is not 2xx. */
export function refusal(options: RefusalOptions): TeacherError {
  const { status, headers, redact } = options;
  const outer = parseJson(options.text);
  const relayed = relayedIn(outer, status);
  const body = innermost(relayed?.body ?? outer);
  const { now } = options;
  const limit = exhaustion(headers, now) ?? exhaustion(statedHeaders(innermost(outer)), now);
  const resetMs = limit?.resetMs;
  // Redact before shortening: half a key would not be found.
  const message = relayed?.words ?? messageOf(options, body);
  return new TeacherError(redact(message).slice(0, WORDS_LENGTH), {
    status,
    isRelayed: relayed?.isWithTheirKey,
    code: codeOf(body, redact) ?? codeOf(outer, redact) ??
      (isPage(options.text) ? "web_page" : undefined),
    retryable: shouldRetry(headers),
    retryAfterMs: retryAfterMs(headers, now) ?? statedDelayMs(body),
    isExhausted: limit !== undefined,
    limitResetMs: resetMs === undefined ? undefined : Math.min(RESET_CAP_MS, resetMs),
    partial: partialOf(options, body),
  });
}

/** Groq returns the text of an answer that is not the required tool call or JSON. */
function partialOf({ context }: RefusalOptions, body: unknown): Completion | undefined {
  const content = asText(asObject(asObject(body)?.error)?.failed_generation);
  if (context === undefined || content === "") return undefined;
  return toCompletion({ ...NO_PARTS, content, finishReason: "error" }, context);
}

/**
 * The wait that a teacher requests, in milliseconds: `retry-after-ms`, else `retry-after` in
 * seconds, fractions included, or as an HTTP date on the teacher's clock. Ignores values that are
 * negative, not a number or above one day, and LiteLLM's `llm_provider-retry-after`: its router
 * always says 60 there, whenever the minute ends.
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

/** What OpenAI and Anthropic tell their clients about a retry (`x-should-retry`). */
function shouldRetry(headers: AnswerHeaders): boolean | undefined {
  const word = textOf(headers["x-should-retry"]).toLowerCase();
  return word === "true" ? true : word === "false" ? false : undefined;
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

/** How far an attempt got before it broke: not connected, sent, or receiving the response. */
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
 * The error for an attempt that broke on the network.
 *
 * @param error What undici or the socket threw.
 * @param host `host:port` of the teacher.
 * @param stage How far the attempt got.
 * @param through `host:port` of the proxy; undefined without one.
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

/** Classifies TLS errors that a retry does not fix: a certificate, ours or the teacher's, is not
 * trusted, or the server does not speak TLS. */
function tlsTrouble(
  code: string,
  message: string,
  stage: Stage,
): "certificate" | "client_certificate" | "no_tls" | undefined {
  const words = `${code} ${message}`;
  // The other side sends alerts, and the only certificate it has seen is ours.
  if (/fatal alert: (?!ProtocolVersion|InternalError)/.test(message)) return "client_certificate";
  if (/certificate|CERT_|_CERT\b|LEAF_SIGNATURE/i.test(words)) return "certificate";
  if (stage !== "connecting") return undefined;
  return /WRONG_VERSION_NUMBER|InvalidContentType/.test(words) ? "no_tls" : undefined;
}

/** Classifies responses of servers that do not speak HTTP/1.1, or that require TLS. A retry does
 * not fix these if no attempt has ever succeeded. */
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

// deno-lint-ignore no-control-regex -- a TLS record: type alert, version 3.0 to 3.4
const TLS_ALERT = /^\x15\x03[\0-\x04]/;

const WHAT: Readonly<Record<Stage, (place: string) => string>> = {
  connecting: (place) => `Cannot connect to ${place}`,
  sent: (place) => `The connection to ${place} broke before an answer came`,
  answering: (place) => `The connection to ${place} broke in the middle of the answer`,
};

function rootOf(error: unknown): { code?: string; message: string } {
  // One error per address of the host; the first is enough.
  if (error instanceof AggregateError && error.errors.length > 0) return rootOf(error.errors[0]);
  if (!(error instanceof Error)) return { message: String(error) };
  const code = (error as { code?: unknown }).code;
  return { code: typeof code === "string" ? code : undefined, message: error.message };
}

/** Whether undici reports that a proxy rejects our credentials. */
function isProxyRefusal(message: string): boolean {
  return /\(407\)/.test(message);
}

/** The parser's error carries the unreadable bytes, which may hold anything. */
function withoutData(error: unknown): unknown {
  return error instanceof errors.HTTPParserError ? undefined : error;
}

/**
 * The error of an attempt that took too long.
 *
 * @param isRowsTime Whether the limit was what is left of the row's time.
 */
export function lateness(host: string, timeoutMs: number, isRowsTime: boolean): TeacherError {
  const lack = `o complete answer from ${host} within ${duration(timeoutMs)}`;
  return timedOut(isRowsTime ? `The row's time is up: n${lack}` : `N${lack}`);
}

/** The error of a stream without tokens for `idleMs`. */
export function silence(host: string, idleMs: number): TeacherError {
  return timedOut(`No token from ${host} for ${duration(idleMs)}`);
}

function timedOut(message: string): TeacherError {
  return new TeacherError(message, { type: "timeout" });
}

function duration(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${Number((ms / 1_000).toFixed(1))} s`;
}
