/**
 * Lines that could not stay in their output file, because it was replaced, truncated or removed while a run
 * wrote to it. They are kept next to it as `<name>.rescued-<number>.jsonl` until the next run adds them to the
 * file.
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

/** The lines that were added to an output file. */
export interface MergedLines {
  /** The file that they were in; it is removed. */
  readonly from: string;
  /** The number of lines that the output file did not hold. */
  readonly count: number;
}

/** After this many numbers without a file, the search ends: a run may have ended while it merged the first. */
const MOST_MISSING = 3;

/** The files of rescued lines of an output file, the oldest first. Their numbers are tried one after the other,
 * because the folder may hold very many files. */
export async function rescuedFilesOf(path: string, kind: LineKind): Promise<string[]> {
  const found: string[] = [];
  for await (const { path: rescued, size } of rescuedNames(path)) {
    if (size > 0 && await holdsOwnLines(rescued, kind)) found.push(rescued);
  }
  return found;
}

async function* rescuedNames(path: string): AsyncGenerator<{ path: string; size: number }> {
  let missing = 0;
  for (let number = 1; missing < MOST_MISSING; number++) {
    const rescued = rescuedPath(path, number);
    const info = await Deno.lstat(rescued).catch(() => undefined);
    missing = info === undefined ? missing + 1 : 0;
    if (info?.isFile) yield { path: rescued, size: info.size };
  }
}

/** Creates the next such file, and the folder if that is gone too. */
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

/** Lines of the last one to two seconds: those before the last look at the file, and those after it. */
export class RecentLines {
  #older: string[] = [];
  #newer: string[] = [];

  /** Whether there are none. */
  get isEmpty(): boolean {
    return this.#older.length === 0 && this.#newer.length === 0;
  }

  /** Adds one that is written now. */
  add(line: string): void {
    this.#newer.push(line);
  }

  /** A second has passed, and the file was as it should be. */
  age(): void {
    this.#older = this.#newer;
    this.#newer = [];
  }

  /** Takes all of them out. */
  take(): string[] {
    const lines = [...this.#older, ...this.#newer];
    this.#older = this.#newer = [];
    return lines;
  }

  /** Adds lines that were taken out. */
  putBack(lines: readonly string[]): void {
    this.#newer = [...lines, ...this.#newer];
  }

  /** Adds those of others, which are as old. */
  takeOver(others: RecentLines): void {
    this.#older.push(...others.#older);
    this.#newer.push(...others.#newer);
    others.#older = [];
    others.#newer = [];
  }
}

/** Keeps lines, given without their endings, that an output file should hold and may not. Gives the path. */
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
 * Appends rescued lines to their output file, which ends with a whole line, and removes the files that they were
 * in, and empty ones. It can be repeated after a crash: a result whose uid is already there is not added, and no
 * failure whose whole line is.
 *
 * @throws {SinkError} when the output file cannot be written
 */
export async function mergeRescued(path: string, kind: LineKind): Promise<MergedLines[]> {
  const merged: MergedLines[] = [];
  // A run that was killed before a line came has left them.
  const empty = await Array.fromAsync(emptyFilesOf(path));
  for (const from of await rescuedFilesOf(path, kind)) {
    await repairTail(from);
    merged.push({ from, count: await addLines(path, from, NAME_OF[kind]) });
  }
  // The last one first: where this is killed, no gap in the numbers hides those that are left.
  for (const done of [...merged.map(({ from }) => from), ...empty].toSorted(byNumber).reverse()) {
    await removeIfThere(done);
  }
  return merged;
}

/** The name of a line: lines of one name are added once. */
type NameOf = (text: string, path: string, number: number) => string;

/** A row has one result, and may have several lines of failures. */
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

/** The names of lines of `from` that `path` holds too. */
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
