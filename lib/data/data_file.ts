/**
 * Reads a results or failures file block by block, and follows it as it grows or is replaced.
 *
 * @module
 */

import { readFullySync, systemReason } from "../files.ts";
import { lengthProblem, MAX_LINE_BYTES } from "../formats/mod.ts";
import { bomLength, isBeginning, isBlankLine } from "../line_blocks.ts";
import { advance, type FileMark, isUnchanged, newMark } from "./index_file.ts";
import { DamagedLine, factsOf, type LineFacts, readHints, type RunHints } from "./line_facts.ts";
import type { LinePlace } from "./table.ts";

/**
 * The state of a file. "reading": part of it has not been read yet. "current": all of it has been
 * read. "foreign": Retort did not write it.
 */
export type FileState =
  | "reading"
  | "current"
  | "removed"
  | "foreign"
  | "unreadable";

export type RowListener = (facts: LineFacts, place: Omit<LinePlace, "file">) => void;

export interface DataFileOptions {
  /** A decompressed copy to read instead. @default path */
  readonly readPath?: string;
  /** Maximum size of a line. A longer line is reported as damaged. @default 134217728 (128 MiB) */
  readonly maxLineBytes?: number;
}

const BLOCK_BYTES = 1 << 20;
/** Twice the limit of an input row, because a results line contains the row and its answer. */
const MAX_RESULT_BYTES = 2 * MAX_LINE_BYTES;
const MAX_DAMAGE = 20;
const NEWLINE = 10;

export class DataFile {
  readonly mark: FileMark;
  state: FileState = "reading";
  /** Why the state is not "reading" or "current", for a message. */
  problem: string | undefined;
  /** The size in bytes at the last `refresh`. */
  size = 0;
  modifiedMs = 0;
  /** Facts from the run file. It is read with the first block, because a run may create it later
   * than its results file. */
  hints: RunHints = {};
  readonly readPath: string;
  readonly #maxLineBytes: number;
  #file: Deno.FsFile | undefined;
  /** Shared by all files, because `read` has parsed a block by the time it returns. */
  static #buffer = new Uint8Array(0);
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  constructor(
    path: string,
    { readPath = path, maxLineBytes = MAX_RESULT_BYTES }: DataFileOptions = {},
  ) {
    this.readPath = readPath;
    this.mark = newMark(path);
    this.#maxLineBytes = maxLineBytes;
  }

  /** Checks whether the file was changed. Returns true if it no longer has the rows that were read,
   * which the caller must then drop. */
  refresh(): boolean {
    let info: Deno.FileInfo;
    try {
      info = Deno.statSync(this.readPath);
      // `gunzip` may have replaced a compressed file, of which `readPath` is a copy.
      if (this.readPath !== this.mark.path) Deno.statSync(this.mark.path);
    } catch (error) {
      const isGone = error instanceof Deno.errors.NotFound;
      const dropsRows = isGone && this.mark.end > 0;
      if (dropsRows) this.restart();
      else this.close();
      this.state = isGone ? "removed" : "unreadable";
      this.problem = isGone ? "it was removed or renamed" : systemReason(error);
      return dropsRows;
    }
    const inode = info.ino ?? 0;
    const isReplaced = this.mark.end > 0 &&
      (inode !== this.mark.inode || info.size < this.mark.end ||
        (info.size !== this.size && !isUnchanged(this.readPath, this.mark)));
    if (isReplaced || (this.state === "foreign" && info.size !== this.size)) this.restart();
    this.mark.inode = inode;
    this.size = info.size;
    this.modifiedMs = info.mtime?.getTime() ?? 0;
    // A new file stays in the state "reading" even if it is empty, because `read` also reads its
    // run file.
    if (this.state !== "foreign" && this.state !== "reading") {
      this.state = this.mark.end < info.size ? "reading" : "current";
      this.problem = undefined;
    }
    return isReplaced;
  }

  /**
   * Reads about a megabyte, or a single line that is longer. Returns whether there is more to read.
   */
  read(onRow: RowListener): boolean {
    try {
      this.#file ??= Deno.openSync(this.readPath);
      if (this.mark.end === 0) this.hints = readHints(this.mark.path);
      this.#readBlock(this.#file, onRow);
    } catch (error) {
      if (!(error instanceof Deno.errors.PermissionDenied) && !isSystemError(error)) throw error;
      this.state = "unreadable";
      this.problem = systemReason(error);
    }
    // A finished file is closed, because a folder may have more files than a process may open.
    if (this.state !== "reading") this.close();
    return this.state === "reading";
  }

