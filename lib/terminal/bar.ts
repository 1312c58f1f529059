/**
 * Progress in a terminal: at most four calm lines, drawn in place.
 *
 * After each drawing the cursor goes back to the start of the first line. That is what makes a resize
 * harmless: however the terminal wraps the old lines anew, they lie from the cursor on, and the next
 * drawing erases everything from there. (A bar that moves up by the lines that it drew before leaves
 * some behind when the terminal got narrower.)
 *
 * @module
 */

import { renderBar } from "./bar_lines.ts";
import type { RunEvent, RunListener, Snapshot } from "../progress/mod.ts";
import { printable } from "../printable.ts";
import { noticeSegment, startText } from "./status.ts";
import { createPaint } from "./columns.ts";

const LEAST_DRAW_INTERVAL_MS = 250;

const ERASE_LINE = "\x1b[K";
const ERASE_BELOW = "\x1b[J";

/** What a bar needs to know of its terminal. */
export interface BarOptions {
  /** Writes to the terminal. */
  write: (text: string) => void;
  /** The width of the terminal now; asked at each drawing. */
  columns: () => number;
  /** Whether colours may be used (`NO_COLOR`). */
  color: boolean;
  /** Milliseconds of a clock that never goes back. @default performance.now */
  now?: () => number;
  /** What stands before the bar. @default nothing */
  projectName?: string;
}

/** A listener that draws. */
export type Bar = RunListener & {
  /** Takes the bar off the screen; the next snapshot draws it again. */
  clear(): void;
  /** Draws it a last time and leaves the cursor below it; it draws nothing more. */
  done(): void;
};

/** Makes the bar. It ends with the event `run-end`, or with `done()`. */
export function createBar(options: BarOptions): Bar {
  const { write, color, now = () => performance.now() } = options;
  const paint = createPaint(color);
  const name = printable(options.projectName ?? "");
  /** Lines to be printed above the bar with its next drawing. */
  let above: string[] = [];
  let last: Snapshot | undefined;
  let drawnMs = -Infinity;
  let isDone = false;

  function draw(): void {
    const width = Math.max(1, options.columns() - 1);
    const lines = last === undefined ? [] : renderBar(last, { name, width, paint });
    const notices = above.map((line) => line + ERASE_BELOW + "\r\n").join("");
    above = [];
    const up = lines.length > 1 && !isDone ? `\x1b[${lines.length - 1}A\r` : "\r";
    const end = isDone && lines.length > 0 ? "\r\n" : up;
    write("\r" + notices + lines.join(ERASE_LINE + "\r\n") + ERASE_BELOW + end);
    drawnMs = now();
  }

  function drawSeldom(): void {
    if (now() - drawnMs >= LEAST_DRAW_INTERVAL_MS) draw();
  }

  function listen(event: RunEvent): void {
    if (isDone) return;
    if (event.type === "run-end") return done();
    if (event.type === "snapshot") {
      last = event;
    } else {
      const { text, colour } = event.type === "notice"
        ? noticeSegment(event)
        : { text: startText(event), colour: undefined };
      above.push(paint(text, colour));
    }
    drawSeldom();
  }

  function clear(): void {
    if (isDone) return;
    write("\r" + above.map((line) => line + ERASE_BELOW + "\r\n").join("") + ERASE_BELOW);
    above = [];
    drawnMs = -Infinity;
  }

  function done(): void {
    if (isDone) return;
    isDone = true;
    if (last !== undefined || above.length > 0) draw();
  }

  return Object.assign(listen, { clear, done });
}
