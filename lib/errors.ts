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

/** Where in the input something was wrong. */
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
  /** The input file, where one is to blame. */
  readonly path: string | undefined;
  /** The line in it, from 1, where one is to blame. */
  readonly line: number | undefined;

  /** Makes the error with the place that it speaks of. */
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
  /** The connection was refused, cut or never made. */
  | "network"
  /** A deadline passed. */
  | "timeout"
  /** The teacher answered 429. */
  | "rate_limit"
  /** The teacher answered 408, 409 or 5xx. */
  | "server"
  /** The teacher refuses all rows: the key, the bill, the model or the address. No row fails of it. */
  | "account"
  /** The teacher refused the request with another status. */
  | "request"
  /** The teacher answered 2xx with something that is no completion. */
  | "response"
  /** The answer ended in a way that does not prove it whole: `finish_reason` `abort`, `error` and the like,
   * a word that is not known, or none. */
  | "unfinished"
  /** The answer stopped at the token limit (`finish_reason` `length`). */
  | "truncated"
  /** The answer was withheld or cut by a filter (`finish_reason` `content_filter`). */
  | "filtered"
  /** The answer holds neither text nor a tool call. */
  | "empty"
  /** The model refused to answer (`rejectRefusals`). */
  | "refused"
  /** The answer did not pass a check (`requireJson`, `jsonSchema`, `rejectPattern`, `validate`). */
  | "rejected"
  /** A teacher that was plugged in threw something else. */
  | "teacher";

/** All failure types, for messages and for checking what the user typed. */
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

/** What is known of a failed attempt. */
export interface TeacherErrorOptions extends ErrorOptions {
  /** What kind of failure it is. @default derived from `status`, or "teacher" */
  type?: FailureType;
  /** The HTTP status, where there was one. */
  status?: number;
  /**
   * The teacher's own code or type of the error, such as `insufficient_quota`; for connections that
   * of the system (`ECONNREFUSED`), `certificate`, `client_certificate` or `no_tls`. @default none
   */
  code?: string;
  /**
   * Whether another attempt may succeed, where the server or the thrower has said so (the header `x-should-retry`, or
   * a teacher that was plugged in). @default undefined: type, status and code decide
   */
  retryable?: boolean;
  /** The least time to wait before the next attempt, in milliseconds. */
  retryAfterMs?: number;
  /**
   * Whether the teacher says that nothing is left of one of its limits, so that it would throttle any
   * other row as well until `retryAfterMs` is over. @default false
   */
  isExhausted?: boolean;
  /**
   * Whether a router hands on what the provider behind it has said (OpenRouter's "Provider returned error"),
   * which it asked with a key of its own. The row is to blame only where the words say so: another attempt
   * may reach another provider.
   * @default false
   */
  isRelayed?: boolean;
  /** Whether no connection could be made, so that nothing was sent. @default false */
  isUnreachable?: boolean;
  /** Whether the teacher sends something else from now on, so that the same row is asked again at once and
   * without having used an attempt up. @default false */
  isAdjusted?: boolean;
  /** What the user should know of it, said once. @default nothing */
  notice?: string;
  /** What had come of the answer when the attempt failed: it may have been billed. @default nothing */
  partial?: Completion;
}

/**
 * One attempt at one row failed. A `Teacher` throws it; the engine decides whether to try again
 * (`lib/engine/errors/classify.ts`).
 */
export class TeacherError extends RetortError {
  /** The name of the class, for logs. */
  override name = "TeacherError";
  /** What kind of failure it is. */
  readonly type: FailureType;
  /** The HTTP status, where there was one. */
  readonly status: number | undefined;
  /** The teacher's own code or type of the error, or the system's of a connection, where there is one. */
  readonly code: string | undefined;
  /** Whether another attempt may succeed, as its thrower says explicitly; else undefined. */
  readonly retryable: boolean | undefined;
  /** The least time to wait before the next attempt, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** Whether the teacher says that nothing is left of one of its limits. */
  readonly isExhausted: boolean;
  /** Whether a router hands on what the provider behind it has said. */
  readonly isRelayed: boolean;
  /** Whether no connection could be made, so that nothing was sent. */
  readonly isUnreachable: boolean;
  /** Whether the teacher sends something else from now on, so that this attempt does not count. */
  readonly isAdjusted: boolean;
  /** What the user should know of it, said once. */
  readonly notice: string | undefined;
  /** What had come of the answer when the attempt failed; undefined where nothing had. */
  readonly partial: Completion | undefined;

  /** Makes the error; the type is derived from the status where none is given. */
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

/** The same error with some of what is known of it changed: the part of an answer that came before it. */
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

/** Where on disk something went wrong. */
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

  /** Makes the error with the file that it speaks of. */
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

/** An output file holds something that is no line of Retort's. */
export class DamagedFileError extends SinkError {
  /** The name of the class, for logs. */
  override name = "DamagedFileError";
}

/** The run cannot be started as it was asked for; nothing was sent and nothing was written. */
export class UsageError extends RetortError {
  /** The name of the class, for logs. */
  override name = "UsageError";
}

/** A teacher, a budget or a deadline has put an end to the work; what is left stays pending. */
export class HaltedError extends RetortError {
  /** The name of the class, for logs. */
  override name = "HaltedError";
}
