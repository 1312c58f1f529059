/**
 * The state of a file that was read, by which a later process recognises it.
 *
 * @module
 */

import { xxHash64Hex } from "../hash.ts";
import { readFullySync } from "../files.ts";

/** A line that cannot be shown as a row. */
export interface LineDamage {
  /** The line, from 1. */
  readonly line: number;
  /** What is wrong with it. */
  readonly problem: string;
}

/** What was read of a file. */
export interface FileMark {
  readonly path: string;
  inode: number;
  /** Bytes read so far. */
  end: number;
  /** Lines read so far, damaged and blank ones included. */
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

/** The size of the first and the last block, which identify a file. */
export const MARK_BYTES = 4096;

/** The mark of a file before it is read. */
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

/** Whether the first and the last block that were read of a file are unchanged. */
export function isUnchanged(path: string, mark: FileMark, lastLength: number): boolean {
  try {
    using file = Deno.openSync(path);
    const first = new Uint8Array(MARK_BYTES);
    const count = readFullySync(file, first);
    const length = Math.min(lastLength, mark.end);
    const last = new Uint8Array(length);
    const lastCount = readFullySync(file, last, mark.end - length);
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

/** Bytes as text, one character each, for hashing. */
export function bytesText(bytes: Uint8Array): string {
  return LATIN1.decode(bytes);
}

const LATIN1 = new TextDecoder("latin1");
