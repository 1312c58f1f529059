/** Formats bytes and durations for users, from the standard library. @module */

// @ts-types="./types/std_fmt_bytes.d.ts"
export { format as formatBytes } from "npm:deno-std@1.4.0/fmt/bytes.js";
// @ts-types="./types/std_fmt_duration.d.ts"
export { format as formatDuration } from "npm:deno-std@1.4.0/fmt/duration.js";
