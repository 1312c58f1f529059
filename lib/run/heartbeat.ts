/**
 * The tasks of a run once a second: it notes its calls in flight in the lock file, and checks that the output
 * files and the lock are still those that it opened.
 *
 * If the run crashes, the calls of the note may have been billed, and their rows are sent again. A call counts from
 * its start until its answer is written, so answers that wait in memory for a full disk count too. The note is an
 * upper bound at any moment, `kill -9` included: it is doubled before an attempt would exceed it, so that a run that
 * speeds up writes few notes, and once a second it is lowered to the highest number since.
 *
 * @module
 */

import { SinkError } from "../errors.ts";
import { hasContent as holdsBytes } from "../files.ts";
import type { Lock, RunNote } from "../sink/mod.ts";
import { every as everyMs } from "../timer.ts";

/** Options of a heartbeat. */
export interface HeartbeatOptions {
  /** Rows whose attempt is in flight now, or whose answer is not written yet. */
  readonly unwritten: () => number;
  /** The most attempts in flight: the note is not doubled beyond it. */
  readonly ceiling: () => number;
  /** Called back once a second. @default nothing */
  readonly onTick?: () => void;
  /** Calls back every `intervalMs` until the function that it returns is called. @default setInterval */
  readonly every?: (intervalMs: number, callback: () => void) => () => void;
  /** Unix milliseconds. @default Date.now */
  readonly now?: () => number;
}

const INTERVAL_MS = 1_000;

/** Keeps the notes of a run up to date, from its construction until `stop`, or the end of a `using` block. The
 * locks must be held until then. */
export class Heartbeat implements Disposable {
  readonly #locks: readonly Pick<Lock, "note">[];
  readonly #options: HeartbeatOptions;
  readonly #started: string;
  #noted = 0;
  /** The most rows at once since the last tick. */
  #peak = 0;
  #cancel: (() => void) | undefined;

  /** Starts: from now on, a run that ends without `stop` has crashed. */
  constructor(locks: readonly Pick<Lock, "note">[], options: HeartbeatOptions) {
    this.#locks = locks;
    this.#options = options;
    const { every = everyMs, now = Date.now } = options;
    this.#started = new Date(now()).toISOString();
    this.#note(0, true);
    this.#cancel = every(INTERVAL_MS, () => this.#tick());
  }

