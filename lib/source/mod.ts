/**
 * From bytes to rows that can be sent.
 *
 * In: files of prompts. Out: numbered rows with their messages, parameters and identity. A bad row is data;
 * reading never pays for anything and never changes the input.
 *
 * @module
 */

export { isRawJson, parseLossless } from "./json_values.ts";
export { differenceOf } from "./earlier_request.ts";
export { imagesIn } from "./image_files.ts";
export { NO_IMAGES, type RowImages, withoutImages } from "./row_images.ts";
export { createRowParser, type RowParser, type RowParserOptions } from "./parse_row.ts";
export { ParsedRow, requestHash, type RowRequest } from "./parsed_row.ts";
