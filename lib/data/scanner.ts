/**
 * Searches the first rows in this thread and the remaining rows in workers, so that this thread can
 * answer requests.
 *
 * @module
 */

import { endsWithin } from "../interruptible.ts";
import { READY, Scan, SCAN_ROWS, type ScanJob, type ScanReport, type ScanStart } from "./scan.ts";

/**
 * Maximum number of workers for all scans together, although each scan gets at least one. A worker
 * takes 25 MB, and two are as fast as most disks.
 */
const MAX_WORKERS = 2;
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
  readonly #job: ScanJob;
  readonly #nextChunk = new Int32Array(new SharedArrayBuffer(4));
  #workers: Worker[] = [];
  /** Hits of finished chunks that wait for earlier chunks. */
  readonly #earlyHits = new Map<number, readonly number[]>();
  /** All chunks before this one are finished. */
  #doneChunks = 0;

  constructor(job: ScanJob, startMs = START_MS) {
    this.#job = job;
    this.total = job.rows.length;
    try {
      this.#searchFirstRows(startMs);
      if (this.done === this.total) this.isDone = true;
      else {
        this.#startWorker();
        this.#startMore();
      }
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

  #searchFirstRows(startMs: number): void {
    const beginMs = performance.now();
    const maxStartMs = startMs * NO_HIT_FACTOR;
    using scan = new Scan(this.#job);
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

  /** Starts more workers, up to `MAX_WORKERS` for all scans together. */
  #startMore(): void {
    const chunks = Math.ceil(this.total / SCAN_ROWS) - this.#doneChunks;
    const maxWorkers = Math.min(chunks, navigator.hardwareConcurrency);
    while (this.#workers.length < maxWorkers && runningWorkers < MAX_WORKERS) this.#startWorker();
  }

  #startWorker(): void {
    const worker = new Worker(new URL("./scan_worker.ts", import.meta.url), { type: "module" });
    this.#workers.push(worker);
    runningWorkers++;
    worker.onerror = (event) => {
      event.preventDefault();
      this.#end(event.message);
    };
    const start: ScanStart = { job: this.#job, next: this.#nextChunk.buffer };
    worker.onmessage = ({ data }: MessageEvent<ScanReport>) => {
      if (this.isDone) return;
      if ("problem" in data) this.#end(data.problem);
      else if (data.chunk === READY) worker.postMessage(start);
      else this.#addChunk(data.chunk, data.hits);
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
    else this.#startMore();
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
    // Leaves no chunks for terminated workers, which may run for another moment.
    Atomics.store(this.#nextChunk, 0, Math.ceil(this.total / SCAN_ROWS));
    for (const worker of this.#workers) worker.terminate();
    runningWorkers -= this.#workers.length;
    this.#workers = [];
  }
}
