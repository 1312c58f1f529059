/**
 * Notices that the program which started this one is gone.
 *
 * @module
 */

import type { Io } from "./io.ts";

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
