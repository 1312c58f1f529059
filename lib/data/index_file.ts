/**
 * The index on disk: a JSON header, then the columns as in memory. A `FileMark` in the header lets
 * a later process continue to read each file.
 *
 * @module
 */

import { basename, dirname } from "../deps/std_path.ts";
import { readFullySync } from "../files.ts";
import { xxHash64Hex } from "../hash.ts";
import { COLUMN_NAMES, OwnField, type Scalar } from "./columns.ts";
import { FLAGS } from "./flags.ts";
import { jsonWithBigInts, withBigInts } from "./line_facts.ts";
import { type NameLists, Names, Table } from "./table.ts";

/** Raise the number when the header, or the meaning of a flag or column, changes, so that saved
 * indexes are rebuilt. */
const FORMAT = `retort-view 14 ${FLAGS.map(({ name }) => name).join()} ${COLUMN_NAMES.join()}`;

interface Header {
  readonly format: string;
  readonly rows: number;
  readonly files: readonly FileMark[];
  readonly names: Readonly<Record<keyof NameLists, readonly string[]>>;
  readonly fieldNames: readonly string[];
  readonly fields: readonly SavedField[];
}

interface SavedField {
  readonly path: readonly string[];
  readonly values: readonly Scalar[] | null;
  /** The number of saved codes. */
  readonly codes: number;
  /** The number of saved `OwnField.numbers`; -1 if the field has none. */
  readonly numbers: number;
  readonly isRounded: boolean;
}

interface SavedIndex {
  readonly table: Table;
  readonly marks: readonly FileMark[];
}

/** Reads a saved index. Returns undefined if there is none for this version and files with these
 * names. The folder of the files may differ, because it may have been moved. `DataFile.resume` checks
 * their content. */
export function readIndexFile(path: string, files: readonly string[]): SavedIndex | undefined {
  try {
    using file = Deno.openSync(path);
    const headerBytes = new Uint32Array(1);
    readInto(file, bytesOf(headerBytes));
    if (headerBytes[0] > file.statSync().size) return undefined;
    const bytes = new Uint8Array(headerBytes[0]);
    readInto(file, bytes);
    const json = new TextDecoder().decode(bytes);
    const header: Header = withBigInts(json, JSON.parse(json));
    if (header.format !== FORMAT) return undefined;
    if (
      header.files.length !== files.length ||
      header.files.some((mark, index) => basename(mark.path) !== basename(files[index]))
    ) {
      return undefined;
    }
    // Inodes beyond 2^53, such as those of Lustre or EFS, were parsed as `bigint`.
    const marks = header.files.map((mark, index) => ({
      ...mark,
      path: files[index],
      inode: Number(mark.inode),
    }));
    return { table: readTable(file, header), marks };
  } catch {
    return undefined;
  }
}

function readTable(file: Deno.FsFile, header: Header): Table {
  const table = new Table(header.rows);
  for (const name of COLUMN_NAMES) readInto(file, bytesOf(table.columns[name]));
  table.length = header.rows;
  for (const [name, list] of Object.entries(header.names)) {
    table.names[name as keyof NameLists] = new Names(list);
  }
  for (const name of header.fieldNames) table.fieldNames.add(name);
  for (const saved of header.fields) {
    const field = new OwnField(saved.path, saved.numbers >= 0);
    const codes = new Uint8Array(saved.codes);
    readInto(file, codes);
    field.restore(saved.values === null ? undefined : [...saved.values], codes);
    if (saved.numbers >= 0) {
      field.numbers = new Float64Array(saved.numbers);
      readInto(file, bytesOf(field.numbers));
    }
    field.isRounded = saved.isRounded;
    table.fields.set(saved.path.join("\0"), field);
  }
  table.reindex();
  return table;
}

/** Replaces the index file. Returns false if that fails. */
export function writeIndexFile(path: string, table: Table, marks: readonly FileMark[]): boolean {
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    Deno.mkdirSync(dirname(path), { recursive: true });
    {
      const mode = indexMode(marks);
      using file = Deno.openSync(temporary, { write: true, createNew: true, mode });
      writeIndex(file, table, marks);
    }
    Deno.renameSync(temporary, path);
    return true;
  } catch {
    try {
      Deno.removeSync(temporary);
    } catch {
      // The temporary file was never created.
    }
    return false;
  }
}

/**
 * Returns the mode of the index file. It contains values of rows, so only users who may read all
 * indexed files may read it.
 */
