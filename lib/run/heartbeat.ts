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
import type { Lock, RunNote } from "../sink/mod.ts";
import { every as everyMs } from "../timer.ts";
import type { Job } from "./job.ts";

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

/** How a job checks its files. */
export type GroundJob = Pick<Job, "checkGround" | "moveAway">;

const AGAIN_MS = 1_000;
/** Timers may fire a little early. */
const APART_MS = 900;

/** What tests control. */
export interface GroundOptions {
  /** Milliseconds, monotonic. @default performance.now */
  readonly now?: () => number;
  /** Waits. */
  readonly delay?: (ms: number) => Promise<unknown>;
}

/** Checks that the output files and locks of all jobs are still there. */
export class Ground {
  readonly #jobs: readonly GroundJob[];
  readonly #onLost: (error: SinkError) => void;
  readonly #now: () => number;
  readonly #delay: (ms: number) => Promise<unknown>;
  #looking: Promise<void> | undefined;
  /** When the current series of problems began. */
  #firstSeenAt: number | undefined;
  #isOver = false;
  #error: SinkError | undefined;

  /** `onLost` is called once: nothing more may be sent. */
  constructor(
    jobs: readonly GroundJob[],
    onLost: (error: SinkError) => void,
    { now = () => performance.now(), delay = wait }: GroundOptions = {},
  ) {
    this.#jobs = jobs;
    this.#onLost = onLost;
    this.#now = now;
    this.#delay = delay;
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
    await this.#look();
    while (this.#firstSeenAt !== undefined && this.#error === undefined) {
      await this.#delay(AGAIN_MS);
      await this.#look();
    }
    if (this.#error !== undefined) throw this.#error;
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

  async #look(): Promise<void> {
    const problems = await Promise.all(this.#jobs.map((job) => job.checkGround()));
    const problem = problems.find((one) => one !== undefined);
    if (this.#error !== undefined) {
      // Answers still come in, so problems of other files are handled without a second check.
      if (problem !== undefined) await this.#moveAway().catch(() => {});
    } else if (problem === undefined) this.#firstSeenAt = undefined;
    else if (this.#firstSeenAt === undefined) this.#firstSeenAt = this.#now();
    else if (this.#now() - this.#firstSeenAt >= APART_MS) await this.#lose(problem);
  }

  /** Lines since the last check without a problem are saved at once: calls in flight may take minutes. */
  async #lose(problem: string): Promise<void> {
    try {
      const rescued = await this.#moveAway();
      this.#error = new SinkError(`${problem}. ${adviceFor(rescued)}`);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      this.#error = new SinkError(`${problem}, and the last answers are not safe: ${reason}`, {
        cause,
      });
    }
    this.#onLost(this.#error);
  }

  async #moveAway(): Promise<string[]> {
    const rescued: string[] = [];
    for (const job of this.#jobs) rescued.push(...await job.moveAway());
    return rescued;
  }
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
