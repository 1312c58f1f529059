/**
 * Scans in workers of their own, so that a pattern that takes forever ends with them and nothing else does.
 *
 * @module
 */

import { SCAN_ROWS, type ScanJob } from "./scan.ts";
import { READY, type ScanReport, type ScanStart } from "./worker_protocol.ts";

/** A worker takes 25 MB, and two read as fast as most disks. */
const MAX_WORKERS = 2;
/** The longest that one block of lines, 256 KB or one line, may take. */
const MAX_MS = 2_000;
const WATCH_MS = 100;

/** Workers of all scans that are under way. */
let working = 0;

/** A scan that is under way, or has ended. */
export class Scanner {
  /** The rows that were found, in the order of the job. */
  rows: Uint32Array<ArrayBuffer> = new Uint32Array(256);
  /** How many of them there are. */
  count = 0;
  /** How many rows were looked at, of how many. */
  done = 0;
  readonly total: number;
  isDone = false;
  /** Why it ended early. */
  problem: string | undefined;
  readonly #next = new Int32Array(new SharedArrayBuffer(4));
  readonly #progress = new Int32Array(new SharedArrayBuffer(4 * MAX_WORKERS));
  #job: ScanJob | undefined;
  #workers: Worker[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;
  /** Hits of chunks that are done before an earlier one is. */
  readonly #early = new Map<number, readonly number[]>();
  /** The first chunk that is not done. */
  #chunk = 0;
  readonly #onChange: () => void;

  /** Starts it: workers load their modules while the job for rows of that number is made. */
  constructor(total: number, makeJob: () => ScanJob, onChange: () => void = () => {}) {
    this.total = total;
    this.#onChange = onChange;
    try {
      const chunks = Math.ceil(total / SCAN_ROWS);
      const cores = Math.max(1, navigator.hardwareConcurrency);
      const free = Math.max(1, MAX_WORKERS - working);
      for (let worker = 0; worker < Math.min(chunks, cores, free); worker++) this.#start(worker);
      this.#job = makeJob();
      if (chunks === 0) this.#end(undefined);
      else this.#watch();
    } catch (error) {
      this.#end(String(error));
    }
  }

  /** The rows that were found so far. */
  found(): Uint32Array<ArrayBuffer> {
    // A view, no copy: it is asked for several times a second, and what is found does not change.
    return this.rows.subarray(0, this.count);
  }

  /** Ends it; what was found stays. */
  cancel(): void {
    if (!this.isDone) this.#end("it was cancelled");
  }

  #start(number: number): void {
    const worker = new Worker(new URL("./scan_worker.ts", import.meta.url), { type: "module" });
    this.#workers.push(worker);
    working++;
    worker.onerror = (event) => {
      event.preventDefault();
      this.#end(event.message);
    };
    const [next, progress] = [this.#next.buffer, this.#progress.buffer];
    worker.onmessage = ({ data }: MessageEvent<ScanReport>) => {
      if (data.chunk !== READY) return this.#onReport(data);
      const job = this.#job!;
      worker.postMessage({ job, next, progress, worker: number } satisfies ScanStart);
    };
  }

  #onReport({ chunk, hits, problem }: ScanReport): void {
    if (this.isDone) return;
    if (problem !== undefined) return this.#end(problem);
    this.#early.set(chunk, hits);
    for (let next; (next = this.#early.get(this.#chunk)) !== undefined; this.#chunk++) {
      this.#early.delete(this.#chunk);
      this.#add(next);
    }
    this.done = Math.min(this.total, this.#chunk * SCAN_ROWS);
    if (this.done === this.total) this.#end(undefined);
    else this.#onChange();
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
    for (const worker of this.#workers) worker.terminate();
    working -= this.#workers.length;
    this.#workers = [];
    this.#job = undefined;
    this.#onChange();
  }

  /** A watch that was held up itself counts for no more than its own time. */
  #watch(): void {
    const workers = this.#workers.map(() => ({ seen: 0, forMs: 0 }));
    let atMs = performance.now();
    this.#timer = setInterval(() => {
      const nowMs = performance.now();
      const passedMs = Math.min(nowMs - atMs, 2 * WATCH_MS);
      atMs = nowMs;
      workers.forEach((worker, number) => {
        const place = Atomics.load(this.#progress, number);
        worker.forMs = place !== 0 && place === worker.seen ? worker.forMs + passedMs : 0;
        worker.seen = place;
        if (worker.forMs >= MAX_MS) this.#endSlow(place);
      });
    }, WATCH_MS);
  }

  #endSlow(place: number): void {
    const [row, all] = [place, this.total].map((count) => count.toLocaleString("en-US"));
    this.#end(
      `The search was ended at row ${row} of ${all}: 256 KB of lines took more than ${
        MAX_MS / 1_000
      } s. A repetition inside of a repetition, as in (a+)+, takes exponential time: write it as one`,
    );
  }
}
