/** Streams of lines and of JSON, from the standard library. @module */

// @ts-types="./types/std_streams.d.ts"
export { TextLineStream } from "npm:deno-std@1.4.0/streams/text_line_stream.js";
// @ts-types="./types/std_streams.d.ts"
export { toTransformStream } from "npm:deno-std@1.4.0/streams/to_transform_stream.js";
// @ts-types="./types/std_streams.d.ts"
export { JsonParseStream } from "npm:deno-std@1.4.0/json/parse_stream.js";
// @ts-types="./types/std_streams.d.ts"
export { JsonStringifyStream } from "npm:deno-std@1.4.0/json/stringify_stream.js";
