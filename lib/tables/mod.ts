/**
 * Writes rows as files for other programs: JSON Lines, JSON and CSV, compressed or not, and
 * Parquet.
 *
 * In: rows as JavaScript objects. Out: bytes. Nothing here opens a file, and at most one block of
 * rows is in memory.
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
export { type ColumnType, type ExactColumn, Schema } from "./schema.ts";
