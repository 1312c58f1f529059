/**
 * Notes the calls in flight of a run in its lock file.
 *
 * If the run crashes, these calls may have been billed, and their rows are sent again. A call
 * counts from its start until its answer is written, so answers that wait in memory for disk space
 * count too. The note is an upper bound at any moment, `kill -9` included: it is doubled before an
 * attempt would exceed it, so that a run that speeds up writes few notes, and once a second it is
 * lowered to the peak of that second.
 *
 * @module
 */

import type { Lock, RunNote } from "../sink/mod.ts";
import { every as everyMs } from "../timer.ts";
import { sumOf } from "../figures.ts";

export interface HeartbeatOptions {
  /** Rows with an attempt in flight, or with an answer that is not written yet. */
  readonly unwritten: () => number;
  /** The number of attempts that may be in flight: a note is not doubled beyond it. */
  readonly ceiling: () => number;
  /** Called once a second. @default nothing */
  readonly onTick?: () => void;
  /**
   * Calls `callback` every `intervalMs` until the returned function is called.
   * @default the timer that all intervals share
   */
  readonly every?: (intervalMs: number, callback: () => void) => () => void;
  /** Unix time in milliseconds. @default Date.now */
  readonly now?: () => number;
}

const INTERVAL_MS = 1_000;

/**
 * Keeps the notes of a run up to date, from its construction until `stop`. The locks must be held
 * until then.
 */
export class Heartbeat implements Disposable {
  readonly #locks: readonly Pick<Lock, "note">[];
  readonly #options: HeartbeatOptions;
  readonly #started: string;
  /** The number of calls in the last note. */
  #noted = 0;
  /** The highest value of `unwritten` since the last tick. */
  #peak = 0;
  #cancel: (() => void) | undefined;

  /** Writes the first note: from now on, a run that ends without `stop` has crashed. */
  constructor(locks: readonly Pick<Lock, "note">[], options: HeartbeatOptions) {
    this.#locks = locks;
    this.#options = options;
    const { every = everyMs, now = Date.now } = options;
    this.#started = new Date(now()).toISOString();
    this.#note(0, true);
    this.#cancel = every(INTERVAL_MS, () => this.#tick());
  }

  /** Called before each attempt; `unwritten` counts its row too. On the hot path. */
  beforeAttempt(unwritten: number): void {
    if (unwritten > this.#peak) this.#peak = unwritten;
    if (unwritten <= this.#noted) return;
    this.#note(Math.max(unwritten, Math.min(2 * unwritten, this.#options.ceiling())), true);
  }

  /**
   * Called when the run has ended. `lost` is the number of calls whose answers were lost: they are
   * noted like calls in flight at a crash. Further calls do nothing.
   */
  stop(lost = 0): void {
    if (this.#cancel === undefined) return;
    this.#cancel();
    this.#cancel = undefined;
    this.#note(lost, lost > 0);
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  #tick(): void {
    this.#options.onTick?.();
    const unwritten = this.#options.unwritten();
    const peak = Math.max(this.#peak, unwritten);
    this.#peak = unwritten;
    if (peak !== this.#noted) this.#note(peak, true);
  }

  #note(inFlight: number, running: boolean): void {
    this.#noted = inFlight;
    const note = { pid: Deno.pid, started: this.#started, running, in_flight: inFlight };
    for (const lock of this.#locks) lock.note(note);
  }
}

/**
 * The number of calls that may have been in flight when the runs that left these notes crashed; 0
 * if none crashed. A run with several inputs leaves a note for each, but counts once.
 */
export function crashedInFlight(notes: readonly (RunNote | undefined)[]): number {
  const runs = new Map<string, number>();
  for (const note of notes) {
    // By start, not by process id: the next lock holder rewrites a crash's note with its own id.
    if (note?.running) {
      runs.set(note.started, Math.max(runs.get(note.started) ?? 0, note.in_flight));
    }
  }
  return sumOf(runs.values(), (inFlight) => inFlight);
}
