/**
 * Repairs the ends of output files after a crash, such as half a line that a killed process left,
 * or the NUL bytes that a power cut left. Also removes lines, by replacing the whole file.
 *
 * @module
 */

import { ifThere, readFully, stemOf, writeAll } from "../files.ts";
import { isJson, isObject } from "../json.ts";
import { appendLines, checkOwnFile, LINE_START, linesIn, readLineBlocks } from "../line_blocks.ts";
import {
  cannotWrite,
  orCannotWrite,
  Replacement,
  syncFolderOf,
  untilSynced,
} from "./durable_file.ts";
import { uidOfLine } from "./read_line.ts";

export type TailRepair =
  | { readonly kind: "clean" }
  /** The last line lacked its newline, or NUL bytes followed the text. */
  | { readonly kind: "completed" }
  /** The damaged lines at the end are in the new file `keptAt`. */
  | { readonly kind: "cut"; readonly keptAt: string };

const BLOCK_BYTES = 64 * 1024;
/** A longer last line is treated as damaged: Retort writes none, and it may not fit in a string. */
const MAX_LINE_BYTES = 256 * 1024 * 1024;
const NEWLINE = 10;

/** Makes a file end with a whole line. If the only damage is that the last JSON object lacks its
 * newline, or is followed by NUL bytes, completes that line. Otherwise, moves the damaged lines at
 * the end to `<name>.tail-<number>`. Reads backwards, only as far as necessary. */
export async function repairTail(path: string): Promise<TailRepair> {
  return await orCannotWrite(path, async () => {
    using file = await ifThere(Deno.open(path, { read: true, write: true }));
    if (file === undefined) return { kind: "clean" };
    const tail = await damagedTail(file, (await file.stat()).size);
    if (tail === undefined) return { kind: "clean" };
    if (!tail.hasFurtherText && await isWholeObject(file, tail.start, tail.textEnd)) {
      await completeLine(file, tail.textEnd);
      return { kind: "completed" };
    }
    const keptAt = await copyTail(path, file, tail.start);
    // Before the file is truncated, the copy must be on disk under its name.
    await syncFolderOf(path);
    await file.truncate(tail.start);
    await untilSynced(file.sync());
    return { kind: "cut", keptAt };
  });
}

interface Tail {
  /** The start of the first damaged line. */
  readonly start: number;
  /** The end of the text in the first damaged line, before any NUL bytes. */
  readonly textEnd: number;
  /** Whether later lines hold text, not only NUL bytes. */
  readonly hasFurtherText: boolean;
}

/** Returns the damaged lines after the last whole line; undefined if there are none. */
async function damagedTail(file: Deno.FsFile, size: number): Promise<Tail | undefined> {
  let tail: Tail | undefined;
  let end = size;
  while (end > 0) {
    const line = await lastLine(file, end);
    if (line.isTerminated && !line.hasNul) break;
    const hasFurtherText = tail !== undefined &&
      (tail.hasFurtherText || tail.textEnd > tail.start);
    tail = { start: line.start, textEnd: line.textEnd, hasFurtherText };
    end = line.start;
  }
  return tail;
}

interface LastLine {
  readonly start: number;
  /** The end of the line's text, before any NUL bytes. */
  readonly textEnd: number;
  readonly isTerminated: boolean;
  readonly hasNul: boolean;
}

/** Finds the last line of the first `end` bytes. */
async function lastLine(file: Deno.FsFile, end: number): Promise<LastLine> {
  const isTerminated = (await readAt(file, end - 1, end))[0] === NEWLINE;
  let start = isTerminated ? end - 1 : end;
  let textEnd: number | undefined, hasNul = false;
  let isStartFound = start === 0;
  while (!isStartFound) {
    const blockStart = Math.max(0, start - BLOCK_BYTES);
    const block = await readAt(file, blockStart, start);
    const newline = block.lastIndexOf(NEWLINE);
    const part = block.subarray(newline + 1);
    start -= part.length;
    isStartFound = newline !== -1 || start === 0;
    hasNul ||= part.includes(0);
    const textLength = part.findLastIndex((byte) => byte !== 0) + 1;
    if (textLength > 0) textEnd ??= start + textLength;
  }
  return { start, textEnd: textEnd ?? start, isTerminated, hasNul };
}

async function readAt(file: Deno.FsFile, start: number, end: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(end - start);
  await file.seek(start, Deno.SeekMode.Start);
  return bytes.subarray(0, await readFully(file, bytes));
}

async function isWholeObject(file: Deno.FsFile, start: number, end: number): Promise<boolean> {
  if (end === start || end - start > MAX_LINE_BYTES) return false;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await readAt(file, start, end));
    return isObject(JSON.parse(text));
  } catch {
    return false;
  }
}

async function completeLine(file: Deno.FsFile, end: number): Promise<void> {
  await file.truncate(end);
  await file.seek(end, Deno.SeekMode.Start);
  await writeAll(file, new Uint8Array([NEWLINE]));
  await untilSynced(file.sync());
}

async function copyTail(path: string, file: Deno.FsFile, start: number): Promise<string> {
  const stem = path.replace(/\.jsonl$/, "");
  const mode = (await file.stat()).mode ?? undefined;
  const tail = await createNumbered((number) => `${stem}.tail-${number}`, mode);
  using copy = tail.file;
  await copyRest(file, start, copy);
  await untilSynced(copy.sync());
  return tail.path;
}

