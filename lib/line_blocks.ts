/**
 * Reads line-based files in blocks, appends to them, and recognizes lines that Retort has written.
 *
 * @module
 */

import { UsageError } from "./errors.ts";
import { cannotRead, ifThere, openToRead, writeAll } from "./files.ts";
import { isObject } from "./json.ts";

const BLOCK_BYTES = 1 << 20;
const MIN_BLOCK_BYTES = 4_096;
const NEWLINE = 10;

/** Consecutive lines of a file. The next block reuses the memory of `bytes`. */
export interface LineBlock {
  /** Lines with their newlines. Contains an incomplete line only if `isTail` is set. */
  readonly bytes: Uint8Array;
  readonly offset: number;
  /** Whether this is the rest of the file after its last newline. */
  readonly isTail: boolean;
}

/** Reads a file without its byte order mark. Yields nothing if the file does not exist. */
export async function* readLineBlocks(path: string): AsyncGenerator<LineBlock> {
  using file = await ifThere(openToRead(path), (cause) => cannotRead(path, cause));
  if (file !== undefined) yield* readOpenBlocks(file, path);
}

/** Reads a file that is open but has not been read yet. It stays open. `path` is for messages. */
export async function* readOpenBlocks(
  file: Deno.FsFile,
  path: string,
): AsyncGenerator<LineBlock> {
  // Small files get small buffers, because a run may read thousands of them.
  const { size } = await file.stat();
  let buffer = new Uint8Array(Math.min(BLOCK_BYTES, Math.max(MIN_BLOCK_BYTES, size + 1)));
  let filled = 0, offset = 0, isStart = true;
  while (true) {
    if (filled === buffer.length) buffer = enlarged(buffer);
    const count = await file.read(buffer.subarray(filled)).catch((cause) => {
      throw cannotRead(path, cause);
    });
    if (count === null) break;
    // The bytes that are left from the previous read contain no newline.
    const lastNewline = buffer.subarray(filled, filled + count).lastIndexOf(NEWLINE);
    const end = lastNewline === -1 ? 0 : filled + lastNewline + 1;
    filled += count;
    if (end === 0) continue;
    const start = isStart ? bomLength(buffer.subarray(0, end)) : 0;
    isStart = false;
    yield { bytes: buffer.subarray(start, end), offset: offset + start, isTail: false };
    offset += end;
    buffer.copyWithin(0, end, filled);
    filled -= end;
  }
  const start = isStart ? bomLength(buffer.subarray(0, filled)) : 0;
  if (filled > start) {
    yield { bytes: buffer.subarray(start, filled), offset: offset + start, isTail: true };
  }
}

export function bomLength(bytes: Uint8Array): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

export function isBlankLine(bytes: Uint8Array, start = 0, end = bytes.length): boolean {
  for (let i = start; i < end; i++) {
    const byte = bytes[i];
    if (byte !== 32 && byte !== 9 && byte !== 13) return false;
  }
  return true;
}

export function* linesOf(block: LineBlock): Generator<Uint8Array> {
  const { bytes } = block;
  let start = 0;
  while (start < bytes.length) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline === -1 ? bytes.length : newline;
    yield bytes.subarray(start, end);
    start = end + 1;
  }
}

/** Doubles the buffer, so that reading a very long line takes linear time. */
function enlarged(buffer: Uint8Array): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(buffer.length * 2);
  larger.set(buffer);
  return larger;
}

/** Yields the lines of a file without their newlines. A blank line becomes "". */
export async function* linesIn(
  path: string,
): AsyncGenerator<{ readonly text: string; readonly number: number }> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let number = 0;
  for await (const block of readLineBlocks(path)) {
    for (const line of linesOf(block)) {
      yield { text: isBlankLine(line) ? "" : decoder.decode(line), number: ++number };
    }
  }
}

/**
 * Appends lines to an open file. Many lines are written together, because a write takes at least
 * 10 µs.
 *
 * @param lines The lines without newlines.
 */
export async function appendLines(file: Deno.FsFile, lines: AsyncIterable<string>): Promise<void> {
  let text = "";
  for await (const line of lines) {
    text += `${line}\n`;
    if (text.length < BLOCK_BYTES) continue;
    await writeAll(file, new TextEncoder().encode(text));
    text = "";
  }
  await writeAll(file, new TextEncoder().encode(text));
}

export type LineKind = "results" | "failures";

export const LINE_START = '{"uid":"';

/** Returns why the line cannot have been written by Retort; undefined if Retort may have written
 * it. */
export function foreignLineProblem(value: unknown, kind: LineKind): string | undefined {
  if (!isObject(value) || !("uid" in value)) return 'it has no "uid"';
  const { uid, prompt_hash: hash, error } = value;
  if (typeof uid === "number") {
    return 'its "uid" is a number: pandas keeps ids as text with read_json(…, dtype=False)';
  }
  if (typeof uid !== "string") return 'its "uid" is not a string';
  if (typeof hash !== "string") return 'it has no "prompt_hash", so Retort did not write it';
  if (kind === "results") return "response" in value ? undefined : 'it has no "response"';
  return typeof error === "object" && error !== null ? undefined : 'it has no "error"';
}

/**
 * Checks a file that is about to be changed. Accepts missing and empty files, and files that
 * contain only the beginning of a line, or zeros after a power failure.
 *
 * @throws {UsageError} if Retort did not write the first line
 */
export async function checkOwnFile(path: string, kind: LineKind): Promise<void> {
  const first = await firstLine(path);
  const problem = first && lineProblem(first.line, kind);
  if (problem === undefined || (first!.isTail && isBeginning(first!.line))) return;
  throw new UsageError(
    `Cannot write "${path}": it is not a ${kind} file of Retort (its first line: ` +
      `${problem}). Name another output, or move the file away`,
  );
}

export async function holdsOwnLines(path: string, kind: LineKind): Promise<boolean> {
  const first = await firstLine(path);
  return first !== undefined && lineProblem(first.line, kind) === undefined;
}

/** Returns the first line that is neither blank nor consists of zeros, which a power failure may
 * leave. */
async function firstLine(
  path: string,
): Promise<{ line: Uint8Array; isTail: boolean } | undefined> {
  for await (const block of readLineBlocks(path)) {
    for (const line of linesOf(block)) {
      const isFilled = !isBlankLine(line) && line.some((byte) => byte !== 0);
      if (isFilled) return { line, isTail: block.isTail };
    }
  }
}

function lineProblem(line: Uint8Array, kind: LineKind): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(line));
  } catch {
    return "it is not JSON";
  }
  return foreignLineProblem(value, kind);
}

/** Whether the line begins like the lines that Retort writes. Zeros are ignored. */
export function isBeginning(line: Uint8Array): boolean {
  const start = new TextDecoder().decode(line.subarray(0, LINE_START.length));
  return LINE_START.startsWith(start.replaceAll("\0", ""));
}
