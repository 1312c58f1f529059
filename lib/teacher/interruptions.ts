/** What ends an attempt early: deadlines, aborted signals, and connections that could not be made
 * or that broke. @module */

import { errors } from "../deps/undici.ts";
import { TeacherError } from "../errors.ts";
import { asText } from "../json.ts";
import { ActiveClock, every } from "../timer.ts";
import { MAX_HEAD_BYTES, OddHead } from "./connection.ts";

/** Returns the error for a missed deadline: a `TeacherError`, or undici's error if no connection
 * was made. `timeoutMs` is the limit of the attempt, which its row may have shortened. */
export function deadlineError(
  deadline: Deadline,
  host: string,
  timeoutMs: number,
  limits: TimeLimits,
): Error {
  if (deadline === "connect") return new errors.ConnectTimeoutError();
  const problem = `complete answer from ${host} within ${duration(timeoutMs)}`;
  const message = deadline === "idle"
    ? `No token from ${host} for ${duration(limits.streamIdleTimeoutMs)}`
    : timeoutMs < limits.timeoutMs
    ? `The row's time is up: no ${problem}`
    : `No ${problem}`;
  return new TeacherError(message, { type: "timeout" });
}

function duration(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${Number((ms / 1_000).toFixed(1))} s`;
}

/** An attempt that `Deadlines` watches. Times are in milliseconds of `Deadlines.now()`. */
export interface TimedAttempt {
  readonly startedAt: number;
  readonly timeoutMs: number;
  /** Whether undici has begun to write the request to a connected socket. */
  readonly isConnected: boolean;
  /** When the last token of a stream arrived; -1 before the first token. */
  readonly lastTokenAt: number;
  /** When the answer was complete, or in a stream seemed complete, although the response had not
   * ended; -1 if it was not complete. */
  readonly completeAt: number;
  /** Updates `completeAt`, and settles a JSON response that is complete but does not end, because
   * some servers send no last chunk. Called in each sweep. */
  checkEnd(): void;
  expire(deadline: Deadline): void;
}

/** `idle` is the deadline for the next token of a stream. `drain` is the deadline for the end of a
 * response whose answer is complete. */
export type Deadline = "attempt" | "connect" | "idle" | "drain";

export interface TimeLimits {
  /** The time limit of an attempt, unless its row has less time left. */
  timeoutMs: number;
  connectTimeoutMs: number;
  /** Maximum time between two tokens, starting with the first token. */
  streamIdleTimeoutMs: number;
  /** Returns Unix time in milliseconds. The clock is never set back. */
  now: () => number;
}

/** Maximum duration of a response after its answer is complete. */
const DRAIN_MS = 2_000;

/** Maximum interval between two sweeps. An attempt ends at most this long after its deadline. */
const MAX_INTERVAL_MS = 500;

/** A sweep this late shows that the process was paused, by SIGSTOP or in a frozen container. */
const PAUSE_MS = 1_000;

/** One timer for all deadlines. An `AbortSignal.timeout` for each would take 300 bytes. */
export class Deadlines {
  readonly #limits: TimeLimits;
  readonly #intervalMs: number;
  /** Excludes pauses of this process. A teacher on the same machine was probably paused too. */
  readonly #clock: ActiveClock;
  readonly #attempts = new Set<TimedAttempt>();
  #stopSweeps: (() => void) | undefined;
  #sweptAt = 0;
  #wasLate = false;

  constructor(limits: TimeLimits) {
    this.#limits = limits;
    this.#clock = new ActiveClock(limits.now);
    const { timeoutMs, connectTimeoutMs, streamIdleTimeoutMs } = limits;
    const shortestMs = Math.min(timeoutMs, connectTimeoutMs, streamIdleTimeoutMs);
    this.#intervalMs = Math.min(MAX_INTERVAL_MS, Math.max(20, shortestMs / 10));
  }

  get size(): number {
    return this.#attempts.size;
  }

  /** The time in milliseconds, excluding pauses of this process. */
  now(): number {
    return this.#clock.now();
  }

  add(attempt: TimedAttempt): void {
    this.#attempts.add(attempt);
    if (this.#stopSweeps !== undefined) return;
    this.#sweptAt = this.#limits.now();
    this.#clock.tick();
    this.#stopSweeps = every(this.#intervalMs, () => this.#sweep(), { keepsAlive: true });
  }

  delete(attempt: TimedAttempt): void {
    if (!this.#attempts.delete(attempt) || this.#attempts.size > 0) return;
    this.#stopSweeps?.();
    this.#stopSweeps = undefined;
  }

  #sweep(): void {
    const { connectTimeoutMs, streamIdleTimeoutMs } = this.#limits;
    this.#clock.tick();
    if (this.#noticePause()) return;
    const time = this.now();
    for (const attempt of this.#attempts) {
      attempt.checkEnd();
      const { startedAt, lastTokenAt, completeAt } = attempt;
      const elapsedMs = time - startedAt;
      if (completeAt >= 0) {
        if (time - completeAt >= DRAIN_MS) attempt.expire("drain");
      } else if (elapsedMs >= attempt.timeoutMs) {
        attempt.expire("attempt");
      } else if (elapsedMs >= connectTimeoutMs && !attempt.isConnected) {
        attempt.expire("connect");
      } else if (lastTokenAt >= 0 && time - lastTokenAt >= streamIdleTimeoutMs) {
        attempt.expire("idle");
      }
    }
  }

  /** Returns whether to skip this sweep. After a pause of the process, timers fire before sockets
   * are read, and answers may have arrived in the meantime. */
  #noticePause(): boolean {
    const time = this.#limits.now(), isLate = time - this.#sweptAt >= this.#intervalMs + PAUSE_MS;
    this.#sweptAt = time;
    return this.#wasLate = isLate && !this.#wasLate;
  }
}

interface Abortable {
  abort(reason: unknown): void;
}

/** Ends attempts when their signals are aborted, with one listener per signal. */
export class Aborts {
  // The map is weak, so that a signal without other references is freed.
  readonly #groups = new WeakMap<AbortSignal, Set<Abortable>>();

  add(signal: AbortSignal, target: Abortable): void {
    let group = this.#groups.get(signal);
    if (group === undefined) {
      const targets = group = new Set<Abortable>();
      this.#groups.set(signal, targets);
      signal.addEventListener("abort", () => {
        for (const each of targets) each.abort(signal.reason);
        targets.clear();
      }, { once: true });
    }
    group.add(target);
  }

  delete(signal: AbortSignal, target: Abortable): void {
    this.#groups.get(signal)?.delete(target);
  }
}

/** How far an attempt got: `connecting`, `sent` (being sent, or waiting for a response), or
 * `answering` (receiving the response). */
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
  // Deno reports EADDRNOTAVAIL with this code.
  EINVAL: "no free port on this machine (lower -c), or an invalid address",
  UND_ERR_CONNECT_TIMEOUT: "no connection within the time limit",
  UND_ERR_SOCKET: "the other side closed the connection",
  UND_ERR_DESTROYED: "the teacher was closed",
  UND_ERR_HEADERS_OVERFLOW: `its header fields are longer than ${MAX_HEAD_BYTES / 1024} KiB`,
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "its header fields give the body two lengths",
  // The following are alerts with which a server ends the TLS handshake.
  HandshakeFailure: "it rejects the host name, the ciphers or a client without a certificate",
  NoApplicationProtocol: "it speaks only HTTP/2, and Retort only HTTP/1.1",
  ProtocolVersion: "it does not support TLS 1.2 or later",
  UnrecognisedName: "it does not know this host name",
};

/** Returns the error of a request that could not be sent, or whose connection failed `waitedMs`
 * after the attempt began. `host` and `proxy` include the port. */
export function networkError(
  error: unknown,
  host: string,
  stage: Stage,
  proxy: string | undefined,
  { waitedMs = 0, isStreamed }: { waitedMs?: number; isStreamed?: boolean | undefined } = {},
): TeacherError {
  const root = rootOf(error), { code, message } = root;
  const place = proxy === undefined ? host : `${host} through the proxy ${proxy}`;
  // undici reports only in this message that a proxy refuses to open a tunnel.
  const refusal = /^Proxy response \((\d+)\)/.exec(message)?.[1];
  // tinyproxy rejects credentials with 401 instead of 407.
  if (refusal === "407" || refusal === "401") {
    const problem = `Cannot reach ${place}: the proxy requires other credentials (${refusal})`;
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
    notice: stage === "sent" && lastingCode === undefined && waitedMs >= IDLE_MS
      ? `The connection to ${place} broke after ${IDLE_MS / 1_000} s or more without an answer, ` +
        "which may be billed all the same. A gateway may close idle connections: " +
        `${remedyFor(isStreamed)}, or raise its idle timeout`
      : undefined,
    // The parser's error contains the unreadable bytes, which may be anything.
    cause: error instanceof errors.HTTPParserError ? undefined : error,
  });
}

/** A connection that broke sooner was not closed for being idle. Most gateways wait 30 s or
 * more. */
const IDLE_MS = 20_000;

/** Returns advice on how to make the first byte of an answer arrive sooner. */
export function remedyFor(isStreamed: boolean | undefined): string {
  return isStreamed === true ? "lower -c" : "use --stream";
}

/** Returns the code of an error that a retry does not fix: a missing permission, a certificate that
 * is not trusted, or another protocol. Undefined for other errors. */
function lastingCodeOf(error: unknown, { code, message }: ReturnType<typeof rootOf>, stage: Stage) {
  if (/^Requires net access/.test(message)) return "no_permission";
  // The alert comes from the other side, which has seen only the client's certificate. OpenSSL
  // sends `HandshakeFailure` if the client has no certificate.
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

/** Returns the code and the message of an error. `code` is the system's or undici's; "" if there is
 * none. */
function rootOf(error: unknown): { code: string; message: string } {
  // An `AggregateError` contains an error for each address of the host. The first one counts.
  if (error instanceof AggregateError && error.errors.length > 0) return rootOf(error.errors[0]);
  if (!(error instanceof Error)) return { code: "", message: String(error) };
  return { code: asText((error as { code?: unknown }).code), message: error.message };
}
