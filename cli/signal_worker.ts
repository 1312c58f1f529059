/**
 * Kills the process after the second signal if the main thread is blocked. `cli.ts` starts this
 * worker: do not import it.
 *
 * @module
 */

import { endAfterSecondSignal, isNohup, STOP_SIGNALS, systemSignals } from "./io.ts";

const onSignal = endAfterSecondSignal(end);
const onHangUp = async () => {
  if (!(await isNohup(Deno.stdin))) onSignal();
};
for (const stopSignal of STOP_SIGNALS) {
  const listener = stopSignal === "SIGHUP" ? onHangUp : onSignal;
  for (const signal of systemSignals(stopSignal)) Deno.addSignalListener(signal, listener);
}

function end(): void {
  Deno.stderr.writeSync(
    new TextEncoder().encode(
      "\nThe run does not react to signals, so its process is killed. Files on disk stay as they are\n",
    ),
  );
  // A worker has no other way to end the process. Killing one's own process needs no permission.
  Deno.kill(Deno.pid, "SIGKILL");
}
