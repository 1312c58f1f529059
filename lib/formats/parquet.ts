/**
 * Reads the rows of a Parquet file, each as the JSON text that a user would write for it.
 *
 * @module
 */

import type { AsyncBuffer } from "../deps/hyparquet.ts";
import { readFully } from "../files.ts";
import { openFile, withReason } from "./bytes.ts";
import { inputError } from "./foreign_format.ts";
import { badLine, BATCH_ROWS, goodLine, type Line } from "./lines.ts";
import { type FileSchema, objectText } from "./parquet_columns.ts";
import { type ChunkBytes, type CurrentRow, LeafColumn } from "./parquet_leaf.ts";
import { readFooter, reasonOf, type RowGroup, withSourceErrors } from "./parquet_footer.ts";
import { type ExactType, exactTypeOf, isBytes } from "./parquet_values.ts";

export interface ParquetOptions {
  readonly name: string;
  /** The columns of bytes to read as base64. @default none: such a column is an error */
  readonly binaryColumns?: readonly string[];
  /** Reads only row groups whose first row, counted from 0, is at `start` or later, and before
   * `end`. @default all row groups */
  readonly rows?: { readonly start: number; readonly end: number };
}

/** A row group up to this size is read at once. The columns of larger row groups are read in
 * windows. */
const MAX_HELD_BYTES = 2 * 2 ** 20;
/** The size to divide among the windows of all columns, within the limits for each window. */
const WINDOWS_BYTES = 8 * 2 ** 20;
const MIN_WINDOW_BYTES = 2 ** 14, MAX_WINDOW_BYTES = 2 ** 18;

export async function rowGroupsOf(
  path: string,
  name: string,
): Promise<Pick<RowGroup, "rows" | "bytes">[]> {
  using file = await openFile(path, name);
  const footer = await readFooter(await bufferOf(file, name), name);
  return Array.from(footer.groups(), ({ rows, bytes }) => ({ rows, bytes }));
}

/** Reads the types that JSON does not have, by column. */
export async function readExactTypes(
  path: string,
  name: string,
): Promise<ReadonlyMap<string, ExactType>> {
  using file = await openFile(path, name);
  const { schema: { columns } } = await readFooter(await bufferOf(file, name), name);
  const types = new Map<string, ExactType>();
  for (const { name: column, node } of columns) {
    const type = exactTypeOf(node);
    if (type !== undefined) types.set(column, type);
  }
  return types;
}

/** Reads the rows. `Line.number` counts from 1 over the whole file. */
export async function* readParquet(path: string, options: ParquetOptions): AsyncGenerator<Line[]> {
  const { name, rows: { start, end } = { start: 0, end: Infinity } } = options;
  using file = await openFile(path, name);
  const buffer = await bufferOf(file, name);
  const footer = await readFooter(buffer, name);
  const { schema } = footer;
  refuseBinary(schema, options);
  let rowsBefore = 0;
  for (const group of footer.groups()) {
    const { rows } = group;
    if (rows > 0 && rowsBefore >= start && rowsBefore < end) {
      yield* readGroup(buffer, group, schema, { name, rowsBefore });
    }
    rowsBefore += rows;
  }
}

async function* readGroup(
  buffer: FileBuffer,
  group: RowGroup,
  schema: FileSchema,
  { name, rowsBefore }: { name: string; rowsBefore: number },
): AsyncGenerator<Line[]> {
  const row: CurrentRow = { problem: undefined };
  const chunks = await chunksOf(buffer, group, name);
  const leaves = schema.leaves.map((leaf, index) =>
    new LeafColumn(leaf, group.columns[index], chunks[index], row)
  );
  const rowText = objectText(schema.columns, leaves);
  let number = rowsBefore;
  for (const end = rowsBefore + group.rows; number < end;) {
    const ready = await loadRows(leaves, Math.min(BATCH_ROWS, end - number), name, number + 1);
    const lines: Line[] = [];
    try {
      for (let i = 0; i < ready; i++) {
        const text = rowText.next();
        lines.push(lineOf(++number, text, row));
      }
    } catch (cause) {
      throw inputError(name, `row ${number + 1} is damaged${reasonOf(cause)}`, cause);
    }
    for (const leaf of leaves) leaf.markRead(ready);
    yield lines;
  }
  for (const leaf of leaves) leaf.close();
}

