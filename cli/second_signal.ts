/**
 * Distinguishes a second signal from one signal that arrives twice.
 *
 * @module
 */

/** `deno task` forwards one Ctrl-C twice, 0.3 ms apart; users do not press it twice so soon. */
const SAME_SIGNAL_MS = 500;

/** How long the main thread may take to end the process after the second signal; it does so after 1.5 s. */
const PATIENCE_MS = 1_900;

/** Counts signals; those that arrive within half a second are one. */
export class SignalCount {
  #lastMs = -Infinity;
  #count = 0;

  /** Counts a signal. Returns how many there have been, or undefined for the same one again. */
  add(): number | undefined {
    const nowMs = performance.now();
    if (nowMs - this.#lastMs < SAME_SIGNAL_MS) return undefined;
    this.#lastMs = nowMs;
    return ++this.#count;
  }
}

/** Returns the handler of signals that calls `end` some time after the second one. */
export function endAfterSecond(end: () => void): () => void {
  const signals = new SignalCount();
  return () => {
    if (signals.add() === 2) setTimeout(end, PATIENCE_MS);
  };
}
