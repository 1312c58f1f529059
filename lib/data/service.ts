/**
 * The index in its worker, as seen from another thread.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { statOf } from "../files.ts";
import type { IndexedPath } from "./data_index.ts";
import { findDataFiles, type OpenFiles, openFiles, unpackFiles } from "./open_data.ts";
import {
  type DataRequestName,
  type DataRequests,
  READY,
  type WorkerAnswer,
  type WorkerQuestion,
  type WorkerSetup,
} from "./protocol.ts";

/** How data is opened. */
export interface DataServiceOptions {
  /** Results, failures, folders. */
  readonly paths: readonly string[];
  /** Whether the index is saved next to the files. @default true */
  readonly isKept?: boolean;
  /** Ends the decompression of files while they are opened. @default never */
  readonly signal?: AbortSignal;
  /** The interval at which folders are searched for new files, in milliseconds. @default 3_000 */
  readonly findMs?: number;
}

const COMPRESSED_NAME = /\.(?:gz|zst)$/;

/** Answers questions about data. */
export class DataService implements AsyncDisposable {
  readonly paths: readonly string[];
  /** Unpacked copies are removed with it. */
  readonly #open = new AsyncDisposableStack();
  readonly #known: Set<string>;
  /** New files that could not be opened, with their sizes and times: each is tried again when it has changed. */
  readonly #refused = new Map<string, string>();
  readonly #closing = new AbortController();
  readonly #worker: Worker;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #setup: WorkerSetup;
  #early: WorkerQuestion[] | undefined = [];
  #next = 0;
  #problem: string | undefined;
  readonly #timer: ReturnType<typeof setInterval>;
  #finding: Promise<void> | undefined;

  private constructor(
    { paths, isKept = true, findMs = 3_000 }: DataServiceOptions,
    files: OpenFiles,
  ) {
    this.paths = paths;
    this.#open.use(files);
    this.#known = new Set(files.files.map(({ path }) => path));
    this.#worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(event.message);
    };
    this.#worker.onmessage = ({ data }: MessageEvent<WorkerAnswer>) => this.#onAnswer(data);
    this.#setup = { files: files.files, paths, isKept };
    this.#timer = setInterval(() => {
      this.#finding ??= this.#findMore().finally(() => this.#finding = undefined);
    }, findMs);
    Deno.unrefTimer(this.#timer);
  }

  /**
   * Opens files and starts to index them.
   *
   * @throws {UsageError} where a path does not exist
   * @throws the reason of the signal
   */
  static async open(options: DataServiceOptions): Promise<DataService> {
    return new DataService(options, await openFiles(options.paths, options.signal));
  }

  /** The files that were found. */
  get files(): readonly string[] {
    return [...this.#known];
  }

  /** Asks a question. Rejects with a `UsageError` where a condition is invalid. */
  ask<Name extends DataRequestName>(
    name: Name,
    given: DataRequests[Name]["in"],
  ): Promise<DataRequests[Name]["out"]> {
    if (this.#problem !== undefined) return Promise.reject(new Error(this.#problem));
    const waiting = Promise.withResolvers<unknown>();
    const id = this.#next++;
    this.#waiting.set(id, waiting);
    this.#send({ id, name, given });
    return waiting.promise as Promise<DataRequests[Name]["out"]>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#closing.abort();
    this.#fail("The data was closed");
    this.#worker.terminate();
    await this.#finding;
    await this.#open.disposeAsync();
  }

  /** Sends a question, or holds it until the worker listens. */
  #send(question: WorkerQuestion): void {
    if (this.#early === undefined) this.#worker.postMessage(question);
    else this.#early.push(question);
  }

  #onAnswer({ id, result, error, isUsage }: WorkerAnswer): void {
    if (id === READY) {
      this.#worker.postMessage(this.#setup);
      for (const question of this.#early ?? []) this.#worker.postMessage(question);
      this.#early = undefined;
      return;
    }
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(isUsage ? new UsageError(error) : new Error(error));
  }

  #fail(problem: string): void {
    this.#problem = problem;
    for (const { reject } of this.#waiting.values()) reject(new Error(problem));
    this.#waiting.clear();
  }

  /**
   * Looks for new files: a run in progress may have created its files since, and folders may have
   * new ones.
   */
  async #findMore(): Promise<void> {
    // A folder that was removed holds nothing new; the index reports its files.
    const found = await findDataFiles(this.paths).catch(() => new Map<string, number>());
    const files: IndexedPath[] = [];
    for (const [path, run] of found) {
      if (!this.#known.has(path)) files.push(...await this.#openNew(path, run));
    }
    if (files.length > 0) await this.ask("files", { files }).catch(() => {});
  }

  /** Opens a new file; none if it is damaged, or is still being compressed. */
  async #openNew(path: string, run: number): Promise<readonly IndexedPath[]> {
    const info = await statOf(path);
    const mark = `${info?.size} ${info?.mtime?.getTime()}`;
    if (this.#refused.get(path) === mark || this.#closing.signal.aborted) return [];
    // Its first bytes, which are not there yet, say how it is compressed.
    if (info?.size === 0 && COMPRESSED_NAME.test(path)) return [];
    try {
      const { files } = this.#open.use(
        await unpackFiles(new Map([[path, run]]), this.#closing.signal),
      );
      this.#known.add(path);
      return files;
    } catch {
      this.#refused.set(path, mark);
      return [];
    }
  }
}
