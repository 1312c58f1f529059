/** How a run is shown on the terminal. @module */

import { formatDuration } from "../lib/figures.js";
import { printableLines } from "../lib/printable.ts";
import type { RunListener, Snapshot } from "../lib/progress/mod.ts";
import { createBar, createJsonLines, createPlain } from "../lib/terminal/mod.ts";
import type { Io } from "./io.ts";

export const PROGRESS_STYLES = ["auto", "bar", "plain", "json", "none"] as const;

export type ProgressStyle = typeof PROGRESS_STYLES[number];

export interface Screen {
  readonly listener: RunListener;
  /** Prints a message without breaking the display. */
  readonly say: (message: string) => void;
  /** Ends the display; its last state stays visible. */
  readonly close: () => void;
}

export function openScreen(style: ProgressStyle, io: Io, isVerbose = false): Screen {
  const writeLine = (message: string) => io.writeErr(`${printableLines(message)}\n`);
  const isBar = style === "bar" || (style === "auto" && showsBar(io));
  if (isBar) {
    const newBar = () =>
      createBar({
        write: (text) => io.writeErr(text),
        columns: () => io.columns(),
        isColored: usesColor(io),
        isVerbose,
      });
    let bar = newBar();
    let hasEnded = false;
    const listener: RunListener = (event) => {
      // A bar ends with a run, but another run may follow.
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

/** Returns a listener that prints only warnings, such as that the disk is full (`--quiet`). */
export function createWarnings(say: (message: string) => void): RunListener {
  return (event) => {
    if (event.type === "notice" && event.level === "warning") say(`Warning: ${event.message}`);
  };
}

function showsBar(io: Io): boolean {
  return io.isTerminal && io.env("TERM") !== "dumb" && !io.env("CI");
}

export function usesColor(io: Io): boolean {
  return io.isTerminal && !io.env("NO_COLOR") && io.env("TERM") !== "dumb";
}

/** Minimum time left for the hint: a shorter run would be over before the hint helps. */
const MIN_SECONDS_LEFT = 300;

/** Errors that show that the teacher, not the concurrency, limits the run. */
const TEACHER_LIMITS = ["rate_limit", "server", "timeout", "network"];

/** Returns a listener that, once the time left is known, suggests a higher concurrency. */
export function createConcurrencyHint(say: (message: string) => void): RunListener {
  let wasShown = false;
  return (event) => {
    if (wasShown || event.type !== "snapshot" || !isLimitedByConcurrency(event)) return;
    wasShown = true;
    const timeLeft = formatDuration(event.eta_s! * 1_000);
    say(
      `About ${timeLeft} left at concurrency ${event.concurrency}, which limits the run: a higher -c is ` +
        "faster as long as the teacher keeps up",
    );
  };
}

function isLimitedByConcurrency(snapshot: Snapshot): boolean {
  const { state, in_flight, concurrency, limit, eta_s, eta_is_lower_bound, errors } = snapshot;
  if (state !== "running" || in_flight < concurrency || limit < concurrency) return false;
  if (eta_s === null || eta_is_lower_bound || eta_s < MIN_SECONDS_LEFT) return false;
  return !errors.some(({ type }) => TEACHER_LIMITS.includes(type));
}
