/**
 * A small terminal: the part that the bar uses. When the width changes, lines are wrapped again (as
 * in VTE, tmux, iTerm and Windows Terminal) or cut (as in xterm).
 *
 * @module
 */

import { stringWidth } from "../../lib/deps/string_width.ts";

interface ScreenRow {
  cells: string[];
  /** Whether the next row continues the same line. */
  wraps: boolean;
}

/** The screen after text was written. */
export class Screen {
  #rows: ScreenRow[] = [{ cells: [], wraps: false }];
  #row = 0;
  #column = 0;

  /** @param width Columns of the screen. */
  constructor(public width: number) {}

  /** Row of the cursor, from 0. */
  get cursorRow(): number {
    return this.#row;
  }

  /** Text on the screen, without empty rows at its end. */
  get lines(): string[] {
    const lines = this.#rows.map(({ cells }) => cells.join("").trimEnd());
    while (lines.at(-1) === "") lines.pop();
    return lines;
  }

  /** Writes text with the escape sequences that the bar uses; throws for any other. */
  write(text: string): void {
    // deno-lint-ignore no-control-regex
    for (const [token] of text.matchAll(/\x1b\[[\d;]*[A-Za-z]|[^]/gu)) {
      if (token.startsWith("\x1b[")) this.#control(token);
      else if (token === "\r") this.#column = 0;
      else if (token === "\n") this.#down(false);
      else if (/\p{Cc}/u.test(token)) throw new Error(`A control character: ${escape(token)}`);
      else this.#put(token);
    }
  }

  /** Changes the width. The cursor stays at its character. */
  resize(width: number, mode: "wrap" | "cut" = "wrap"): void {
    this.width = width;
    if (mode === "cut") {
      for (const row of this.#rows) row.cells.length = Math.min(row.cells.length, width);
      return;
    }
    const rows: ScreenRow[] = [];
    let cursor = { row: 0, column: 0 };
    let line: string[] = [];
    let cursorAt = -1;
    this.#rows.forEach((row, index) => {
      if (index === this.#row) cursorAt = line.length + this.#column;
      line.push(...row.cells);
      if (row.wraps) return;
      const first = rows.length;
      do rows.push({ cells: line.splice(0, width), wraps: line.length > 0 }); while (
        line.length > 0
      );
      if (cursorAt >= 0) {
        cursor = { row: first + Math.floor(cursorAt / width), column: cursorAt % width };
      }
      cursorAt = -1;
      line = [];
    });
    this.#rows = rows;
    this.#row = cursor.row;
    this.#column = cursor.column;
  }

  #control(sequence: string): void {
    const count = Number(sequence.slice(2, -1) || 1);
    const kind = sequence.at(-1);
    if (kind === "m") return;
    if (kind === "A") this.#row = Math.max(0, this.#row - count);
    else if (kind === "K" || kind === "J") {
      this.#rows[this.#row].cells.length = Math.min(this.#current.length, this.#column);
      this.#rows[this.#row].wraps = false;
      if (kind === "J") this.#rows.length = this.#row + 1;
    } else throw new Error(`Not a sequence of the bar: ${escape(sequence)}`);
  }

  #put(character: string): void {
    const cells = stringWidth(character);
    if (this.#column + cells > this.width) {
      this.#rows[this.#row].wraps = true;
      this.#down(true);
      this.#column = 0;
    }
    while (this.#current.length < this.#column) this.#current.push(" ");
    this.#current.splice(this.#column, cells, character, ...Array(cells - 1).fill(""));
    this.#column += cells;
  }

  #down(wraps: boolean): void {
    if (!wraps) this.#rows[this.#row].wraps = false;
    this.#row++;
    if (this.#row === this.#rows.length) this.#rows.push({ cells: [], wraps: false });
  }

  get #current(): string[] {
    return this.#rows[this.#row].cells;
  }
}

function escape(text: string): string {
  return JSON.stringify(text);
}
