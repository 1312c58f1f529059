/**
 * Progress in a terminal: at most five lines, drawn in place.
 *
 * After each drawing the cursor goes back to the start of the first line. That makes a resize
 * harmless: however the terminal wraps the old lines again, they begin at the cursor, and the next
 * drawing erases everything from there. (A bar that moves up by the number of lines it drew leaves
 * some behind when the terminal becomes narrower.)
 *
 * @module
 */

import { formatPercent } from "../figures.ts";
import { printable } from "../printable.ts";
import type { RunEvent, RunListener, Snapshot } from "../progress/mod.ts";
import {
  clip,
  createPaint,
  joinSegments,
  type Paint,
  type Segment,
  segmentCells,
  stringWidth,
} from "./columns.ts";
import {
  doneRows,
  mainSegments,
  MOST_COLUMNS,
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

/** The options of a bar. */
export interface BarOptions {
  /** Writes to the terminal. */
  write: (text: string) => void;
  /** Returns the width of the terminal; called at each drawing. */
  columns: () => number;
  /** Whether colours may be used (`NO_COLOR`). */
  color: boolean;
  /** Milliseconds of a monotonic clock. @default performance.now */
  now?: () => number;
  /** Whether the figures of the process are shown. @default false */
  isVerbose?: boolean;
  /** A name in front of the bar. @default none */
  projectName?: string;
}

/** A listener that draws. */
export type Bar = RunListener & {
  /** Erases the bar; the next snapshot draws it again. */
  clear(): void;
  /** Draws the bar a last time and leaves the cursor below it. */
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

/** What is on the screen. */
class Drawing {
  readonly #options: BarOptions;
  readonly #now: () => number;
  readonly #paint: Paint;
  readonly #name: string;
  /** Lines to print above the bar with its next drawing. */
  #above: string[] = [];
  #last: Snapshot | undefined;
  #drawnMs = -Infinity;
  #isDone = false;

  constructor(options: BarOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#paint = createPaint(options.color);
    this.#name = printable(options.projectName ?? "");
  }

  listen(event: RunEvent): void {
    if (this.#isDone) return;
    if (event.type === "run-end") return this.done();
    if (event.type === "snapshot") {
      this.#last = event;
    } else {
      const { text, colour } = event.type === "notice"
        ? noticeSegment(event)
        : { text: startText(event), colour: undefined };
      this.#above.push(this.#paint(text, colour));
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
    const width = Math.min(MOST_COLUMNS, Math.max(1, columns() - 1));
    const view = { name: this.#name, width, paint: this.#paint, isVerbose };
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

/** The widest bar; more cells would add nothing. */
const MAX_BAR_CELLS = 100;

/** The narrowest bar that shows anything. */
const MIN_BAR_CELLS = 4;

/** Different shapes, so that they can be distinguished without colours. */
const SHAPES = { skipped: "▒", succeeded: "█", failed: "▚", left: "░" };

/** What the lines are made with. */
export interface BarView {
  /** The name in front of the bar; printable. */
  readonly name: string;
  /** The maximum number of cells in a line. */
  readonly width: number;
  /** Colours text. */
  readonly paint: Paint;
  /** Whether the figures of the process are shown. */
  readonly isVerbose: boolean;
}

/**
 * Makes the lines of the bar: three, one for the process on request, and one for a problem. Each
 * starts with an empty cell, where the cursor rests.
 */
function renderBar(snapshot: Snapshot, view: BarView): string[] {
  const { paint } = view;
  const width = view.width - 1;
  // A longer reason would leave no room for figures.
  const words = stateText(snapshot, Math.floor(width / 3));
  if (snapshot.state === "preparing") {
    const name: Segment[] = view.name === "" ? [] : [{ text: view.name, colour: "bold" }];
    return [" " + joinSegments([...name, { text: words }], width, paint)];
  }
  const state: Segment[] = snapshot.state === "running" ? [] : [{ text: words, colour: "yellow" }];
  const figures = [...state, rowsSegment(snapshot), ...mainSegments(snapshot)];
  const brief = [...state, rowsSegment(snapshot), ...mainSegments(snapshot, true)];
  const process = view.isVerbose ? processSegments(snapshot) : [];
  const lines = [
    barLine(snapshot, view, width),
    // Ranges of estimates make room for the number of failed rows.
    joinSegments(segmentCells(figures) <= width ? figures : brief, width, paint),
    joinSegments(workSegments(snapshot), width, paint),
    joinSegments(process, width, paint),
    paint(clip(troubleTexts(snapshot).join(" · "), width), "red"),
  ];
  return lines.filter((line) => line !== "").map((line) => " " + line);
}

/** `name ▒▒███████▚░░░░  62.4%`; the name alone while the number of rows is not known. */
function barLine(snapshot: Snapshot, { name, paint }: BarView, width: number): string {
  const label = clip(name, Math.floor(width / 3));
  const { total } = snapshot;
  if (total === null) return paint(label, "bold");
  const percent = formatPercent(doneRows(snapshot), total);
  const before = label === "" ? "" : paint(label, "bold") + " ";
  const labelCells = label === "" ? 0 : stringWidth(label) + 1;
  // 7: a space and the widest percentage, so that the bar keeps its length.
  const cells = Math.min(MAX_BAR_CELLS, width - labelCells - 7);
  if (cells < MIN_BAR_CELLS) return clip(percent, width);
  return `${before}${barCells(snapshot, total, cells, paint)} ${percent.padStart(6)}`;
}

function barCells(snapshot: Snapshot, total: number, cells: number, paint: Paint): string {
  const scale = total > 0 ? cells / total : 0;
  // Rounded down, so that the bar is full only when all is done.
  const done = total > 0 ? Math.floor(doneRows(snapshot) * scale) : cells;
  const skipped = Math.min(done, Math.round(snapshot.skipped * scale));
  // One failed row of a million still shows.
  const failed = snapshot.failed === 0
    ? 0
    : Math.min(done - skipped, Math.max(1, Math.round(snapshot.failed * scale)));
  return paint(SHAPES.skipped.repeat(skipped), "dim") +
    paint(SHAPES.succeeded.repeat(done - skipped - failed), "green") +
    paint(SHAPES.failed.repeat(failed), "red") +
    paint(SHAPES.left.repeat(cells - done), "dim");
}
