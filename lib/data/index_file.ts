/**
 * The index on disk: a JSON header, then the columns as they are in memory. The header holds a mark
 * of each file, by which a later process recognises what was read of it.
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

/** Changes with the columns and with the rules of flags, so that older indexes are built again. */
const FORMAT = `retort-view 3 ${FLAGS.map(({ name }) => name).join()} ${COLUMN_NAMES.join()}`;

interface Header {
  readonly format: string;
  readonly rows: number;
  readonly files: readonly { readonly mark: FileMark; readonly lastLength: number }[];
  readonly names: Readonly<Record<keyof NameLists, readonly string[]>>;
  readonly fieldNames: readonly string[];
  readonly fields: readonly SavedField[];
}

interface SavedField {
  readonly path: readonly string[];
  readonly values: readonly Scalar[] | null;
  readonly codes: number;
  /** The number of numbers that follow; -1 if the field holds other values. */
  readonly numbers: number;
  readonly hasNumbers: boolean;
}

/** A saved index. */
interface SavedIndex {
  readonly table: Table;
  readonly files: Header["files"];
}

/** Reads an index; returns undefined if there is no usable one for these files. */
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
    // It is missing, truncated or damaged: the files are read again.
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

/** Writes an index; returns the reason if that fails. */
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
      // It was never created.
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
