/**
 * Turns the JSON text of a row into what can be sent: messages, parameters and a uid. An invalid
 * row is returned as a `RowProblem`, never thrown.
 *
 * @module
 */

export { isRawJson, parseLossless } from "./json_values.ts";
export { differenceOf } from "./earlier_request.ts";
export { imagesIn } from "./image_files.ts";
export { parseRowJson, RowParser, type RowParserOptions, RowProblem } from "./parse_row.ts";
export {
  NO_IMAGES,
  ParsedRow,
  requestHash,
  type RowImages,
  type RowRequest,
  withoutImages,
} from "./parsed_row.ts";
