/**
 * Where a run shows itself, and how.
 *
 * @module
 */

import { printableLines } from "../lib/printable.ts";
import { createBar, createJsonLines, createPlain } from "../lib/terminal/mod.ts";
import type { RunListener } from "../lib/progress/mod.ts";
import type { Io } from "./io.ts";

/** How the run shows itself. */
export const PROGRESS_STYLES = ["auto", "bar", "plain", "json", "none"] as const;

/** One of them. */
export type ProgressStyle = typeof PROGRESS_STYLES[number];

/** Where the run is shown. */
export interface Screen {
  /** Hears what the run says. */
  readonly listener: RunListener;
  /** Says something to the person, in between. */
  readonly say: (message: string) => void;
  /** Leaves what was shown last. */
  readonly close: () => void;
}

/** Opens it. */
export function openScreen(style: ProgressStyle, io: Io, isVerbose = false): Screen {
  const writeLine = (message: string) => io.writeErr(`${printableLines(message)}\n`);
  const isBar = style === "bar" || (style === "auto" && showsBar(io));
  if (isBar) {
    const newBar = () =>
      createBar({
        write: (text) => io.writeErr(text),
        columns: () => io.columns(),
        color: usesColor(io),
        isVerbose,
      });
    let bar = newBar();
    let hasEnded = false;
    const listener: RunListener = (event) => {
      // A bar ends with its run, and another run may follow.
      if (hasEnded) bar = newBar();
      hasEnded = event.type === "run-end";
      bar(event);
    };
    const say = (message: string) => {
      bar.clear();
      writeLine(message);
    };
    return { listener, say, close: () => bar.done() };
  }
  if (style === "none") return { listener: () => {}, say: writeLine, close: () => {} };
  const listener = style === "json"
    ? createJsonLines({ write: (text) => io.writeOut(text) })
    : createPlain({ write: (text) => io.writeErr(text), isVerbose });
  return { listener, say: writeLine, close: () => {} };
}

function showsBar(io: Io): boolean {
  return io.isTerminal && io.env("TERM") !== "dumb" && !io.env("CI");
}

/** Whether text for people may have colours. */
export function usesColor(io: Io): boolean {
  return io.isTerminal && !io.env("NO_COLOR") && io.env("TERM") !== "dumb";
}
