/**
 * Progress bar in a terminal: at most five lines, drawn in place.
 *
 * After each drawing the cursor goes back to the start of the first line. That makes a resize
 * harmless: however the terminal wraps the old lines, they begin at the cursor, and the next
 * drawing erases everything from there. (A bar that moves up by the number of lines it drew leaves
 * some behind when the terminal becomes narrower.)
 *
 * @module
 */

import { formatPercent } from "../figures.ts";
import type { RunEvent, RunListener, Snapshot } from "../progress/mod.ts";
import {
  clip,
  createPaint,
  joinSegments,
  type Paint,
  type Segment,
  segmentCells,
} from "./columns.ts";
import {
  doneRows,
  mainSegments,
  MAX_COLUMNS,
  noticeSegment,
  processSegments,
  rowsSegment,
  startText,
  stateText,
  troubleTexts,
  workSegments,
} from "./status.ts";

const MIN_DRAW_INTERVAL_MS = 250;

const ERASE_LINE = "\x1b[K";
const ERASE_BELOW = "\x1b[J";

export interface BarOptions {
  /** Writes to the terminal. */
  write: (text: string) => void;
  /** Width of the terminal, in cells; called for each drawing. */
  columns: () => number;
  /** Whether to use colors. The caller checks `NO_COLOR`. */
  isColored: boolean;
  /** A monotonic clock, in milliseconds. @default performance.now */
  now?: () => number;
  /** Whether to show lag, CPU and memory of the process. @default false */
  isVerbose?: boolean;
}

export type Bar = RunListener & {
  /** Erases the bar; the next snapshot draws it again. */
  clear(): void;
  /** Draws the bar one last time and leaves the cursor below it. */
  done(): void;
};

/** Creates the bar. It ends with the event `run-end`, or with `done()`. */
export function createBar(options: BarOptions): Bar {
  const drawing = new Drawing(options);
  return Object.assign((event: RunEvent) => drawing.listen(event), {
    clear: () => drawing.clear(),
    done: () => drawing.done(),
  });
}

/** The bar on the screen, and the lines that wait to be printed above it. */
class Drawing {
  readonly #options: BarOptions;
  readonly #now: () => number;
  readonly #paint: Paint;
  /** Lines to print above the bar with the next drawing. */
  #above: string[] = [];
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
      this.#above.push(this.#paint(text, color));
    }
    if (this.#now() - this.#drawnMs >= MIN_DRAW_INTERVAL_MS) this.#draw();
  }

  clear(): void {
    if (this.#isDone) return;
    this.#options.write(`\r${this.#takeAbove()}${ERASE_BELOW}`);
    this.#drawnMs = -Infinity;
  }

  done(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    if (this.#last !== undefined || this.#above.length > 0) this.#draw();
  }

  #draw(): void {
    const { columns, write, isVerbose = false } = this.#options;
    const width = Math.min(MAX_COLUMNS, Math.max(1, columns() - 1));
    const view = { width, paint: this.#paint, isVerbose };
    const lines = this.#last === undefined ? [] : renderBar(this.#last, view);
    const up = lines.length > 1 && !this.#isDone ? `\x1b[${lines.length - 1}A\r` : "\r";
    const end = this.#isDone && lines.length > 0 ? "\r\n" : up;
    write(`\r${this.#takeAbove()}${lines.join(`${ERASE_LINE}\r\n`)}${ERASE_BELOW}${end}`);
    this.#drawnMs = this.#now();
  }

  #takeAbove(): string {
    return this.#above.splice(0).map((line) => `${line}${ERASE_BELOW}\r\n`).join("");
  }
}

/** Cells of the longest bar, in which each cell is 1 %. */
const MAX_BAR_CELLS = 100;

/** Cells of the shortest bar; with less room, only the percentage is shown. */
const MIN_BAR_CELLS = 4;

/** Shapes of the parts differ, so that users can distinguish them without colors. */
const SHAPES = { skipped: "▒", succeeded: "█", failed: "▚", left: "░" };

/** How the bar is drawn. */
interface BarView {
  /** Maximum number of cells in a line. */
  readonly width: number;
  readonly paint: Paint;
  /** Whether to show lag, CPU and memory of the process. */
  readonly isVerbose: boolean;
}

/**
 * Renders the bar: a line for the shares of the rows (if their number is known), one for rows, speed
 * and cost, one for attempts and tokens, one for the process if requested, and one for problems.
 * While the input is read, there is only the state. Each line starts with an empty cell, where the
 * cursor rests.
 */
function renderBar(snapshot: Snapshot, view: BarView): string[] {
  const { paint } = view;
  const width = view.width - 1;
  // A longer reason would leave no room for figures.
  const text = stateText(snapshot, Math.floor(width / 3));
  if (snapshot.state === "preparing") return [" " + joinSegments([{ text }], width, paint)];
  const state: Segment[] = snapshot.state === "running" ? [] : [{ text, color: "yellow" }];
  const figures = [...state, rowsSegment(snapshot), ...mainSegments(snapshot)];
  const briefFigures = [...state, rowsSegment(snapshot), ...mainSegments(snapshot, true)];
  const process = view.isVerbose ? processSegments(snapshot) : [];
  const lines = [
    barLine(snapshot, paint, width),
    // A line that is too long loses the ranges of estimates, so that failed rows stay visible.
    joinSegments(segmentCells(figures) <= width ? figures : briefFigures, width, paint),
    joinSegments(workSegments(snapshot), width, paint),
    joinSegments(process, width, paint),
    paint(clip(troubleTexts(snapshot).join(" · "), width), "red"),
  ];
  return lines.filter((line) => line !== "").map((line) => " " + line);
}

/** `▒▒███████▚░░░░  62.4%`; nothing while the number of rows is unknown. */
function barLine(snapshot: Snapshot, paint: Paint, width: number): string {
  const { total } = snapshot;
  if (total === null) return "";
  const percent = formatPercent(doneRows(snapshot), total);
  // 7: a space and the widest percentage, so that the bar keeps its length.
  const cells = Math.min(MAX_BAR_CELLS, width - 7);
  if (cells < MIN_BAR_CELLS) return clip(percent, width);
  return `${barCells(snapshot, total, cells, paint)} ${percent.padStart(6)}`;
}

function barCells(snapshot: Snapshot, total: number, cells: number, paint: Paint): string {
  const scale = total > 0 ? cells / total : 0;
  // Rounded down, so that the bar is full only when all rows are done.
  const done = total > 0 ? Math.floor(doneRows(snapshot) * scale) : cells;
  const skipped = Math.min(done, Math.round(snapshot.skipped * scale));
  // At least one cell: one failed row of a million must be visible.
  const failed = snapshot.failed === 0
    ? 0
    : Math.min(done - skipped, Math.max(1, Math.round(snapshot.failed * scale)));
  return paint(SHAPES.skipped.repeat(skipped), "dim") +
    paint(SHAPES.succeeded.repeat(done - skipped - failed), "green") +
    paint(SHAPES.failed.repeat(failed), "red") +
    paint(SHAPES.left.repeat(cells - done), "dim");
}
