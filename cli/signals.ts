/**
 * What Ctrl-C, SIGTERM and SIGHUP do to a run.
 *
 * @module
 */

import { formatCount } from "../lib/figures.ts";
import type { ResponseGenerator } from "../lib/response_generator.ts";
import { MAX_TIMER_MS } from "../lib/timer.ts";
import { SIGNAL_NUMBERS } from "./exit_codes.ts";
import type { Io, StopSignal } from "./io.ts";

/** `deno task` passes one Ctrl-C on twice, 0.3 ms apart; no one presses it twice so soon. */
const SAME_SIGNAL_MS = 500;

/** How long a run may take to end after the second signal; then its process ends anyway. */
const LAST_MS = 1_500;

/** Signals that have come, and the way to stop hearing them. */
export interface Signals extends Disposable {
  /** The first that came. */
  readonly received: StopSignal | undefined;
}

/**
 * Lets the first signal drain the run and the second end it, the process with it within two seconds.
 * After SIGTERM and SIGHUP the run is ended in any case when `graceMs` have passed. That npm, npx or
 * `deno task` is gone, which started the run, counts as SIGTERM.
 */
export function listenForSignals(
  generator: ResponseGenerator,
  io: Io,
  say: (message: string) => void,
  graceMs: number,
): Signals {
  let received: StopSignal | undefined;
  let lastMs = -Infinity;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = () => generator.abort(new DOMException("The run was interrupted", "AbortError"));
  const handle = (signal: StopSignal) => {
    const nowMs = performance.now();
    if (nowMs - lastMs < SAME_SIGNAL_MS) return;
    lastMs = nowMs;
    if (received !== undefined) {
      say("Ending now: calls that are still under way will be asked again");
      // Not cleared with the others: what hangs may come after the run.
      const code = 128 + SIGNAL_NUMBERS[received];
      if (io.exit !== undefined) setTimeout(() => io.exit?.(code), LAST_MS);
      return end();
    }
    received = signal;
    const left = generator.snapshot()?.inFlight ?? 0;
    generator.stop();
    if (left > 0) say(drainMessage(signal, left, graceMs));
    if (signal !== "SIGINT") timer = setTimeout(end, Math.min(graceMs, MAX_TIMER_MS));
  };
  const leave = (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((signal) =>
    io.onSignal(signal, () => handle(signal))
  );
  const parent = watchParent(io, () => {
    say("The process that started this run has ended, so the run ends too");
    handle("SIGTERM");
  });
  const guard = io.guardSignals?.();
  return {
    get received() {
      return received;
    },
    [Symbol.dispose]() {
      clearTimeout(timer);
      parent[Symbol.dispose]();
      guard?.[Symbol.dispose]();
      for (const stop of leave) stop();
    },
  };
}

function drainMessage(signal: StopSignal, left: number, graceMs: number): string {
  const calls = `${formatCount(left)} paid ${left === 1 ? "call" : "calls"}`;
  return signal === "SIGINT"
    ? `Waiting for ${calls} under way; press Ctrl-C again to end at once`
    : `Waiting for ${calls} under way, ${graceMs / 1_000} s at most`;
}

const POLL_MS = 1_000;

/**
 * Calls `onGone` when the parent process has ended, where that was npm, npx or `deno task`. They may be
 * ended without passing the signal on, and the run would continue to spend with no one to see it. Any other
 * parent may end as it likes: that is how a run is put into the background.
 */
export function watchParent(io: Io, onGone: () => void): Disposable {
  const { parentPid } = io;
  if (parentPid === undefined || !isByRunner(io)) return { [Symbol.dispose]() {} };
  const first = parentPid();
  const timer = setInterval(() => {
    if (parentPid() === first) return;
    clearInterval(timer);
    onGone();
  }, POLL_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function isByRunner(io: Io): boolean {
  return io.env("INIT_CWD") !== undefined || io.env("npm_command") !== undefined;
}
