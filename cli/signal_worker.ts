/**
 * Kills the process after the second signal if the main thread is blocked. `cli.ts` starts this
 * worker: do not import it.
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
  // A worker cannot end the process otherwise. Killing one's own process needs no permission.
  Deno.kill(Deno.pid, "SIGKILL");
}
