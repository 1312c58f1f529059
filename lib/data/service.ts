/**
 * The main thread's side of the index: starts its worker, passes questions to it, and finds new
 * files.
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

export interface DataServiceOptions {
  readonly paths: readonly string[];
  /** Whether the index is saved in `.retort/` next to the files. @default true */
  readonly isSaved?: boolean;
  /** Aborts `open` while it decompresses files. @default never */
  readonly signal?: AbortSignal;
  /** The interval at which folders are searched for new files, in milliseconds. @default 3_000 */
  readonly findMs?: number;
}

const COMPRESSED_NAME = /\.(?:gz|zstd?)$/;

export class DataService implements AsyncDisposable {
  readonly #paths: readonly string[];
  readonly #open = new AsyncDisposableStack();
  readonly #indexed: Set<string>;
  /** New files that could not be opened, with size and time: retried once these change. */
  readonly #unreadable = new Map<string, string>();
  readonly #closing = new AbortController();
  readonly #worker: Worker;
  readonly #pending = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #setup: WorkerSetup;
  readonly #ready = Promise.withResolvers<void>();
  #nextId = 0;
  /** Why `ask` rejects: the worker has failed, or this is closed. */
  #problem: string | undefined;
  readonly #timer: ReturnType<typeof setInterval>;
  #finding: Promise<void> | undefined;

  private constructor(
    { paths, isSaved = true, findMs = 3_000 }: DataServiceOptions,
    files: OpenFiles,
  ) {
    this.#paths = paths;
    this.#open.use(files);
    this.#indexed = new Set(files.files.map(({ path }) => path));
    this.#worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(event.message);
    };
    this.#worker.onmessage = ({ data }: MessageEvent<WorkerAnswer>) => this.#onAnswer(data);
    this.#setup = { files: files.files, paths, isSaved };
    this.#timer = setInterval(() => {
      this.#finding ??= this.#findMore().finally(() => this.#finding = undefined);
    }, findMs);
    Deno.unrefTimer(this.#timer);
  }

  /**
   * Starts to index, and does not wait for it.
   *
   * @throws {UsageError} If a path does not exist.
   *
   * @throws The reason of the signal, if aborted.
   */
  static async open(options: DataServiceOptions): Promise<DataService> {
    return new DataService(options, await openFiles(options.paths, options.signal));
  }

  /** Including files that were found later. */
  get files(): readonly string[] {
    return [...this.#indexed];
  }

  ask<Name extends DataRequestName>(
    name: Name,
    request: DataRequests[Name]["in"],
  ): Promise<DataRequests[Name]["out"]> {
    if (this.#problem !== undefined) return Promise.reject(new Error(this.#problem));
    const pending = Promise.withResolvers<unknown>();
    const id = this.#nextId++;
    this.#pending.set(id, pending);
    const question: WorkerQuestion = { id, name, request };
    void this.#ready.promise.then(() => this.#worker.postMessage(question));
    return pending.promise as Promise<DataRequests[Name]["out"]>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#closing.abort();
    this.#fail("The data was closed");
    this.#worker.terminate();
    await this.#finding;
    await this.#open.disposeAsync();
  }

  #onAnswer({ id, result, error, isUsage }: WorkerAnswer): void {
    if (id === READY) {
      this.#worker.postMessage(this.#setup);
      return this.#ready.resolve();
    }
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (error === undefined) pending?.resolve(result);
    else pending?.reject(isUsage ? new UsageError(error) : new Error(error));
  }

  /** Rejects all questions, and those that follow. */
  #fail(problem: string): void {
    this.#problem = problem;
    for (const { reject } of this.#pending.values()) reject(new Error(problem));
    this.#pending.clear();
  }

  /** Finds new files: failures files that a run has created since, and files in folders. */
  async #findMore(): Promise<void> {
    // If a path was removed, the index reports its files as missing.
    const runs = await findDataFiles(this.#paths).catch(() => new Map<string, number>());
    const files: IndexedPath[] = [];
    for (const [path, run] of runs) {
      if (!this.#indexed.has(path)) files.push(...await this.#openNew(path, run));
    }
    if (files.length > 0) await this.ask("files", { files }).catch(() => {});
  }

  /** Opens a new file. Returns an empty list if it is damaged, or still being compressed. */
  async #openNew(path: string, run: number): Promise<readonly IndexedPath[]> {
    const info = await statOf(path);
    const version = `${info?.size} ${info?.mtime?.getTime()}`;
    if (this.#unreadable.get(path) === version || this.#closing.signal.aborted) return [];
    // The content shows how a file is compressed, so an empty one is left for later.
    if (info?.size === 0 && COMPRESSED_NAME.test(path)) return [];
    try {
      const { files } = this.#open.use(
        await unpackFiles(new Map([[path, run]]), this.#closing.signal),
      );
      this.#indexed.add(path);
      return files;
    } catch {
      this.#unreadable.set(path, version);
      return [];
    }
  }
}
