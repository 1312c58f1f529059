/**
 * The worker that holds the index. Started by `service.ts`; not to be imported.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import type { DataIndex } from "./data_index.ts";
import { DataServer } from "./data_server.ts";
import { openIndex } from "./open_data.ts";
import { READY, type WorkerAnswer, type WorkerQuestion, type WorkerSetup } from "./protocol.ts";
import { delay } from "../timer.ts";

interface Scope {
  onmessage: ((event: { data: WorkerQuestion }) => void) | null;
  postMessage(message: WorkerAnswer): void;
}

const scope = globalThis as unknown as Scope;

/** The interval at which files are checked for changes. */
const POLL_MS = 1_000;
/**
 * During a run, each pause in reading lasts this many times as long as the work before it. The
 * ninth of a core that is left reads 5,000 rows a second, more than most teachers answer.
 */
const PAUSE_FACTOR = 8;
/** The pause between saves of the index during a run, because each save writes all of it. */
const SAVE_MS = 60_000;

(scope as unknown as { onmessage: (event: { data: WorkerSetup }) => void }).onmessage = (
  { data },
) => {
  const index = openIndex(data.files, data.isSaved);
  const server = new DataServer(index, data.paths);
  let wake = () => {};
  scope.onmessage = ({ data: { id, name, request } }) => {
    try {
      scope.postMessage({ id, result: server.answer(name, request as never) });
    } catch (error) {
      const isUsage = error instanceof UsageError;
      scope.postMessage({
        id,
        error: isUsage ? error.message : String((error as Error).stack),
        isUsage,
      });
    }
    wake();
  };
  void follow(index, server, (waking) => wake = waking);
};

/**
 * Keeps the index up to date, forever.
 *
 * @param onWait Called with a function that ends the wait; after it, with one that does nothing.
 */
async function follow(
  index: DataIndex,
  server: DataServer,
  onWait: (wake: () => void) => void,
): Promise<never> {
  let isUnsaved = false, savedMs = -Infinity;
  while (true) {
    index.refresh();
    let refreshedMs = performance.now(), startMs = refreshedMs;
    while (await server.work()) {
      isUnsaved = true;
      const nowMs = performance.now();
      await (index.isLive ? delay(PAUSE_FACTOR * (nowMs - startMs)) : turn());
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
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, POLL_MS);
      onWait(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    onWait(() => {});
  }
}

const channel = new MessageChannel();
let onTurn = () => {};
channel.port1.onmessage = () => onTurn();
/** Lets the event loop receive questions. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    onTurn = resolve;
    channel.port2.postMessage(null);
  });
}

// Modules load asynchronously: a message that arrives before this would be lost.
scope.postMessage({ id: READY });
