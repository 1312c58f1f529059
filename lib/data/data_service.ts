/**
 * The requests of the data page to an index, and the service that passes them to the worker with
 * the index.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { realPathOf, statOf } from "../files.ts";
import { compressionOfName } from "../formats/mod.ts";
import type { RunComparison } from "./comparison.ts";
import type { IndexedPath, IndexStatus } from "./data_index.ts";
import type { Facet, Histogram } from "./facets.ts";
import type { NearStatus, SearchedField } from "./near_duplicates.ts";
import { findDataFiles } from "./find_files.ts";
import { type OpenFiles, openFiles, unpackFiles } from "./open_files.ts";
import { READY } from "./scan.ts";
import type { RowDetail, ShownRow } from "./shown_row.ts";

export interface Query {
  /** A condition; "" for all rows. */
  readonly where: string;
  /**
   * The field to sort by: one of `DataState.sortable`, or a field of Retort such as
   * `distill.latency_ms`. @default the order in the files
   */
  readonly sort?: string;
  readonly descending?: boolean;
}

export interface ScanStatus {
  readonly done: number;
  readonly total: number;
  readonly isDone: boolean;
  /** Why the scan ended early, for a message. */
  readonly problem: string | null;
}

export interface RowPage {
  /**
   * The number of rows that meet the condition. While a scan is running, it counts the rows found
   * so far.
   */
  readonly total: number;
  /** The progress of the scan; null if the condition needs no scan of lines. */
  readonly scan: ScanStatus | null;
  /** The index of `rows[0]` among all rows that meet the condition. */
  readonly from: number;
  readonly rows: readonly ShownRow[];
  /** The version of the index, which changes with its rows and fields. */
  readonly version: number;
}

export interface Overview extends Pick<RowPage, "total" | "scan" | "version"> {
  readonly facets: readonly Facet[];
  readonly histograms: readonly Histogram[];
  /** Notes about likely mistakes in the condition, such as misspelled fields. */
  readonly notes: readonly string[];
}

export interface DataState {
  readonly index: IndexStatus;
  readonly sortable: readonly string[];
  /** The user's fields that the page can show, those with a column in the index first. */
  readonly own: readonly string[];
  /** The token limits of all runs, without duplicates. */
  readonly max_tokens: readonly number[];
  /** The search for near duplicates; null if none was started. */
  readonly near: NearStatus | null;
  /** Values for the commands that the page suggests. */
  readonly runs: readonly {
    readonly input: string;
    readonly output: string;
    readonly model: string;
  }[];
  /** Paths of results files without a problem. */
  readonly results: readonly string[];
  /** How the two runs compare; null unless the user named two paths, and all files were read. */
  readonly comparison: RunComparison | null;
  readonly paths: readonly string[];
}

/** Requests to the worker by name, with their answers. */
export interface DataRequests {
  state: { in: Record<never, never>; out: DataState };
  rows: {
    in: Query & {
      readonly from: number;
      readonly count: number;
      readonly columns: readonly string[];
    };
    out: RowPage;
  };
  overview: { in: Query; out: Overview };
  row: {
    /** @param samplesFrom Index of the first result in `samples`. @default chosen so that `samples`
     * includes the row */
    in: { readonly id: string; readonly samplesFrom?: number };
    out: RowDetail | undefined;
  };
  /**
   * The index of a row in the result of a query; -1 if it is not in the result. Looks for the row
   * with the id or, if that row has another uid, for the first row with the uid.
   */
  locate: { in: Query & { readonly uid: string; readonly id: string }; out: number };
  /** The uids of rows given by `ShownRow.id`, or of all rows of a query. */
  uids: { in: Query | { readonly ids: readonly string[] }; out: readonly string[] };
  near: { in: { readonly of: SearchedField | "cancel" }; out: NearStatus | null };
  files: { in: { readonly files: readonly IndexedPath[] }; out: undefined };
}

export type DataRequestName = keyof DataRequests;

export interface WorkerSetup {
  readonly files: readonly IndexedPath[];
  readonly paths: readonly string[];
  readonly isSaved: boolean;
}

export interface WorkerRequest {
  readonly id: number;
  readonly name: DataRequestName;
  readonly request: unknown;
}

export interface WorkerAnswer {
  /** The id of the request; `READY` in the first message. */
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
  readonly isUsageError?: boolean;
}

export interface DataServiceOptions {
  readonly paths: readonly string[];
  /** Whether the index is saved in `.retort/` next to the files. @default true */
  readonly isSaved?: boolean;
  /** Aborts `open` while it decompresses files. @default never */
  readonly signal?: AbortSignal;
  /** The interval at which folders are searched for new files, in milliseconds. @default 3_000 */
  readonly findMs?: number;
}

