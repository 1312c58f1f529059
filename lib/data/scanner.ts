/**
 * Searches the first rows in this thread, and the others in workers, which can be terminated if a
 * pattern takes too long.
 *
 * @module
 */

import { endsWithin } from "../interruptible.ts";
import { READY, Scan, SCAN_ROWS, type ScanJob, type ScanReport, type ScanStart } from "./scan.ts";
import { formatCount } from "../figures.ts";

/**
 * Maximum for all scans together, though each has at least one. A worker takes 25 MB, and two are
 * as fast as most disks.
 */
const MAX_WORKERS = 2;
/** Maximum time for one block: 256 KB, or a longer line. */
const BLOCK_TIMEOUT_MS = 2_000;
const WATCH_MS = 100;
/** How long this thread searches before it starts workers, which take longer to load. */
const START_MS = 40;
/** Without a hit, this thread searches this many times as long: a busy machine reads few rows. */
const NO_HIT_FACTOR = 5;

let runningWorkers = 0;

export class Scanner {
  /** The hits in the order of the job; only the first `count` are set. */
  rows: Uint32Array<ArrayBuffer> = new Uint32Array(256);
  count = 0;
  done = 0;
  readonly total: number;
  isDone = false;
  problem: string | undefined;
  readonly #nextChunk = new Int32Array(new SharedArrayBuffer(4));
  /** See `ScanStart.progress`. */
  readonly #progress = new Int32Array(new SharedArrayBuffer(4 * MAX_WORKERS));
  #workers: Worker[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;
  /** Hits of finished chunks that wait for earlier chunks. */
  readonly #earlyHits = new Map<number, readonly number[]>();
  /** All chunks before this one are finished. */
  #doneChunks = 0;

  constructor(job: ScanJob, startMs = START_MS) {
    this.total = job.rows.length;
    try {
      this.#searchFirstRows(job, startMs);
      if (this.done === this.total) this.isDone = true;
      else this.#startWorkers(job);
    } catch (error) {
      this.#end(String(error));
    }
  }

  found(): Uint32Array<ArrayBuffer> {
    // A view, because hits never change and this is called several times a second.
    return this.rows.subarray(0, this.count);
  }

  cancel(): void {
    if (!this.isDone) this.#end("it was canceled");
  }

  #searchFirstRows(job: ScanJob, startMs: number): void {
    const beginMs = performance.now();
    const maxStartMs = startMs * NO_HIT_FACTOR;
    using scan = new Scan(job);
    while (this.done < this.total) {
      const passedMs = performance.now() - beginMs;
      if (passedMs >= (this.count > 0 ? startMs : maxStartMs)) break;
      const end = Math.min(this.total, this.done + SCAN_ROWS);
      let isSlow = false;
      const hits = scan.search(this.done, end, (_, searchBlock) => {
        isSlow ||= !endsWithin(maxStartMs, searchBlock);
      });
      if (isSlow) break;
      this.#add(hits);
      this.#doneChunks++;
      this.done = end;
    }
    this.#nextChunk[0] = this.#doneChunks;
  }

  /** Starts one worker now, and more as soon as other scans free theirs. */
  #startWorkers(job: ScanJob): void {
    const chunks = Math.ceil(this.total / SCAN_ROWS) - this.#doneChunks;
    const maxWorkers = Math.min(chunks, Math.max(1, navigator.hardwareConcurrency), MAX_WORKERS);
    const startMore = () => {
      while (this.#workers.length < maxWorkers && runningWorkers < MAX_WORKERS) {
        this.#startWorker(job);
      }
    };
    this.#startWorker(job);
    startMore();
    this.#watch(startMore);
  }

  #startWorker(job: ScanJob): void {
    const index = this.#workers.length;
    const worker = new Worker(new URL("./scan_worker.ts", import.meta.url), { type: "module" });
    this.#workers.push(worker);
    runningWorkers++;
    worker.onerror = (event) => {
      event.preventDefault();
      this.#end(event.message);
    };
    const [next, progress] = [this.#nextChunk.buffer, this.#progress.buffer];
    worker.onmessage = ({ data }: MessageEvent<ScanReport>) => {
      if (this.isDone) return;
      if ("problem" in data) this.#end(data.problem);
      else if (data.chunk !== READY) this.#addChunk(data.chunk, data.hits);
      else worker.postMessage({ job, next, progress, worker: index } satisfies ScanStart);
    };
  }

  #addChunk(chunk: number, hits: readonly number[]): void {
    this.#earlyHits.set(chunk, hits);
    let nextHits: readonly number[] | undefined;
    while ((nextHits = this.#earlyHits.get(this.#doneChunks)) !== undefined) {
      this.#earlyHits.delete(this.#doneChunks++);
      this.#add(nextHits);
    }
    this.done = Math.min(this.total, this.#doneChunks * SCAN_ROWS);
    if (this.done === this.total) this.#end(undefined);
  }

  #add(hits: readonly number[]): void {
    if (this.count + hits.length > this.rows.length) {
      const larger = new Uint32Array(Math.max(this.rows.length * 2, this.count + hits.length));
      larger.set(this.rows);
      this.rows = larger;
    }
    this.rows.set(hits, this.count);
    this.count += hits.length;
  }

  #end(problem: string | undefined): void {
    this.isDone = true;
    this.problem = problem;
    clearInterval(this.#timer);
    // A terminated worker may run on for a moment: leave it no chunks.
    Atomics.store(this.#nextChunk, 0, Math.ceil(this.total / SCAN_ROWS));
    for (const worker of this.#workers) worker.terminate();
    runningWorkers -= this.#workers.length;
    this.#workers = [];
  }

  /**
   * Ends the scan if a block takes too long. Delays of this thread do not count, because a busy
   * machine delays the workers, too.
   */
  #watch(onWatch: () => void): void {
    const lastRows = new Int32Array(MAX_WORKERS), searchMs = new Float64Array(MAX_WORKERS);
    let lastMs = performance.now();
    this.#timer = setInterval(() => {
      onWatch();
      const nowMs = performance.now();
      const passedMs = Math.min(nowMs - lastMs, 2 * WATCH_MS);
      lastMs = nowMs;
      for (let worker = 0; worker < MAX_WORKERS; worker++) {
        const row = Atomics.load(this.#progress, worker);
        const isSameBlock = row !== 0 && row === lastRows[worker];
        searchMs[worker] = isSameBlock ? searchMs[worker] + passedMs : 0;
        lastRows[worker] = row;
        if (searchMs[worker] >= BLOCK_TIMEOUT_MS) return this.#endSlow(row);
      }
    }, WATCH_MS);
  }

  /** @param row The first row of the block, from 1. */
  #endSlow(row: number): void {
    const place = `row ${formatCount(row)} of ${formatCount(this.total)}`;
    const limit = `${BLOCK_TIMEOUT_MS / 1_000} s`;
    this.#end(
      `The search was stopped at ${place}: 256 KB of lines, or a longer line, took more than ` +
        `${limit}. A nested repetition, as in (a+)+, takes exponential time: write it as one, a+`,
    );
  }
}
