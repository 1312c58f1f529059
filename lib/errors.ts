/**
 * The errors that end a run or an attempt. Misuse of the library throws `TypeError` or `RangeError`
 * instead. The failure of a row is not an exception but data (an `Outcome`).
 *
 * @module
 */

import type { Completion } from "./teacher/mod.ts";

/** The base of all errors that Retort throws while it runs. */
export class RetortError extends Error {
  /** The name of the class, which is printed before the message. */
  override name = "RetortError";
}

/** Options of a {@linkcode SourceError}. */
export interface SourceErrorOptions extends ErrorOptions {
  /** The input file. @default none, because the error is not about one file */
  path?: string | undefined;
  /** The line in `path`, counted from 1. @default none */
  line?: number | undefined;
}

/** The input cannot be read, or contains rows that cannot be sent. */
export class SourceError extends RetortError {
  /** The name of the class, which is printed before the message. */
  override name = "SourceError";
  /** The input file; undefined if the error is not about one file. */
  readonly path: string | undefined;
  /** The line in `path`, counted from 1; undefined if the error is not about one line. */
  readonly line: number | undefined;

  /** Creates an error about the input. */
  constructor(message: string, options: SourceErrorOptions = {}) {
    super(message, options);
    this.path = options.path;
    this.line = options.line;
  }
}

/** Why an attempt or a row failed. This is the `error.type` of a failures line. */
export type FailureType =
  /** The input line is not a row that can be sent. */
  | "bad_row"
  /** The connection was refused, broke or could not be made. */
  | "network"
  /** The deadline of the attempt or of the row has passed. */
  | "timeout"
  /** The status (429), the code or the message reports a rate limit or quota. */
  | "rate_limit"
  /** The status (408, 409, 5xx), the code or the message reports a fault or overload. */
  | "server"
  /** The key, the model or the address is wrong, or the account lacks credit. This halts the
   * teacher and fails no row. */
  | "account"
  /** The teacher rejected the request because of the row, or because of parameters that all rows
   * share. */
  | "request"
  /** The teacher sent a 2xx response that is not a completion. */
  | "response"
  /** The finish reason is unknown or missing, or says that generation was aborted (`abort`), so the
   * answer may be incomplete. */
  | "unfinished"
  /** The answer reached the token limit (`finish_reason` `length`) or filled the context window. */
  | "truncated"
  /** A filter rejected the prompt, or withheld or cut off the answer. */
  | "filtered"
  /** The answer contains neither text nor a tool call. */
  | "empty"
  /** The model refused to answer (`rejectRefusals`). */
  | "refused"
  /** The answer did not pass a check (`requireJson`, `jsonSchema`, `rejectPattern`, `validate`). */
  | "rejected"
  /** A custom teacher threw an error that is not a `TeacherError`. */
  | "teacher";

export const FAILURE_TYPES: readonly FailureType[] = [
  "bad_row",
  "network",
  "timeout",
  "rate_limit",
  "server",
  "account",
  "request",
  "response",
  "unfinished",
  "truncated",
  "filtered",
  "empty",
  "refused",
  "rejected",
  "teacher",
];

/** Options of a {@linkcode TeacherError}. */
export interface TeacherErrorOptions extends ErrorOptions {
  /**
   * The kind of failure. The engine may refine it by status, code and message.
   * @default derived from `status`, or `teacher` if there is no status
   */
  type?: FailureType | undefined;
  /** The HTTP status. @default none, because no response arrived */
  status?: number | undefined;
  /**
   * The teacher's code or type of the error (`insufficient_quota`). For a connection error, this is
   * the system's code (`ECONNREFUSED`), or `certificate`, `client_certificate`, `no_handshake`,
   * `no_tls`, `wants_tls`, `no_http` or `no_permission`. @default none
   */
  code?: string | undefined;
  /**
   * Whether another attempt may succeed, according to the header `x-should-retry` or a custom
   * teacher. @default undefined, so that type, status and code decide
   */
  retryable?: boolean | undefined;
  /** Minimum wait before the next attempt, in milliseconds. @default none */
  retryAfterMs?: number | undefined;
  /**
   * Whether a limit is used up, so that other rows would be throttled too. They would be throttled
   * for `retryAfterMs` or, if that is not set, for `limitResetMs`. Ignored unless the attempt was
   * throttled. @default false
   */
  isExhausted?: boolean | undefined;
  /** The time until the used-up limit resets, in milliseconds. @default unknown */
  limitResetMs?: number | undefined;
  /**
   * Whether a router with its own key relays a provider's error, as in OpenRouter's "Provider
   * returned error". Another attempt may reach another provider, so the row fails only if the
   * message blames the row. @default false
   */
  isRelayed?: boolean | undefined;
  /** Whether no connection could be made, so nothing was sent. @default false */
  isUnreachable?: boolean | undefined;
  /**
   * Whether the teacher rejected a field that Retort adds, such as `stream_options`. Later requests
   * omit the field, the row is sent again at once, and this attempt does not count. @default false
   */
  isAdjusted?: boolean | undefined;
  /** A message for the user. The run shows it once. @default none */
  notice?: string | undefined;
  /** The part of the answer that arrived before the failure. It may have been billed.
   * @default none */
  partial?: Completion | undefined;
}

