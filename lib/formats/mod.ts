/**
 * Reads files as rows of text: JSON Lines, JSON arrays, CSV, TSV, Parquet and plain text,
 * compressed or not.
 *
 * In: an input file. Out: numbered rows of JSON source text, the same on each pass, in constant
 * memory. Knows nothing about prompts: `lib/source/` decides what a row means.
 *
 * @module
 */

export type { Border, Divisible, InputPart, InputPiece } from "./borders.ts";
export {
  COMPRESSED_EXTENSIONS,
  type Compression,
  compressionOfName,
  createCompressor,
  firstText,
  foreignTextError,
  holdsCompressed,
  openBytes,
  startOf,
  statInput,
  USUAL_EXTENSIONS,
  withoutCompression,
} from "./bytes.ts";
export {
  formatOf,
  formatOfName,
  type Input,
  INPUT_EXTENSIONS,
  INPUT_FORMATS,
  type InputFormat,
  type InputOptions,
  openInput,
  placeOf,
  START,
  withoutFormat,
} from "./input.ts";
export type { ExactLeafType, ExactType, ValueType } from "./parquet_values.ts";
export { lengthProblem, type Line, MAX_LINE_BYTES, openLines, UTF8_ADVICE } from "./lines.ts";

/** Loads `borders.ts`, which is needed only by runs with shards. */
export function loadBorders(): Promise<typeof import("./borders.ts")> {
  return import("./borders.ts");
}
