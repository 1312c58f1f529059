/**
 * Reads files of lines in blocks, and recognises lines that Retort has written.
 *
 * @module
 */

import { UsageError } from "./errors.ts";
import { cannotRead, ifThere } from "./files.ts";

const BLOCK_BYTES = 1 << 20;
const LEAST_BYTES = 4_096;
const NEWLINE = 10;

/** Some lines of a file. Its memory is reused for the next block. */
export interface LineBlock {
  /** Whole lines, each with its line feed; half a line only if `isTail` is set. */
  readonly bytes: Uint8Array;
  /** Where it begins in the file, in bytes. */
  readonly offset: number;
  /** Whether this is the rest after the last line feed of the file. */
  readonly isTail: boolean;
}

/** Reads a file from its start, without its byte order mark. A file that does not exist holds nothing. */
export async function* readLineBlocks(path: string): AsyncGenerator<LineBlock> {
  using file = await ifThere(Deno.open(path), (cause) => cannotRead(path, cause));
  if (file === undefined) return;
  // A run may read thousands of small files: a block for each would be gigabytes to collect.
  const { size } = await file.stat();
  let buffer = new Uint8Array(Math.min(BLOCK_BYTES, Math.max(LEAST_BYTES, size + 1)));
  let filled = 0, offset = 0, isStart = true;
  while (true) {
    if (filled === buffer.length) buffer = enlarged(buffer);
    const count = await readInto(file, buffer.subarray(filled), path);
    if (count === null) break;
    // Earlier bytes hold no line feed, so a very long line is not searched again and again.
    const lastNewline = buffer.subarray(filled, filled + count).lastIndexOf(NEWLINE);
    const end = lastNewline === -1 ? 0 : filled + lastNewline + 1;
    filled += count;
    if (end === 0) continue;
    const start = isStart ? markLength(buffer.subarray(0, end)) : 0;
    isStart = false;
    yield { bytes: buffer.subarray(start, end), offset: offset + start, isTail: false };
    offset += end;
    buffer.copyWithin(0, end, filled);
    filled -= end;
  }
  const start = isStart ? markLength(buffer.subarray(0, filled)) : 0;
  if (filled > start) {
    yield { bytes: buffer.subarray(start, filled), offset: offset + start, isTail: true };
  }
}

/** The length of a byte order mark, which editors put at the start of a file. */
function markLength(bytes: Uint8Array): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

/** Whether a line holds nothing but spaces, tabs and carriage returns. */
export function isBlankLine(line: Uint8Array): boolean {
  // Most lines are decided by their first byte.
  for (const byte of line) if (byte !== 32 && byte !== 9 && byte !== 13) return false;
  return true;
}

/** The lines of a block, without their line feeds. */
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

async function readInto(
  file: Deno.FsFile,
  buffer: Uint8Array,
  path: string,
): Promise<number | null> {
  try {
    return await file.read(buffer);
  } catch (error) {
    throw cannotRead(path, error);
  }
}

/** Twice the size, so that one very long line takes linear time. */
function enlarged(buffer: Uint8Array): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(buffer.length * 2);
  larger.set(buffer);
  return larger;
}

/** The output file of a line. */
export type LineKind = "results" | "failures";

/** The beginning of every line that Retort writes. */
const HEAD = '{"uid":"';

/** Why a value is not a line of such a file; undefined if it is one. */
export function foreignLineProblem(value: unknown, kind: LineKind): string | undefined {
  if (typeof value !== "object" || value === null || !("uid" in value)) return 'it has no "uid"';
  if (typeof value.uid !== "string") return 'its "uid" is not a string';
  if (!("prompt_hash" in value) || typeof value.prompt_hash !== "string") {
    return 'it has no "prompt_hash", so Retort did not write it';
  }
  if (kind === "results") return "response" in value ? undefined : 'it has no "response"';
  const hasError = "error" in value && typeof value.error === "object" && value.error !== null;
  return hasError ? undefined : 'it has no "error"';
}

/**
 * Makes sure that Retort wrote a file that is about to be changed. A missing or empty file passes, and so does
 * one that holds only the beginning of a line, or what a power cut left of it.
 *
 * @throws {UsageError} when Retort did not write its first line
 */
export async function checkOwnFile(path: string, kind: LineKind): Promise<void> {
  const problem = await firstLineProblem(path, kind);
  if (problem === undefined) return;
  throw new UsageError(
    `Cannot write "${path}": the file there is no ${kind} file of Retort (its first line: ` +
      `${problem}). Name another output, or move the file away`,
  );
}

/** Whether a file holds lines that Retort wrote. */
export async function holdsOwnLines(path: string, kind: LineKind): Promise<boolean> {
  for await (const block of readLineBlocks(path)) {
    for (const line of linesOf(block)) {
      if (!isBlankLine(line)) return lineProblem(line, kind) === undefined;
    }
  }
  return false;
}

async function firstLineProblem(path: string, kind: LineKind): Promise<string | undefined> {
  for await (const block of readLineBlocks(path)) {
    for (const line of linesOf(block)) {
      if (isBlankLine(line) || line.every((byte) => byte === 0)) continue;
      const problem = lineProblem(line, kind);
      return problem !== undefined && block.isTail && isBeginning(line) ? undefined : problem;
    }
  }
  return undefined;
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

/** Whether a truncated line may be the beginning of one that Retort wrote. */
function isBeginning(line: Uint8Array): boolean {
  const start = new TextDecoder().decode(line.subarray(0, HEAD.length));
  return HEAD.startsWith(start.replaceAll("\0", ""));
}
