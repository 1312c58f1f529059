/**
 * Rows as files that other programs read: JSON Lines, JSON and CSV, compressed or not, and Parquet.
 *
 * In: rows as JavaScript objects. Out: bytes. It knows neither where the rows come from nor where
 * the bytes go, and holds no more than one block of rows.
 *
 * @module
 */

export {
  FILE_KINDS,
  type FileKind,
  type FileType,
  fileTypeOf,
  isTyped,
  openTable,
  type TableWriter,
  takesText,
} from "./file_types.ts";
export { type ColumnType, type ExactColumn, Schema } from "./schema.ts";
