/**
 * Pictures of text for the README: a run in a terminal, and a results line.
 *
 * @module
 */

import { main } from "../../cli.ts";
import type { Io } from "../../cli/io.ts";
import type { Browser } from "./deps/playwright.ts";

const COLUMNS = 104;

/** A run against a simulated teacher, for a picture of its terminal. */
export interface TerminalRun {
  /** What the picture shows as the typed command. */
  readonly typed: string;
  /** Arguments that are used instead. */
  readonly args: readonly string[];
  /** Share of the rows that are done when the picture is taken, in per cent. */
  readonly share: number;
  /** Replaces temporary folders and local addresses. */
  readonly rename: (text: string) => string;
}

export async function takeTerminal(
  browser: Browser,
  { typed, args, share, rename }: TerminalRun,
  path: string,
): Promise<void> {
  const screen = new Screen();
  screen.write(`\x1b[2m$\x1b[0m ${typed}\r\n`);
  let shown: string | undefined;
  let stop = () => {};
  const io: Io = {
    writeOut() {},
    writeErr(text) {
      screen.write(rename(text).replaceAll(/\r?\n/g, "\r\n"));
      const done = /(\d+\.\d)%/.exec(screen.text)?.[1];
      if (shown !== undefined || Number(done ?? 0) < share) return;
      shown = screen.html;
      stop();
    },
    env: () => undefined,
    stdin: new ReadableStream(),
    isTerminal: true,
    columns: () => COLUMNS,
    onSignal(signal, handler) {
      if (signal === "SIGINT") stop = handler;
      return () => {};
    },
    program: "retort",
  };
  await main(args, io);
  if (shown === undefined) {
    throw new Error(`Cannot take a picture: no ${share} % in ${screen.text}`);
  }
  await take(browser, shown, path);
}

/**
 * Takes a picture of a results line. Retort's keys have another color than those of the input row.
 */
export async function takeRow(
  browser: Browser,
  line: string,
  own: readonly string[],
  path: string,
): Promise<void> {
  const text = escaped(JSON.stringify(JSON.parse(line), null, 2)).replaceAll(
    /^(\s*)"([\w-]+)":/gm,
    (_match, indent, key) => {
      const style = indent.length === 2 && own.includes(key) ? "own" : "key";
      return `${indent}<span class="${style}">"${key}"</span>:`;
    },
  );
  await take(browser, text, path);
}

async function take(
  browser: Browser,
  text: string,
  path: string,
): Promise<void> {
  const page = await browser.newPage({ deviceScaleFactor: 2 });
  await page.setContent(`<style>
    body { margin: 0; width: max-content; background: #16181d }
    pre {
      margin: 0; padding: 16px 20px; color: #e3e6eb; white-space: pre-wrap; max-width: ${COLUMNS}ch;
      font: 13px/1.45 ui-monospace, "DejaVu Sans Mono", monospace;
    }
    .bold { font-weight: 600 } .dim { color: #8b929e } .red { color: #ff7b72 } .green { color: #56d364 } .yellow { color: #e3b341 }
    .key { color: #79c0ff } .own { color: #56d364 }
  </style><pre>${text}</pre>`);
  await page.locator("pre").screenshot({ path });
  await page.close();
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

const STYLES: Readonly<Record<string, string>> = {
  1: "bold",
  2: "dim",
  31: "red",
  32: "green",
  33: "yellow",
};

interface Cell {
  readonly character: string;
  readonly style: string;
}

/** Matches a control sequence or a character. */
// deno-lint-ignore no-control-regex
const TOKEN = /\x1b\[(\d*)([A-Za-z])|[^]/gu;

/** The part of a terminal that the bar of a run needs. */
class Screen {
  readonly #lines: Cell[][] = [[]];
  #row = 0;
  #column = 0;
  #style = "";

  /** Text of the screen, without styles. */
  get text(): string {
    return this.#lines.map((line) => line.map(({ character }) => character).join("")).join("\n");
  }

  /** Text of the screen with its styles. */
  get html(): string {
    return this.#lines.map((line) =>
      line.map(({ character, style }) =>
        style === "" ? escaped(character) : `<span class="${style}">${escaped(character)}</span>`
      ).join("")
    ).join("\n").trimEnd();
  }

  write(text: string): void {
    for (const [token, number, letter] of text.matchAll(TOKEN)) {
      if (letter !== undefined) this.#control(letter, number);
      else if (token === "\r") this.#column = 0;
      else if (token === "\n") this.#lines[++this.#row] ??= [];
      else {this.#lines[this.#row][this.#column++] = {
          character: token,
          style: this.#style,
        };}
    }
  }

  #control(letter: string, number: string): void {
    if (letter === "A") this.#row -= Number(number);
    else if (letter === "m") this.#style = STYLES[number] ?? "";
    else {
      this.#lines[this.#row].length = Math.min(
        this.#lines[this.#row].length,
        this.#column,
      );
      if (letter === "J") this.#lines.length = this.#row + 1;
    }
  }
}
