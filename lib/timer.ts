/**
 * Timers. Those with a callback do not keep the process alive.
 *
 * @module
 */

/** A day, in milliseconds. */
export const DAY_MS = 86_400_000;

/** Above this, `setTimeout` fires at once: it takes a signed 32-bit number of milliseconds. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** The longest time, in milliseconds, for which code that never has to wait may keep the event loop from its
 * timers and sockets. */
export const LONGEST_TURN_MS = 20;

/** Calls back after `ms` milliseconds, however many, unless the returned function is called first. Does not
 * keep the process alive. */
export function after(ms: number, callback: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const arm = (leftMs: number) => {
    const stepMs = Math.min(MAX_TIMER_MS, leftMs);
    timer = setTimeout(() => leftMs > stepMs ? arm(leftMs - stepMs) : callback(), stepMs);
    unref(timer);
  };
  arm(ms);
  return () => clearTimeout(timer);
}

/** Resolves after `ms` milliseconds, and keeps the process alive until then. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Calls back every `intervalMs` until the returned function is called. Does not keep the process alive: a run
 * has sockets that do. */
export function every(intervalMs: number, callback: () => void): () => void {
  const timer = setInterval(callback, intervalMs);
  unref(timer);
  return () => clearInterval(timer);
}

/** Timers of Deno, Node and Bun are objects with this method; web types say a number. */
function unref(timer: unknown): void {
  (timer as { unref?(): void }).unref?.();
}
