/**
 * Shows a run as text: the bar, plain lines, JSON lines and the summary.
 *
 * In: snapshots and events. Out: text. Nothing in this folder writes to the terminal itself, or
 * counts anything.
 *
 * @module
 */

export { stringWidth } from "./columns.ts";
export { createBar, createJsonLines, createPlain } from "./progress_lines.ts";
export { summaryText } from "./summary_text.ts";
