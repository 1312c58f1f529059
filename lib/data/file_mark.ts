/**
 * What is remembered of a file that was read, by which it is known again.
 *
 * @module
 */

import { xxHash64Hex } from "../hash.ts";

/** A line that cannot be shown as a row. */
export interface LineDamage {
  /** The line, from 1. */
  readonly line: number;
  /** What is wrong with it. */
  readonly problem: string;
}

/** What is known of a file from one reading to the next. */
export interface FileMark {
  readonly path: string;
  inode: number;
  /** Bytes that were read. */
  end: number;
  /** Lines that were read, damaged and blank ones included. */
  lines: number;
  rows: number;
  damageCount: number;
  damage: LineDamage[];
  /** Hashes of the first bytes and of those before `end`. */
  first: string;
  last: string;
  /** Whether the last row has no line feed yet. */
  isOpen: boolean;
}

/** The first and the last block that tell a file from another one. */
export const MARK_BYTES = 4096;

/** The mark of a file that nothing was read of. */
export function newMark(path: string): FileMark {
  return {
    path,
    inode: 0,
    end: 0,
    lines: 0,
    rows: 0,
    damageCount: 0,
    damage: [],
    first: "",
    last: "",
    isOpen: false,
  };
}

/** Reads until the buffer is full or the file ends; gives the number of bytes. */
export function readFully(file: Deno.FsFile, buffer: Uint8Array): number {
  let done = 0;
  while (done < buffer.length) {
    const count = file.readSync(buffer.subarray(done));
    if (count === null) break;
    done += count;
  }
  return done;
}

/** Whether the first and the last block that were read of a file are still there. */
export function isUnchanged(path: string, mark: FileMark, lastLength: number): boolean {
  try {
    using file = Deno.openSync(path);
    const first = new Uint8Array(MARK_BYTES);
    const count = readFully(file, first);
    const length = Math.min(lastLength, mark.end);
    const last = new Uint8Array(length);
    file.seekSync(mark.end - length, Deno.SeekMode.Start);
    const lastCount = readFully(file, last);
    const isFirst = mark.end < MARK_BYTES || mark.end < count ||
      hashOf(first.subarray(0, count)) === mark.first;
    return isFirst && hashOf(last.subarray(0, lastCount)) === mark.last;
  } catch {
    return false;
  }
}

/** The hash of a block. */
export function hashOf(bytes: Uint8Array): string {
  return xxHash64Hex(bytesText(bytes));
}

/** Bytes as text, one character each: to be hashed. */
export function bytesText(bytes: Uint8Array): string {
  return LATIN1.decode(bytes);
}

const LATIN1 = new TextDecoder("latin1");
