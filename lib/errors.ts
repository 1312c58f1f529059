/**
 * The errors that a run can end with. Misuse of the library throws `TypeError` or `RangeError`
 * instead; what goes wrong with one row is data (an `Outcome`), not an exception.
 *
 * @module
 */

import type { Completion } from "./teacher/mod.ts";

/** The root of everything that Retort throws while it runs. */
export class RetortError extends Error {
  /** The name of the class, for logs. */
  override name = "RetortError";
}

/** The place of the error in the input. */
export interface SourceErrorOptions extends ErrorOptions {
  /** The input file. */
  path?: string;
  /** The line in it, from 1. */
  line?: number;
}

/** The input cannot be read, or holds rows that cannot be sent. */
export class SourceError extends RetortError {
  /** The name of the class, for logs. */
  override name = "SourceError";
  /** The input file, if the error is in one. */
  readonly path: string | undefined;
  /** The line in it, from 1, if the error is in one. */
  readonly line: number | undefined;

  /** Creates the error, with its place in the input. */
  constructor(message: string, options: SourceErrorOptions = {}) {
    super(message, options);
    this.path = options.path;
    this.line = options.line;
  }
}

/** What can go wrong with one attempt or one row; the `error.type` of a failures line. */
export type FailureType =
  /** The input line is not a row that can be sent. */
  | "bad_row"
  /** The connection was refused, broken or never made. */
  | "network"
  /** A deadline passed. */
  | "timeout"
  /** The teacher answered 429. */
  | "rate_limit"
  /** The teacher answered 408, 409 or 5xx. */
  | "server"
  /** The teacher refuses all rows: the key, the bill, the model or the address. It halts the teacher and fails
   * no row. */
  | "account"
  /** The teacher refused the request with another status. */
  | "request"
  /** The teacher answered 2xx with something other than a completion. */
  | "response"
  /** The answer ended in a way that does not prove it complete: `finish_reason` `abort`, `error` and the like,
   * an unknown one, or none. */
  | "unfinished"
  /** The answer stopped at the token limit (`finish_reason` `length`). */
  | "truncated"
  /** The answer was withheld or cut off by a filter (`finish_reason` `content_filter`). */
  | "filtered"
  /** The answer holds neither text nor a tool call. */
  | "empty"
  /** The model refused to answer (`rejectRefusals`). */
  | "refused"
  /** The answer did not pass a check (`requireJson`, `jsonSchema`, `rejectPattern`, `validate`). */
  | "rejected"
  /** A custom teacher threw something else. */
  | "teacher";

/** All failure types, for messages and for the validation of options. */
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

/** Details of a failed attempt. */
export interface TeacherErrorOptions extends ErrorOptions {
  /** The kind of failure. @default derived from `status`, or "teacher" */
  type?: FailureType;
  /** The HTTP status, if there was one. */
  status?: number;
  /**
   * The teacher's own code or type of the error, such as `insufficient_quota`. For connections it is the
   * system's code (`ECONNREFUSED`), `certificate`, `client_certificate`, `no_tls`, `wants_tls` or `no_http`.
   * @default none
   */
  code?: string;
  /**
   * Whether another attempt may succeed, if the server says so (the header `x-should-retry`), or a custom
   * teacher. @default undefined: type, status and code decide
   */
  retryable?: boolean;
  /** The shortest time to wait before the next attempt, in milliseconds. */
  retryAfterMs?: number;
  /**
   * Whether the teacher says that one of its limits is used up, so that it would throttle all other rows too
   * until `retryAfterMs` is over. @default false
   */
  isExhausted?: boolean;
  /**
   * Whether a router passes on the error of a provider behind it (OpenRouter's "Provider returned error") that
   * it uses with its own key. The row is the cause only if the message says so: another attempt may reach
   * another provider.
   * @default false
   */
  isRelayed?: boolean;
  /** Whether no connection could be made, so that nothing was sent. @default false */
  isUnreachable?: boolean;
  /** Whether the teacher leaves out a field from now on, so that the row is sent again at once and the attempt
   * does not count. @default false */
  isAdjusted?: boolean;
  /** What the user should know about it; given once. @default nothing */
  notice?: string;
  /** The part of the answer that came before the attempt failed: it may have been billed.
   * @default nothing */
  partial?: Completion;
}

/**
 * One attempt at one row failed. A `Teacher` throws it; the engine decides whether to try again
 * (`lib/engine/errors/classify.ts`).
 */
export class TeacherError extends RetortError {
  /** The name of the class, for logs. */
  override name = "TeacherError";
  /** The kind of failure. */
  readonly type: FailureType;
  /** The HTTP status, if there was one. */
  readonly status: number | undefined;
  /** The teacher's own code or type of the error, or the system's code for a connection; undefined if there
   * is none. */
  readonly code: string | undefined;
  /** Whether another attempt may succeed, if the thrower says so explicitly; else undefined. */
  readonly retryable: boolean | undefined;
  /** The shortest time to wait before the next attempt, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** Whether the teacher says that one of its limits is used up. */
  readonly isExhausted: boolean;
  /** Whether a router passes on the error of a provider behind it. */
  readonly isRelayed: boolean;
  /** Whether no connection could be made, so that nothing was sent. */
  readonly isUnreachable: boolean;
  /** Whether the teacher leaves out a field from now on, so that this attempt does not count. */
  readonly isAdjusted: boolean;
  /** What the user should know about it; given once. */
  readonly notice: string | undefined;
  /** The part of the answer that came before the attempt failed; undefined if there is none. */
  readonly partial: Completion | undefined;

  /** Creates the error; the type is derived from the status where none is given. */
  constructor(message: string, options: TeacherErrorOptions = {}) {
    super(message, options);
    this.status = options.status;
    this.type = options.type ?? typeOfStatus(options.status);
    this.code = options.code || undefined;
    this.retryable = options.retryable;
    this.retryAfterMs = options.retryAfterMs;
    this.isExhausted = options.isExhausted ?? false;
    this.isRelayed = options.isRelayed ?? false;
    this.isUnreachable = options.isUnreachable ?? false;
    this.isAdjusted = options.isAdjusted ?? false;
    this.notice = options.notice;
    this.partial = options.partial;
  }
}

/** A copy of the error with some details changed. */
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

/** The place of the error on disk. */
export interface SinkErrorOptions extends ErrorOptions {
  /** The file. */
  path?: string;
}

/** An output file cannot be written, or is damaged. */
export class SinkError extends RetortError {
  /** The name of the class, for logs. */
  override name = "SinkError";
  /** The file. */
  readonly path: string | undefined;

  /** Creates the error, with its file. */
  constructor(message: string, options: SinkErrorOptions = {}) {
    super(message, options);
    this.path = options.path;
  }
}

/** Another run holds the lock of an output file. */
export class LockedError extends SinkError {
  /** The name of the class, for logs. */
  override name = "LockedError";
}

/** An output file holds something that Retort did not write. */
export class DamagedFileError extends SinkError {
  /** The name of the class, for logs. */
  override name = "DamagedFileError";
}

/** The run cannot be started with these options; nothing was sent or written. */
export class UsageError extends RetortError {
  /** The name of the class, for logs. */
  override name = "UsageError";
}

/** A teacher, a budget or a deadline has ended the work; the rest stays pending. */
export class HaltedError extends RetortError {
  /** The name of the class, for logs. */
  override name = "HaltedError";
}
