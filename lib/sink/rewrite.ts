/**
 * Removes lines from output files: outdated ones, and half lines. The file is replaced, so a crash
 * leaves the old version or the new one.
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
 * Removes lines from a file, which no process may have open for writing. Reads it block by block,
 * without parsing, so memory does not grow with it.
 *
 * @param dropped The numbers of the lines to remove, from 1.
 * @param lineCount The lines that the file had when they were numbered.
 * @param token Part of the temporary name of the new version.
 * @returns False if the file has another number of lines now; it stays as it is.
 * @throws {SinkError} If the new version cannot be written.
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
        // Changing the block is allowed: its bytes are ours until the next one is read.
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
 * Moves the lines of these uids from the results to `<name>.outdated.jsonl` and returns its path.
 * After a crash, lines may be in both files.
 *
 * @param path The results file, which stays as it is if this throws.
 * @throws {DamagedFileError} If a line has no uid.
 * @throws {SinkError} If a file cannot be written.
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

/** The path for answers to edited prompts: `out/x.outdated.jsonl` for `out/x.jsonl`. */
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

/**
 * Finds whole lines that were appended to half a line, copies them to another file, and removes
 * both parts from the file at `path`.
 */
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

/** The whole line that was appended to half a line in `text`; undefined if there is none. */
function wholeLineIn(text: string): string | undefined {
  let at = text.indexOf(HEAD, 1);
  if (at === -1 || isJson(text)) return undefined;
  for (; at !== -1; at = text.indexOf(HEAD, at + 1)) {
    const rest = text.slice(at);
    if (isJson(rest)) return rest;
  }
}

/** A set of line numbers, with one bit for each number up to the largest. */
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
      const larger = new Uint8Array(Math.max(index + 1, this.#bits.length * 2));
      larger.set(this.#bits);
      this.#bits = larger;
    }
    this.#bits[index] |= 1 << line % 8;
    this.#size++;
  }

  has(line: number): boolean {
    return (this.#bits[Math.floor(line / 8)] & (1 << line % 8)) !== 0;
  }
}

/**
 * The uid of a line, in most cases without parsing it.
 *
 * @param path The file of the line, for the error.
 * @param number The line's number in it, from 1.
 * @throws {DamagedFileError} If the line has none.
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
