/** Ctrl-C, SIGTERM and SIGHUP: what they do to runs and to other commands. @module */

import { formatCountOf } from "../lib/figures.ts";
import type { ResponseGenerator } from "../lib/response_generator.ts";
import { after, every, MAX_TIMER_MS } from "../lib/timer.ts";
import { exitCodeOfSignal } from "./exit_codes.ts";
import { type Io, onStopSignal, SignalCount, type StopSignal } from "./io.ts";

/** Time from the second signal to the exit, even if the run has not ended. */
const FORCED_EXIT_MS = 1_500;

export interface Signals extends Disposable {
  readonly received: StopSignal | undefined;
}

/**
 * The first signal drains the run; the second ends it and, within 2 s, the process. SIGTERM and
 * SIGHUP also end the run after `graceMs`. The end of a parent that is npm, npx or `deno task`
 * counts as SIGTERM.
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
  const drain = (signal: StopSignal) => {
    received = signal;
    const inFlight = generator.snapshot()?.inFlight ?? 0;
    generator.stop();
    if (inFlight > 0) say(drainMessage(signal, inFlight, graceMs));
    if (signal !== "SIGINT") timer = setTimeout(end, Math.min(graceMs, MAX_TIMER_MS));
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

function drainMessage(signal: StopSignal, inFlight: number, graceMs: number): string {
  const calls = formatCountOf(inFlight, "paid call");
  return signal === "SIGINT"
    ? `Waiting for ${calls} in flight; press Ctrl-C again to end at once`
    : `Waiting for ${calls} in flight, ${graceMs / 1_000} s at most`;
}

/**
 * Signals of a command other than a run. The first aborts `signal`, so that the command cleans up.
 * The second ends the process.
 */
export class Interruption implements Disposable {
  readonly #controller = new AbortController();
  readonly #stopListening: () => void;
  #cancelExit = () => {};
  readonly signal = this.#controller.signal;
  /** Resolves at the first signal. */
  readonly ended = new Promise<void>((resolve) =>
    this.signal.addEventListener("abort", () => resolve(), { once: true })
  );
  received: StopSignal | undefined;

  /** @param graceMs Time from the first signal until the process ends, even without a second. */
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
    // `deno task` passes on each Ctrl-C twice. If nothing listened, the second would end the process
    // while it ends by itself, and so change its exit code.
    if (this.received === undefined) this.#stopListening();
  }
}

const POLL_MS = 1_000;

/**
 * Watches the parent if it is npm, npx or `deno task`: if it is killed, it may forward no signal,
 * and the run would continue to spend unseen. Other parents may end, for example that of a run in
 * the background.
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
