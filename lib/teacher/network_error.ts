/** The errors of connections that could not be made or that broke. @module */

import { errors } from "../deps/undici.ts";
import { TeacherError } from "../errors.ts";
import { asText } from "../json.ts";
import { MAX_HEAD_BYTES, OddHead } from "./connection.ts";

/** How far the attempt got: connecting, request partly sent, or receiving the response. */
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
  EMFILE: "too many open files: lower -c, or raise ulimit -n",
  EADDRNOTAVAIL: "no free port on this machine: lower -c",
  // What Deno makes of EADDRNOTAVAIL.
  EINVAL: "no free port on this machine (lower -c), or an invalid address",
  UND_ERR_CONNECT_TIMEOUT: "no connection within the time limit",
  UND_ERR_SOCKET: "the other side closed the connection",
  UND_ERR_HEADERS_OVERFLOW: `its header fields are longer than ${MAX_HEAD_BYTES / 1024} KiB`,
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "its header fields give the body two lengths",
  // Alerts with which a server ends the TLS handshake.
  HandshakeFailure: "it rejects the host name, the ciphers or a client without a certificate",
  NoApplicationProtocol: "it speaks HTTP/2 only, and Retort HTTP/1.1",
  ProtocolVersion: "it speaks no version of TLS from 1.2 on",
  UnrecognisedName: "it does not know this host name",
};

interface SentRequest {
  /** The time since the attempt began. */
  readonly waitedMs: number;
  readonly isStreamed: boolean | undefined;
}

/**
 * Makes the error of a request that could not be sent, or whose connection failed.
 *
 * @param host `host:port` of the teacher.
 * @param proxy `host:port` of the proxy.
 */
export function networkError(
  error: unknown,
  host: string,
  stage: Stage,
  proxy: string | undefined,
  request: SentRequest = { waitedMs: 0, isStreamed: false },
): TeacherError {
  const root = rootOf(error), { code, message } = root;
  const place = proxy === undefined ? host : `${host} through the proxy ${proxy}`;
  // undici's only sign that a proxy opens no tunnel.
  const refusal = /^Proxy response \((\d+)\)/.exec(message)?.[1];
  // tinyproxy rejects credentials with 401.
  if (refusal === "407" || refusal === "401") {
    const problem = `Cannot reach ${place}: it requires other credentials (${refusal})`;
    return new TeacherError(problem, { type: "request", status: 407 });
  }
  if (error instanceof errors.InvalidArgumentError) {
    return new TeacherError(`Cannot send the request to ${host}: ${message}`, { type: "request" });
  }
  if (error instanceof OddHead) {
    const oddity = `${place} sent ${message}. From now on, Retort accepts this`;
    return new TeacherError(oddity, { type: "network" });
  }
  const lastingCode = lastingCodeOf(error, root, stage);
  const reason = lastingCode === "no_permission"
    ? "Retort was started without the permission (--allow-net)"
    : refusal !== undefined
    ? `the proxy opens no connection to it (${refusal})`
    : REASONS[code] ?? REASONS[alertIn(message)] ?? message;
  return new TeacherError(`${PROBLEMS[stage](place)}: ${reason}`, {
    type: "network",
    code: lastingCode ?? code,
    isUnreachable: stage === "connecting" && lastingCode === undefined,
    notice: stage === "sent" && lastingCode === undefined && request.waitedMs >= IDLE_MS
      ? idleNotice(place, request)
      : undefined,
    cause: withoutData(error),
  });
}

/** Most gateways cut idle connections after 30 s or more. A connection that breaks after less than
 * this was not one of them. */
const IDLE_MS = 20_000;

function idleNotice(place: string, request: SentRequest): string {
  return `The connection to ${place} broke after ${IDLE_MS / 1_000} s or more without an answer, ` +
    `which may be billed all the same. A gateway may cut idle connections: ${
      remedyFor(request)
    }, ` +
    "or raise its idle timeout";
}

/** What brings the first byte of an answer sooner. */
export function remedyFor({ isStreamed = false }: { readonly isStreamed?: boolean }): string {
  return isStreamed ? "lower -c" : "use --stream";
}

/** The code of an error that a retry does not fix: a missing permission, a certificate that is not
 * trusted, or another protocol. Undefined for other errors. */
function lastingCodeOf(error: unknown, { code, message }: RootError, stage: Stage) {
  if (/^Requires net access/.test(message)) return "no_permission";
  // The alert comes from the other side, which has seen only the client's certificate. OpenSSL
  // sends `HandshakeFailure` if there is none.
  if (/Certificate|UnknownCA|AccessDenied|DecryptError|HandshakeFailure/.test(alertIn(message))) {
    return "client_certificate";
  }
  if (/UnrecognisedName|NoApplicationProtocol/.test(message)) return "no_handshake";
  const words = `${code} ${message}`;
  if (/certificate|CERT_|_CERT\b|LEAF_SIGNATURE/i.test(words)) return "certificate";
  if (stage === "connecting") {
    return /WRONG_VERSION_NUMBER|InvalidContentType/.test(words) ? "no_tls" : undefined;
  }
  if (stage !== "sent") return undefined;
  if (error instanceof errors.HTTPParserError) {
    const { data = "" } = error as { data?: string };
    return TLS_ALERT.test(data) ? "wants_tls" : "no_http";
  }
  const isMalformed = error instanceof errors.HeadersOverflowError ||
    error instanceof errors.ResponseContentLengthMismatchError;
  return isMalformed ? "no_http" : undefined;
}

/** The name of a TLS alert; "" if the error is not one. */
function alertIn(message: string): string {
  return /fatal alert: (\w+)/.exec(message)?.[1] ?? "";
}

// deno-lint-ignore no-control-regex -- a TLS record: type alert, version 3.0 to 3.4
const TLS_ALERT = /^\x15\x03[\0-\x04]/;

const PROBLEMS: Readonly<Record<Stage, (place: string) => string>> = {
  connecting: (place) => `Cannot connect to ${place}`,
  sent: (place) => `The connection to ${place} broke before an answer came`,
  answering: (place) => `The connection to ${place} broke in the middle of the answer`,
};

interface RootError {
  /** The code from the system or undici; "" if there is none. */
  readonly code: string;
  readonly message: string;
}

function rootOf(error: unknown): RootError {
  // An `AggregateError` has an error for each address of the host.
  if (error instanceof AggregateError && error.errors.length > 0) return rootOf(error.errors[0]);
  if (!(error instanceof Error)) return { code: "", message: String(error) };
  return { code: asText((error as { code?: unknown }).code), message: error.message };
}

/** The parser's error contains the unreadable bytes, which may be anything. */
function withoutData(error: unknown): unknown {
  return error instanceof errors.HTTPParserError ? undefined : error;
}
