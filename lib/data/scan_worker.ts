/**
 * A worker of a scan: takes chunks of rows until none is left. Started by `scanner.ts`; not to be
 * imported.
 *
 * @module
 */

import { endsWithin } from "../interruptible.ts";
import { READY, Scan, SCAN_ROWS, type ScanReport, type ScanStart } from "./scan.ts";

interface Scope {
  onmessage: ((event: { data: ScanStart }) => void) | null;
  postMessage(message: ScanReport): void;
}

/**
 * Ends a search that continues after the worker was terminated (see `endsWithin`). Longer than
 * `BLOCK_TIMEOUT_MS`, after which `scanner.ts` ends the scan.
 */
const WATCHDOG_MS = 4_000;

const scope = globalThis as unknown as Scope;

scope.onmessage = ({ data }) => {
  try {
    runScan(data);
  } catch (error) {
    scope.postMessage({ problem: String((error as Error).message) });
  }
};

function runScan({ job, next, progress, worker }: ScanStart): void {
  using scan = new Scan(job);
  const nextChunk = new Int32Array(next), positions = new Int32Array(progress);
  while (true) {
    const chunk = Atomics.add(nextChunk, 0, 1);
    const first = chunk * SCAN_ROWS;
    if (first >= job.rows.length) break;
    const limit = Math.min(job.rows.length, first + SCAN_ROWS);
    const hits = scan.search(first, limit, (index, searchBlock) => {
      Atomics.store(positions, worker, index + 1);
      if (!endsWithin(WATCHDOG_MS, searchBlock)) throw new Error("The search takes too long");
    });
    Atomics.store(positions, worker, 0);
    scope.postMessage({ chunk, hits });
  }
}

scope.postMessage({ chunk: READY, hits: [] });
