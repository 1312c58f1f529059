/**
 * Timers. Those with a callback do not keep the process alive.
 *
 * @module
 */

export const DAY_MS = 86_400_000;

/** `setTimeout` takes a signed 32-bit number of milliseconds and fires at once above that. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** How long, in milliseconds, code that never awaits may keep the event loop from timers and
 * sockets. */
export const LONGEST_TURN_MS = 20;

/** Calls back once after `ms` milliseconds, which may exceed `MAX_TIMER_MS`, unless the returned
 * function is called first. */
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

/** Resolves after `ms` milliseconds. Keeps the process alive until then. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Calls back every `intervalMs` until the returned function is called. */
export function every(intervalMs: number, callback: () => void): () => void {
  const timer = setInterval(callback, intervalMs);
  unref(timer);
  return () => clearInterval(timer);
}

/** Types say that timers are numbers, as in browsers; in Deno, Node and Bun they are objects. */
function unref(timer: unknown): void {
  (timer as { unref?(): void }).unref?.();
}
