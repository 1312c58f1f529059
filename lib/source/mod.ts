/**
 * From bytes to rows that can be sent.
 *
 * In: files of prompts. Out: numbered rows with their messages, parameters and identity. A bad row
 * is data; reading never sends anything and never changes the input.
 *
 * @module
 */

export { isRawJson, parseLossless } from "./json_values.ts";
export { differenceOf } from "./earlier_request.ts";
export { imagesIn } from "./image_files.ts";
export { RowParser, type RowParserOptions } from "./parse_row.ts";
export {
  NO_IMAGES,
  ParsedRow,
  requestHash,
  type RowImages,
  type RowRequest,
  withoutImages,
} from "./parsed_row.ts";
