/**
 * The worker that reads lines for texts and patterns: it is ended when a pattern takes too long. Started by
 * `scanner.ts`; not to be imported.
 *
 * @module
 */

import { Scan, type ScanJob } from "./scan.ts";
import { READY, type ScanReport, type ScanStart } from "./worker_protocol.ts";

interface Scope {
  onmessage: ((event: { data: ScanStart }) => void) | null;
  postMessage(message: ScanReport): void;
}

const scope = globalThis as unknown as Scope;

/** Hits are sent so often. */
const REPORT_MS = 50;

scope.onmessage = ({ data: { job, progress } }) => {
  try {
    scan(job, new Int32Array(progress));
  } catch (error) {
    scope.postMessage({
      hits: [],
      done: 0,
      isDone: true,
      problem: String((error as Error).message),
    });
  }
};

function scan(job: ScanJob, progress: Int32Array): void {
  using scan = new Scan(job);
  let hits: number[] = [];
  let reportedMs = performance.now();
  while (!scan.isDone) {
    Atomics.store(progress, 0, scan.done + 1);
    const isFirst = hits.length === 0;
    hits.push(...scan.next());
    const now = performance.now();
    if (now - reportedMs < REPORT_MS && !(isFirst && hits.length > 0)) continue;
    scope.postMessage({ hits, done: scan.done, isDone: false });
    hits = [];
    reportedMs = now;
  }
  Atomics.store(progress, 0, 0);
  scope.postMessage({ hits, done: scan.done, isDone: true });
}

// Its modules are loaded asynchronously: a message that came before would be lost.
scope.postMessage({ hits: [], done: READY, isDone: false });
