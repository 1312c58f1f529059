/**
 * How the process ends: its exit codes, and what Ctrl-C, SIGTERM and SIGHUP do to runs and to other
 * commands.
 *
 * @module
 */

import {
  DamagedFileError,
  LockedError,
  SinkError,
  SourceError,
  UsageError,
} from "../lib/errors.ts";
import { formatCountOf } from "../lib/figures.js";
import type { RunSnapshot, Summary } from "../lib/progress/mod.ts";
import type { ResponseGenerator } from "../lib/response_generator.ts";
import { after, every, MAX_TIMER_MS } from "../lib/timer.ts";
import { type Io, onStopSignal, SignalCount, type StopSignal } from "./io.ts";

/** Success. After a run, every row has a result, or failures are within `--allow-failures`. */
export const EXIT_DONE = 0;
/** An unexpected error: a bug in Retort. */
export const EXIT_INTERNAL = 1;
/** Wrong usage, bad input, a damaged file, or a missing permission. */
export const EXIT_USAGE = 2;
/** Some rows have no result; or a submitted job is not done, or could not be canceled. */
export const EXIT_FAILED_ROWS = 3;
/** Another run, or a merge, is writing to the same output. */
export const EXIT_LOCKED = 4;
/** A teacher, a budget or a deadline halted the run. */
export const EXIT_HALTED = 5;
/** The disk failed or is full, a report could not be written, or a scheduler's tool failed. */
export const EXIT_DISK = 6;

/** The exit code after a signal is this base plus the number of the signal: 130 after SIGINT. */
export const SIGNAL_CODE_BASE = 128;

const SIGNAL_NUMBERS: Readonly<Record<StopSignal, number>> = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };

export function exitCodeOfSignal(signal: StopSignal): number {
  return SIGNAL_CODE_BASE + SIGNAL_NUMBERS[signal];
}

/** How many rows may fail in a run that still ends with `EXIT_DONE`. */
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

const USAGE_ERRORS = [UsageError, SourceError, DamagedFileError, Deno.errors.NotCapable];

export function exitCodeOfError(error: unknown): number {
  if (USAGE_ERRORS.some((type) => error instanceof type)) return EXIT_USAGE;
  if (error instanceof LockedError) return EXIT_LOCKED;
  return error instanceof SinkError || isDiskError(error) ? EXIT_DISK : EXIT_INTERNAL;
}

/**
 * System error codes of disks and file servers. EACCES and EPERM are not among them, because
 * listening on a port below 1024 may fail with them, too.
 */
const DISK_CODES: ReadonlySet<unknown> = new Set([
  "EIO",
  "ESTALE",
  "ENOTCONN",
  "EROFS",
  "ENOSPC",
  "EDQUOT",
]);

/** Whether a system error comes from a disk or a file server, and not from a bug. */
export function isDiskError(error: unknown): error is Error {
  return error instanceof Error && DISK_CODES.has((error as { code?: unknown }).code);
}

/** Time from the second signal to the exit, even if the run has not ended. */
const FORCED_EXIT_MS = 1_500;

export interface Signals extends Disposable {
  readonly received: StopSignal | undefined;
}

/**
 * Handles signals during a run. At the first signal, the run sends nothing more and waits for its
 * calls. After SIGTERM or SIGHUP, or if the npm, npx or `deno task` that started the run has ended,
 * it waits at most `graceMs`. The second signal aborts the calls and, within 2 s, ends the process.
 */
export function listenForSignals(
  generator: ResponseGenerator,
  io: Io,
  say: (message: string) => void,
  graceMs: number,
): Signals {
  const signals = new SignalCount();
  let received: StopSignal | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = () => generator.abort(new DOMException("The run was interrupted", "AbortError"));
  const limitDrain = () => timer ??= setTimeout(end, Math.min(graceMs, MAX_TIMER_MS));
  const drain = (signal: StopSignal) => {
    received = signal;
    const snapshot = generator.snapshot();
    generator.stop();
    const waitsFor = snapshot === undefined ? undefined : awaited(snapshot);
    if (waitsFor !== undefined) say(drainMessage(signal, waitsFor, graceMs));
    if (signal !== "SIGINT") limitDrain();
  };
  const endNow = (first: StopSignal) => {
    say("Ending now: the rows of calls in flight will be sent again");
    const { exit } = io;
    // This timer is not cleared on disposal: the process may hang after the run.
    if (exit !== undefined) setTimeout(() => exit(exitCodeOfSignal(first)), FORCED_EXIT_MS);
    end();
  };
  const handle = (signal: StopSignal) => {
    if (signals.add() === undefined) return;
    if (received === undefined) drain(signal);
    else endNow(received);
  };
  const listening = new DisposableStack();
  listening.defer(() => clearTimeout(timer));
  listening.defer(onStopSignal(io, handle));
  listening.use(io.guardSignals?.());
  listening.use(watchParent(io, () => {
    // This is not a second signal: the first one has ended the parent, and also ends the run.
    if (received !== undefined) return limitDrain();
    say("The process that started this run has ended, so the run stops");
    handle("SIGTERM");
  }));
  return {
    get received() {
      return received;
    },
    [Symbol.dispose]: () => listening.dispose(),
  };
}

