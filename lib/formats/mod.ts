/**
 * From files to rows as text: JSON Lines, JSON arrays, CSV, TSV, Parquet, plain text, compressed or
 * not.
 *
 * In: an input file. Out: numbered rows of JSON source text, the same on each pass, in constant
 * memory. Nothing in this folder knows prompts: `lib/source/` decides what a row means.
 *
 * @module
 */

export {
  type Border,
  type Divisible,
  divisibleOf,
  type Division,
  findBorders,
  type InputPart,
  type InputPiece,
  START,
} from "./borders.ts";
export {
  type Compression,
  compressionOfName,
  foreignFormatError,
  holdsCompressed,
  openBytes,
} from "./bytes.ts";
export { foreignText } from "./foreign_format.ts";
export {
  formatOfName,
  type Input,
  INPUT_EXTENSIONS,
  INPUT_FORMATS,
  type InputFormat,
  type InputOptions,
  openInput,
  placeOf,
  withoutFormat,
} from "./input.ts";
export { type Line, openLines, UTF8_ADVICE } from "./lines.ts";
