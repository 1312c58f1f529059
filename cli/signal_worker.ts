/**
 * Listens for signals even while the main thread is blocked, and kills the process after the second
 * one if the main thread does not end it. A worker, started by `cli.ts`: do not import it.
 *
 * @module
 */

import { endAfterSecondSignal, STOP_SIGNALS, systemSignals } from "./io.ts";

const onSignal = endAfterSecondSignal(end);
for (const stopSignal of STOP_SIGNALS) {
  for (const signal of systemSignals(stopSignal)) Deno.addSignalListener(signal, onSignal);
}

function end(): void {
  Deno.stderr.writeSync(
    new TextEncoder().encode(
      "\nThe run does not react to signals, so its process is killed. Files on disk stay as they are\n",
    ),
  );
  // A worker has no other way to end the process. This needs no permission.
  Deno.kill(Deno.pid, "SIGKILL");
}
