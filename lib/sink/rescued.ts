/**
 * Rescued lines: if another program replaces, truncates or removes an output file while a run
 * writes to it, or if its disk fails or is full, lines go to `<name>.rescued-<number>.jsonl` next
 * to it, or to a temporary folder if that fails, too. The next run adds the lines of files that are
 * next to the output.
 *
 * @module
 */

import { basename, dirname } from "../deps/std_path.ts";
import { appendLines, holdsOwnLines, type LineKind, linesIn } from "../line_blocks.ts";
import { inFolder, removeIfThere, stemOf, writeAll } from "../files.ts";
import { sha256Start } from "../hash.ts";
import { delay } from "../timer.ts";
import { RETRY_DELAY_MS } from "./appender.ts";
import { cannotWrite, orCannotWrite, syncFolderOf, untilSynced } from "./durable_file.ts";
import { uidOfLine } from "./read_line.ts";
import { createNumbered, repairTail } from "./repair.ts";

export interface MergedLines {
  readonly from: string;
  /** Lines that the output file did not contain. */
  readonly count: number;
}

/** The search ends only after this many missing numbers in a row: users may remove some files. */
const MAX_MISSING = 3;

/** Returns the files of rescued lines for an output file, in order. Leaves out empty files and
 * those that Retort did not write. Tries the numbered names one by one, because the folder may
 * hold too many files to list. */
export async function rescuedFilesOf(path: string, kind: LineKind): Promise<string[]> {
  const files: string[] = [];
  for await (const { path: rescuedPath, size } of numberedFiles(path)) {
    if (size > 0 && await holdsOwnLines(rescuedPath, kind)) files.push(rescuedPath);
  }
  return files;
}

async function* numberedFiles(path: string): AsyncGenerator<{ path: string; size: number }> {
  let missing = 0;
  for (let first = 1; missing < MAX_MISSING; first += MAX_MISSING) {
    const paths = Array.from({ length: MAX_MISSING }, (_, i) => rescuedPathOf(path, first + i));
    const infos = await Promise.all(paths.map((path) => Deno.lstat(path).catch(() => undefined)));
    for (const [i, info] of infos.entries()) {
      missing = info === undefined ? missing + 1 : 0;
      if (missing === MAX_MISSING) return;
      if (info?.isFile) yield { path: paths[i], size: info.size };
    }
  }
}

/** Creates a file for rescued lines, with a durable name and a number above `lastNumber`. Returns
 * its path. */
export async function createRescuedFile(
  path: string,
  mode: number | undefined,
  lastNumber = 0,
): Promise<string> {
  await Deno.mkdir(dirname(path), { recursive: true });
  const pathOf = (number: number) => rescuedPathOf(path, lastNumber + number);
  const created = await createNumbered(pathOf, mode);
  created.file.close();
  try {
    await syncFolderOf(created.path);
  } catch (error) {
    // The file is removed, because each retry would otherwise leave an empty file.
    await removeIfThere(created.path);
    throw error;
  }
  return created.path;
}

/** Writes whole lines durably to a file from `createRescuedFile`. Replaces what a failed call has
 * written. */
export async function rescueLines(path: string, lines: readonly Uint8Array[]): Promise<void> {
  const options = { write: true, create: true, truncate: true };
  await orCannotWrite(path, () => writeDurably(path, lines, options));
}

async function writeDurably(
  path: string,
  lines: readonly Uint8Array[],
  options: Deno.OpenOptions,
): Promise<void> {
  using file = await Deno.open(path, options);
  for (const bytes of lines) await writeAll(file, bytes);
  await untilSynced(file.sync());
}

export interface LastResortOptions {
  readonly mode?: number;
  /** Called once the first lines are durable in a new file. `isTemporary` says whether the file is
   * in the folder for temporary files. */
  readonly onFile?: (path: string, isTemporary: boolean) => void;
  readonly makeFolder?: () => Promise<string>;
  /** Whether to retry a failed write each second until `giveUp`. @default false */
  readonly retries?: boolean;
}

interface Place {
  readonly isTemporary: boolean;
  /** The path of the file; undefined before the file is created. */
  path?: string;
  /** The size before a failed write, which may have left part of a line. */
  sizeBefore?: number;
  /** Whether `onFile` was called: the file holds lines. */
  isUsed?: boolean;
}

/** Writes lines to another file after fdatasync has failed, or once the run no longer waits for
 * disk space. Opens that file anew for each write. */
export class LastResort {
  readonly #output: string;
  readonly #options: LastResortOptions;
  readonly #beside: Place = { isTemporary: false };
  readonly #temporary: Place = { isTemporary: true };
  #place = this.#beside;
  readonly #givenUp = new AbortController();
  #last: Promise<void> = Promise.resolve();

  constructor(output: string, options: LastResortOptions = {}) {
    this.#output = output;
    this.#options = options;
  }

  /**
   * Resolves once the lines are durable; rejects if they cannot be kept anywhere.
   *
   * @param lines Whole lines, with their newlines.
   */
  append(lines: string): Promise<void> {
    const appending = this.#last.then(() => this.#keep(lines));
    this.#last = appending.catch(() => {});
    return appending;
  }

