/**
 * Shows a run as text: the bar, plain lines, JSON lines and the summary.
 *
 * In: snapshots and events. Out: text. Nothing in this folder writes to the terminal itself, or
 * counts anything.
 *
 * @module
 */

export { createBar } from "./bar.ts";
export { stringWidth } from "./columns.ts";
export { createJsonLines, createPlain } from "./plain.ts";
export { summaryText } from "./summary_text.ts";
