/**
 * Progress during a run: a bar in a terminal, lines for logs, or JSON lines for programs.
 *
 * The bar has at most five lines, which are drawn in place. After each drawing, the cursor returns
 * to the start of the first line, so that a resize does no harm. However the terminal wraps the old
 * lines, they begin at the cursor, and the next drawing erases everything from there. Moving the
 * cursor up by the number of lines would leave some of the lines behind in a terminal that became
 * narrower.
 *
 * @module
 */

import { formatDuration, formatShare } from "../figures.js";
import { printableJson } from "../printable.ts";
import type { RunEvent, RunListener, RunState, Snapshot } from "../progress/mod.ts";
import {
  clip,
  createPaint,
  joinSegments,
  type Paint,
  type Segment,
  SEPARATOR,
  stringWidth,
} from "./columns.ts";
import {
  doneRows,
  mainSegments,
  noticeSegment,
  processSegments,
  rowsSegment,
  startText,
  stateText,
  troubleTexts,
  workSegments,
} from "./status.ts";

/** Maximum length of a line in cells, even if the terminal is wider. */
const MAX_COLUMNS = 120;
const MIN_DRAW_INTERVAL_MS = 250;

const ERASE_LINE = "\x1b[K";
const ERASE_BELOW = "\x1b[J";

export interface BarOptions {
  write: (text: string) => void;
  /** Returns the width of the terminal in cells. Called for each drawing. */
  columns: () => number;
  /** Whether to use colors. The caller must take `NO_COLOR` into account. */
  isColored: boolean;
  now?: () => number;
  /** Whether to show lag, CPU and memory of the process. @default false */
  isVerbose?: boolean;
}

type Bar = RunListener & {
  /** Erases the bar. The next event draws it again. */
  clear(): void;
  /** Draws the last state, which remains visible, and ends the bar. */
  done(): void;
};

export function createBar(options: BarOptions): Bar {
  const drawing = new Drawing(options);
  return Object.assign((event: RunEvent) => drawing.listen(event), {
    clear: () => drawing.clear(),
    done: () => drawing.done(),
  });
}

class Drawing {
  readonly #options: BarOptions;
  readonly #now: () => number;
  readonly #paint: Paint;
  #linesAbove: string[] = [];
  #last: Snapshot | undefined;
  #drawnMs = -Infinity;
  #isDone = false;

  constructor(options: BarOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#paint = createPaint(options.isColored);
  }

