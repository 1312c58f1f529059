/**
 * The worker that holds the index. Started by `data_service.ts`; not to be imported.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { DataIndex } from "./data_index.ts";
import { DataServer } from "./data_server.ts";
import type { WorkerAnswer, WorkerRequest, WorkerSetup } from "./data_service.ts";
import { READY } from "./scan.ts";
import { delay } from "../timer.ts";

interface Scope<Message> {
  onmessage: ((event: { data: Message }) => void) | null;
  postMessage(message: WorkerAnswer): void;
}

/** The global scope of the worker, which receives the setup first, then requests. */
const scope = globalThis as unknown as Scope<WorkerRequest>;

const POLL_MS = 1_000;
/** During a run, a pause in reading takes this many times as long as the work before it. With a
 * ninth of a core, the worker still reads 5,000 rows a second, more than most teachers answer. */
const PAUSE_FACTOR = 8;
/** Minimum time between saves during a run, because each writes the whole index. */
const SAVE_MS = 60_000;

/** Ends the pause between two refreshes when a request arrives. */
let pause = new AbortController();

(scope as unknown as Scope<WorkerSetup>).onmessage = ({ data }) => {
  const index = new DataIndex(data.files, data.isSaved);
  const server = new DataServer(index, data.paths);
  scope.onmessage = async ({ data: { id, name, request } }) => {
    try {
      scope.postMessage({ id, result: await server.answer(name, request as never) });
    } catch (error) {
      const isUsageError = error instanceof UsageError;
      const text = isUsageError ? error.message : String((error as Error).stack);
      scope.postMessage({ id, error: text, isUsageError });
    }
    pause.abort();
  };
  void followFiles(index, server);
};

async function followFiles(index: DataIndex, server: DataServer): Promise<never> {
  let isUnsaved = false, savedMs = -Infinity;
  while (true) {
    index.refresh();
    let refreshedMs = performance.now(), startMs = refreshedMs;
    while (await server.work()) {
      isUnsaved = true;
      const nowMs = performance.now();
      await (index.isLive ? delay(PAUSE_FACTOR * (nowMs - startMs)) : loopTurn());
      startMs = performance.now();
      if (startMs - refreshedMs < POLL_MS) continue;
      index.refresh();
      refreshedMs = startMs;
    }
    if (isUnsaved && (!index.isLive || performance.now() - savedMs > SAVE_MS)) {
      index.save();
      isUnsaved = false;
      savedMs = performance.now();
    }
    pause = new AbortController();
    await delay(POLL_MS, pause.signal);
  }
}

const channel = new MessageChannel();
let onLoopTurn = () => {};
channel.port1.onmessage = () => onLoopTurn();
/** Lets the event loop receive requests. With `setImmediate`, requests would wait longer; with a
 * timer, reading would be slower. */
function loopTurn(): Promise<void> {
  return new Promise((resolve) => {
    onLoopTurn = resolve;
    channel.port2.postMessage(null);
  });
}

scope.postMessage({ id: READY });
