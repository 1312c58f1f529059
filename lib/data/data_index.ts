/**
 * The index over results and failures files: it reads new rows block by block, and is saved on
 * disk.
 *
 * @module
 */

import { basename, dirname } from "../deps/std_path.ts";
import { inFolder } from "../paths.ts";
import { xxHash64Hex } from "../hash.ts";
import { pricesOf } from "../prices/mod.ts";
import type { Teacher } from "../teacher/mod.ts";
import { Mark } from "./columns.ts";
import { DataFile, type FileState } from "./data_file.ts";
import { type LineDamage, readIndexFile, writeIndexFile } from "./index_file.ts";
import { Table } from "./table.ts";

/** The status of one file. */
export interface DataFileStatus {
  readonly path: string;
  readonly state: FileState;
  /** What is wrong with it, in words. */
  readonly problem: string | null;
  readonly size: number;
  /** Bytes read so far. */
  readonly read: number;
  readonly rows: number;
  readonly damageCount: number;
  /** The first 20 damaged lines. */
  readonly damage: readonly LineDamage[];
}

/** The status of all files. */
export interface IndexStatus {
  readonly files: readonly DataFileStatus[];
  readonly rows: number;
  /** Whether everything was read. */
  readonly isCurrent: boolean;
  /** Changes whenever rows are added or removed. */
  readonly version: number;
}

/** A file, and where it is read from. */
export interface IndexedPath {
  readonly path: string;
  /** @default path */
  readonly readPath?: string;
  /** The index of the user's path that it belongs to. @default 0 */
  readonly run?: number;
}

/** With a larger share of gone rows, the index is built again. */
const MAX_GONE_SHARE = 0.3;

/** A running run writes more often than this. */
const LIVE_MS = 10_000;

/** The index. */
export class DataIndex {
  files: DataFile[] = [];
  /** For each file the index of the user's path that it belongs to. */
  readonly runs: number[] = [];
  table = new Table();
  version = 0;
  readonly #indexPath: string | undefined;
  #savedRows = 0;
  #pricedPairs = new Map<string, Rates | undefined>();
  #toPrice = new Set<number>();

  /** An index over these files. `indexPath` is where it is saved. @default in memory only */
  constructor(paths: readonly IndexedPath[], indexPath?: string) {
    this.#indexPath = indexPath;
    this.addFiles(paths);
  }

  /** The path of the index, in the folder of the first file. */
  static pathFor(paths: readonly string[]): string {
    const name = xxHash64Hex(JSON.stringify(paths.map((path) => basename(path))));
    return inFolder(dirname(paths[0]), `.retort/view-${name}.index`);
  }

