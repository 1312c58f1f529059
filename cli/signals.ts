/**
 * Handling of Ctrl-C, SIGTERM and SIGHUP.
 *
 * @module
 */

import { formatCountOf } from "../lib/figures.ts";
import type { ResponseGenerator } from "../lib/response_generator.ts";
import { every, MAX_TIMER_MS } from "../lib/timer.ts";
import { exitCodeOfSignal } from "./exit_codes.ts";
import { type Io, onStopSignal, type StopSignal } from "./io.ts";
import { SignalCount } from "./second_signal.ts";

/** After this time from the second signal, the process exits even if the run has not ended. */
const FORCED_EXIT_MS = 1_500;

/** Listens for signals until disposed of. */
export interface Signals extends Disposable {
  /** The first signal received; undefined before. */
  readonly received: StopSignal | undefined;
}

/**
 * Listens for signals. The first one drains the run; the second ends the run and, within two
 * seconds, the process. SIGTERM and SIGHUP also end the run after `graceMs`. If npm, npx or `deno
 * task` started the process and has ended, that counts as SIGTERM.
 */
export function listenForSignals(
  generator: ResponseGenerator,
  io: Io,
  say: (message: string) => void,
  graceMs: number,
): Signals {
  const handler = new SignalHandler(generator, io, say, graceMs);
  const stopListening = onStopSignal(io, (signal) => handler.handle(signal));
  const parent = watchParent(io, () => {
    say("The process that started this run has ended, so the run stops");
    handler.handle("SIGTERM");
  });
  const guard = io.guardSignals?.();
  return {
    get received() {
      return handler.received;
    },
    [Symbol.dispose]() {
      handler[Symbol.dispose]();
      parent[Symbol.dispose]();
      guard?.[Symbol.dispose]();
      stopListening();
    },
  };
}

/** Counts the signals, and drains or ends the run accordingly. */
class SignalHandler {
  readonly #generator: ResponseGenerator;
  readonly #io: Io;
  readonly #say: (message: string) => void;
  readonly #graceMs: number;
  readonly #signals = new SignalCount();
  #timer: ReturnType<typeof setTimeout> | undefined;
  received: StopSignal | undefined;

  constructor(
    generator: ResponseGenerator,
    io: Io,
    say: (message: string) => void,
    graceMs: number,
  ) {
    this.#generator = generator;
    this.#io = io;
    this.#say = say;
    this.#graceMs = graceMs;
  }

  handle(signal: StopSignal): void {
    if (this.#signals.add() === undefined) return;
    if (this.received === undefined) this.#drain(signal);
    else this.#endNow(this.received);
  }

  #drain(signal: StopSignal): void {
    this.received = signal;
    const inFlight = this.#generator.snapshot()?.inFlight ?? 0;
    this.#generator.stop();
    if (inFlight > 0) this.#say(drainMessage(signal, inFlight, this.#graceMs));
    if (signal === "SIGINT") return;
    this.#timer = setTimeout(() => this.#end(), Math.min(this.#graceMs, MAX_TIMER_MS));
  }

  #endNow(first: StopSignal): void {
    this.#say("Ending now: the rows of calls in flight will be sent again");
    const code = exitCodeOfSignal(first);
    const { exit } = this.#io;
    // This timer is not cleared on disposal: the process may hang after the run.
    if (exit !== undefined) setTimeout(() => exit(code), FORCED_EXIT_MS);
    this.#end();
  }

  #end(): void {
    this.#generator.abort(new DOMException("The run was interrupted", "AbortError"));
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

function drainMessage(signal: StopSignal, inFlight: number, graceMs: number): string {
  const calls = formatCountOf(inFlight, "paid call");
  return signal === "SIGINT"
    ? `Waiting for ${calls} in flight; press Ctrl-C again to end at once`
    : `Waiting for ${calls} in flight, ${graceMs / 1_000} s at most`;
}

/** How often the parent process is checked. */
const POLL_MS = 1_000;

/**
 * Calls `onGone` when the parent process has ended, if that was npm, npx or `deno task`: they may
 * be killed without forwarding the signal, and the run would keep spending unseen. Other parents
 * may end while the run continues: that is how users put a run into the background.
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
