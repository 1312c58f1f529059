/** Exit codes of the process. @module */

import type { Summary } from "../lib/progress/mod.ts";
import {
  DamagedFileError,
  LockedError,
  SinkError,
  SourceError,
  UsageError,
} from "../lib/errors.ts";
import type { StopSignal } from "./io.ts";

/** Success. After a run, every row has a result, or failures are within `--allow-failures`. */
export const EXIT_DONE = 0;
/** An unexpected error: a bug in Retort. */
export const EXIT_INTERNAL = 1;
/** Wrong usage, bad input, a damaged file, or a missing permission. */
export const EXIT_USAGE = 2;
/** Some rows have no result, or a submitted job is not done or may not be canceled. */
export const EXIT_FAILED_ROWS = 3;
/** Another run, or a merge, is writing to the same output. */
export const EXIT_LOCKED = 4;
/** A teacher, a budget or a deadline halted the run. */
export const EXIT_HALTED = 5;
/** The disk failed or is full, a report could not be written, or a scheduler's tool failed. */
export const EXIT_DISK = 6;

/** The exit code after a signal is this plus the signal's number: 130 after SIGINT. */
export const SIGNAL_CODE_BASE = 128;

const SIGNAL_NUMBERS: Readonly<Record<StopSignal, number>> = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };

export function exitCodeOfSignal(signal: StopSignal): number {
  return SIGNAL_CODE_BASE + SIGNAL_NUMBERS[signal];
}

/** How many failed rows still count as success. */
export interface Allowance {
  /** A number of rows, or a percentage of all rows. */
  readonly value: number;
  readonly isPercent: boolean;
}

/** Reads the value of `--allow-failures`: `10` or `1%`. Returns undefined for an invalid value. */
export function parseAllowance(text: string): Allowance | undefined {
  const [, value, unit] = /^(\d+|\d+\.\d+(?=%))(%?)$/.exec(text) ?? [];
  return value === undefined ? undefined : { value: Number(value), isPercent: unit === "%" };
}

export function exitCodeOf(
  summary: Summary,
  options: { signal?: StopSignal; allowance?: Allowance } = {},
): number {
  if (summary.state === "interrupted") return exitCodeOfSignal(options.signal ?? "SIGINT");
  if (summary.state === "halted") return EXIT_HALTED;
  const failures = summary.failures_on_disk + summary.bad_rows;
  if (failures === 0 && summary.pending === 0) return EXIT_DONE;
  const { value, isPercent } = options.allowance ?? { value: 0, isPercent: false };
  const rows = summary.total + summary.bad_rows;
  const isAllowed = failures <= (isPercent ? rows * value / 100 : value);
  return summary.pending === 0 && isAllowed ? EXIT_DONE : EXIT_FAILED_ROWS;
}

export function exitCodeOfError(error: unknown): number {
  if (error instanceof UsageError || error instanceof SourceError) return EXIT_USAGE;
  if (error instanceof DamagedFileError || error instanceof Deno.errors.NotCapable) {
    return EXIT_USAGE;
  }
  if (error instanceof LockedError) return EXIT_LOCKED;
  if (error instanceof SinkError || isDiskError(error)) return EXIT_DISK;
  return EXIT_INTERNAL;
}

/** Not EACCES or EPERM, which a port below 1024 or a program may cause, too. */
const DISK_CODES: ReadonlySet<unknown> = new Set([
  "EIO",
  "ESTALE",
  "ENOTCONN",
  "EROFS",
  "ENOSPC",
  "EDQUOT",
]);

/** Whether an error without a prepared message comes from a disk or a file server, not a bug. */
export function isDiskError(error: unknown): error is Error {
  return error instanceof Error && DISK_CODES.has((error as { code?: unknown }).code);
}
