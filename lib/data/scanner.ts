/**
 * Searches the first rows in this thread and the remaining rows in workers, so that this thread can
 * answer requests.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { endsWithin } from "../interruptible.ts";
import type { Needle, Part } from "../where/mod.ts";
import type { CodedField, ColumnArrays } from "./columns.ts";
import type { DataIndex } from "./data_index.ts";
import { firstField } from "./fields.ts";
import type { RunHints } from "./line_facts.ts";
import { READY, Scan, SCAN_ROWS } from "./scan.ts";

export interface ScanJob {
  /** The rows to search, in ascending order and, like `columns`, in shared memory. */
  readonly rows: Uint32Array;
  readonly columns: Pick<ColumnArrays, "offset" | "bytes" | "file" | "flags">;
  readonly files: readonly { readonly path: string; readonly hints: RunHints }[];
  /** The fields in `Table.viewFields` that the condition reads. */
  readonly viewFields: ReadonlyMap<string, CodedField>;
  readonly where: readonly string[];
  readonly prefilter: Prefilter | undefined;
}

/** A search for a text that a condition requires. */
export interface Prefilter {
  /** Finds every line with the text, and perhaps other lines. */
  readonly pattern: RegExp;
  /**
   * Whether non-ASCII letters may match the text's letters, as U+212A matches k if case is ignored.
   */
  readonly hasCaseVariants: boolean;
}

/** @param parts Parts of a condition for which the columns do not suffice. */
export function scanJobOf(
  { table, files }: DataIndex,
  rows: Uint32Array,
  parts: readonly Part[],
): ScanJob {
  const { offset, bytes, file, flags } = table.columns;
  const sharedRows = new Uint32Array(new SharedArrayBuffer(rows.byteLength));
  sharedRows.set(rows);
  const hasTemplate = files.some(({ hints }) => hints.template !== undefined);
  const prefilters = parts.flatMap(({ needle }) =>
    needle === undefined ? [] : prefilterOf(needle, hasTemplate) ?? []
  );
  const names = new Set(parts.flatMap(({ paths }) => paths.map(firstField)));
  return {
    rows: sharedRows,
    columns: { offset, bytes, file, flags },
    files: files.map(({ readPath, hints }) => ({ path: readPath, hints })),
    viewFields: new Map(table.viewFields.entries().filter(([name]) => names.has(name))),
    where: parts.map(({ text }) => text),
    // One prefilter suffices, since all parts must hold. The longest text is usually the rarest.
    prefilter: prefilters.toSorted((a, b) => b.pattern.source.length - a.pattern.source.length)[0],
  };
}

/** Fields whose values are derived or come from the run file. */
const NOT_IN_LINE: ReadonlySet<string> = new Set([
  "flags",
  "status",
  "source_file",
  "model",
  "teacher",
]);