  listen(event: RunEvent): void {
    if (this.#isDone) return;
    if (event.type === "run-end") return this.done();
    if (event.type === "snapshot") {
      this.#last = event;
    } else {
      const { text, color } = event.type === "notice"
        ? noticeSegment(event)
        : { text: startText(event), color: undefined };
      this.#linesAbove.push(this.#paint(text, color));
    }
    if (this.#now() - this.#drawnMs >= MIN_DRAW_INTERVAL_MS) this.#draw();
  }

  clear(): void {
    if (this.#isDone) return;
    this.#options.write(`\r${this.#takeLinesAbove()}${ERASE_BELOW}`);
    this.#drawnMs = -Infinity;
  }

  done(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    if (this.#last !== undefined || this.#linesAbove.length > 0) this.#draw();
  }

  #draw(): void {
    const { columns, write, isVerbose = false } = this.#options;
    const width = Math.min(MAX_COLUMNS, Math.max(1, columns() - 1));
    const view = { width, paint: this.#paint, isVerbose };
    const lines = this.#last === undefined ? [] : renderBar(this.#last, view);
    const toFirstLine = lines.length > 1 && !this.#isDone ? `\x1b[${lines.length - 1}A\r` : "\r";
    const end = this.#isDone && lines.length > 0 ? "\r\n" : toFirstLine;
    write(`\r${this.#takeLinesAbove()}${lines.join(`${ERASE_LINE}\r\n`)}${ERASE_BELOW}${end}`);
    this.#drawnMs = this.#now();
  }

  #takeLinesAbove(): string {
    return this.#linesAbove.splice(0).map((line) => `${line}${ERASE_BELOW}\r\n`).join("");
  }
}

/** In a bar of this length, each cell stands for 1 %. */
const MAX_BAR_CELLS = 100;

/** If there is room for fewer cells than this, only the percentage is shown. */
const MIN_BAR_CELLS = 4;

/** The parts of the bar have different shapes, because colors may be off. */
const SHAPES = { skipped: "▒", succeeded: "█", failed: "▚", pending: "░" };

interface BarView {
  readonly width: number;
  readonly paint: Paint;
  readonly isVerbose: boolean;
}

/**
 * Returns at most five lines: the shares of the rows, if their number is known; rows, speed and
 * cost; calls and tokens; the process, if `isVerbose` is set; and problems. While the input is
 * read, returns only the state. Each line begins with a space, on which the cursor rests.
 */
function renderBar(snapshot: Snapshot, view: BarView): string[] {
  const { paint } = view;
  const width = view.width - 1;
  // A longer reason would leave no room for figures.
  const text = stateText(snapshot, Math.floor(width / 3));
  if (snapshot.state === "preparing") return [" " + joinSegments([{ text }], width, paint)];
  const state: Segment[] = snapshot.state === "running" ? [] : [{ text, color: "yellow" }];
  const figuresOf = (isBrief: boolean) => [
    ...state,
    rowsSegment(snapshot),
    ...mainSegments(snapshot, { isBrief }),
  ];
  const figures = figuresOf(false);
  const cells = stringWidth(figures.map(({ text }) => text).join(SEPARATOR));
  const process = view.isVerbose ? processSegments(snapshot) : [];
  const lines = [
    barLine(snapshot, paint, width),
    // If the line is too long, the ranges of estimates are omitted, so that failed rows stay
    // visible.
    joinSegments(cells <= width ? figures : figuresOf(true), width, paint),
    joinSegments(workSegments(snapshot), width, paint),
    joinSegments(process, width, paint),
    paint(clip(troubleTexts(snapshot).join(SEPARATOR), width), "red"),
  ];
  return lines.filter((line) => line !== "").map((line) => " " + line);
}

/** Returns `▒▒███████▚░░░░  62.4%`; "" if the number of rows is unknown. */
function barLine(snapshot: Snapshot, paint: Paint, width: number): string {
  const { total } = snapshot;
  if (total === null) return "";
  const percent = formatShare(doneRows(snapshot), total);
  // The space and the widest percentage take 7 cells.
  const cells = Math.min(MAX_BAR_CELLS, width - 7);
  if (cells < MIN_BAR_CELLS) return clip(percent, width);
  return `${barCells(snapshot, total, cells, paint)} ${percent.padStart(6)}`;
}

function barCells(snapshot: Snapshot, total: number, cells: number, paint: Paint): string {
  const scale = total > 0 ? cells / total : 0;
  // The value is rounded down, so that the bar is full only when all rows are done.
  const done = total > 0 ? Math.floor(doneRows(snapshot) * scale) : cells;
  const skipped = Math.min(done, Math.round(snapshot.skipped * scale));
  // A single failed row among a million rows must be visible.
  const failed = snapshot.failed === 0
    ? 0
    : Math.min(done - skipped, Math.max(1, Math.round(snapshot.failed * scale)));
  return paint(SHAPES.skipped.repeat(skipped), "dim") +
    paint(SHAPES.succeeded.repeat(done - skipped - failed), "green") +
    paint(SHAPES.failed.repeat(failed), "red") +
    paint(SHAPES.pending.repeat(cells - done), "dim");
}

export interface PlainOptions {
  /** The text ends with a line break. */
  write: (text: string) => void;
  /** Whether to add a second line with lag, CPU, memory, calls in flight, tokens and latency.
   * @default false */
  isVerbose?: boolean;
  /** The interval between lines in milliseconds while the state stays the same. @default 30000 */
  intervalMs?: number;
  /** A monotonic clock, in milliseconds. @default performance.now */
  now?: () => number;
}

/** The minimum age of the last line for a change to `backing_off`, or from there to `running`, to
 * be written. Such changes may happen several times a second. */
const MIN_BACKOFF_LINE_MS = 10_000;

/** A line with less room for the problem omits the ranges of estimates. If there still is not
 * enough room, the line omits the problem. */
const MIN_TROUBLE_CELLS = 16;

const PLAIN = createPaint(false);

/** Writes a line at the start, for each notice, for changes of state, and at an interval while the
 * state stays the same. */
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

/** Returns a line of at most 120 cells, which includes the problem if there is room. If `isVerbose`
 * is set, another line follows. */
function plainLines(snapshot: Snapshot, isVerbose: boolean): string {
  const time = formatDuration(snapshot.elapsed_ms);
  const beginning = `[${time}] ${stateText(snapshot)}`;
  if (snapshot.state === "preparing") return `${beginning}\n`;
  const trouble = troubleTexts(snapshot).join(SEPARATOR);
  const lineOf = (isBrief: boolean) => {
    const rows = { text: `${beginning}: ${rowsSegment(snapshot).text}` };
    const { total } = snapshot;
    const share = total === null ? [] : [{ text: formatShare(doneRows(snapshot), total) }];
    return joinSegments(
      [rows, ...share, ...mainSegments(snapshot, { isBrief })],
      MAX_COLUMNS,
      PLAIN,
    );
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

export function createJsonLines(options: { write: (text: string) => void }): RunListener {
  const { write } = options;
  return (event: RunEvent) => write(printableJson(JSON.stringify(event)) + "\n");
}
