/**
 * Writes rows as files for other programs: JSON Lines, JSON and CSV, compressed or not, and
 * Parquet.
 *
 * In: rows as JavaScript objects or as JSON text, and the schema found in a first pass over them.
 * Out: bytes. Nothing here opens a file. At most one block of rows, in Parquet one row group, is in
 * memory.
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
