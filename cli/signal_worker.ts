/**
 * Hears signals while the main thread is frozen, and ends the process at the second one where that does
 * not do so itself. A worker of its own, started by `cli.ts`; not to be imported.
 *
 * @module
 */

import { systemSignals } from "./io.ts";

/** As in `signals.ts`: `deno task` passes one signal on twice. */
const SAME_SIGNAL_MS = 500;
/** How long the main thread may take to end the process. It does so by itself after 1.5 s. */
const PATIENCE_MS = 1_900;

let lastMs = -Infinity;
let count = 0;

const signals = (["SIGINT", "SIGTERM", "SIGHUP"] as const).flatMap((signal) =>
  systemSignals(signal)
);
for (const signal of signals) {
  Deno.addSignalListener(signal, () => {
    const nowMs = performance.now();
    if (nowMs - lastMs < SAME_SIGNAL_MS) return;
    lastMs = nowMs;
    if (++count === 2) setTimeout(end, PATIENCE_MS);
  });
}

function end(): void {
  Deno.stderr.writeSync(
    new TextEncoder().encode(
      "\nThe run hears no signals: its process is killed. What is on disk stays\n",
    ),
  );
  // A worker can end its process in no other way. Its own process needs no permission.
  Deno.kill(Deno.pid, "SIGKILL");
}
