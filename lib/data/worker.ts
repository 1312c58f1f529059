/**
 * The worker that holds the index. Started by `service.ts`; not to be imported.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { DataServer } from "./data_server.ts";
import { openIndex } from "./open_data.ts";
import {
  READY,
  type WorkerAnswer,
  type WorkerQuestion,
  type WorkerSetup,
} from "./worker_protocol.ts";

interface Scope {
  onmessage: ((event: { data: WorkerQuestion }) => void) | null;
  postMessage(message: WorkerAnswer): void;
}

const scope = globalThis as unknown as Scope;

/** How often files are looked at. */
const POLL_MS = 1_000;

(scope as unknown as { onmessage: (event: { data: WorkerSetup }) => void }).onmessage = (
  { data },
) => {
  const index = openIndex(data.files, data.isKept);
  const server = new DataServer(index, data.paths);
  let wake = () => {};
  scope.onmessage = ({ data: { id, name, given } }) => {
    try {
      scope.postMessage({ id, result: server.answer(name, given as never) });
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
  void (async () => {
    while (true) {
      index.refresh();
      let isNew = false;
      while (await server.work()) {
        isNew = true;
        await turn();
      }
      if (isNew) index.save();
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, POLL_MS);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      wake = () => {};
    }
  })();
};

/** Lets questions be heard. */
const channel = new MessageChannel();
let onTurn = () => {};
channel.port1.onmessage = () => onTurn();
function turn(): Promise<void> {
  return new Promise((resolve) => {
    onTurn = resolve;
    channel.port2.postMessage(null);
  });
}

// Its modules are loaded asynchronously: a message that came before would be lost.
scope.postMessage({ id: READY });
