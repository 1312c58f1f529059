/**
 * Text that fits into a terminal: widths and colours.
 *
 * @module
 */

import { eastAsianWidth } from "../deps/east_asian_width.ts";

/** The colours that are used; each stands beside a word or a shape that says the same. */
export type Colour = "red" | "green" | "yellow" | "dim" | "bold";

const CODES: Readonly<Record<Colour, number>> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 };

/** Colours text, or gives it back as it is. */
export type Paint = (text: string, colour: Colour | undefined) => string;

/** Makes the function that colours text, if `color` says so. */
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
 * Puts segments on one line of at most `width` cells. They stand in the order of their importance: from
 * the first that does not fit, all are left out; the very first is cut instead.
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

/** Cuts printable text to `width` cells; what was cut is shown by an ellipsis. */
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
