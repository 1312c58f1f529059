/**
 * From files to rows as text: JSON Lines, JSON arrays, CSV, TSV, Parquet, plain text, packed or not.
 *
 * In: an input file. Out: numbered rows of JSON source text, the same each time it is read, flat in
 * memory. Nothing here knows prompts: what a row means is `lib/source/`'s.
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
export { foreignFormatError } from "./bytes.ts";
export { foreignText } from "./foreign_format.ts";
export {
  formatOfName,
  type Input,
  INPUT_FORMATS,
  type InputFormat,
  type InputOptions,
  openInput,
  placeOf,
} from "./input.ts";
export { type Line, openLines, UTF8_ADVICE } from "./lines.ts";
