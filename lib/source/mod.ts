/**
 * Converts the JSON text of a row into what can be sent: messages, parameters and a uid.
 *
 * In: JSON text, the options for prompts, and a folder of images. Out: a `ParsedRow`, or a
 * `RowProblem` that says what is wrong with the row, and also what earlier versions sent. Parsing a
 * row never throws, and nothing here calls the teacher.
 *
 * @module
 */

export { isRawJson, isSet, parsedLossless, parseLossless, setField } from "./json_values.ts";
export { differenceOf } from "./earlier_request.ts";
export { imagesIn, NO_IMAGES, type RowImages, withoutImages } from "./image_files.ts";
export { parseRowJson, RowParser, type RowParserOptions } from "./parse_row.ts";
export { holdsCalls } from "./tool_calls.ts";
export { ParsedRow, requestHash, RowProblem, type RowRequest } from "./parsed_row.ts";