  /** Loads what an earlier process saved, as far as the files are unchanged. */
  load(): boolean {
    if (this.#indexPath === undefined) return false;
    const saved = readIndexFile(this.#indexPath, this.files.map(({ mark }) => mark.path));
    if (saved === undefined) return false;
    this.files = this.files.map(({ mark, readPath }, number) => {
      const { mark: savedMark, lastLength } = saved.files[number];
      const file = new DataFile(mark.path, readPath, savedMark);
      if (savedMark.end === 0 || file.resume(lastLength)) return file;
      saved.table.drop(number);
      return new DataFile(mark.path, readPath);
    });
    this.table = saved.table;
    this.#savedRows = this.table.length;
    this.#pruneGone();
    this.version++;
    return true;
  }

  /** Checks the files for changes; returns true when there is something to read. */
  refresh(): boolean {
    this.files.forEach((file, number) => {
      if (!file.refresh()) return;
      this.table.drop(number);
      this.version++;
    });
    this.#pruneGone();
    return this.files.some(({ state }) => state === "reading");
  }

  /** Adds files that were found later. */
  addFiles(paths: readonly IndexedPath[]): void {
    for (const { path, readPath, run = 0 } of paths) {
      this.files.push(new DataFile(path, readPath));
      this.runs.push(run);
    }
  }

  /** Whether a run is writing to one of the files, judging by modification times. */
  get isLive(): boolean {
    const now = Date.now();
    return this.files.some(({ modifiedMs }) => now - modifiedMs < LIVE_MS);
  }

  /** Reads about a megabyte; returns false when there is nothing more to read. */
  async step(): Promise<boolean> {
    const number = this.files.findIndex(({ state }) => state === "reading");
    if (number === -1) return false;
    const file = this.files[number];
    const before = this.table.length;
    const { columns, names } = this.table;
    file.read((facts, place) => {
      const row = this.table.add(facts, { ...place, file: number }, file.hints);
      if (columns.costUsd[row] === -1 && facts.completionTokens > 0) {
        this.#toPrice.add(columns.model[row] * 0x1_0000 + columns.teacher[row]);
      }
    });
    if (this.table.length > before) {
      if (before === 0 || file.mark.rows === this.table.length - before) this.#reserve();
      this.version++;
    }
    if (this.#toPrice.size > 0) await this.#price(before, names.model.list, names.teacher.list);
    return true;
  }

  /** Reads everything. */
  async readAll(): Promise<void> {
    while (await this.step());
  }

  /** Saves the index. Returns the reason if that fails. */
  save(): string | undefined {
    if (this.#indexPath === undefined || this.table.length === this.#savedRows) return undefined;
    const problem = writeIndexFile(this.#indexPath, this);
    if (problem === undefined) this.#savedRows = this.table.length;
    return problem;
  }

  /** The status of the files. */
  status(): IndexStatus {
    return {
      files: this.files.map(({ mark, state, problem, size }) => ({
        path: mark.path,
        state,
        problem: problem ?? null,
        size,
        read: mark.end,
        rows: mark.rows,
        damageCount: mark.damageCount,
        damage: mark.damage,
      })),
      rows: this.table.length - this.table.gone,
      isCurrent: this.files.every(({ state }) => state !== "reading"),
      version: this.version,
    };
  }

  /** The text of a row's line. */
  textAt(row: number): string {
    const { offset, bytes, file } = this.table.columns;
    return DECODER.decode(this.files[file[row]].lineAt(offset[row], bytes[row]));
  }

  /** Closes all files. */
  close(): void {
    for (const file of this.files) file.close();
  }

  /** Estimates the number of rows from what was read, and makes room for them. */
  #reserve(): void {
    let rows = this.table.length;
    for (const { mark, size } of this.files) {
      if (mark.rows > 0) rows += Math.ceil((size - mark.end) / (mark.end / mark.rows) * 1.02);
    }
    this.table.reserve(rows);
  }

  /** Reads everything again if many rows are gone, because they cost memory and time. */
  #pruneGone(): void {
    const { gone, length } = this.table;
    if (gone === 0 || gone < Math.max(1, length * MAX_GONE_SHARE)) return;
    this.table = new Table();
    this.files = this.files.map(({ mark, readPath }) => {
      const file = new DataFile(mark.path, readPath);
      file.refresh();
      return file;
    });
    this.#savedRows = 0;
    this.version++;
  }

  /** Estimates the cost of rows whose lines have none, by public prices. */
  async #price(
    from: number,
    models: readonly string[],
    teachers: readonly string[],
  ): Promise<void> {
    for (const pair of this.#toPrice) {
      const [model, teacher] = [models[Math.floor(pair / 0x1_0000)], teachers[pair % 0x1_0000]];
      const key = `${model}\0${teacher}`;
      if (!this.#pricedPairs.has(key)) this.#pricedPairs.set(key, await ratesOf(model, teacher));
    }
    this.#toPrice.clear();
    const { columns, length } = this.table;
    for (let row = from; row < length; row++) {
      if (columns.costUsd[row] !== -1) continue;
      const rates = this.#pricedPairs.get(
        `${models[columns.model[row]]}\0${teachers[columns.teacher[row]]}`,
      );
      if (rates === undefined) continue;
      columns.costUsd[row] =
        (columns.promptTokens[row] * rates.usdIn + columns.completionTokens[row] * rates.usdOut) /
        1e6;
      columns.marks[row] |= Mark.Estimated;
    }
  }
}

interface Rates {
  readonly usdIn: number;
  readonly usdOut: number;
}

async function ratesOf(model: string, address: string): Promise<Rates | undefined> {
  const teacher = {
    model,
    address,
    complete: () => Promise.reject(new Error("no teacher")),
  } as Teacher;
  const { ratesOf } = await pricesOf([teacher]);
  return ratesOf(teacher);
}

const DECODER = new TextDecoder("utf-8");
