/**
 * The errors of failed attempts: error responses, timeouts and network errors.
 *
 * @module
 */

import { errors } from "../deps/undici.ts";
import { TeacherError } from "../errors.ts";
import { DAY_MS } from "../timer.ts";
import { redactAddress } from "./address.ts";
import { MAX_HEAD_BYTES } from "./connection.ts";
import { type AnswerContext, NO_PARTS, toCompletion } from "./answer.ts";
import {
  codeOf,
  errorMessage,
  innermost,
  isPage,
  MAX_MESSAGE_CHARS,
  MAX_QUOTED_CHARS,
  relayedError,
  statedDelayMs,
  statedHeaders,
} from "./error_body.ts";
import { OddHead } from "./server_habits.ts";
import { asText } from "../json.ts";
import { asObject, parseJson } from "./json.ts";
import { exhaustion, fieldText, type HeaderFields, serverTime } from "./rate_headers.ts";
import type { Redact } from "./secrets.ts";
import type { Completion } from "./teacher.ts";

export interface StatusErrorOptions {
  /** Not 2xx. */
  status: number;
  headers: HeaderFields;
  /** The body, or its first 64 KiB. */
  text: string;
  /** The base URL without secrets. */
  address: string;
  /** Whether the base URL names an API version (`/v1`, `api-version`). */
  isVersioned: boolean;
  redact: Redact;
  /** How to read a partial answer in the body. @default it is ignored */
  context?: AnswerContext;
  /** Unix time in milliseconds. */
  now: number;
}

/** A longer wait until a limit resets is reduced to this: the limit may be raised before. */
const MAX_RESET_MS = 60_000;

/** The error for a response whose status is not 2xx. */
export function statusError(options: StatusErrorOptions): TeacherError {
  const { status, headers, redact } = options;
  const outer = parseJson(options.text);
  const relayed = relayedError(outer, status);
  const body = innermost(relayed?.body ?? outer);
  const { now } = options;
  const limit = exhaustion(headers, now) ?? exhaustion(statedHeaders(innermost(outer)), now);
  const resetMs = limit?.resetMs;
  // Redacted before it is shortened: half a key would not be found.
  const message = relayed?.message ?? messageOf(options, body);
  return new TeacherError(redact(message).slice(0, MAX_MESSAGE_CHARS), {
    status,
    isRelayed: relayed?.isWithRouterKey,
    code: codeOf(body, redact) ?? codeOf(outer, redact) ??
      (isPage(options.text) ? "web_page" : undefined),
    retryable: shouldRetry(headers),
    retryAfterMs: retryAfterMs(headers, now) ?? statedDelayMs(body),
    isExhausted: limit !== undefined,
    limitResetMs: resetMs === undefined ? undefined : Math.min(MAX_RESET_MS, resetMs),
    partial: partialOf(options, body),
  });
}

/** The partial answer: Groq returns the text if that is not the required tool call or JSON. */
function partialOf({ context }: StatusErrorOptions, body: unknown): Completion | undefined {
  const content = asText(asObject(asObject(body)?.error)?.failed_generation);
  if (context === undefined || content === "") return undefined;
  return toCompletion({ ...NO_PARTS, content, finishReason: "error" }, context);
}

/**
 * The wait that a teacher requests, in milliseconds: `retry-after-ms`, else `retry-after` in
 * seconds, which may be fractional, or as an HTTP date on the teacher's clock. Ignores values that
 * are negative, not a number or above one day, and LiteLLM's `llm_provider-retry-after`, in which
 * its router always sends 60 instead of the rest of the minute.
 */
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

/** Whether the client should retry, according to `x-should-retry` of OpenAI and Anthropic. */
function shouldRetry(headers: HeaderFields): boolean | undefined {
  const value = fieldText(headers["x-should-retry"]).toLowerCase();
  return value === "true" ? true : value === "false" ? false : undefined;
}

function messageOf(
  { status, headers, text, address, isVersioned, redact }: StatusErrorOptions,
  body: unknown,
): string {
  if (status >= 300 && status < 400) {
    const location = fieldText(headers.location);
    const target = location === "" ? "another place" : JSON.stringify(redactAddress(location));
    return `The teacher at ${address} redirects (${status}) to ${target}: ` +
      "redirects are not followed. Give the final address as the base URL";
  }
  const stated = errorMessage(body) ?? redact(text).trim().slice(0, MAX_QUOTED_CHARS);
  const message = stated === "" ? `The teacher answered ${status} without a message` : stated;
  if (status !== 404 || isVersioned) return message;
  const required = /\.azure\./.test(address)
    ? "Azure requires /openai/v1, or /openai/deployments/NAME and ?api-version=2024-10-21"
    : "most teachers require it";
  return `${message} (${address} has no "/v1" in it: ${required})`;
}

