/**
 * Fits text into terminal columns, and colors it.
 *
 * @module
 */

import { eastAsianWidth } from "../deps/east_asian_width.ts";

/** The colors of text. They may be turned off, so a color must not be the only sign of
 * something. */
export type Color = "red" | "green" | "yellow" | "dim" | "bold";

const CODES: Readonly<Record<Color, number>> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 };

export type Paint = (text: string, color: Color | undefined) => string;

/** Returns a function that colors text. If `isColored` is false, the function returns text
 * unchanged. */
export function createPaint(isColored: boolean): Paint {
  if (!isColored) return (text) => text;
  return (text, color) =>
    color === undefined || text === "" ? text : `\x1b[${CODES[color]}m${text}\x1b[0m`;
}

export interface Segment {
  /** The text must be printable, because control characters would act on the terminal. */
  readonly text: string;
  readonly color?: Color;
}

export const SEPARATOR = " · ";

/**
 * Joins segments, starting with the most important one, into a line of at most `width` cells. Drops
 * the first segment that does not fit and all segments after it. The first segment of the line is
 * shortened instead of dropped.
 */
export function joinSegments(segments: readonly Segment[], width: number, paint: Paint): string {
  let line = "";
  let cellsLeft = width;
  for (const { text, color } of segments) {
    if (line === "") {
      const clipped = clip(text, width);
      line = paint(clipped, color);
      cellsLeft -= stringWidth(clipped);
      continue;
    }
    cellsLeft -= SEPARATOR.length + stringWidth(text);
    if (cellsLeft < 0) break;
    line += paint(SEPARATOR, "dim") + paint(text, color);
  }
  return line;
}

/** Shortens printable text to `width` cells. If the text is shortened, its last cell is an
 * ellipsis. */
export function clip(text: string, width: number): string {
  if (width <= 0) return "";
  if (stringWidth(text) <= width) return text;
  let clipped = "";
  let cellsLeft = width - 1;
  for (const character of text) {
    cellsLeft -= stringWidth(character);
    if (cellsLeft < 0) break;
    clipped += character;
  }
  return clipped + "…";
}

/** Clips printable texts to `maxCells`, and pads them to the width of the widest one plus two
 * cells. Adds no padding if all texts are empty. */
export function columnOf(texts: readonly string[], maxCells: number): string[] {
  const cells = texts.map((text) => clip(text, maxCells));
  const width = Math.max(...cells.map(stringWidth));
  if (width === 0) return cells;
  return cells.map((text) => text + " ".repeat(width - stringWidth(text) + 2));
}

/** Matches texts in which every character takes one cell: ASCII, Latin-1, and the dashes, dots,
 * lines and blocks that Retort prints. */
const ONE_CELL_EACH = /^[ -~¡-¬®-ÿ‐-‧─-▟]*$/;

export function stringWidth(text: string): number {
  return ONE_CELL_EACH.test(text) ? text.length : cellsOf(text);
}

/** Created only when needed, because creating them takes 30 ms. */
let patterns: ReturnType<typeof makePatterns> | undefined;

function makePatterns() {
  return {
    graphemes: new Intl.Segmenter(),
    emoji: /^(?:\p{RGI_Emoji}|\p{Regional_Indicator})/v,
    invisible:
      /[\p{Default_Ignorable_Code_Point}\p{Control}\p{Nonspacing_Mark}\p{Enclosing_Mark}]/gu,
    hangul: /^\p{Script=Hangul}/u,
  };
}

function cellsOf(text: string): number {
  const { graphemes, emoji, invisible, hangul } = patterns ??= makePatterns();
  let cells = 0;
  for (const { segment } of graphemes.segment(text)) {
    if (emoji.test(segment)) {
      cells += 2;
      continue;
    }
    for (const character of segment.replace(invisible, "")) {
      cells += eastAsianWidth(character.codePointAt(0)!);
      // The letters of a Hangul syllable share cells.
      if (hangul.test(segment)) break;
    }
  }
  return cells;
}
