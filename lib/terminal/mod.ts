/**
 * Shows a run as text: the bar, plain lines, JSON lines and the summary.
 *
 * In: snapshots and events. Out: text. This layer neither writes to the terminal nor counts
 * anything.
 *
 * @module
 */

export { stringWidth } from "./columns.ts";
export { createBar, createJsonLines, createPlain } from "./progress_lines.ts";
export { summaryText } from "./summary_text.ts";
