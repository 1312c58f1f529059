/**
 * Rewrites files of lines without outdated lines, or without lines that were appended to half a line. A file
 * is replaced as a whole, so a crash leaves the old one or the new one.
 *
 * @module
 */

import { DamagedFileError } from "../errors.ts";
import { isJson } from "../json.ts";
import { checkOwnFile, isBlankLine, linesOf, readLineBlocks } from "../line_blocks.ts";
import { cannotWrite, Replacement, syncFolderOf } from "./durable_file.ts";
import { repairTail } from "./tail.ts";
import { writeAll } from "../files.ts";

const NEWLINE = 10;

/**
 * Removes lines from a file of `lineCount` lines; the others keep their order. The old file stays until the new
 * one is on disk. Nothing else may have the file open for writing.
 *
 * The file is read once, without parsing its lines, so memory does not grow with it.
 *
 * @param token Part of the temporary name of the new file.
 * @returns Whether it was done. A file with another number of lines is not the one that the numbers are from,
 * and stays as it is.
 * @throws {SinkError} when the new file cannot be written
 */
export async function dropLines(
  path: string,
  dropped: LineSet,
  lineCount: number,
  token?: string,
): Promise<boolean> {
  if (dropped.size === 0) return true;
  await using replacement = await Replacement.open(path, { token });
  let lines = 0;
  for await (const { bytes } of readLineBlocks(path)) {
    let kept = 0, start = 0;
    while (start < bytes.length) {
      const newline = bytes.indexOf(NEWLINE, start);
      const end = newline === -1 ? bytes.length : newline + 1;
      if (!dropped.has(++lines)) {
        // The memory of a block may be changed until the next one is read.
        if (kept < start) bytes.copyWithin(kept, start, end);
        kept += end - start;
      }
      start = end;
    }
    await replacement.write(bytes.subarray(0, kept));
  }
  if (lines !== lineCount) return false;
  await replacement.commit();
  return true;
}

/**
 * Moves the lines of these uids from the results to `<name>.outdated.jsonl` next to them, and returns the path
 * of that file. A crash leaves at worst a line in both files.
 *
 * @throws {DamagedFileError} when a line has no uid; the results are not changed then
 * @throws {SinkError} when a file cannot be written; the results are not changed then
 */
export async function setAside(
  path: string,
  uids: ReadonlySet<string>,
  token?: string,
): Promise<string> {
  const keptAt = outdatedPathOf(path);
  await checkOwnFile(keptAt, "results");
  await repairTail(keptAt);
  await using results = await Replacement.open(path, { token });
  using aside = await openAside(keptAt, (await Deno.stat(path)).mode ?? undefined);
  let number = 0;
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for await (const block of readLineBlocks(path)) {
    const staying: string[] = [];
    const leaving: string[] = [];
    for (const line of linesOf(block)) {
      number++;
      if (isBlankLine(line)) continue;
      const text = decoder.decode(line);
      (uids.has(uidOfLine(text, path, number)) ? leaving : staying).push(`${text}\n`);
    }
    await results.write(new TextEncoder().encode(staying.join("")));
    if (leaving.length > 0) await writeAll(aside, new TextEncoder().encode(leaving.join("")));
  }
  await aside.sync();
  await syncFolderOf(keptAt);
  await results.commit();
  return keptAt;
}

/** The file for answers to edited prompts: `out/x.outdated.jsonl` for the results `out/x.jsonl`. */
export function outdatedPathOf(path: string): string {
  return `${path.replace(/\.\w+$/, "")}.outdated.jsonl`;
}

async function openAside(path: string, mode: number | undefined): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path, { append: true, create: true, mode });
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
}

const HEAD = '{"uid":"';

/** Moves whole lines that follow half a line to another file; the half lines are removed. */
export async function takeGluedLines(path: string, to: Deno.FsFile): Promise<void> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const glued = new LineSet();
  let number = 0;
  for await (const block of readLineBlocks(path)) {
    for (const line of linesOf(block)) {
      number++;
      const whole = wholeLineIn(decoder.decode(line));
      if (whole === undefined) continue;
      glued.add(number);
      await writeAll(to, new TextEncoder().encode(`${whole}\n`));
    }
  }
  await dropLines(path, glued, number);
}

/** The whole line after half a line; undefined if there is none. */
function wholeLineIn(text: string): string | undefined {
  let at = text.indexOf(HEAD, 1);
  if (at === -1 || isJson(text)) return undefined;
  for (; at !== -1; at = text.indexOf(HEAD, at + 1)) {
    const rest = text.slice(at);
    if (isJson(rest)) return rest;
  }
}

/** A set of numbers, such as those of lines, a bit each. */
export class LineSet {
  #bits = new Uint8Array(64);
  #size = 0;

  /** How many numbers are in it. */
  get size(): number {
    return this.#size;
  }

  /** Adds a number. */
  add(line: number): void {
    if (this.has(line)) return;
    const index = Math.floor(line / 8);
    if (index >= this.#bits.length) {
      const larger = new Uint8Array(Math.max(index + 1, this.#bits.length * 2));
      larger.set(this.#bits);
      this.#bits = larger;
    }
    this.#bits[index] |= 1 << line % 8;
    this.#size++;
  }

  /** Whether a number is in it. */
  has(line: number): boolean {
    return (this.#bits[Math.floor(line / 8)] & (1 << line % 8)) !== 0;
  }
}

/**
 * The uid of a line. Most can be read without parsing the line.
 *
 * @throws {DamagedFileError} when the line has none
 */
export function uidOfLine(text: string, path: string, number: number): string {
  const plain = /^\{"uid":"([^"\\]*)"/.exec(text);
  if (plain !== null) return plain[1];
  let value: { uid?: unknown } | null;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damage(path, number, "it is not JSON", cause);
  }
  if (typeof value?.uid !== "string") {
    throw damage(path, number, 'it has no "uid" that is a string');
  }
  return value.uid;
}

function damage(path: string, number: number, what: string, cause?: unknown): DamagedFileError {
  return new DamagedFileError(
    `Cannot rewrite "${path}" line ${number}: ${what}. Repair or remove the line`,
    { path, cause },
  );
}