/** How far an attempt got before it broke: it was connecting, had begun to send the request, or was
 * receiving the response. */
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
  UND_ERR_HEADERS_OVERFLOW: `its header fields are longer than ${MAX_HEAD_BYTES / 1024} KiB`,
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "its header fields give the body two lengths",
};

/**
 * The error for an attempt that broke on the network.
 *
 * @param error What undici or the socket threw.
 * @param host `host:port` of the teacher.
 * @param stage How far the attempt got.
 * @param proxy `host:port` of the proxy; undefined without one.
 */
export function networkError(
  error: unknown,
  host: string,
  stage: Stage,
  proxy: string | undefined,
): TeacherError {
  const { code = "", message } = rootOf(error);
  if (error instanceof errors.InvalidArgumentError && !isProxyRefusal(message)) {
    return new TeacherError(`Cannot send the request to ${host}: ${message}`, { type: "request" });
  }
  const place = proxy === undefined ? host : `${host} through the proxy ${proxy}`;
  if (isProxyRefusal(message)) {
    return new TeacherError(`Cannot reach ${place}: it requires other credentials (407)`, {
      type: "request",
      status: 407,
    });
  }
  if (error instanceof OddHead) {
    const message = `${place} sent ${error.message}. From now on, Retort accepts this`;
    return new TeacherError(message, { type: "network" });
  }
  if (/^Requires net access/.test(message)) {
    const reason = "Retort was started without the permission (--allow-net)";
    return new TeacherError(`${PROBLEMS[stage](place)}: ${reason}`, {
      type: "network",
      code: "no_permission",
      cause: error,
    });
  }
  const reason = code === "UND_ERR_CONNECT_TIMEOUT"
    ? "no connection within the time limit"
    : REASONS[code] ?? message;
  const protocolCode = tlsCode(code, message, stage) ?? httpCode(error, stage);
  return new TeacherError(`${PROBLEMS[stage](place)}: ${reason}`, {
    type: "network",
    code: protocolCode ?? code,
    isUnreachable: stage === "connecting" && protocolCode === undefined,
    cause: withoutData(error),
  });
}

/** The code of a TLS error that a retry does not fix: a certificate, the client's or the teacher's,
 * is not trusted, or the server does not speak TLS. */
function tlsCode(
  code: string,
  message: string,
  stage: Stage,
): "certificate" | "client_certificate" | "no_tls" | undefined {
  const words = `${code} ${message}`;
  // The other side sends alerts, and the only certificate it has seen is the client's.
  if (/fatal alert: (?!ProtocolVersion|InternalError)/.test(message)) return "client_certificate";
  if (/certificate|CERT_|_CERT\b|LEAF_SIGNATURE/i.test(words)) return "certificate";
  if (stage !== "connecting") return undefined;
  return /WRONG_VERSION_NUMBER|InvalidContentType/.test(words) ? "no_tls" : undefined;
}

/** The code for the response of a server that does not speak HTTP/1.1, or that requires TLS. A
 * retry does not fix these if no attempt has ever succeeded. */
function httpCode(error: unknown, stage: Stage): "no_http" | "wants_tls" | undefined {
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

const PROBLEMS: Readonly<Record<Stage, (place: string) => string>> = {
  connecting: (place) => `Cannot connect to ${place}`,
  sent: (place) => `The connection to ${place} broke before an answer came`,
  answering: (place) => `The connection to ${place} broke in the middle of the answer`,
};

function rootOf(error: unknown): { code?: string; message: string } {
  // An `AggregateError` has an error for each address of the host; the first is enough.
  if (error instanceof AggregateError && error.errors.length > 0) return rootOf(error.errors[0]);
  if (!(error instanceof Error)) return { message: String(error) };
  const code = (error as { code?: unknown }).code;
  return { code: typeof code === "string" ? code : undefined, message: error.message };
}

/** Whether undici reports that a proxy rejects the credentials. */
function isProxyRefusal(message: string): boolean {
  return /\(407\)/.test(message);
}

/** The error as a cause. Omits that of the parser, whose unreadable bytes may hold anything. */
function withoutData(error: unknown): unknown {
  return error instanceof errors.HTTPParserError ? undefined : error;
}

/**
 * The error of an attempt that took too long.
 *
 * @param host `host:port` of the teacher.
 * @param isRowLimit Whether `timeoutMs` was the time that the row had left.
 */
export function timeoutError(host: string, timeoutMs: number, isRowLimit: boolean): TeacherError {
  const problem = `complete answer from ${host} within ${duration(timeoutMs)}`;
  return timedOut(isRowLimit ? `The row's time is up: no ${problem}` : `No ${problem}`);
}

/** The error of a stream without tokens for `idleMs`. */
export function idleError(host: string, idleMs: number): TeacherError {
  return timedOut(`No token from ${host} for ${duration(idleMs)}`);
}

function timedOut(message: string): TeacherError {
  return new TeacherError(message, { type: "timeout" });
}

function duration(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${Number((ms / 1_000).toFixed(1))} s`;
}
