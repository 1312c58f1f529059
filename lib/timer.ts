/**
 * Timers that do not keep the process alive.
 *
 * @module
 */

/** A day, in milliseconds. */
export const DAY_MS = 86_400_000;

/** Past this, `setTimeout` fires at once: it takes a signed 32-bit number of milliseconds. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** Where rows and answers are there at once, the event loop has to be given a turn so often: nothing else gives
 * timers and sockets theirs. */
export const LONGEST_TURN_MS = 20;

/** Calls back after `ms` milliseconds, however many, unless the function that it gives back is called
 * before. Does not keep the process alive. */
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

/** Calls back every `intervalMs` until the function that it gives back is called. Does not keep the process
 * alive: a run that continues has sockets that do. */
export function every(intervalMs: number, callback: () => void): () => void {
  const timer = setInterval(callback, intervalMs);
  unref(timer);
  return () => clearInterval(timer);
}

/** Deno, Node and Bun give an object with this method; the types of the web say a number. */
function unref(timer: unknown): void {
  (timer as { unref?(): void }).unref?.();
}