  /** An attempt is about to be made: `unwritten` rows with it. On the hot path. */
  beforeAttempt(unwritten: number): void {
    if (unwritten > this.#peak) this.#peak = unwritten;
    if (unwritten <= this.#noted) return;
    this.#note(Math.max(unwritten, Math.min(2 * unwritten, this.#options.ceiling())), true);
  }

  /** The run has ended, with nothing in flight. If it had to give up answers (`lost`), that is noted as after a
   * crash. Further calls do nothing. */
  stop(lost = 0): void {
    if (this.#cancel === undefined) return;
    this.#cancel();
    this.#cancel = undefined;
    this.#note(lost, lost > 0);
  }

  /** The same as `stop`. */
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
 * The most calls that were in flight when the runs that left these notes crashed; 0 if they ended properly. A run
 * over several inputs leaves its note with each of them and counts once.
 */
export function crashedInFlight(notes: readonly (RunNote | undefined)[]): number {
  const runs = new Map<string, number>();
  for (const note of notes) {
    // Not by process: the note of a crash is carried on by the process that found it.
    if (note?.running) {
      runs.set(note.started, Math.max(runs.get(note.started) ?? 0, note.in_flight));
    }
  }
  return runs.values().reduce((sum, inFlight) => sum + inFlight, 0);
}

/** How a job checks its files, and what it does to save lines. */
export interface GroundJob {
  /** What is wrong with them. `isLast`: closed files are checked as well. */
  checkGround(isLast: boolean): Promise<string | undefined>;
  /** Directs lines to new files, and returns their paths. */
  moveAway(): Promise<string[]>;
}

const AGAIN_MS = 1_000;
/** Timers may fire a little early. */
const APART_MS = 900;

/** What tests control. */
export interface GroundOptions {
  /** Milliseconds, monotonic. @default performance.now */
  readonly now?: () => number;
  /** Waits. */
  readonly delay?: (ms: number) => Promise<unknown>;
  /** Whether a file holds anything. */
  readonly hasContent?: (path: string) => Promise<boolean>;
}

/** Checks that the output files and locks of all jobs are still there. */
export class Ground {
  readonly #jobs: readonly GroundJob[];
  readonly #onLost: (error: SinkError) => void;
  readonly #now: () => number;
  readonly #delay: (ms: number) => Promise<unknown>;
  readonly #hasContent: (path: string) => Promise<boolean>;
  #looking: Promise<void> | undefined;
  /** When the current series of problems began. */
  #firstSeenAt: number | undefined;
  #isOver = false;
  #lost: LostGround | undefined;

  /** `onLost` is called once: nothing more may be sent. */
  constructor(
    jobs: readonly GroundJob[],
    onLost: (error: SinkError) => void,
    { now = () => performance.now(), delay = wait, hasContent = holdsBytes }: GroundOptions = {},
  ) {
    this.#jobs = jobs;
    this.#onLost = onLost;
    this.#now = now;
    this.#delay = delay;
    this.#hasContent = hasContent;
  }

  /** Checks the files, unless that is under way. To be called about once a second. */
  tick(): void {
    if (this.#isOver) return;
    this.#looking ??= this.#look().finally(() => this.#looking = undefined);
  }

  /**
   * Checks the files for the last time, twice if necessary.
   *
   * @throws {SinkError} when a file or the lock was lost, now or before
   */
  async end(): Promise<void> {
    await this.close();
    await this.#look(true);
    while (this.#firstSeenAt !== undefined && this.#lost === undefined) {
      await this.#delay(AGAIN_MS);
      await this.#look(true);
    }
    if (this.#lost !== undefined) throw await this.#errorOf(this.#lost);
  }

  /** Whether files are being checked. */
  get isLooking(): boolean {
    return this.#looking !== undefined;
  }

  /** Stops checking; resolves once no file is being checked. */
  async close(): Promise<void> {
    this.#isOver = true;
    await this.#looking;
  }

  async #look(isLast = false): Promise<void> {
    const problems = await Promise.all(this.#jobs.map((job) => job.checkGround(isLast)));
    const problem = problems.find((one) => one !== undefined);
    if (this.#lost !== undefined) {
      // Answers still come in, so problems of other files are handled without a second check.
      if (problem !== undefined) await this.#moveAway(this.#lost);
    } else if (problem === undefined) this.#firstSeenAt = undefined;
    else if (this.#firstSeenAt === undefined) this.#firstSeenAt = this.#now();
    else if (this.#now() - this.#firstSeenAt >= APART_MS) await this.#lose(problem);
  }

  /** Lines since the last check without a problem are saved at once: calls in flight may take minutes. */
  async #lose(problem: string): Promise<void> {
    this.#lost = { problem, rescued: [], cause: undefined };
    await this.#moveAway(this.#lost);
    this.#onLost(await this.#errorOf(this.#lost));
  }

  /** Tried again at the next check, as the disk may be full. */
  async #moveAway(lost: LostGround): Promise<void> {
    lost.cause = undefined;
    for (const job of this.#jobs) {
      try {
        lost.rescued.push(...await job.moveAway());
      } catch (cause) {
        lost.cause ??= cause;
      }
    }
  }

  async #errorOf({ problem, rescued, cause }: LostGround): Promise<SinkError> {
    if (cause === undefined) {
      const kept: string[] = [];
      // A file without a line will be removed.
      for (const path of rescued) {
        if (await this.#hasContent(path).catch(() => true)) kept.push(path);
      }
      return new SinkError(`${problem}. ${adviceFor(kept)}`);
    }
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new SinkError(`${problem}, and the last answers are not safe: ${reason}`, { cause });
  }
}

/** Output that was changed by others. */
interface LostGround {
  /** The first thing that was found. */
  readonly problem: string;
  /** Where lines are kept. */
  readonly rescued: string[];
  /** Why some lines are kept nowhere. */
  cause: unknown;
}

/** The most files that a message names. */
const MOST_NAMED = 5;

function adviceFor(rescued: readonly string[]): string {
  if (rescued.length === 0) {
    return "Make sure that no other run is active, then run the same command again";
  }
  const more = rescued.length > MOST_NAMED ? `, and ${rescued.length - MOST_NAMED} more` : "";
  return `The last answers are in "${rescued.slice(0, MOST_NAMED).join('", "')}"${more}: run the ` +
    "same command again, which adds them to the output";
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
