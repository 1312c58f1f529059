/**
 * Distinguishes a second signal from one signal that arrives twice.
 *
 * @module
 */

/**
 * `deno task` forwards one Ctrl-C twice, 0.3 ms apart; users do not press it twice within half a
 * second.
 */
const SAME_SIGNAL_MS = 500;

/**
 * How long the main thread may take to end the process after the second signal. It takes at most
 * 1.5 s unless it is blocked.
 */
const PATIENCE_MS = 1_900;

export class SignalCount {
  #lastMs = -Infinity;
  #count = 0;

  /** Counts a signal. Returns the number so far, or undefined if it repeats the last one. */
  add(): number | undefined {
    const nowMs = performance.now();
    if (nowMs - this.#lastMs < SAME_SIGNAL_MS) return undefined;
    this.#lastMs = nowMs;
    return ++this.#count;
  }
}

/** Returns a signal handler that calls `end` 1.9 s after the second signal. */
export function endAfterSecond(end: () => void): () => void {
  const signals = new SignalCount();
  return () => {
    if (signals.add() === 2) setTimeout(end, PATIENCE_MS);
  };
}
