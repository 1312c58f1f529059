/**
 * What the bar shows: from a snapshot to lines of text.
 *
 * @module
 */

import { stringWidth } from "../deps/string_width.ts";
import type { Snapshot } from "../progress/mod.ts";
import { formatPercent } from "../figures.ts";
import {
  doneRows,
  rowsSegment,
  speedSegments,
  stateText,
  troubleTexts,
  workSegments,
} from "./status.ts";
import { clip, joinSegments, type Paint, type Segment } from "./columns.ts";

/** A wider bar tells no more. */
const MOST_BAR_CELLS = 100;

/** A narrower one tells nothing. */
const LEAST_BAR_CELLS = 4;

/** The shapes differ, so that they can be told apart without colours. */
const SHAPES = { skipped: "▒", succeeded: "█", failed: "▚", left: "░" };

/** What the lines are made with. */
export interface BarView {
  /** What stands before the bar; printable. */
  readonly name: string;
  /** The most cells that a line may take. */
  readonly width: number;
  /** Colours text. */
  readonly paint: Paint;
}

/**
 * Makes the lines of the bar: three, and a fourth for what goes wrong. Each starts with an empty
 * cell, where the cursor rests.
 */
export function renderBar(snapshot: Snapshot, view: BarView): string[] {
  const { paint } = view;
  const width = view.width - 1;
  // A longer reason would leave no room for figures.
  const words = stateText(snapshot, Math.floor(width / 3));
  if (snapshot.state === "preparing") {
    const name: Segment[] = view.name === "" ? [] : [{ text: view.name, colour: "bold" }];
    return [" " + joinSegments([...name, { text: words }], width, paint)];
  }
  const state: Segment[] = snapshot.state === "running" ? [] : [{ text: words, colour: "yellow" }];
  const lines = [
    barLine(snapshot, view, width),
    joinSegments([...state, rowsSegment(snapshot), ...workSegments(snapshot)], width, paint),
    joinSegments(speedSegments(snapshot), width, paint),
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
  const cells = Math.min(MOST_BAR_CELLS, width - labelCells - 7);
  if (cells < LEAST_BAR_CELLS) return clip(percent, width);
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
