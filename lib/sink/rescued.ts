/**
 * Rescued lines: if an output file is replaced, truncated or removed while a run writes to it, its
 * lines go to `<name>.rescued-<number>.jsonl` next to it, until the next run adds them to the file.
 *
 * @module
 */

import { basename, dirname } from "../deps/std_path.ts";
import {
  holdsOwnLines,
  isBlankLine,
  type LineKind,
  linesOf,
  readLineBlocks,
} from "../line_blocks.ts";
import { inFolder, removeIfThere, stemOf, writeAll } from "../files.ts";
import { sha256Start } from "../hash.ts";
import { isJson } from "../json.ts";
import { delay } from "../timer.ts";
import { RETRY_DELAY_MS } from "./appender.ts";
import { cannotWrite, syncFolderOf } from "./durable_file.ts";
import { uidOfLine } from "./read_line.ts";
import { createNumbered, dropLines, LineSet, repairTail } from "./repair.ts";

export interface MergedLines {
  readonly from: string;
  /** Lines that the output file did not hold. */
  readonly count: number;
}

/** Consecutive missing numbers that end the search: users may remove some files. */
const MAX_MISSING = 3;

/** Files of rescued lines, by number, without files that Retort did not write. Counts up, because
 * the folder may hold too many files to list. */
export async function rescuedFilesOf(path: string, kind: LineKind): Promise<string[]> {
  const files: string[] = [];
  for await (const { path: rescued, size } of numberedFiles(path)) {
    if (size > 0 && await holdsOwnLines(rescued, kind)) files.push(rescued);
  }
  return files;
}

async function* numberedFiles(path: string): AsyncGenerator<{ path: string; size: number }> {
  let missing = 0;
  for (let number = 1; missing < MAX_MISSING; number++) {
    const rescued = rescuedPath(path, number);
    const info = await Deno.lstat(rescued).catch(() => undefined);
    missing = info === undefined ? missing + 1 : 0;
    if (info?.isFile) yield { path: rescued, size: info.size };
  }
}

export async function createRescuedFile(path: string, mode: number | undefined): Promise<string> {
  await Deno.mkdir(dirname(path), { recursive: true });
  const created = await createNumbered((number) => rescuedPath(path, number), mode);
  created.file.close();
  return created.path;
}

/**
 * Writes lines that the output file may lack to a new file, durably.
 *
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
 * files of rescued lines. Can be repeated after a crash: skips results with a uid in the output
 * file, and failures with the same line.
 *
 * @throws {SinkError} If the output file cannot be written.
 */
export async function mergeRescued(path: string, kind: LineKind): Promise<MergedLines[]> {
  const merged: MergedLines[] = [];
  // Left by runs that were killed before they wrote a line.
  const empty = await Array.fromAsync(emptyFilesOf(path));
  for (const from of await rescuedFilesOf(path, kind)) {
    await repairTail(from);
    merged.push({ from, count: await addLines(path, from, KEY_OF[kind]) });
  }
  // Removes the last one first, so that a crash leaves no gap in the numbers.
  const removable = [...merged.map(({ from }) => from), ...empty].toSorted(byNumber).reverse();
  for (const file of removable) await removeIfThere(file);
  return merged;
}

/** The key of a line: lines with a key in the file are not added. */
type KeyOf = (text: string, path: string, number: number) => string;

/** The results have one line per row, the failures may have several. */
const KEY_OF: Readonly<Record<LineKind, KeyOf>> = { results: uidOfLine, failures: sha256Start };