/** Returns what a run waits for before it ends; undefined if it ends immediately. */
function awaited({ state, inFlight }: RunSnapshot): string | undefined {
  if (state === "disk_full") return "space on the disk, to write paid answers";
  return inFlight === 0 ? undefined : `${formatCountOf(inFlight, "paid call")} in flight`;
}

function drainMessage(signal: StopSignal, waitsFor: string, graceMs: number): string {
  return signal === "SIGINT"
    ? `Waiting for ${waitsFor}; press Ctrl-C again to end at once`
    : `Waiting for ${waitsFor}, ${graceMs / 1_000} s at most`;
}

/**
 * Handles signals while no run is active. The first signal aborts `signal`, so that the command
 * cleans up. The second signal ends the process.
 */
export class Interruption implements Disposable {
  readonly #controller = new AbortController();
  readonly #stopListening: () => void;
  #cancelExit = () => {};
  readonly signal = this.#controller.signal;
  readonly firstSignal = new Promise<void>((resolve) =>
    this.signal.addEventListener("abort", () => resolve(), { once: true })
  );
  received: StopSignal | undefined;

  /** @param graceMs Time from the first signal until the process is ended. */
  constructor(io: Io, graceMs = Infinity) {
    const signals = new SignalCount();
    this.#stopListening = onStopSignal(io, (signal) => {
      const count = signals.add();
      if (count === undefined) return;
      this.received ??= signal;
      this.#controller.abort();
      const exit = () => io.exit?.(exitCodeOfSignal(signal));
      if (count > 1) exit();
      else this.#cancelExit = after(graceMs, exit);
    });
  }

  [Symbol.dispose](): void {
    this.#cancelExit();
    // `deno task` forwards each Ctrl-C twice. If nothing listened any longer, the second signal
    // would kill the process during its cleanup, and change the exit code.
    if (this.received === undefined) this.#stopListening();
  }
}

/** Longest time for the cleanup: a file server or the reader of a pipe may hang. */
const CLEANUP_MS = 10_000;

/**
 * Runs `work`, which must remove its temporary files when the first signal aborts it: they may be
 * as large as the output. Returns the exit code of the work or of the signal.
 */
export async function untilInterrupted(
  io: Io,
  work: (signal: AbortSignal) => Promise<number>,
): Promise<number> {
  using interruption = new Interruption(io, CLEANUP_MS);
  const { signal } = interruption;
  try {
    return await work(signal);
  } catch (error) {
    if (interruption.received === undefined || error !== signal.reason) throw error;
    // Standard output may already have received a part of the output, as in `-o - > x.jsonl`.
    io.writeErr("Stopped: no complete output was written\n");
    return exitCodeOfSignal(interruption.received);
  }
}

const POLL_MS = 1_000;

/**
 * Calls `onGone` when a parent that is npm, npx or `deno task` has ended. If such a parent is
 * killed, it forwards no signal, and the run would continue to cost money unseen. Other parents,
 * such as the shell of a run in the background, may end before the run.
 */
export function watchParent(io: Io, onGone: () => void): Disposable {
  const { parentPid } = io;
  if (parentPid === undefined || !wasStartedByRunner(io)) return { [Symbol.dispose]() {} };
  const firstPid = parentPid();
  const stop = every(POLL_MS, () => {
    if (parentPid() === firstPid) return;
    stop();
    onGone();
  });
  return { [Symbol.dispose]: stop };
}

function wasStartedByRunner(io: Io): boolean {
  return io.env("INIT_CWD") !== undefined || io.env("npm_command") !== undefined;
}
