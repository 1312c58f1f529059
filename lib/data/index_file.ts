/**
 * The index on disk: a JSON header, then the columns as they are in memory. The header has a mark
 * for each file, by which a later process recognizes it and continues to read.
 *
 * @module
 */

import { basename, dirname } from "../deps/std_path.ts";
import { readFullySync, systemReason } from "../files.ts";
import {
  COLUMN_NAMES,
  type ColumnArrays,
  type ColumnName,
  makeColumns,
  OwnField,
  type Scalar,
} from "./columns.ts";
import type { DataFile } from "./data_file.ts";
import { FLAGS } from "./flags.ts";
import { type NameLists, Names, Table } from "./table.ts";
import { xxHash64Hex } from "../hash.ts";

/** Raise the number when a flag's rule changes, so that older indexes are rebuilt. */
const FORMAT = `retort-view 3 ${FLAGS.map(({ name }) => name).join()} ${COLUMN_NAMES.join()}`;

interface Header {
  readonly format: string;
  readonly rows: number;
  readonly files: readonly { readonly mark: FileMark; readonly lastLength: number }[];
  readonly names: Readonly<Record<keyof NameLists, readonly string[]>>;
  readonly fieldNames: readonly string[];
  readonly fields: readonly SavedField[];
}

/** The header of an `OwnField`, whose codes and numbers follow the columns. */
interface SavedField {
  readonly path: readonly string[];
  readonly values: readonly Scalar[] | null;
  /** The length of `OwnField.codes`. */
  readonly codes: number;
  /** The length of `OwnField.numbers`; -1 if these are undefined. */
  readonly numbers: number;
  readonly hasNumbers: boolean;
}

interface SavedIndex {
  readonly table: Table;
  readonly files: Header["files"];
}

/** Reads an index; undefined if there is none for these files that this version can use. */
export function readIndexFile(path: string, files: readonly string[]): SavedIndex | undefined {
  try {
    using file = Deno.openSync(path);
    const length = new Uint32Array(1);
    readInto(file, new Uint8Array(length.buffer));
    if (length[0] > file.statSync().size) return undefined;
    const bytes = new Uint8Array(length[0]);
    readInto(file, bytes);
    const header: Header = JSON.parse(new TextDecoder().decode(bytes));
    if (header.format !== FORMAT) return undefined;
    if (
      header.files.length !== files.length ||
      header.files.some(({ mark }, at) => basename(mark.path) !== basename(files[at]))
    ) {
      return undefined;
    }
    header.files.forEach(({ mark }, at) => Object.assign(mark, { path: files[at] }));
    return { table: readTable(file, header), files: header.files };
  } catch {
    // The index is missing, truncated or damaged: it is built again.
    return undefined;
  }
}

function readTable(file: Deno.FsFile, header: Header): Table {
  const table = new Table(1);
  const columns = makeColumns(header.rows) as ColumnArrays & Record<ColumnName, ArrayBufferView>;
  for (const name of COLUMN_NAMES) readInto(file, bytesOf(columns[name]));
  Object.assign(table.columns, columns);
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
    field.hasNumbers = saved.hasNumbers;
    table.fields.set(saved.path.join("\0"), field);
  }
  table.reindex();
  return table;
}

/** Replaces an index; returns why that failed, or undefined. */
export function writeIndexFile(
  path: string,
  index: { readonly table: Table; readonly files: readonly DataFile[] },
): string | undefined {
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    Deno.mkdirSync(dirname(path), { recursive: true });
    {
      using file = Deno.openSync(temporary, { write: true, create: true, truncate: true });
      writeIndex(file, index);
    }
    Deno.renameSync(temporary, path);
    return undefined;
  } catch (error) {
    try {
      Deno.removeSync(temporary);
    } catch {
      // The temporary file was never created.
    }
    return systemReason(error);
  }
}

function writeIndex(
  file: Deno.FsFile,
  { table, files }: { readonly table: Table; readonly files: readonly DataFile[] },
): void {
  const rows = table.length;
  const fields = [...table.fields.values()];
  const text = new TextEncoder().encode(JSON.stringify(headerOf(table, fields, files)));
  writeAll(file, new Uint8Array(new Uint32Array([text.length]).buffer));
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
  files: readonly DataFile[],
): Header {
  const rows = table.length;
  return {
    format: FORMAT,
    rows,
    files: files.map(({ mark, lastLength }) => ({ mark, lastLength })),
    names: Object.fromEntries(
      Object.entries(table.names).map(([name, { list }]) => [name, list]),
    ) as unknown as Header["names"],
    fieldNames: [...table.fieldNames],
    fields: fields.map(({ path, values, codes, numbers, hasNumbers }) => ({
      path,
      values: values ?? null,
      codes: Math.min(rows, codes.length),
      numbers: numbers === undefined ? -1 : Math.min(rows, numbers.length),
      hasNumbers,
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
  for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
}

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
  /** The hash of the first `MARK_BYTES` of the first block that was read, or of all of it. */
  first: string;
  /** The hash of the last `MARK_BYTES` of the last block that was read, or of all of it. */
  last: string;
  /** Whether the last row had no line feed when it was read. */
  isOpen: boolean;
}

/** The most bytes that are hashed at the start and at the end of what was read. */
export const MARK_BYTES = 4096;

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

/** Whether the file still begins with what was read, judging by `mark.first` and `mark.last`. */
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

export function hashOf(bytes: Uint8Array): string {
  return xxHash64Hex(bytesText(bytes));
}

/** Bytes as text with one character each: Windows-1252, which is what "latin1" decodes. */
export function bytesText(bytes: Uint8Array): string {
  return LATIN1.decode(bytes);
}

const LATIN1 = new TextDecoder("latin1");
