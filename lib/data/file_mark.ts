/**
 * How far a results or failures file was read, and how a later process recognizes it.
 *
 * @module
 */

import { readFullySync } from "../files.ts";
import { xxHash64Hex } from "../hash.ts";

/** A line that cannot be shown as a row. */
export interface LineDamage {
  /** From 1. */
  readonly line: number;
  /** What is wrong, for a message about the line. */
  readonly problem: string;
}

/** How far a file was read, and how to recognize it. */
export interface FileMark {
  readonly path: string;
  /** 0 before the first check, or if the system has none. */
  inode: number;
  /** Bytes read so far. */
  end: number;
  /** Lines read so far, damaged and blank ones included. */
  lines: number;
  rows: number;
  damageCount: number;
  /** The first damaged lines. */
  damage: LineDamage[];
  /** The start of the first block that was read. */
  first: HashedBytes;
  /** The end of the last block that was read. */
  last: HashedBytes;
  /** Whether the last row had no line feed when it was read. */
  isOpen: boolean;
  /** Whether `end` is inside a line that is too long. */
  isTooLong: boolean;
}

/** Bytes at the start or at the end of what was read. */
export interface HashedBytes {
  readonly count: number;
  readonly hash: string;
}

/** Maximum number of bytes that are hashed at the start and at the end of what was read. */
const MARK_BYTES = 4096;
const NO_BYTES: HashedBytes = { count: 0, hash: "" };

export function newMark(path: string): FileMark {
  return {
    path,
    inode: 0,
    end: 0,
    lines: 0,
    rows: 0,
    damageCount: 0,
    damage: [],
    first: NO_BYTES,
    last: NO_BYTES,
    isOpen: false,
    isTooLong: false,
  };
}

/** Whether the file still begins with what was read, judging by `mark.first` and `mark.last`. */
export function isUnchanged(path: string, { first, last, end }: FileMark): boolean {
  try {
    using file = Deno.openSync(path);
    return holds(file, 0, first) && holds(file, end - last.count, last);
  } catch {
    return false;
  }
}

function holds(file: Deno.FsFile, offset: number, { count, hash }: HashedBytes): boolean {
  const bytes = new Uint8Array(count);
  return readFullySync(file, bytes, offset) === count && (count === 0 || hashOf(bytes) === hash);
}

/** Records that the next block of a file was read. */
export function advance(mark: FileMark, block: Uint8Array): void {
  if (block.length === 0) return;
  if (mark.end === 0) mark.first = hashed(block.subarray(0, MARK_BYTES));
  mark.last = hashed(block.subarray(Math.max(0, block.length - MARK_BYTES)));
  mark.end += block.length;
}

function hashed(bytes: Uint8Array): HashedBytes {
  return { count: bytes.length, hash: hashOf(bytes) };
}

function hashOf(bytes: Uint8Array): string {
  return xxHash64Hex(bytesText(bytes));
}

/** Returns bytes as text with one character each, in Windows-1252: "latin1" is a name for that. */
export function bytesText(bytes: Uint8Array): string {
  return LATIN1.decode(bytes);
}

const LATIN1 = new TextDecoder("latin1");