async function addLines(path: string, from: string, keyOf: KeyOf): Promise<number> {
  const keysInOutput = await sharedKeys(path, from, keyOf);
  let count = 0;
  try {
    const { mode } = await Deno.stat(from);
    using file = await Deno.open(path, { append: true, create: true, mode: mode ?? undefined });
    for await (const { key, text } of keyedLines(from, keyOf)) {
      if (keysInOutput.has(key)) continue;
      keysInOutput.add(key);
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

async function sharedKeys(path: string, from: string, keyOf: KeyOf): Promise<Set<string>> {
  const keys = new Set<string>(), shared = new Set<string>();
  for await (const { key } of keyedLines(from, keyOf)) keys.add(key);
  for await (const { key } of keyedLines(path, keyOf)) if (keys.has(key)) shared.add(key);
  return shared;
}

async function* keyedLines(path: string, keyOf: KeyOf) {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let number = 0;
  for await (const block of readLineBlocks(path)) {
    for (const line of linesOf(block)) {
      number++;
      if (isBlankLine(line)) continue;
      const text = decoder.decode(line);
      yield { key: keyOf(text, path, number), text };
    }
  }
}

async function* emptyFilesOf(path: string): AsyncGenerator<string> {
  for await (const { path: rescued, size } of numberedFiles(path)) if (size === 0) yield rescued;
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

const LINE_START = '{"uid":"';

/**
 * Repairs a file that was truncated within a line and appended to, so that the rest of that line
 * and a whole new one are joined. Copies the new lines to the file `to`, then removes the joined
 * ones from `path`. The rests are lost.
 */
export async function moveJoinedLines(path: string, to: Deno.FsFile): Promise<void> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const joined = new LineSet();
  let lineNumber = 0;
  for await (const block of readLineBlocks(path)) {
    for (const line of linesOf(block)) {
      lineNumber++;
      const whole = wholeLineIn(decoder.decode(line));
      if (whole === undefined) continue;
      joined.add(lineNumber);
      await writeAll(to, new TextEncoder().encode(`${whole}\n`));
    }
  }
  await dropLines(path, joined, lineNumber);
}

function wholeLineIn(text: string): string | undefined {
  let start = text.indexOf(LINE_START, 1);
  if (start === -1 || isJson(text)) return undefined;
  for (; start !== -1; start = text.indexOf(LINE_START, start + 1)) {
    const rest = text.slice(start);
    if (isJson(rest)) return rest;
  }
}

export interface LastResortOptions {
  readonly mode?: number;
  /** `isTemporary`: the file is in the temporary folder. */
  readonly onFile?: (path: string, isTemporary: boolean) => void;
  readonly makeFolder?: () => Promise<string>;
  /** Until it is aborted, lines that cannot be kept anywhere are tried again each second.
   * @default they are rejected at once */
  readonly retrying?: AbortSignal;
}

/**
 * Keeps answers that arrive after fdatasync has failed, or whose run may not wait for disk space any
 * longer: in a file of rescued lines or, if that fails, in the temporary folder. Lines are durable
 * once `append` resolves. Keeps no file open.
 */
export class LastResort {
  readonly #output: string;
  readonly #options: LastResortOptions;
  #path: string | undefined;
  #isTemporary = false;
  /** Whether a failed write may have left part of a line. */
  #isTorn = false;
  #last: Promise<void> = Promise.resolve();

  constructor(output: string, options: LastResortOptions = {}) {
    this.#output = output;
    this.#options = options;
  }

  /** Rejects if the lines cannot be kept anywhere.
   *
   * @param lines Whole lines, with line feeds. */
  append(lines: string): Promise<void> {
    const appended = this.#last.then(() => this.#keep(new TextEncoder().encode(lines)));
    this.#last = appended.catch(() => {});
    return appended;
  }

  async untilIdle(): Promise<void> {
    await this.#last;
  }

  async #keep(lines: Uint8Array): Promise<void> {
    const { retrying } = this.#options;
    while (true) {
      try {
        return await this.#append(lines);
      } catch (error) {
        if (retrying === undefined || retrying.aborted) throw error;
        await delay(RETRY_DELAY_MS, retrying);
      }
    }
  }

  async #append(lines: Uint8Array): Promise<void> {
    try {
      this.#path ??= await this.#create();
      if (this.#isTorn) await repairTail(this.#path);
      this.#isTorn = false;
      using file = await Deno.open(this.#path, { append: true });
      await writeAll(file, lines);
      await file.syncData();
    } catch (cause) {
      if (this.#isTemporary) {
        this.#isTorn = this.#path !== undefined;
        throw cannotWrite(this.#output, cause);
      }
      this.#path = undefined;
      this.#isTemporary = true;
      await this.#append(lines);
    }
  }

  async #create(): Promise<string> {
    const { mode, onFile, makeFolder = () => Deno.makeTempDir({ prefix: "retort-" }) } =
      this.#options;
    const beside = this.#isTemporary
      ? inFolder(await makeFolder(), basename(this.#output))
      : this.#output;
    const path = await createRescuedFile(beside, mode);
    onFile?.(path, this.#isTemporary);
    return path;
  }
}
