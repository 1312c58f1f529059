/**
 * Fits text into terminal columns, and colours it.
 *
 * @module
 */

import { eastAsianWidth } from "../deps/east_asian_width.ts";

/** The colours. Each comes with a word or a shape that says the same. */
export type Colour = "red" | "green" | "yellow" | "dim" | "bold";

const CODES: Readonly<Record<Colour, number>> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 };

/** Colours text, or returns it unchanged. */
export type Paint = (text: string, colour: Colour | undefined) => string;

/** Creates the function that colours text, if `color` is set. */
export function createPaint(color: boolean): Paint {
  if (!color) return (text) => text;
  return (text, colour) =>
    colour === undefined || text === "" ? text : `\x1b[${CODES[colour]}m${text}\x1b[0m`;
}

/** A piece of a line, and its colour. */
export interface Segment {
  /** Printable text. */
  readonly text: string;
  /** Its colour, none by default. */
  readonly colour?: Colour;
}

const SEPARATOR = " · ";

/**
 * Joins segments to one line of at most `width` cells. They come in order of importance: from the
 * first that does not fit, all are left out, but the very first is shortened instead.
 */
export function joinSegments(segments: readonly Segment[], width: number, paint: Paint): string {
  let line = "";
  let left = width;
  for (const { text, colour } of segments) {
    if (line === "") {
      const first = clip(text, width);
      line = paint(first, colour);
      left -= stringWidth(first);
      continue;
    }
    left -= SEPARATOR.length + stringWidth(text);
    if (left < 0) break;
    line += paint(SEPARATOR, "dim") + paint(text, colour);
  }
  return line;
}

/** The cells that joined segments need. */
export function segmentCells(segments: readonly Segment[]): number {
  return segments.reduce((sum, { text }) => sum + SEPARATOR.length + stringWidth(text), 0) -
    SEPARATOR.length;
}

/** Shortens printable text to `width` cells, with an ellipsis. */
export function clip(text: string, width: number): string {
  if (width <= 0) return "";
  if (stringWidth(text) <= width) return text;
  let kept = "";
  let left = width - 1;
  for (const character of text) {
    left -= stringWidth(character);
    if (left < 0) break;
    kept += character;
  }
  return kept + "…";
}

/** Text of characters that take one cell each: ASCII, Latin-1, and what our own lines are drawn with. */
const ONE_CELL_EACH = /^[ -~¡-¬®-ÿ‐-‧─-▟]*$/;

/** The number of cells that printable text takes in a terminal. */
export function stringWidth(text: string): number {
  return ONE_CELL_EACH.test(text) ? text.length : cellsOf(text);
}

/** What characters are counted by. Made when text needs it: it takes 30 ms. */
let unicode: ReturnType<typeof makePatterns> | undefined;

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
  const { graphemes, emoji, invisible, hangul } = unicode ??= makePatterns();
  let cells = 0;
  for (const { segment } of graphemes.segment(text)) {
    if (emoji.test(segment)) {
      cells += 2;
      continue;
    }
    for (const character of segment.replace(invisible, "")) {
      cells += eastAsianWidth(character.codePointAt(0)!);
      // The letters of a syllable share its cells.
      if (hangul.test(segment)) break;
    }
  }
  return cells;
}
