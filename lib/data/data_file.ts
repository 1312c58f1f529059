/**
 * One results or failures file, read block by block and followed as it grows. Notices when another
 * file has replaced it.
 *
 * @module
 */

import { isBlankLine } from "../line_blocks.ts";
import { readFullySync, systemReason } from "../files.ts";
import { DamagedLine, factsOf, type LineFacts, readHints, type RunHints } from "./line_facts.ts";
import type { LinePlace } from "./table.ts";
import {
  bytesText,
  type FileMark,
  hashOf,
  isUnchanged,
  MARK_BYTES,
  newMark,
} from "./index_file.ts";

export type FileState =
  /** There is more to read. */
  | "reading"
  /** Everything was read. */
  | "current"
  /** No file is at the path. */
  | "removed"
  /** The first line is not one of Retort's. */
  | "foreign"
  /** The system refuses to open or read the file. */
  | "unreadable";

/** Called with each row that is read. */
export type RowListener = (facts: LineFacts, place: Omit<LinePlace, "file">) => void;

const BLOCK_BYTES = 1 << 20;

/** The most damaged lines that are kept for messages. */
const MAX_DAMAGE = 20;
/** The buffer stops growing at this size or above: no run writes a longer line. */
const MAX_LINE_BYTES = 1 << 29;
const NEWLINE = 10;

export class DataFile {
  /** How far the file was read. */
  readonly mark: FileMark;
  state: FileState = "reading";
  /** Why the state is not "reading" or "current", for a message. */
  problem: string | undefined;
  /** In bytes, at the last `refresh`. */
  size = 0;
  /** Unix time in milliseconds, at the last `refresh`. */
  modifiedMs = 0;
  hints: RunHints = {};
  /** The path that is read: of a decompressed copy if the file is compressed. */
  readonly readPath: string;
  #file: Deno.FsFile | undefined;
  #buffer = new Uint8Array(0);
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  /** @param mark What was read already. @default nothing */
  constructor(path: string, readPath = path, mark?: FileMark) {
    this.readPath = readPath;
    this.mark = mark ?? newMark(path);
  }

  /**
   * Checks whether the file has grown or was replaced.
   *
   * @returns True if it was replaced or removed: drop the rows that were read.
   */
  refresh(): boolean {
    let info: Deno.FileInfo;
    try {
      info = Deno.statSync(this.readPath);
    } catch (error) {
      const isGone = error instanceof Deno.errors.NotFound;
      const hadRows = this.mark.end > 0 && this.state !== "removed";
      this.#close();
      this.state = isGone ? "removed" : "unreadable";
      this.problem = isGone ? "it was removed or renamed" : systemReason(error);
      return isGone && hadRows && this.#restart();
    }
    const inode = info.ino ?? 0;
    const isOther = this.mark.end > 0 &&
      (inode !== this.mark.inode || info.size < this.mark.end || this.state === "removed" ||
        (info.size !== this.size && !this.#isSame()));
    if (isOther || (this.state === "foreign" && info.size !== this.size)) this.#restart();
    this.mark.inode = inode;
    this.size = info.size;
    this.modifiedMs = info.mtime?.getTime() ?? 0;
    if (this.state === "removed" || this.state === "unreadable" || this.state === "current") {
      this.state = this.mark.end < info.size ? "reading" : "current";
      this.problem = undefined;
    }
    return isOther;
  }

  /** Reads the next block; returns false if there is nothing more to read now. */
  read(onRow: RowListener): boolean {
    if (this.state !== "reading") return false;
    try {
      this.#file ??= Deno.openSync(this.readPath);
      if (this.mark.end === 0) this.#readHints();
      this.#readBlock(this.#file, onRow);
    } catch (error) {
      if (!(error instanceof Deno.errors.PermissionDenied) && !isSystemError(error)) throw error;
      this.state = "unreadable";
      this.problem = systemReason(error);
      this.#close();
    }
    return this.state === "reading";
  }

  /** Reads a line again; the result is shorter than `bytes` if the file was truncated. */
  lineAt(offset: number, bytes: number): Uint8Array {
    const file = this.#file ??= Deno.openSync(this.readPath);
    const line = new Uint8Array(bytes);
    return line.subarray(0, readFullySync(file, line, offset));
  }

  close(): void {
    this.#close();
  }

  #close(): void {
    this.#file?.close();
    this.#file = undefined;
    this.#buffer = new Uint8Array(0);
  }

  #restart(): true {
    this.#close();
    Object.assign(this.mark, newMark(this.mark.path));
    if (this.state !== "removed") {
      this.state = "reading";
      this.problem = undefined;
    }
    return true;
  }