/** Returns the prefilter for a text; undefined if a pattern could miss a row. */
function prefilterOf(needle: Needle, hasTemplate: boolean): Prefilter | undefined {
  const { text, ignoresCase, path } = needle;
  // `distill.prompt` is the derived prompt if rows have a `prompt` of their own.
  const name = path[0] === "distill" && path.length > 1 ? path[1] : path[0];
  if (NOT_IN_LINE.has(name)) return undefined;
  // The prompt may come from a template, several messages, or JSON, and contains `[image_url]` for
  // each path in `images`.
  const mayBeComposed = hasTemplate || /[\n[\]{}"]/.test(text) ||
    "image_url".includes(text.toLowerCase());
  if (name === "prompt" && mayBeComposed) return undefined;
  // The pattern matches bytes: it cannot ignore the case of non-ASCII letters, nor find half of a
  // surrogate pair.
  if ((ignoresCase && /[^\x20-\x7e\n\t]/.test(text)) || !text.isWellFormed()) return undefined;
  let source = "";
  for (const char of text) {
    const code = char.codePointAt(0)!;
    if (/[a-zA-Z0-9 ]/.test(char)) source += char;
    else if (char === "\n") source += `(?:\\\\n|${escapesOf(char)})`;
    else if (char === "\t") source += `(?:\\\\t|${escapesOf(char)})`;
    else if (char === '"' || char === "\\") source += `(?:\\\\\\${char}|${escapesOf(char)})`;
    else if (code < 0x20) return undefined;
    else if (char === "/") source += `(?:\\\\?/|${escapesOf(char)})`;
    else source += `(?:${RegExp.escape(Buffer.from(char).toString("latin1"))}|${escapesOf(char)})`;
  }
  return {
    pattern: new RegExp(source, ignoresCase ? "gi" : "g"),
    hasCaseVariants: ignoresCase && /[iks]/i.test(text),
  };
}

/** Returns a pattern for a character as `\u` escapes, with hex digits in either case. */
function escapesOf(char: string): string {
  let source = "";
  for (let i = 0; i < char.length; i++) {
    const digits = char.charCodeAt(i).toString(16).padStart(4, "0");
    source += "\\\\u" +
      [...digits].map((digit) => /[a-f]/.test(digit) ? `[${digit}${digit.toUpperCase()}]` : digit)
        .join("");
  }
  return source;
}

/** The only message to a worker of a scan, once it is ready. */
export interface ScanStart {
  readonly job: ScanJob;
  /** The next chunk to take, as one Int32 that all workers share. */
  readonly next: SharedArrayBuffer;
}

/** A report of a worker. The first one has the chunk `READY`. */
export type ScanReport =
  | { readonly chunk: number; readonly hits: readonly number[] }
  | { readonly problem: string };

/** Maximum number of workers for all scans together, although each scan gets at least one. A worker
 * takes 25 MB, and two are as fast as most disks. */
const MAX_WORKERS = 2;
/** How long this thread searches before it starts workers, which take longer to load. */
const START_MS = 40;
/** Without a hit, this thread searches this many times as long, because a busy machine reads few
 * rows in `START_MS`. */
const NO_HIT_FACTOR = 5;

let runningWorkers = 0;

export class Scanner {
  readonly total: number;
  isDone = false;
  problem: string | undefined;
  readonly #job: ScanJob;
  /** Hits in the order of the job, and room for more. */
  #hits: Uint32Array<ArrayBuffer> = new Uint32Array(256);
  #hitCount = 0;
  readonly #ending = Promise.withResolvers<void>();
  readonly #nextChunk = new Int32Array(new SharedArrayBuffer(4));
  #workers: Worker[] = [];
  /** Hits of finished chunks that wait for earlier chunks. */
  readonly #earlyHits = new Map<number, readonly number[]>();
  /** The number of finished chunks before the first unfinished one. */
  #doneChunks = 0;

  constructor(job: ScanJob, startMs = START_MS) {
    this.#job = job;
    this.total = job.rows.length;
    try {
      this.#searchFirstRows(startMs);
      if (this.done === this.total) this.#end(undefined);
      else {
        this.#startWorker();
        this.#startMore();
      }
    } catch (error) {
      this.#end(String(error));
    }
  }

  /** The number of rows that were searched. */
  get done(): number {
    return Math.min(this.total, this.#doneChunks * SCAN_ROWS);
  }

  /** Resolves when `isDone` is set. */
  get ended(): Promise<void> {
    return this.#ending.promise;
  }

  hitsSoFar(): Uint32Array<ArrayBuffer> {
    // This is a view, not a copy, because hits never change and pages ask several times a second.
    return this.#hits.subarray(0, this.#hitCount);
  }

  cancel(): void {
    if (!this.isDone) this.#end("The search was canceled");
  }

  #searchFirstRows(startMs: number): void {
    const beginMs = performance.now();
    const maxStartMs = startMs * NO_HIT_FACTOR;
    using scan = new Scan(this.#job);
    while (this.done < this.total) {
      const passedMs = performance.now() - beginMs;
      if (passedMs >= (this.#hitCount > 0 ? startMs : maxStartMs)) break;
      const end = Math.min(this.total, this.done + SCAN_ROWS);
      let isSlow = false;
      const hits = scan.search(this.done, end, (_, searchBlock) => {
        isSlow ||= !endsWithin(maxStartMs, searchBlock);
      });
      if (isSlow) break;
      this.#add(hits);
      this.#doneChunks++;
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
    if (this.done === this.total) this.#end(undefined);
    else this.#startMore();
  }

  #add(hits: readonly number[]): void {
    const count = this.#hitCount + hits.length;
    if (count > this.#hits.length) {
      const larger = new Uint32Array(Math.max(this.#hits.length * 2, count));
      larger.set(this.#hits);
      this.#hits = larger;
    }
    this.#hits.set(hits, this.#hitCount);
    this.#hitCount = count;
  }

  #end(problem: string | undefined): void {
    this.isDone = true;
    this.problem = problem;
    this.#ending.resolve();
    // Leaves no chunks for terminated workers, which may run for another moment.
    Atomics.store(this.#nextChunk, 0, Math.ceil(this.total / SCAN_ROWS));
    for (const worker of this.#workers) worker.terminate();
    runningWorkers -= this.#workers.length;
    this.#workers = [];
  }
}