function indexMode(marks: readonly FileMark[]): number {
  return marks.reduce((mode, { path }) => mode & modeOf(path), 0o666) | 0o600;
}

/**
 * Returns the permissions of a file. If it was removed, there are none, so that the index is
 * private.
 */
function modeOf(path: string): number {
  try {
    return Deno.statSync(path).mode ?? 0o666;
  } catch {
    return 0;
  }
}

function writeIndex(file: Deno.FsFile, table: Table, marks: readonly FileMark[]): void {
  const rows = table.length;
  const fields = [...table.fields.values()];
  const text = new TextEncoder().encode(jsonWithBigInts(headerOf(table, fields, marks)));
  writeAll(file, bytesOf(new Uint32Array([text.length])));
  writeAll(file, text);
  for (const name of COLUMN_NAMES) writeAll(file, bytesOf(table.columns[name].subarray(0, rows)));
  for (const { codes, numbers } of fields) {
    writeAll(file, codes.subarray(0, rows));
    if (numbers !== undefined) writeAll(file, bytesOf(numbers.subarray(0, rows)));
  }
}

function headerOf(
  table: Table,
  fields: readonly OwnField[],
  marks: readonly FileMark[],
): Header {
  const rows = table.length;
  return {
    format: FORMAT,
    rows,
    files: marks,
    names: Object.fromEntries(
      Object.entries(table.names).map(([name, { list }]) => [name, list]),
    ) as unknown as Header["names"],
    fieldNames: [...table.fieldNames],
    fields: fields.map(({ path, values, codes, numbers, isRounded }) => ({
      path,
      values: values ?? null,
      codes: Math.min(rows, codes.length),
      numbers: numbers === undefined ? -1 : Math.min(rows, numbers.length),
      isRounded,
    })),
  };
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array<ArrayBuffer> {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}

function readInto(file: Deno.FsFile, bytes: Uint8Array): void {
  if (readFullySync(file, bytes) < bytes.length) throw new Error("The index is truncated");
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) {
    written += file.writeSync(bytes.subarray(written));
  }
}

export interface LineDamage {
  readonly line: number;
  readonly problem: string;
}

export interface FileMark {
  readonly path: string;
  /** The inode; 0 before the first check, or if the system has none. */
  inode: number;
  /** How far the file was read, in bytes. */
  end: number;
  /** The number of lines read, including damaged and blank ones. */
  lines: number;
  rows: number;
  damageCount: number;
  /** The first 20 damaged lines. */
  damage: LineDamage[];
  /** Hash of the start of the first block that was read. */
  first: HashedBytes;
  /** Hash of the end of the last block that was read. */
  last: HashedBytes;
  /** Whether the last row had no line feed when it was read. */
  isOpen: boolean;
  /** Whether `end` is inside a line that is too long. */
  isTooLong: boolean;
}

export interface HashedBytes {
  readonly count: number;
  readonly hash: string;
}

/** Maximum number of bytes hashed at the start and at the end of what was read. */
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

/** Whether the part that was read is unchanged, judging by its first and last bytes. */
export function isUnchanged(path: string, { first, last, end }: FileMark): boolean {
  try {
    using file = Deno.openSync(path);
    return holdsBytes(file, 0, first) && holdsBytes(file, end - last.count, last);
  } catch {
    return false;
  }
}

function holdsBytes(file: Deno.FsFile, offset: number, { count, hash }: HashedBytes): boolean {
  const bytes = new Uint8Array(count);
  return readFullySync(file, bytes, offset) === count && (count === 0 || hashOf(bytes) === hash);
}

/** Records that a block was read. */
export function advance(mark: FileMark, block: Uint8Array): void {
  if (block.length === 0) return;
  if (mark.end === 0) mark.first = hashedBytes(block.subarray(0, MARK_BYTES));
  mark.last = hashedBytes(block.subarray(Math.max(0, block.length - MARK_BYTES)));
  mark.end += block.length;
}

function hashedBytes(bytes: Uint8Array): HashedBytes {
  return { count: bytes.length, hash: hashOf(bytes) };
}

function hashOf(bytes: Uint8Array): string {
  return xxHash64Hex(LATIN1.decode(bytes));
}

/** Decodes each byte as one character. To `TextDecoder`, "latin1" means Windows-1252. */
const LATIN1 = new TextDecoder("latin1");
