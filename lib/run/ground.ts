/**
 * Whether the output files and the lock are still those that a run has opened. They are looked at once a second
 * and before the run is done, and what is wrong counts once it is seen twice, a second apart.
 *
 * @module
 */

import { SinkError } from "../errors.ts";
import type { Job } from "./job.ts";

/** What a job tells of its files. */
export type GroundJob = Pick<Job, "checkGround" | "moveAway">;

const AGAIN_MS = 1_000;
/** Timers come early by a little. */
const APART_MS = 900;

/** What a test controls. */
export interface GroundOptions {
  /** Milliseconds, monotonic. @default performance.now */
  readonly now?: () => number;
  /** Waits. */
  readonly delay?: (ms: number) => Promise<unknown>;
}

/** Looks after the files of all jobs. */
export class Ground {
  readonly #jobs: readonly GroundJob[];
  readonly #onLost: (error: SinkError) => void;
  readonly #now: () => number;
  readonly #delay: (ms: number) => Promise<unknown>;
  #looking: Promise<void> | undefined;
  /** When something was wrong for the first time in a row. */
  #suspectedAt: number | undefined;
  #isOver = false;
  #error: SinkError | undefined;

  /** `onLost` is called once: nothing more is to be sent. */
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

  /** Looks, unless that is under way. To be called about once a second. */
  tick(): void {
    if (this.#isOver) return;
    this.#looking ??= this.#look().finally(() => this.#looking = undefined);
  }

  /**
   * Looks for the last time, twice where that is needed.
   *
   * @throws {SinkError} when a file or the lock was lost, now or before
   */
  async end(): Promise<void> {
    await this.close();
    await this.#look();
    while (this.#suspectedAt !== undefined && this.#error === undefined) {
      await this.#delay(AGAIN_MS);
      await this.#look();
    }
    if (this.#error !== undefined) throw this.#error;
  }

  /** Whether files are being looked at. */
  get isLooking(): boolean {
    return this.#looking !== undefined;
  }

  /** Looks no more; resolves once no file is being looked at. */
  async close(): Promise<void> {
    this.#isOver = true;
    await this.#looking;
  }

  async #look(): Promise<void> {
    if (this.#error !== undefined) return;
    const problems = await Promise.all(this.#jobs.map((job) => job.checkGround()));
    const problem = problems.find((one) => one !== undefined);
    if (problem === undefined) this.#suspectedAt = undefined;
    else if (this.#suspectedAt === undefined) this.#suspectedAt = this.#now();
    else if (this.#now() - this.#suspectedAt >= APART_MS) await this.#lose(problem);
  }

  /** What was written since the files were last seen whole is brought to safety at once: calls in flight may
   * take minutes. */
  async #lose(problem: string): Promise<void> {
    const rescued: string[] = [];
    try {
      for (const job of this.#jobs) rescued.push(...await job.moveAway());
      this.#error = new SinkError(`${problem}. ${adviceFor(rescued)}`);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      this.#error = new SinkError(`${problem}, and the last answers are not safe: ${reason}`, {
        cause,
      });
    }
    this.#onLost(this.#error);
  }
}

function adviceFor(rescued: readonly string[]): string {
  if (rescued.length === 0) {
    return "See to it that no other run is at work, then run the same command again";
  }
  return `The last answers are in "${
    rescued.join('", "')
  }": run the same command again, which adds ` +
    "them to the output";
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