export class DataService implements AsyncDisposable {
  readonly notes: readonly string[];
  readonly #paths: readonly string[];
  readonly #disposables = new AsyncDisposableStack();
  readonly #indexedPaths: Set<string>;
  /** The real paths of the indexed files: folders may also have links to these files. */
  readonly #indexedRealPaths: Set<string>;
  /**
   * Size and time of new files that could not be opened, by path. A file is tried again once its
   * size or time changes.
   */
  readonly #unreadable = new Map<string, string>();
  readonly #closing = new AbortController();
  readonly #worker: Worker;
  readonly #pending = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #ready = Promise.withResolvers<void>();
  #nextId = 0;
  /** Why `ask` rejects: the worker has failed, or the service is closed. */
  #problem: string | undefined;
  readonly #timer: ReturnType<typeof setInterval>;
  #finding: Promise<void> | undefined;

  private constructor(
    { paths, isSaved = true, findMs = 3_000 }: DataServiceOptions,
    files: OpenFiles,
  ) {
    this.#paths = paths;
    this.#disposables.use(files);
    this.#indexedPaths = new Set(files.files.map(({ path }) => path));
    this.#indexedRealPaths = new Set(files.files.map(({ path }) => realPathOf(path)));
    this.notes = files.notes;
    this.#worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(event.message);
    };
    this.#worker.onmessage = ({ data }: MessageEvent<WorkerAnswer>) => this.#onAnswer(data);
    const setup: WorkerSetup = { files: files.files, paths, isSaved };
    void this.#ready.promise.then(() => this.#worker.postMessage(setup));
    this.#timer = setInterval(() => {
      this.#finding ??= this.#findMore().finally(() => this.#finding = undefined);
    }, findMs);
    Deno.unrefTimer(this.#timer);
  }

  /**
   * Opens the files and starts indexing, without waiting for the index to be complete.
   *
   * @throws {UsageError} If a path does not exist, cannot be read, is a pipe or has another format,
   * or a compressed file is damaged.
   * @throws {SinkError} If a decompressed copy cannot be written.
   * @throws The reason of the signal, if aborted.
   */
  static async open(options: DataServiceOptions): Promise<DataService> {
    return new DataService(options, await openFiles(options.paths, options.signal));
  }

  /** The indexed files, including those that were found after the start. */
  get files(): readonly string[] {
    return [...this.#indexedPaths];
  }

  ask<Name extends DataRequestName>(
    name: Name,
    request: DataRequests[Name]["in"],
  ): Promise<DataRequests[Name]["out"]> {
    if (this.#problem !== undefined) return Promise.reject(new Error(this.#problem));
    const pending = Promise.withResolvers<unknown>();
    const id = this.#nextId++;
    this.#pending.set(id, pending);
    const message: WorkerRequest = { id, name, request };
    void this.#ready.promise.then(() => this.#worker.postMessage(message));
    return pending.promise as Promise<DataRequests[Name]["out"]>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#closing.abort();
    this.#fail("The data service was closed");
    this.#worker.terminate();
    await this.#finding;
    await this.#disposables.disposeAsync();
  }

  #onAnswer({ id, result, error, isUsageError }: WorkerAnswer): void {
    if (id === READY) return this.#ready.resolve();
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (error === undefined) pending?.resolve(result);
    else pending?.reject(isUsageError ? new UsageError(error) : new Error(error));
  }

  #fail(problem: string): void {
    this.#problem = problem;
    for (const { reject } of this.#pending.values()) reject(new Error(problem));
    this.#pending.clear();
  }

  /** Indexes new files in folders, and failures files that a run has created since the start. */
  async #findMore(): Promise<void> {
    const files: IndexedPath[] = [];
    for (const [run, path] of this.#paths.entries()) {
      // If the path was removed, the index reports its files as missing.
      const found = await findDataFiles([path], (file) => this.#indexedPaths.has(file))
        .catch(() => undefined);
      for (const file of found?.runs.keys() ?? []) {
        if (this.#indexedPaths.has(file) || this.#indexedRealPaths.has(realPathOf(file))) continue;
        files.push(...await this.#openNew(file, run));
      }
    }
    if (files.length > 0) await this.ask("files", { files }).catch(() => {});
  }

  /** Opens a new file. Returns an empty list if that fails, for example because the file is damaged
   * or still being compressed. */
  async #openNew(path: string, run: number): Promise<readonly IndexedPath[]> {
    const info = await statOf(path);
    const version = `${info?.size} ${info?.mtime?.getTime()}`;
    if (this.#unreadable.get(path) === version || this.#closing.signal.aborted) return [];
    // The content decides whether a file is compressed, and this file has no content yet.
    if (info?.size === 0 && compressionOfName(path)) return [];
    try {
      const { files } = this.#disposables.use(
        await unpackFiles(new Map([[path, run]]), this.#closing.signal),
      );
      this.#indexedPaths.add(path);
      this.#indexedRealPaths.add(realPathOf(path));
      return files;
    } catch {
      this.#unreadable.set(path, version);
      return [];
    }
  }
}
