/**
 * The index over results and failures files.
 *
 * @module
 */

import { basename, dirname } from "../deps/std_path.ts";
import { xxHash64Hex } from "../hash.ts";
import { inFolder } from "../files.ts";
import { pricesOf } from "../prices/mod.ts";
import type { Teacher, Usage } from "../teacher/mod.ts";
import { RowMark } from "./columns.ts";
import { DataFile, type FileState } from "./data_file.ts";
import { type FileMark, readIndexFile, writeIndexFile } from "./index_file.ts";
import type { RunHints } from "./line_facts.ts";
import { Table } from "./table.ts";

export interface DataFileStatus
  extends Readonly<Pick<FileMark, "path" | "rows" | "damageCount" | "damage">> {
  readonly state: FileState;
  readonly problem: string | null;
  /** The size of the file in bytes. */
  readonly size: number;
  /** The number of bytes that were read. */
  readonly read: number;
}

export interface IndexStatus {
  readonly files: readonly DataFileStatus[];
  readonly rows: number;
  readonly isCurrent: boolean;
  readonly version: number;
}

export interface IndexedPath {
  readonly path: string;
  /** A decompressed copy to read instead. @default path */
  readonly readPath?: string;
  /** The file's run, for comparisons: the index of its path on the command line. @default 0 */
  readonly run?: number;
}

/** The index is rebuilt if this share of its rows is gone. */
const MAX_GONE_SHARE = 0.3;

/** A run is assumed to write to a file that was modified within this time. */
const LIVE_MS = 10_000;

export class DataIndex {
  readonly files: DataFile[] = [];
  /** The `IndexedPath.run` of each file. */
  readonly runs: number[] = [];
  table = new Table();
  /** Changes when rows are added or removed, and when a comparison of runs or a search for near
   * duplicates adds fields. */
  version = 0;
  readonly #isSaved: boolean;
  /** The file that `textAt` has left open. */
  #openFile: DataFile | undefined;
  #savedRows = 0;
  /** Functions that compute a cost, by model and teacher; undefined without a public price. */
  readonly #costFunctions = new Map<string, CostOf | undefined>();

  /**
   * Opens an index, which `step` then completes.
   *
   * @param isSaved Whether the index is loaded from `.retort/` next to the first file, and saved
   * there.
   */
  constructor(paths: readonly IndexedPath[], isSaved = false) {
    this.#isSaved = isSaved;
    this.addFiles(paths);
    this.#load();
  }

