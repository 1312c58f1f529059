/**
 * Progress where there is no terminal: a line now and then for logs, or each event as one line of JSON for programs.
 *
 * @module
 */

import { formatDuration } from "../figures.ts";
import { printableJson } from "../printable.ts";
import type { RunEvent, RunListener, RunState, Snapshot } from "../progress/mod.ts";
import {
  noticeSegment,
  rowsSegment,
  shareSegments,
  speedSegments,
  startText,
  stateText,
  troubleTexts,
  workSegments,
} from "./status.ts";

/** What plain lines need. */
export interface PlainOptions {
  /** Writes to the log; the text ends with a line break. */
  write: (text: string) => void;
  /** The longest time between two lines. @default 30000 */
  intervalMs?: number;
  /** Milliseconds of a clock that never goes back. @default performance.now */
  now?: () => number;
}

/** While every row waits for a moment, again and again, the state changes several times a second. */
const LEAST_BETWEEN_WAITS_MS = 10_000;

/** A line of a log may be long, but a teacher's words may be longer. */
const MOST_REASON_CELLS = 120;

/** Makes a listener that writes a line every 30 s, at each change of state, and for each notice. */
export function createPlain(options: PlainOptions): RunListener {
  const { write, intervalMs = 30_000, now = () => performance.now() } = options;
  let lastMs = -Infinity;
  let lastState: RunState | undefined;

  return function listen(event: RunEvent): void {
    if (event.type === "notice") return write(noticeSegment(event).text + "\n");
    if (event.type === "run-start") return write(startText(event) + "\n");
    if (event.type !== "snapshot") return;
    const isWait = event.state === "backing_off" ||
      (event.state === "running" && lastState === "backing_off");
    const leastMs = event.state === lastState ? intervalMs : isWait ? LEAST_BETWEEN_WAITS_MS : 0;
    if (now() - lastMs < leastMs) return;
    lastMs = now();
    lastState = event.state;
    write(plainLine(event) + "\n");
  };
}

function plainLine(snapshot: Snapshot): string {
  const time = formatDuration(snapshot.elapsed_ms);
  const beginning = `[${time}] ${stateText(snapshot, MOST_REASON_CELLS)}`;
  if (snapshot.state === "preparing") return beginning;
  const segments = [
    rowsSegment(snapshot),
    ...shareSegments(snapshot),
    ...workSegments(snapshot),
    ...speedSegments(snapshot),
  ].map(({ text }) => text);
  return `${beginning}: ${[...segments, ...troubleTexts(snapshot)].join(" · ")}`;
}

/** Makes a listener that writes each event as one line of JSON. */
export function createJsonLines(options: { write: (text: string) => void }): RunListener {
  const { write } = options;
  return (event: RunEvent) => write(printableJson(JSON.stringify(event)) + "\n");
}