  /** Reads a line again, and leaves the file open; the result is shorter than `bytes` if the file
   * was truncated. */
  lineAt(offset: number, bytes: number): Uint8Array {
    const file = this.#file ??= Deno.openSync(this.readPath);
    const line = new Uint8Array(bytes);
    return line.subarray(0, readFullySync(file, line, offset));
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
    // Otherwise, the buffer would stay as large as the longest line.
    if (DataFile.#buffer.length > BLOCK_BYTES) DataFile.#buffer = new Uint8Array(0);
  }

  /** Forgets what was read. */
  restart(): void {
    this.close();
    Object.assign(this.mark, newMark(this.mark.path));
    this.hints = {};
    this.size = 0;
    this.state = "reading";
    this.problem = undefined;
  }

  #readBlock(file: Deno.FsFile, onRow: RowListener): void {
    const { mark } = this;
    let blockBytes = BLOCK_BYTES;
    while (true) {
      if (DataFile.#buffer.length < blockBytes) DataFile.#buffer = new Uint8Array(blockBytes);
      const buffer = DataFile.#buffer;
      const count = readFullySync(file, buffer, mark.end);
      const bytes = buffer.subarray(0, count);
      const isEnd = count < buffer.length;
      const lastNewline = bytes.lastIndexOf(NEWLINE);
      if (lastNewline === -1 && (mark.isTooLong || count > this.#maxLineBytes)) {
        this.#skip(bytes, isEnd);
        return;
      }
      if (lastNewline === -1 && !isEnd) {
        blockBytes *= 4;
        continue;
      }
      this.#readLines(bytes.subarray(0, lastNewline + 1), onRow);
      if (isEnd && this.state === "reading") this.#readTail(bytes.subarray(lastNewline + 1), onRow);
      return;
    }
  }

  /** Skips a block of a line that is too long. Reports the line as damaged once, at its first
   * block. */
  #skip(bytes: Uint8Array, isEnd: boolean): void {
    const { mark } = this;
    DataFile.#buffer = new Uint8Array(0);
    if (!mark.isTooLong) {
      mark.lines++;
      this.#addDamage(this.#tooLong(bytes), mark.end);
      if (this.state !== "reading") return;
      mark.isTooLong = true;
    }
    advance(mark, bytes);
    if (isEnd) this.state = "current";
  }

  #readLines(bytes: Uint8Array, onRow: RowListener): void {
    const { mark } = this;
    const blockStart = mark.end;
    let start = blockStart === 0 ? bomLength(bytes) : 0;
    if (mark.isTooLong) {
      start = bytes.indexOf(NEWLINE) + 1;
      mark.isTooLong = false;
    }
    while (start < bytes.length) {
      const end = bytes.indexOf(NEWLINE, start);
      this.#readLine(bytes.subarray(start, end), blockStart + start, onRow);
      if (this.state !== "reading") return;
      start = end + 1;
    }
    advance(mark, bytes);
  }

  /** Reads the text after the last line feed. Leaves incomplete text for later, because it is still
   * being written. */
  #readTail(bytes: Uint8Array, onRow: RowListener): void {
    const { mark } = this;
    if (bytes.length > this.#maxLineBytes) {
      this.#skip(bytes, true);
      return;
    }
    this.state = "current";
    const start = mark.end === 0 ? bomLength(bytes) : 0;
    const line = bytes.subarray(start);
    if (isBlankLine(line)) return;
    const facts = this.#factsOf(line);
    if (facts instanceof DamagedLine) {
      if (this.#hasNoLines && !isBeginning(line)) this.#setForeign(facts.problem);
      return;
    }
    mark.lines++;
    mark.rows++;
    mark.isOpen = true;
    onRow(facts, { offset: mark.end + start, bytes: line.length });
    advance(mark, bytes);
  }

  /** Whether no line, or only blank lines, were read. */
  get #hasNoLines(): boolean {
    return this.mark.rows === 0 && this.mark.damageCount === 0;
  }

  #readLine(bytes: Uint8Array, offset: number, onRow: RowListener): void {
    const { mark } = this;
    // `#readTail` may have read the line before its line feed was written.
    const isOnlyLineFeed = mark.isOpen && bytes.length === 0;
    mark.isOpen = false;
    if (isOnlyLineFeed) return;
    mark.lines++;
    if (isBlankLine(bytes)) return;
    const facts = this.#factsOf(bytes);
    if (facts instanceof DamagedLine) {
      this.#addDamage(facts, offset);
      return;
    }
    mark.rows++;
    onRow(facts, { offset, bytes: bytes.length });
  }

  #factsOf(bytes: Uint8Array): LineFacts | DamagedLine {
    if (bytes.length > this.#maxLineBytes) return this.#tooLong(bytes);
    try {
      return factsOf(this.#decoder.decode(bytes), this.hints);
    } catch {
      return new DamagedLine("it is not valid UTF-8", true);
    }
  }

  #tooLong(bytes: Uint8Array): DamagedLine {
    return new DamagedLine(`it is ${lengthProblem(this.#maxLineBytes)}`, isBeginning(bytes));
  }

  /**
   * Records a damaged line. If it is the first line, and Retort cannot have written it, the file is
   * foreign.
   */
  #addDamage({ problem, mayBeFromRetort }: DamagedLine, offset: number): void {
    const { mark } = this;
    // The first line may follow a byte order mark of 3 bytes.
    if (this.#hasNoLines && offset <= 3 && !mayBeFromRetort) {
      this.#setForeign(problem);
      return;
    }
    mark.damageCount++;
    if (mark.damage.length < MAX_DAMAGE) mark.damage.push({ line: mark.lines, problem });
  }

  #setForeign(problem: string): void {
    this.state = "foreign";
    this.problem = `it is not a results or failures file of Retort (line 1: ${problem})`;
  }

  /** Continues where an earlier process stopped. Returns false if what was read has changed. */
  resume(mark: FileMark): boolean {
    try {
      const { ino, size } = Deno.statSync(this.readPath);
      const isReplaced = (ino ?? 0) !== mark.inode || size < mark.end;
      if (isReplaced || !isUnchanged(this.readPath, mark)) return false;
      Object.assign(this.mark, mark);
      this.size = size;
      this.hints = readHints(mark.path);
      this.state = mark.end < size ? "reading" : "current";
      return true;
    } catch {
      return false;
    }
  }
}

/** Some errors of the system, such as ESTALE, have no code in Deno. */
function isSystemError(error: unknown): boolean {
  return error instanceof Error && ("code" in error || error.message.includes("(os error "));
}
