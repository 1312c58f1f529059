/**
 * Rescued lines: if an output file is replaced, truncated or removed while a run writes to it, its
 * lines go to `<name>.rescued-<number>.jsonl` next to it, until the next run adds them to the file.
 *
 * @module
 */

import { dirname } from "../deps/std_path.ts";
import {
  holdsOwnLines,
  isBlankLine,
  type LineKind,
  linesOf,
  readLineBlocks,
} from "../line_blocks.ts";
import { removeIfThere, writeAll } from "../files.ts";
import { sha256Start } from "../hash.ts";
import { cannotWrite, syncFolderOf } from "./durable_file.ts";
import { uidOfLine } from "./rewrite.ts";
import { repairTail } from "./tail.ts";

/** One file of rescued lines that was merged into its output file. */
export interface MergedLines {
  /** The path of the file, which is removed now. */
  readonly from: string;
  /** The number of its lines that the output file did not hold. */
  readonly count: number;
}

/** The search for files ends after this many missing numbers in a row: users may remove some. */
const MAX_MISSING = 3;

/**
 * The files of rescued lines for an output file, by number. Found by counting up, not by listing
 * the folder, which may hold very many files.
 */
export async function rescuedFilesOf(path: string, kind: LineKind): Promise<string[]> {
  const found: string[] = [];
  for await (const { path: rescued, size } of rescuedNames(path)) {
    if (size > 0 && await holdsOwnLines(rescued, kind)) found.push(rescued);
  }
  return found;
}

async function* rescuedNames(path: string): AsyncGenerator<{ path: string; size: number }> {
  let missing = 0;
  for (let number = 1; missing < MAX_MISSING; number++) {
    const rescued = rescuedPath(path, number);
    const info = await Deno.lstat(rescued).catch(() => undefined);
    missing = info === undefined ? missing + 1 : 0;
    if (info?.isFile) yield { path: rescued, size: info.size };
  }
}

