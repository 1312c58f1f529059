/**
 * A worker of a scan: takes chunks of rows until none is left. Started by `scanner.ts`; not to be
 * imported.
 *
 * @module
 */

import { formatCount } from "../figures.js";
import { endsWithin } from "../interruptible.ts";
import { READY, Scan, SCAN_ROWS } from "./scan.ts";
import type { ScanReport, ScanStart } from "./scanner.ts";

interface Scope {
  onmessage: ((event: { data: ScanStart }) => void) | null;
  postMessage(message: ScanReport): void;
}

/** Maximum time for one block: 256 KB, or a longer line. */
const BLOCK_TIMEOUT_MS = 2_000;

const scope = globalThis as unknown as Scope;

scope.onmessage = ({ data }) => {
  try {
    runScan(data);
  } catch (error) {
    scope.postMessage({ problem: String((error as Error).message) });
  }
};

function runScan({ job, next }: ScanStart): void {
  using scan = new Scan(job);
  const nextChunk = new Int32Array(next), { length } = job.rows;
  while (true) {
    const chunk = Atomics.add(nextChunk, 0, 1);
    const first = chunk * SCAN_ROWS;
    if (first >= length) break;
    const hits = scan.search(first, Math.min(length, first + SCAN_ROWS), (index, searchBlock) => {
      // A busy machine, or one that slept, may delay one attempt. A slow pattern fails both.
      for (let attempt = 0; attempt < 2; attempt++) {
        if (endsWithin(BLOCK_TIMEOUT_MS, searchBlock)) return;
      }
      throw new Error(slowProblem(index + 1, length));
    });
    scope.postMessage({ chunk, hits });
  }
}

/** @param row The first row of the block, from 1. */
function slowProblem(row: number, total: number): string {
  const place = `row ${formatCount(row)} of ${formatCount(total)}`;
  const limit = `${BLOCK_TIMEOUT_MS / 1_000} s`;
  return `The search was stopped at ${place}: 256 KB of lines, or a longer line, took more than ` +
    `${limit}. A nested repetition, such as (a+)+, takes exponential time: write a+ instead`;
}

scope.postMessage({ chunk: READY, hits: [] });
