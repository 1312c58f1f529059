/**
 * Shows a run as text: the bar, plain lines, JSON lines and the summary.
 *
 * Converts snapshots and events to text, which the caller writes. Counts nothing itself.
 *
 * @module
 */

export { stringWidth } from "./columns.ts";
export { createBar, createJsonLines, createPlain } from "./progress_lines.ts";
export { summaryText } from "./summary_text.ts";
