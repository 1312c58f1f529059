/**
 * Scans in a worker of their own, so that a pattern that takes forever ends with it and nothing else does.
 *
 * @module
 */

import type { ScanJob } from "./scan.ts";
import { READY, type ScanReport, type ScanStart } from "./worker_protocol.ts";

/** The longest that one block of lines, about a megabyte, may take. */
const MOST_MS = 2_000;
const WATCH_MS = 100;

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
  readonly #progress = new Int32Array(new SharedArrayBuffer(4));
  #worker: Worker | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  readonly #onChange: () => void;

  /** Starts it. */
  constructor(job: ScanJob, onChange: () => void = () => {}) {
    this.total = job.rows.length;
    this.#onChange = onChange;
    try {
      const worker = new Worker(new URL("./scan_worker.ts", import.meta.url), { type: "module" });
      this.#worker = worker;
      worker.onerror = (event) => {
        event.preventDefault();
        this.#end(event.message);
      };
      const parts = [job.offset.buffer, job.bytes.buffer, job.file.buffer, job.flags.buffer];
      worker.onmessage = ({ data }: MessageEvent<ScanReport>) => {
        if (data.done !== READY) this.#onReport(data);
        else worker.postMessage({ job, progress: this.#progress.buffer } as ScanStart, parts);
      };
      this.#watch();
    } catch (error) {
      this.#end(String(error));
    }
  }

  /** The rows that were found so far. */
  found(): Uint32Array<ArrayBuffer> {
    return this.rows.slice(0, this.count);
  }

  /** Ends it; what was found stays. */
  cancel(): void {
    if (!this.isDone) this.#end("it was cancelled");
  }

  #onReport({ hits, done, isDone, problem }: ScanReport): void {
    if (this.isDone) return;
    if (this.count + hits.length > this.rows.length) {
      const larger = new Uint32Array(Math.max(this.rows.length * 2, this.count + hits.length));
      larger.set(this.rows);
      this.rows = larger;
    }
    this.rows.set(hits, this.count);
    this.count += hits.length;
    this.done = done;
    if (isDone) this.#end(problem);
    else this.#onChange();
  }

  #end(problem: string | undefined): void {
    this.isDone = true;
    this.problem = problem;
    clearInterval(this.#timer);
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#onChange();
  }

  /** A watch that was held up itself counts for no more than its own time. */
  #watch(): void {
    let seen = 0, forMs = 0, at = performance.now();
    this.#timer = setInterval(() => {
      const now = performance.now();
      const passedMs = Math.min(now - at, 2 * WATCH_MS);
      at = now;
      const place = Atomics.load(this.#progress, 0);
      forMs = place !== 0 && place === seen ? forMs + passedMs : 0;
      seen = place;
      if (forMs < MOST_MS) return;
      this.#end(
        `The search was ended at row ${place.toLocaleString("en-US")} of ${
          this.total.toLocaleString("en-US")
        }: about a megabyte took more than ${
          MOST_MS / 1_000
        } s. A repetition inside of a repetition, as in ` +
          "(a+)+, takes exponential time: write it as one",
      );
    }, WATCH_MS);
  }
}