/** Creates an empty file for rescued lines, and its folder if that was removed, too. */
export async function createRescuedFile(path: string, mode: number | undefined): Promise<string> {
  await Deno.mkdir(dirname(path), { recursive: true });
  for (let number = 1;; number++) {
    const rescued = rescuedPath(path, number);
    try {
      (await Deno.open(rescued, { write: true, createNew: true, mode })).close();
      return rescued;
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
  }
}

/** The most UTF-16 units of recent lines over all outputs of a run. */
const MAX_RECENT_UNITS = 32 * 1024 * 1024;

/** Memory for recent lines that all outputs of a run share. */
export class RecentMemory {
  #free: number;

  /** @param units In UTF-16 units. */
  constructor(units: number = MAX_RECENT_UNITS) {
    this.#free = units;
  }

  /** Takes room for a line; returns false if there is none. */
  take(line: string): boolean {
    if (line.length > this.#free) return false;
    this.#free -= line.length;
    return true;
  }

  release(lines: readonly string[]): void {
    for (const { length } of lines) this.#free += length;
  }
}

/**
 * The lines of the last one to two seconds, if `age` is called once a second. Keeps fewer if all
 * outputs together write more than fits into their memory: then a line can be rescued only while
 * its file is open.
 */
export class RecentLines {
  readonly #memory: RecentMemory;
  /** Lines from between the last two calls of `age`. */
  #older: string[] = [];
  /** Lines since the last call of `age`. */
  #newer: string[] = [];

  constructor(memory: RecentMemory) {
    this.#memory = memory;
  }

  get isEmpty(): boolean {
    return this.#older.length === 0 && this.#newer.length === 0;
  }

  add(line: string): void {
    if (!this.#memory.take(line)) {
      this.#dropOlder();
      if (!this.#memory.take(line)) return;
    }
    this.#newer.push(line);
  }

  /** Called when a check finds the file unchanged: drops lines from before the previous check. */
  age(): void {
    this.#dropOlder();
    this.#older = this.#newer;
    this.#newer = [];
  }

  /** Removes all lines and returns them. */
  take(): string[] {
    const lines = [...this.#older, ...this.#newer];
    this.#memory.release(lines);
    this.#older = [];
    this.#newer = [];
    return lines;
  }

  /** Undoes `take`, but all lines count as new. */
  putBack(lines: readonly string[]): void {
    const newer = this.#newer;
    this.#newer = [];
    for (const line of lines) this.add(line);
    this.#newer.push(...newer);
  }

  /** Moves all lines of `others` to this, with their ages. */
  takeOver(others: RecentLines): void {
    this.#older.push(...others.#older);
    this.#newer.push(...others.#newer);
    others.#older = [];
    others.#newer = [];
  }

  #dropOlder(): void {
    this.#memory.release(this.#older);
    this.#older = [];
  }
}

/**
 * Writes lines that may be missing in an output file to a new file of rescued lines, durably.
 *
 * @param path The output file.
 * @param lines Without line feeds.
 * @returns The path of the new file.
 */
export async function rescueLines(
  path: string,
  mode: number | undefined,
  lines: readonly string[],
): Promise<string> {
  const rescued = await createRescuedFile(path, mode);
  try {
    using file = await Deno.open(rescued, { append: true });
    await writeAll(file, new TextEncoder().encode(lines.map((line) => `${line}\n`).join("")));
    await file.sync();
  } catch (cause) {
    throw cannotWrite(rescued, cause);
  }
  return rescued;
}

/**
 * Appends rescued lines to their output file, which must end with a whole line, and removes the
 * files of rescued lines. Can be repeated after a crash: results whose uid is in the output file
 * are not added, nor failures whose whole line is.
 *
 * @throws {SinkError} If the output file cannot be written.
 */
export async function mergeRescued(path: string, kind: LineKind): Promise<MergedLines[]> {
  const merged: MergedLines[] = [];
  // Left by runs that were killed before they wrote a line.
  const empty = await Array.fromAsync(emptyFilesOf(path));
  for (const from of await rescuedFilesOf(path, kind)) {
    await repairTail(from);
    merged.push({ from, count: await addLines(path, from, NAME_OF[kind]) });
  }
  // The last one first: after a crash, no gap in the numbers hides the files that are left.
  for (const done of [...merged.map(({ from }) => from), ...empty].toSorted(byNumber).reverse()) {
    await removeIfThere(done);
  }
  return merged;
}

/** Identifies a line: of lines with the same name, only one is added. */
type NameOf = (text: string, path: string, number: number) => string;

/** A row has one line in the results, but may have several in the failures. */
const NAME_OF: Readonly<Record<LineKind, NameOf>> = { results: uidOfLine, failures: sha256Start };

async function addLines(path: string, from: string, nameOf: NameOf): Promise<number> {
  const known = await knownNames(path, from, nameOf);
  let count = 0;
  try {
    const { mode } = await Deno.stat(from);
    using file = await Deno.open(path, { append: true, create: true, mode: mode ?? undefined });
    for await (const { name, text } of namedLines(from, nameOf)) {
      if (known.has(name)) continue;
      known.add(name);
      await writeAll(file, new TextEncoder().encode(`${text}\n`));
      count++;
    }
    await file.sync();
    await syncFolderOf(path);
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
  return count;
}

/** The names of lines that are both in `from` and in `path`. */
async function knownNames(path: string, from: string, nameOf: NameOf): Promise<Set<string>> {
  const names = new Set<string>(), known = new Set<string>();
  for await (const { name } of namedLines(from, nameOf)) names.add(name);
  for await (const { name } of namedLines(path, nameOf)) if (names.has(name)) known.add(name);
  return known;
}

async function* namedLines(path: string, nameOf: NameOf) {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let number = 0;
  for await (const block of readLineBlocks(path)) {
    for (const line of linesOf(block)) {
      number++;
      if (isBlankLine(line)) continue;
      const text = decoder.decode(line);
      yield { name: nameOf(text, path, number), text };
    }
  }
}

async function* emptyFilesOf(path: string): AsyncGenerator<string> {
  for await (const { path: rescued, size } of rescuedNames(path)) if (size === 0) yield rescued;
}

function byNumber(one: string, other: string): number {
  return numberOf(one) - numberOf(other);
}

function numberOf(path: string): number {
  return Number(/(\d+)\.jsonl$/.exec(path)![1]);
}

function rescuedPath(path: string, number: number): string {
  return `${stemOf(path)}.rescued-${number}.jsonl`;
}

function stemOf(path: string): string {
  return path.replace(/\.(jsonl|ndjson)$/, "");
}
