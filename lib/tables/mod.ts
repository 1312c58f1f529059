/**
 * Writes rows as files for other programs: JSON Lines, JSON and CSV, compressed or not, and
 * Parquet.
 *
 * In: rows as JavaScript objects or JSON text, and the schema from a first pass over them. Out:
 * bytes. Opens no file. Buffers at most one block of rows or, for Parquet, one row group.
 *
 * @module
 */

export {
  acceptsText,
  FILE_KINDS,
  type FileKind,
  type FileType,
  fileTypeOf,
  isTyped,
  openTable,
  type TableWriter,
} from "./file_types.ts";
export { cellOf, type ColumnType, Schema } from "./schema.ts";