  #readBlock(file: Deno.FsFile, onRow: RowListener): void {
    const { mark } = this;
    let needed = BLOCK_BYTES;
    while (true) {
      if (this.#buffer.length < needed) this.#buffer = new Uint8Array(needed);
      const count = readFullySync(file, this.#buffer, mark.end);
      const bytes = this.#buffer.subarray(0, count);
      const isEnd = count < this.#buffer.length;
      const last = bytes.lastIndexOf(NEWLINE);
      if (last === -1 && !isEnd && needed < MAX_LINE_BYTES) {
        needed *= 4;
        continue;
      }
      this.#readLines(bytes.subarray(0, last + 1), onRow);
      if (isEnd && this.state === "reading") this.#readTail(bytes.subarray(last + 1), onRow);
      return;
    }
  }

  #readLines(bytes: Uint8Array, onRow: RowListener): void {
    const { mark } = this;
    const begin = mark.end;
    if (begin === 0 && bytes.length > 0) {
      mark.first = hashOf(bytes.subarray(0, MARK_BYTES));
    }
    let start = begin === 0 && bytes[0] === 0xef && bytes[1] === 0xbb ? 3 : 0;
    while (start < bytes.length) {
      const end = bytes.indexOf(NEWLINE, start);
      this.#readLine(bytes.subarray(start, end), begin + start, onRow);
      if (this.state !== "reading") return;
      start = end + 1;
    }
    if (bytes.length > 0) this.#markEnd(begin + bytes.length, bytes);
  }

  /** Reads the text after the last line feed: a row if it is complete, else one being written. */
  #readTail(bytes: Uint8Array, onRow: RowListener): void {
    const { mark } = this;
    this.state = "current";
    if (bytes.length === 0 || isBlankLine(bytes)) return;
    let facts: LineFacts | DamagedLine;
    try {
      facts = factsOf(this.#decoder.decode(bytes), this.hints);
    } catch {
      return;
    }
    if (facts instanceof DamagedLine) {
      if (
        mark.rows === 0 && mark.damageCount === 0 &&
        !BEGINNING.startsWith(bytesText(bytes.subarray(0, 8)))
      ) {
        this.#setForeign(facts.problem);
      }
      return;
    }
    mark.lines++;
    mark.rows++;
    mark.isOpen = true;
    onRow(facts, { offset: mark.end, bytes: bytes.length, isTail: true });
    if (mark.end === 0) mark.first = hashOf(bytes.subarray(0, MARK_BYTES));
    this.#markEnd(mark.end + bytes.length, bytes);
  }

  #readLine(bytes: Uint8Array, offset: number, onRow: RowListener): void {
    const { mark } = this;
    // The line feed of a line that `#readTail` has read without it.
    const isRest = mark.isOpen && bytes.length === 0;
    mark.isOpen = false;
    if (isRest) return;
    mark.lines++;
    if (isBlankLine(bytes)) return;
    let facts: LineFacts | DamagedLine;
    try {
      facts = factsOf(this.#decoder.decode(bytes), this.hints);
    } catch {
      facts = new DamagedLine("it is not valid UTF-8");
    }
    if (!(facts instanceof DamagedLine)) {
      mark.rows++;
      onRow(facts, { offset, bytes: bytes.length, isTail: false });
      return;
    }
    // A first line that is not JSON may have been cut by a crash: damage, not a foreign file.
    if (mark.rows === 0 && mark.damageCount === 0 && offset <= 3 && !isBroken(facts)) {
      this.#setForeign(facts.problem);
      return;
    }
    mark.damageCount++;
    if (mark.damage.length < MAX_DAMAGE) {
      mark.damage.push({ line: mark.lines, problem: facts.problem });
    }
  }

  #setForeign(problem: string): void {
    this.state = "foreign";
    this.problem = `it holds no results or failures of Retort (line 1: ${problem})`;
    this.#close();
  }

  #markEnd(end: number, bytes: Uint8Array): void {
    this.mark.end = end;
    this.mark.last = hashOf(bytes.subarray(Math.max(0, bytes.length - MARK_BYTES)));
    this.#lastLength = Math.min(bytes.length, MARK_BYTES);
  }

  #lastLength = MARK_BYTES;

  #isSame(): boolean {
    return isUnchanged(this.readPath, this.mark, this.#lastLength);
  }

  /**
   * Continues a file that an earlier process has read; false if it is no longer the same.
   *
   * @param lastLength What `lastLength` was then.
   */
  resume(lastLength: number): boolean {
    this.#lastLength = lastLength;
    const { mark } = this;
    try {
      const info = Deno.statSync(this.readPath);
      this.size = info.size;
      if ((info.ino ?? 0) !== mark.inode || info.size < mark.end || !this.#isSame()) return false;
      this.#readHints();
      this.state = mark.end < info.size ? "reading" : "current";
      return true;
    } catch {
      return false;
    }
  }

  /** The number of bytes before `mark.end` whose hash is `mark.last`. */
  get lastLength(): number {
    return this.#lastLength;
  }

  #readHints(): void {
    this.hints = readHints(this.mark.path);
  }
}

/**
 * The first bytes of every line that Retort writes: an incomplete first line that begins otherwise
 * means a foreign file.
 */
const BEGINNING = '{"uid":"';

function isBroken({ problem }: DamagedLine): boolean {
  return problem === "it is not JSON" || problem.includes("UTF-8");
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && "code" in error;
}
