/**
 * Removes lines from output files: outdated ones, and those that another program has damaged. A
 * file is replaced as a whole, so a crash leaves either the old version or the new one.
 *
 * @module
 */

import { DamagedFileError } from "../errors.ts";
import { isJson } from "../json.ts";
import { checkOwnFile, isBlankLine, linesOf, readLineBlocks } from "../line_blocks.ts";
import { cannotWrite, Replacement, syncFolderOf } from "./durable_file.ts";
import { repairTail } from "./tail.ts";
import { writeAll } from "../files.ts";
import { stemOf } from "../paths.ts";

const NEWLINE = 10;

/**
 * No process may have the file open for writing. Reads it block by block and does not parse it, so
 * the memory needed does not depend on its size.
 *
 * @param dropped From 1.
 * @param lineCount The lines that the file had when they were numbered.
 * @param token Part of the temporary name of the new version.
 * @returns False if the file has another number of lines now; then nothing is removed.
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
  let lineNumber = 0;
  for await (const { bytes } of readLineBlocks(path)) {
    let keptBytes = 0, start = 0;
    while (start < bytes.length) {
      const newline = bytes.indexOf(NEWLINE, start);
      const end = newline === -1 ? bytes.length : newline + 1;
      if (!dropped.has(++lineNumber)) {
        // The block may be changed: the reader does not use it again.
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

/**
 * Moves the lines with these uids from the results to `<name>.outdated.jsonl`, and returns its
 * path. After a crash, lines may be in both files.
 *
 * @param path The results file, which is unchanged if this throws.
 * @param token Part of the temporary name of the new version.
 * @throws {DamagedFileError} If a line has no uid.
 * @throws {SinkError} If a file cannot be read or written.
 */
export async function moveOutdatedLines(
  path: string,
  uids: ReadonlySet<string>,
  token?: string,
): Promise<string> {
  const outdatedPath = outdatedPathOf(path);
  await checkOwnFile(outdatedPath, "results");
  await repairTail(outdatedPath);
  await using results = await Replacement.open(path, { token });
  using outdated = await openToAppend(outdatedPath, (await Deno.stat(path)).mode ?? undefined);
  let lineNumber = 0;
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for await (const block of readLineBlocks(path)) {
    const keptLines: string[] = [];
    const outdatedLines: string[] = [];
    for (const line of linesOf(block)) {
      lineNumber++;
      if (isBlankLine(line)) continue;
      const text = decoder.decode(line);
      const isOutdated = uids.has(uidOfLine(text, path, lineNumber));
      (isOutdated ? outdatedLines : keptLines).push(`${text}\n`);
    }
    await results.write(new TextEncoder().encode(keptLines.join("")));
    if (outdatedLines.length > 0) {
      await writeAll(outdated, new TextEncoder().encode(outdatedLines.join("")));
    }
  }
  await outdated.sync();
  await syncFolderOf(outdatedPath);
  await results.commit();
  return outdatedPath;
}

/** For answers to edited prompts: `out/x.outdated.jsonl` for `out/x.jsonl`. */
export function outdatedPathOf(path: string): string {
  return `${stemOf(path)}.outdated.jsonl`;
}

async function openToAppend(path: string, mode: number | undefined): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path, { append: true, create: true, mode });
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
}

const LINE_START = '{"uid":"';

/**
 * Repairs a file that was truncated within a line and then appended to, so that the rest of the old
 * line and a whole new one are joined. Copies the whole lines to the file `to`, then removes the
 * joined ones from the file at `path`. The rests are lost.
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

/** Line numbers, with one bit for each up to the largest. */
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
 * In most cases without parsing the line.
 *
 * @param lineNumber In the file at `path`, from 1, for errors.
 * @throws {DamagedFileError} If the line has no uid.
 */
export function uidOfLine(text: string, path: string, lineNumber: number): string {
  const plain = /^\{"uid":"([^"\\]*)"/.exec(text);
  if (plain !== null) return plain[1];
  let value: { uid?: unknown } | null;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damagedLine(path, lineNumber, "it is not JSON", cause);
  }
  if (typeof value?.uid !== "string") {
    throw damagedLine(path, lineNumber, 'it has no string "uid"');
  }
  return value.uid;
}

function damagedLine(
  path: string,
  lineNumber: number,
  problem: string,
  cause?: unknown,
): DamagedFileError {
  return new DamagedFileError(
    `Cannot rewrite "${path}" line ${lineNumber}: ${problem}. Repair or remove the line`,
    { path, cause },
  );
}