/** Loads pages until each column has a row. Returns the number of rows that are ready in all
 * columns, up to `maxRows`. */
async function loadRows(
  leaves: readonly LeafColumn[],
  maxRows: number,
  name: string,
  firstNumber: number,
): Promise<number> {
  let ready = maxRows;
  for (const column of leaves) {
    if (column.rowsReady <= 0) {
      const path = JSON.stringify(column.leaf.path);
      const problem = `column ${path} is damaged in row ${firstNumber} or later`;
      await withSourceErrors(name, problem, async () => {
        while (column.rowsReady <= 0) await column.load();
      });
    }
    ready = Math.min(ready, column.rowsReady);
  }
  return ready;
}

function lineOf(number: number, text: string, row: CurrentRow): Line {
  const { problem } = row;
  if (problem === undefined) return goodLine(number, text);
  row.problem = undefined;
  return badLine(number, problem, new TextEncoder().encode(text));
}

function refuseBinary(
  { leaves }: FileSchema,
  { name, binaryColumns = [] }: ParquetOptions,
): void {
  const refused = leaves.find((leaf) =>
    isBytes(leaf) &&
    !binaryColumns.some((column) => leaf.path === column || leaf.path.startsWith(`${column}.`))
  );
  if (refused === undefined) return;
  const column = refused.elements[1].name;
  throw inputError(
    name,
    `column ${
      JSON.stringify(refused.path)
    } contains bytes, not text. Add --binary-columns ${column} ` +
      "to read it as base64 text",
  );
}

interface FileBuffer extends AsyncBuffer {
  /** Fills `target` with bytes of the file, beginning at `start`. */
  read(target: Uint8Array, start: number): Promise<void>;
}

/** Errors of the disk become a `SourceError`, so that they do not pass for damage of the file. */
async function bufferOf(file: Deno.FsFile, name: string): Promise<FileBuffer> {
  const { size } = await file.stat();
  const read = async (target: Uint8Array, start: number) => {
    await withReason(name, file.seek(start, Deno.SeekMode.Start));
    if (await withReason(name, readFully(file, target)) < target.length) {
      throw new Error("the file is shorter than its footer says");
    }
  };
  return {
    byteLength: size,
    read,
    slice: async (start, end = size) => {
      const bytes = new Uint8Array(Math.max(0, Math.min(end, size) - start));
      await read(bytes, start);
      return bytes.buffer;
    },
  };
}

async function chunksOf(
  buffer: FileBuffer,
  { columns }: RowGroup,
  name: string,
): Promise<ChunkBytes[]> {
  const start = Math.min(...columns.map((column) => column.start));
  const end = Math.max(...columns.map((column) => column.end));
  if (start < 0 || end > buffer.byteLength) {
    throw inputError(
      name,
      "its footer refers to bytes beyond the end of the file. Copy the file again",
    );
  }
  const { read } = buffer;
  const share = Math.floor(WINDOWS_BYTES / columns.length);
  const windowBytes = Math.min(MAX_WINDOW_BYTES, Math.max(MIN_WINDOW_BYTES, share));
  const all = end - start > MAX_HELD_BYTES ? undefined : new Uint8Array(end - start);
  if (all !== undefined) {
    await withSourceErrors(name, "its rows cannot be read", () => read(all, start));
  }
  return columns.map((column) => ({
    start: column.start,
    end: column.end,
    windowBytes,
    read,
    allBytes: all?.subarray(column.start - start, column.end - start),
  }));
}
