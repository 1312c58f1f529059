/**
 * A run as text: the bar, plain lines, JSON lines and the summary.
 *
 * In: snapshots and events. Out: text. It never writes by itself and never counts anything.
 *
 * @module
 */

export { createBar } from "./bar.ts";
export { createJsonLines, createPlain } from "./plain.ts";
export { summaryText } from "./summary_text.ts";