  /** Loads the saved index, if there is a usable one. Drops rows of files that were replaced
   * after it was saved. */
  #load(): void {
    const path = this.#indexPath;
    if (path === undefined) return;
    const savedIndex = readIndexFile(path, this.files.map(({ mark }) => mark.path));
    if (savedIndex === undefined) return;
    this.table = savedIndex.table;
    this.files.forEach((file, index) => {
      if (!file.resume(savedIndex.marks[index])) this.table.markGone(index);
    });
    this.#savedRows = this.table.length;
    this.#pruneGone();
    this.version++;
  }

  /** Checks whether files were changed, and drops rows of those that were replaced or removed. */
  refresh(): void {
    this.files.forEach((file, index) => {
      if (!file.refresh()) return;
      this.table.markGone(index);
      this.version++;
    });
    this.#pruneGone();
  }

  addFiles(paths: readonly IndexedPath[]): void {
    for (const { path, readPath, run = 0 } of paths) {
      const file = new DataFile(path, { readPath });
      // Records the inode. Without it, the next refresh would mistake a file that has been read by
      // then for a replaced one.
      file.refresh();
      this.files.push(file);
      this.runs.push(run);
    }
  }

  /** Whether a run seems to write to one of the files. */
  get isLive(): boolean {
    const now = Date.now();
    // A time far in the future, from the clock of another machine, does not make a file live.
    return this.files.some(({ modifiedMs }) => Math.abs(now - modifiedMs) < LIVE_MS);
  }

  /** Reads a block of one file; returns false if there was nothing to read. */
  async step(): Promise<boolean> {
    const fileIndex = this.files.findIndex(({ state }) => state === "reading");
    if (fileIndex === -1) return false;
    const file = this.files[fileIndex];
    const firstRow = this.table.length;
    file.read((facts, place) => {
      this.table.add(facts, { ...place, file: fileIndex }, file.hints);
    });
    const addedRows = this.table.length - firstRow;
    if (addedRows > 0) {
      // The first block of a file gives the mean length of its lines.
      if (file.mark.rows === addedRows) this.#reserve();
      await this.#estimateCosts(firstRow);
      this.version++;
    }
    return true;
  }

  async readAll(): Promise<void> {
    while (await this.step());
  }

  /** Saves new rows. Returns false if that fails: the next process then reads them again. */
  save(): boolean {
    const path = this.#indexPath;
    if (path === undefined || this.table.length === this.#savedRows) return true;
    const marks = this.files.map(({ mark }) => mark);
    const isSaved = writeIndexFile(path, this.table, marks);
    if (isSaved) this.#savedRows = this.table.length;
    return isSaved;
  }

  status(): IndexStatus {
    return {
      files: this.files.map(({ mark, state, problem = null, size }) => {
        const { path, rows, end: read, damageCount, damage } = mark;
        return { path, state, problem, size, read, rows, damageCount, damage };
      }),
      rows: this.table.length - this.table.goneCount,
      isCurrent: this.files.every(({ state }) => state !== "reading"),
      version: this.version,
    };
  }

  textAt(row: number): string {
    const { offset, bytes, file } = this.table.columns;
    const dataFile = this.files[file[row]];
    if (dataFile !== this.#openFile) this.#openFile?.close();
    this.#openFile = dataFile;
    return DECODER.decode(dataFile.lineAt(offset[row], bytes[row]));
  }

  hintsAt(row: number): RunHints {
    return this.files[this.table.columns.file[row]].hints;
  }

  close(): void {
    for (const file of this.files) file.close();
  }

  /** The path of the saved index. Computed on each access, because its name depends on all files, and
   * a run may create some of them later. */
  get #indexPath(): string | undefined {
    const paths = this.files.map(({ mark }) => mark.path);
    // A saved index would not recognize decompressed copies, because each process makes new ones.
    const mayPersist = this.#isSaved && paths.length > 0 &&
      this.files.every(({ readPath }, index) => readPath === paths[index]);
    const name = xxHash64Hex(JSON.stringify(paths.map((path) => basename(path))));
    return mayPersist ? inFolder(dirname(paths[0]), `.retort/view-${name}.index`) : undefined;
  }

  /** Makes room for all unread rows at once, because each enlargement copies all columns. The number
   * of rows is estimated from the mean length of lines, plus 2 %. */
  #reserve(): void {
    let rows = this.table.length;
    for (const { mark, size } of this.files) {
      if (mark.rows > 0) rows += Math.ceil((size - mark.end) / (mark.end / mark.rows) * 1.02);
    }
    this.table.reserve(rows);
  }

  /** Starts again with an empty table if many rows are gone, because they take memory and time. */
  #pruneGone(): void {
    const { goneCount, length } = this.table;
    if (goneCount === 0 || goneCount < Math.max(1, length * MAX_GONE_SHARE)) return;
    this.table = new Table();
    for (const file of this.files) {
      file.restart();
      file.refresh();
    }
    this.#savedRows = 0;
    this.version++;
  }

  /** Estimates unknown costs from public prices, for example in lines that earlier versions
   * wrote. */
  async #estimateCosts(firstRow: number): Promise<void> {
    const { columns, length, names: { model: models, teacher: teachers } } = this.table;
    for (let row = firstRow; row < length; row++) {
      if (columns.costUsd[row] !== -1) continue;
      const promptTokens = columns.promptTokens[row];
      const completionTokens = columns.completionTokens[row];
      // Every prompt has tokens, so the usage of an answer without prompt tokens is unknown. The
      // same holds for a failure without any tokens.
      const hasUsage = promptTokens > 0 || (!this.table.isAnswered(row) && completionTokens > 0);
      if (!hasUsage) continue;
      const model = models.list[columns.model[row]], teacher = teachers.list[columns.teacher[row]];
      const key = `${model}\0${teacher}`;
      if (!this.#costFunctions.has(key)) {
        this.#costFunctions.set(key, await publicCostOf(model, teacher));
      }
      const costUsd = this.#costFunctions.get(key)?.({
        promptTokens,
        cachedTokens: columns.cachedTokens[row],
        completionTokens,
        reasoningTokens: columns.reasoningTokens[row],
      });
      if (costUsd === undefined) continue;
      columns.costUsd[row] = costUsd;
      columns.marks[row] |= RowMark.Estimated;
    }
  }
}

type CostOf = (usage: Usage) => number | undefined;

async function publicCostOf(model: string, address: string): Promise<CostOf | undefined> {
  const teacher = {
    model,
    address,
    complete: () => Promise.reject(new Error("no teacher")),
  } as Teacher;
  const { priceOf } = await pricesOf([teacher]);
  return priceOf && ((usage) => priceOf({ usage }, teacher));
}

const DECODER = new TextDecoder("utf-8");