  async untilIdle(): Promise<void> {
    await this.#last;
  }

  /** Ends retries: lines that cannot be written at the next attempt are rejected. */
  giveUp(): void {
    this.#givenUp.abort();
  }

  async #keep(lines: string): Promise<void> {
    const { signal } = this.#givenUp;
    while (true) {
      try {
        return await this.#append(lines);
      } catch (error) {
        if (!this.#options.retries || signal.aborted) throw error;
        await Promise.all([this.#beside, this.#temporary].map(trim));
        await delay(RETRY_DELAY_MS, signal);
        // Users free space for the output, so its disk is tried first: the temporary folder may
        // stay full.
        this.#place = this.#beside;
      }
    }
  }

  async #append(lines: string): Promise<void> {
    try {
      await this.#write(lines, this.#place);
    } catch (cause) {
      if (this.#place.isTemporary) throw cannotWrite(this.#output, cause);
      this.#place = this.#temporary;
      await this.#append(lines);
    }
  }

  async #write(lines: string, place: Place): Promise<void> {
    place.path ??= await this.#create(place);
    if (place.sizeBefore !== undefined) await repairTail(place.path);
    place.sizeBefore = (await Deno.stat(place.path)).size;
    await writeDurably(place.path, [new TextEncoder().encode(lines)], { append: true });
    place.sizeBefore = undefined;
    if (!place.isUsed) this.#options.onFile?.(place.path, place.isTemporary);
    place.isUsed = true;
  }

  async #create({ isTemporary }: Place): Promise<string> {
    const { mode, makeFolder = () => Deno.makeTempDir({ prefix: "retort-" }) } = this.#options;
    const output = isTemporary
      ? inFolder(await makeFolder(), basename(this.#output))
      : this.#output;
    // The user moves the temporary file beside the output, where another rescued file may be. So
    // their numbers must differ.
    const other = isTemporary ? this.#beside : this.#temporary;
    const lastNumber = other.path === undefined ? 0 : numberOf(other.path);
    return await createRescuedFile(output, mode, lastNumber);
  }
}

/** Removes what a failed write has left, because its lines will be written again. `repairTail`
 * would leave a file with half a line at each attempt. */
async function trim(place: Place): Promise<void> {
  if (place.sizeBefore === undefined) return;
  await Deno.truncate(place.path!, place.sizeBefore).then(
    () => place.sizeBefore = undefined,
    () => {},
  );
}

/** Appends rescued lines to their output file, which must end with a whole line. Then removes the
 * files of rescued lines. Can be repeated after a crash: skips results whose uid is in the output
 * file, and failures whose line is in it. */
export async function mergeRescued(path: string, kind: LineKind): Promise<MergedLines[]> {
  const mergedLines: MergedLines[] = [], removablePaths: string[] = [];
  for await (const { path: from, size } of numberedFiles(path)) {
    // An empty file was left by a run that was killed before it wrote a line.
    if (size > 0) {
      if (!(await holdsOwnLines(from, kind))) continue;
      await repairTail(from);
      const count = await orCannotWrite(path, () => addLines(path, from, KEY_OF[kind]));
      mergedLines.push({ from, count });
    }
    removablePaths.push(from);
  }
  // The last file is removed first, so that a crash leaves no gap in the numbers.
  for (const file of removablePaths.reverse()) await removeIfThere(file);
  return mergedLines;
}

/** Returns the key of a line. A line is not added if the output file has one with the same key. */
type KeyOf = (text: string, path: string, number: number) => string;

/** Results have one line for each uid; failures may have several. */
const KEY_OF: Readonly<Record<LineKind, KeyOf>> = { results: uidOfLine, failures: sha256Start };

async function addLines(path: string, from: string, keyOf: KeyOf): Promise<number> {
  const keysInOutput = await keysInBoth(path, from, keyOf);
  const { mode } = await Deno.stat(from);
  let count = 0;
  async function* newLines() {
    for await (const { key, text } of keyedLines(from, keyOf)) {
      if (keysInOutput.has(key)) continue;
      keysInOutput.add(key);
      count++;
      yield text;
    }
  }
  using file = await Deno.open(path, { append: true, create: true, mode: mode ?? undefined });
  await appendLines(file, newLines());
  await untilSynced(file.sync());
  await syncFolderOf(path);
  return count;
}

async function keysInBoth(path: string, from: string, keyOf: KeyOf): Promise<Set<string>> {
  const keys = new Set<string>(), inBoth = new Set<string>();
  for await (const { key } of keyedLines(from, keyOf)) keys.add(key);
  for await (const { key } of keyedLines(path, keyOf)) if (keys.has(key)) inBoth.add(key);
  return inBoth;
}

async function* keyedLines(path: string, keyOf: KeyOf) {
  for await (const { text, number } of linesIn(path)) {
    if (text !== "") yield { key: keyOf(text, path, number), text };
  }
}

function numberOf(path: string): number {
  return Number(/(\d+)\.jsonl$/.exec(path)![1]);
}

function rescuedPathOf(path: string, number: number): string {
  return `${stemOf(path)}.rescued-${number}.jsonl`;
}
