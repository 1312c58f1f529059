/**
 * Progress without a terminal: occasional lines for logs, or each event as a line of JSON for
 * programs.
 *
 * @module
 */

import { formatDuration } from "../figures.ts";
import { printableJson } from "../printable.ts";
import type { RunEvent, RunListener, RunState, Snapshot } from "../progress/mod.ts";
import { clip, createPaint, joinSegments, SEPARATOR, stringWidth } from "./columns.ts";
import {
  mainSegments,
  MAX_COLUMNS,
  noticeSegment,
  processSegments,
  rowsSegment,
  shareSegments,
  startText,
  stateText,
  troubleTexts,
  workSegments,
} from "./status.ts";

export interface PlainOptions {
  /** Writes to the log. The text ends with a line break. */
  write: (text: string) => void;
  /**
   * Whether a second line shows lag, CPU and memory of the process, and the work. @default false
   */
  isVerbose?: boolean;
  /** Milliseconds between two lines while the state stays the same. @default 30000 */
  intervalMs?: number;
  /** A monotonic clock, in milliseconds. @default performance.now */
  now?: () => number;
}

/**
 * A change to or from `backing_off`, which may happen several times a second, gets a line only if
 * the last line is this old.
 */
const MIN_BACKOFF_LINE_MS = 10_000;

/** A longer reason would leave no room for figures. */
const MAX_REASON_CELLS = 40;

/**
 * If fewer cells are left for the problem, the estimates lose their ranges. If that does not free
 * enough cells, the problem is dropped.
 */
const MIN_TROUBLE_CELLS = 16;

const PLAIN = createPaint(false);

/**
 * Creates a listener that writes a line for the start, for each notice and each change of state,
 * and every 30 s.
 */
export function createPlain(options: PlainOptions): RunListener {
  const { write, isVerbose = false, intervalMs = 30_000, now = () => performance.now() } = options;
  let lastMs = -Infinity;
  let lastState: RunState | undefined;

  return function listen(event: RunEvent): void {
    if (event.type === "notice") return write(noticeSegment(event).text + "\n");
    if (event.type === "run-start") return write(startText(event) + "\n");
    if (event.type !== "snapshot") return;
    const isBackoffChange = event.state === "backing_off" ||
      (event.state === "running" && lastState === "backing_off");
    const minMs = event.state === lastState
      ? intervalMs
      : isBackoffChange
      ? MIN_BACKOFF_LINE_MS
      : 0;
    if (now() - lastMs < minMs) return;
    lastMs = now();
    lastState = event.state;
    write(plainLines(event, isVerbose));
  };
}

/**
 * Formats a snapshot in one line of at most 120 columns: the most important segments first, and the
 * problem where there is room for it. If verbose, adds a line for the process and the work.
 */
function plainLines(snapshot: Snapshot, isVerbose: boolean): string {
  const time = formatDuration(snapshot.elapsed_ms);
  const beginning = `[${time}] ${stateText(snapshot, MAX_REASON_CELLS)}`;
  if (snapshot.state === "preparing") return `${beginning}\n`;
  const trouble = troubleTexts(snapshot).join(" · ");
  const lineOf = (isBrief: boolean) => {
    const rows = { text: `${beginning}: ${rowsSegment(snapshot).text}` };
    const others = [...shareSegments(snapshot), ...mainSegments(snapshot, isBrief)];
    return joinSegments([rows, ...others], MAX_COLUMNS, PLAIN);
  };
  const roomOf = (line: string) => MAX_COLUMNS - stringWidth(line) - SEPARATOR.length;
  const fullLine = lineOf(false);
  const hasRoom = trouble === "" || roomOf(fullLine) >= MIN_TROUBLE_CELLS;
  const line = hasRoom ? fullLine : lineOf(true);
  const room = roomOf(line);
  const end = trouble === "" || room < MIN_TROUBLE_CELLS ? "" : SEPARATOR + clip(trouble, room);
  const details = [...processSegments(snapshot), ...workSegments(snapshot)];
  const secondLine = isVerbose ? `  ${joinSegments(details, MAX_COLUMNS - 2, PLAIN)}\n` : "";
  return `${line}${end}\n${secondLine}`;
}

/** Creates a listener that writes each event as one line of JSON. */
export function createJsonLines(options: { write: (text: string) => void }): RunListener {
  const { write } = options;
  return (event: RunEvent) => write(printableJson(JSON.stringify(event)) + "\n");
}
