/**
 * Listens for signals while the main thread is frozen, and kills the process at the second one if the main
 * thread does not end it. A separate worker, started by `cli.ts`; do not import it.
 *
 * @module
 */

import { systemSignals } from "./io.ts";

/** As in `signals.ts`: `deno task` forwards one signal twice. */
const SAME_SIGNAL_MS = 500;
/** How long the main thread may take to end the process, which it does after 1.5 s. */
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
      "\nThe run does not react to signals, so its process is killed. Files on disk stay as they are\n",
    ),
  );
  // A worker has no other way to end its process. Killing its own process needs no permission.
  Deno.kill(Deno.pid, "SIGKILL");
}