/** A failed attempt at a row. A `Teacher` throws this error, and the engine decides whether to try
 * again. */
export class TeacherError extends RetortError {
  /** The name of the class, which is printed before the message. */
  override name = "TeacherError";
  /** See {@linkcode TeacherErrorOptions.type}. */
  readonly type: FailureType;
  /** The HTTP status; undefined if no response arrived. */
  readonly status: number | undefined;
  /** See {@linkcode TeacherErrorOptions.code}; undefined if there is none. */
  readonly code: string | undefined;
  /** See {@linkcode TeacherErrorOptions.retryable}. */
  readonly retryable: boolean | undefined;
  /** Minimum wait before the next attempt, in milliseconds; undefined if none was given. */
  readonly retryAfterMs: number | undefined;
  /** See {@linkcode TeacherErrorOptions.isExhausted}. */
  readonly isExhausted: boolean;
  /** The time until the used-up limit resets, in milliseconds; undefined if it is unknown. */
  readonly limitResetMs: number | undefined;
  /** See {@linkcode TeacherErrorOptions.isRelayed}. */
  readonly isRelayed: boolean;
  /** Whether no connection could be made, so nothing was sent. */
  readonly isUnreachable: boolean;
  /** See {@linkcode TeacherErrorOptions.isAdjusted}. */
  readonly isAdjusted: boolean;
  /** A message for the user, shown once; undefined if there is none. */
  readonly notice: string | undefined;
  /** The part of the answer that arrived before the failure; undefined if no part arrived. */
  readonly partial: Completion | undefined;

  /** Creates the error. If there is no `type`, it is derived from the status. A `type`, `status` or
   * `code` of the wrong type is ignored, because an error's body may have a number as its
   * `code`. */
  constructor(message: string, options: TeacherErrorOptions = {}) {
    super(message, options);
    const { status, type, code } = options;
    this.status = typeof status === "number" ? status : undefined;
    this.type = type !== undefined && FAILURE_TYPES.includes(type)
      ? type
      : typeOfStatus(this.status);
    this.code = typeof code === "string" && code !== "" ? code : undefined;
    this.retryable = options.retryable;
    this.retryAfterMs = options.retryAfterMs;
    this.isExhausted = options.isExhausted ?? false;
    this.limitResetMs = options.limitResetMs;
    this.isRelayed = options.isRelayed ?? false;
    this.isUnreachable = options.isUnreachable ?? false;
    this.isAdjusted = options.isAdjusted ?? false;
    this.notice = options.notice;
    this.partial = options.partial;
  }
}

/** The error code for a row that names a file that cannot be read. Nothing was sent. */
export const UNREADABLE_FILE = "unreadable_file";

/** A gateway waits at least this long for an answer before it sends 504. If it sends 504 sooner, it
 * cannot reach the teacher, so nothing was billed. */
export const MIN_GATEWAY_WAIT_MS = 5_000;

export function changedError(error: TeacherError, changes: TeacherErrorOptions): TeacherError {
  const { cause } = error;
  return new TeacherError(error.message, { ...error, cause, ...changes });
}

function typeOfStatus(status: number | undefined): FailureType {
  if (status === undefined) return "teacher";
  if (status === 429) return "rate_limit";
  if (status === 408 || status === 409 || status >= 500) return "server";
  return "request";
}

/** Options of a {@linkcode SinkError}. */
export interface SinkErrorOptions extends ErrorOptions {
  /** The output file. @default none */
  path?: string | undefined;
}

/** An output file cannot be read or written, or is damaged. */
export class SinkError extends RetortError {
  /** The name of the class, which is printed before the message. */
  override name = "SinkError";
  /** The output file; undefined if the error is not about one file. */
  readonly path: string | undefined;

  /** Creates an error about an output file. */
  constructor(message: string, options: SinkErrorOptions = {}) {
    super(message, options);
    this.path = options.path;
  }
}

/** Another run or a merge holds the lock of an output file. */
export class LockedError extends SinkError {
  /** The name of the class, which is printed before the message. */
  override name = "LockedError";
}

/** An output file contains something that Retort did not write, or exists only as a compressed
 * copy. */
export class DamagedFileError extends SinkError {
  /** The name of the class, which is printed before the message. */
  override name = "DamagedFileError";
}

/** A command, or a change to a run, cannot be carried out as requested. */
export class UsageError extends RetortError {
  /** The name of the class, which is printed before the message. */
  override name = "UsageError";
}

/** Something other than the caller ended the run, such as a teacher, a budget, a deadline, or
 * checks that cannot continue. The remaining rows stay pending. */
export class HaltedError extends RetortError {
  /** The name of the class, which is printed before the message. */
  override name = "HaltedError";
}

/**
 * Returns what is wrong with a YAML text, and where. Omits the names of aliases and tags, and the
 * line that the parser quotes, because they may contain an API key.
 */
export function yamlProblem(error: unknown): string {
  const [message] = (error as Error).message.split(/:\n/);
  return message.replace(/ (?:"[^]*"|!<[^]*>)(?= at line \d+)/, "");
}