export async function copyRest(from: Deno.FsFile, start: number, to: Deno.FsFile): Promise<void> {
  await from.seek(start, Deno.SeekMode.Start);
  const block = new Uint8Array(BLOCK_BYTES);
  for (let count = await from.read(block); count !== null; count = await from.read(block)) {
    await writeAll(to, block.subarray(0, count));
  }
}

/** Creates a file with the first free number in its name, so that nothing is overwritten. */
export async function createNumbered(
  pathOf: (number: number) => string,
  mode: number | undefined,
): Promise<{ path: string; file: Deno.FsFile }> {
  for (let number = 1;; number++) {
    const path = pathOf(number);
    try {
      return { path, file: await Deno.open(path, { write: true, createNew: true, mode }) };
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
  }
}

/**
 * Removes lines from a file to which no process is writing, in constant memory.
 *
 * @param lines The numbers of the lines to remove, from 1.
 * @param lineCount The number of lines when they were numbered.
 * @returns False if the number of lines has changed, so that nothing was removed.
 */
export async function dropLines(
  path: string,
  lines: LineSet,
  lineCount: number,
  token?: string,
): Promise<boolean> {
  if (lines.size === 0) return true;
  await using replacement = await Replacement.open(path, { token });
  let lineNumber = 0;
  for await (const { bytes } of readLineBlocks(path)) {
    let keptBytes = 0, start = 0;
    while (start < bytes.length) {
      const newline = bytes.indexOf(NEWLINE, start);
      const end = newline === -1 ? bytes.length : newline + 1;
      if (!lines.has(++lineNumber)) {
        // The block may be changed, because the reader does not use it again.
        if (keptBytes < start) bytes.copyWithin(keptBytes, start, end);
        keptBytes += end - start;
      }
      start = end;
    }
    await replacement.write(bytes.subarray(0, keptBytes));
  }
  if (lineNumber !== lineCount) return false;
  await replacement.commit();
  return true;
}

/** Repairs a file that another program truncated in the middle of a line before a run appended the
 * next line: the two lines are now one. Copies the appended part of each joined line to the file
 * `to`, and removes the joined lines from `path`. The truncated parts are lost. */
export async function moveJoinedLines(path: string, to: Deno.FsFile): Promise<void> {
  const { lines, count } = await copyLines(path, to, wholeLineIn);
  await dropLines(path, lines, count);
}

/** Appends to `to` what `copyOf` returns for the lines at `path`. Returns the numbers of the lines
 * for which it returned a text, and the count of all lines. */
async function copyLines(
  path: string,
  to: Deno.FsFile,
  copyOf: (text: string, lineNumber: number) => string | undefined,
): Promise<{ lines: LineSet; count: number }> {
  const lines = new LineSet();
  let count = 0;
  async function* copies() {
    for await (const { text, number } of linesIn(path)) {
      count = number;
      const copy = text === "" ? undefined : copyOf(text, number);
      if (copy === undefined) continue;
      lines.add(number);
      yield copy;
    }
  }
  await appendLines(to, copies());
  return { lines, count };
}

/** Returns the whole line at the end of a joined line; undefined if there is none. */
function wholeLineIn(text: string): string | undefined {
  let start = text.indexOf(LINE_START, 1);
  if (start === -1 || isJson(text)) return undefined;
  for (; start !== -1; start = text.indexOf(LINE_START, start + 1)) {
    const rest = text.slice(start);
    if (isJson(rest)) return rest;
  }
}

/**
 * Moves the lines with these uids from the results to `<name>.outdated.jsonl`, and returns that
 * path. After a crash, lines may be in both files.
 *
 * @param path The results file, unchanged if this throws.
 * @throws {DamagedFileError} If a line has no uid.
 */
export async function moveOutdatedLines(
  path: string,
  uids: ReadonlySet<string>,
  token?: string,
): Promise<string> {
  const outdatedPath = outdatedPathOf(path);
  await checkOwnFile(outdatedPath, "results");
  await repairTail(outdatedPath);
  const { mode } = await Deno.stat(path);
  const copyOf = (text: string, lineNumber: number) =>
    uids.has(uidOfLine(text, path, lineNumber)) ? text : undefined;
  const options = { append: true, create: true, mode: mode ?? undefined };
  const { lines, count } = await orCannotWrite(outdatedPath, async () => {
    using file = await Deno.open(outdatedPath, options);
    const copied = await copyLines(path, file, copyOf);
    await untilSynced(file.sync());
    await syncFolderOf(outdatedPath);
    return copied;
  });
  if (await dropLines(path, lines, count, token)) return outdatedPath;
  throw cannotWrite(path, new Error("it was changed while the run read it"));
}

/** Returns the path of the file for answers that are requested again, for example because the
 * prompt was edited: `out/x.outdated.jsonl` for `out/x.jsonl`. */
export function outdatedPathOf(path: string): string {
  return `${stemOf(path)}.outdated.jsonl`;
}

/** A set of line numbers. It takes one bit for each line up to the largest number. */
export class LineSet {
  #bits = new Uint8Array(64);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(line: number): void {
    if (this.has(line)) return;
    const index = Math.floor(line / 8);
    if (index >= this.#bits.length) {
      const { buffer, length } = this.#bits;
      this.#bits = new Uint8Array(buffer.transfer(Math.max(index + 1, 2 * length)));
    }
    this.#bits[index] |= 1 << line % 8;
    this.#size++;
  }

  has(line: number): boolean {
    return (this.#bits[Math.floor(line / 8)] & (1 << line % 8)) !== 0;
  }
}
