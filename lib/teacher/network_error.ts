/**
 * What went wrong on the way, in words that name the host.
 *
 * @module
 */

import { errors } from "../deps/undici.ts";
import { TeacherError } from "../errors.ts";

/** How far an attempt had come when it broke. */
export type Stage = "connecting" | "sent" | "answering";

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "the name could not be looked up",
  EHOSTUNREACH: "host unreachable",
  ENETUNREACH: "network unreachable",
  ETIMEDOUT: "timed out",
  EPIPE: "the other side hung up",
  EMFILE: "too many open files",
  EADDRNOTAVAIL: "no free port on this machine",
  UND_ERR_SOCKET: "the other side hung up",
};

/**
 * The error of an attempt that broke off without an answer.
 *
 * @param error What the transport says.
 * @param host `host:port`.
 * @param stage How far it had come.
 * @param through The proxy's `host:port`, where there is one.
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
    return new TeacherError(`Cannot reach ${place}: it asks for other credentials (407)`, {
      type: "request",
      status: 407,
    });
  }
  if (isUnaskedContinue(error)) {
    const message = `${place} sent "100 Continue" unasked. From now on that is skipped`;
    return new TeacherError(message, { type: "network", code });
  }
  if (/^Requires net access/.test(message)) {
    const reason = "Retort was started without the permission for it (--allow-net)";
    return new TeacherError(`${WHAT[stage](place)}: ${reason}`, {
      type: "network",
      code: "no_permission",
      cause: error,
    });
  }
  const reason = code === "UND_ERR_CONNECT_TIMEOUT"
    ? "no connection within the time for it"
    : REASONS[code] ?? message;
  const trouble = tlsTrouble(code, message, stage);
  return new TeacherError(`${WHAT[stage](place)}: ${reason}`, {
    type: "network",
    code: trouble ?? code,
    isUnreachable: stage === "connecting" && trouble === undefined,
    cause: withoutData(error),
  });
}

/** What does not get better by asking again: a certificate that is not trusted, ours or the teacher's, or
 * no TLS at all. */
function tlsTrouble(
  code: string,
  message: string,
  stage: Stage,
): "certificate" | "client_certificate" | "no_tls" | undefined {
  const words = `${code} ${message}`;
  // An alert is what the other side says: of certificates it has seen ours only, or none.
  if (/fatal alert: (?!ProtocolVersion|InternalError)/.test(message)) return "client_certificate";
  if (/certificate|CERT_|_CERT\b|LEAF_SIGNATURE/i.test(words)) return "certificate";
  if (stage !== "connecting") return undefined;
  return /WRONG_VERSION_NUMBER|InvalidContentType/.test(words) ? "no_tls" : undefined;
}

const WHAT: Readonly<Record<Stage, (place: string) => string>> = {
  connecting: (place) => `Cannot connect to ${place}`,
  sent: (place) => `The connection to ${place} broke before an answer came`,
  answering: (place) => `The connection to ${place} broke in the middle of the answer`,
};

function rootOf(error: unknown): { code?: string; message: string } {
  // Every address of a host was tried: the first says enough.
  if (error instanceof AggregateError && error.errors.length > 0) return rootOf(error.errors[0]);
  if (!(error instanceof Error)) return { message: String(error) };
  const code = (error as { code?: unknown }).code;
  return { code: typeof code === "string" ? code : undefined, message: error.message };
}

/** What an HTTP proxy says, through undici, when it does not know us. */
function isProxyRefusal(message: string): boolean {
  return /\(407\)/.test(message);
}

/** Whether undici has destroyed a socket because of a `100 Continue` that no request has asked for. */
export function isUnaskedContinue(error: unknown): boolean {
  return error instanceof errors.SocketError && error.message === "bad response";
}

/** A parser's error carries the bytes that it could not read, which may be anything. */
function withoutData(error: unknown): unknown {
  return error instanceof errors.HTTPParserError ? undefined : error;
}
