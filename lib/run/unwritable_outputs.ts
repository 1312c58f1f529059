/**
 * Outputs that a run cannot write to. On a full disk, the run sends nothing until there is space.
 * Once another program has changed a file or a lock, the run sends nothing more, and writes to new
 * files.
 *
 * @module
 */

import { dirname } from "../deps/std_path.ts";
import type { Engine } from "../engine/mod.ts";
import { SinkError } from "../errors.ts";
import { hasContent } from "../files.ts";
import { delay } from "../timer.ts";
import type { RunNotices } from "./notices.ts";
import type { Job } from "./job.ts";

export interface WatchedOutput {
  /** Returns what another program has changed, if anything. `isLast` checks closed files, too. */
  check(isLast: boolean): Promise<string | undefined>;
  /** Redirects the lines of changed files to new files, and adds their paths to `paths`. Rejects if
   * some lines could not be saved. */
  moveAway(paths: string[]): Promise<void>;
}

const RECHECK_MS = 1_000;
/** Minimum time between two checks that confirm a problem. Timers may fire before `RECHECK_MS`. */
const MIN_APART_MS = 900;

export interface OutputWatchOptions {
  /** A monotonic clock in milliseconds. @default performance.now */
  readonly now?: () => number;
  /** The pause before a problem is checked again. @default a timer */
  readonly delay?: (ms: number) => Promise<unknown>;
  /** Whether a file holds lines. @default whether its size on disk is above 0 */
  readonly hasContent?: (path: string) => Promise<boolean>;
}

/** Checks all outputs about once a second. A problem that two checks find ends the run: lines then
 * go to new files. */
export class OutputWatch {
  readonly #outputs: readonly WatchedOutput[];
  readonly #onLost: (error: SinkError) => void;
  readonly #options: Required<OutputWatchOptions>;
  #checking: Promise<void> | undefined;
  /** When the current problem was first seen; undefined if the last check found no problem. */
  #firstSeenAt: number | undefined;
  #isClosed = false;
  #lostOutputs: LostOutputs | undefined;

  /** `onLost` is called once, when nothing more may be sent. */
  constructor(
    outputs: readonly WatchedOutput[],
    onLost: (error: SinkError) => void,
    options: OutputWatchOptions = {},
  ) {
    this.#outputs = outputs;
    this.#onLost = onLost;
    this.#options = { now: () => performance.now(), delay, hasContent, ...options };
  }

  /** Called about once a second. Starts a check unless one is running, and returns the running
   * check. */
  tick(): Promise<void> | undefined {
    if (this.#isClosed) return undefined;
    return this.#checking ??= this.#check().finally(() => this.#checking = undefined);
  }

  /** Checks until a problem is confirmed or gone. Throws if a file or the lock was lost, now or
   * before. */
  async end(): Promise<void> {
    await this.close();
    await this.#check({ isLast: true });
    while (this.#firstSeenAt !== undefined && this.#lostOutputs === undefined) {
      await this.#options.delay(RECHECK_MS);
      await this.#check({ isLast: true });
    }
    if (this.#lostOutputs === undefined) return;
    // This also collects the files to which `OpenFiles.park` has redirected lines, for the error.
    await this.#moveAway(this.#lostOutputs);
    throw await this.#errorOf(this.#lostOutputs);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#checking;
  }

  async #check({ isLast = false } = {}): Promise<void> {
    const problems = await Promise.all(this.#outputs.map((output) => output.check(isLast)));
    const problem = problems.find((message) => message !== undefined);
    if (this.#lostOutputs !== undefined) {
      // No second check is needed, because a problem has already been confirmed.
      if (problem !== undefined) await this.#moveAway(this.#lostOutputs);
    } else if (problem === undefined) this.#firstSeenAt = undefined;
    else if (this.#firstSeenAt === undefined) this.#firstSeenAt = this.#options.now();
    else if (this.#options.now() - this.#firstSeenAt >= MIN_APART_MS) await this.#lose(problem);
  }

  /** Saves the lines of lost outputs, then reports the outputs. Does not wait for the end of the
   * run: calls in flight may take minutes. */
  async #lose(problem: string): Promise<void> {
    this.#lostOutputs = { problem, rescuedPaths: [], cause: undefined };
    await this.#moveAway(this.#lostOutputs);
    this.#onLost(await this.#errorOf(this.#lostOutputs));
  }

  /** Moves the lines of all outputs. If that fails, for example on a full disk, the next check
   * tries again. */
  async #moveAway(lost: LostOutputs): Promise<void> {
    lost.cause = undefined;
    for (const output of this.#outputs) {
      try {
        await output.moveAway(lost.rescuedPaths);
      } catch (cause) {
        lost.cause ??= cause;
      }
    }
  }

  async #errorOf({ problem, rescuedPaths, cause }: LostOutputs): Promise<SinkError> {
    const withLines: string[] = [];
    // Files without lines will be removed.
    for (const path of rescuedPaths) {
      if (await this.#options.hasContent(path).catch(() => true)) withLines.push(path);
    }
    if (cause === undefined) return new SinkError(`${problem}. ${adviceFor(withLines)}`);
    const reason = cause instanceof Error ? cause.message : String(cause);
    const others = withLines.length === 0 ? "" : `. Other answers are in ${listOf(withLines)}`;
    return new SinkError(`${problem}, and the last answers are not safe: ${reason}${others}`, {
      cause,
    });
  }
}

interface LostOutputs {
  readonly problem: string;
  readonly rescuedPaths: string[];
  /** Why some lines could not be saved; undefined if all were. */
  cause: unknown;
}

const MAX_NAMED = 5;

function adviceFor(rescuedPaths: readonly string[]): string {
  if (rescuedPaths.length === 0) {
    return "Make sure that no other run is active, then run the same command again";
  }
  const list = listOf(rescuedPaths);
  return `The last answers are in ${list}: run the same command again, which adds them to the output`;
}

function listOf(paths: readonly string[]): string {
  const more = paths.length > MAX_NAMED ? `, and ${paths.length - MAX_NAMED} more` : "";
  return `"${paths.slice(0, MAX_NAMED).join('", "')}"${more}`;
}

/** Stops sending while a disk is full. Answers of calls in flight stay in memory until there is
 * space or the run must end. */
export class StalledOutputs {
  readonly #notices: RunNotices;
  readonly #engine: () => Engine | undefined;
  readonly #stalledJobs = new Map<number, Job>();
  /** What to do with the waiting lines of a stalled output; undefined until the run must end. */
  #ending: "abandon" | "rescue" | undefined;

  constructor(notices: RunNotices, engine: () => Engine | undefined) {
    this.#notices = notices;
    this.#engine = engine;
  }

  has(index: number): boolean {
    return this.#stalledJobs.has(index);
  }

  /** Stops sending. One full disk may stall many outputs, so only the first is reported. */
  add(index: number, job: Job, error: SinkError): void {
    if (this.#stalledJobs.size === 0) {
      this.#notices.add(
        "warning",
        `${error.message}; no requests are sent until the disk accepts writes`,
      );
    }
    this.#stalledJobs.set(index, job);
    this.#engine()?.closeGate(`disk ${index}`);
    if (this.#ending !== undefined) job.sink?.[this.#ending]();
  }

  remove(index: number): void {
    this.#stalledJobs.delete(index);
    if (this.#stalledJobs.size === 0) {
      this.#notices.add("info", "The disk accepts writes again: continuing");
    }
    this.#engine()?.openGate(`disk ${index}`);
  }

  /** Writes waiting lines to other files, because the run must end and its answers are paid for.
   * `abandon` tries once, and drops the lines if that fails. */
  end(ending: "abandon" | "rescue"): void {
    this.#ending = ending;
    for (const job of this.#stalledJobs.values()) job.sink?.[ending]();
  }
}

/** Collects answers that are in the system's folder for temporary files, because no file in the
 * folder of the output could be written. A run does not find these files by itself. */
export class DisplacedAnswers {
  readonly #notices: RunNotices;
  readonly #paths: string[] = [];
  #folder = "";

  constructor(notices: RunNotices) {
    this.#notices = notices;
  }

  /** Warns that answers are in another file, because the output can no longer be synced, or its
   * disk is full and the run must end. */
  add(output: string, path: string, isTemporary: boolean): void {
    if (isTemporary) this.#paths.push(path);
    // All outputs of a run are in one folder.
    this.#folder = `${dirname(output)}/`;
    const next = isTemporary
      ? "Move this file next to the output before the next run, which adds them"
      : "The next run adds them to the output";
    this.#notices.add("warning", `The answers that are not written yet go to "${path}". ${next}`);
  }

  /** Settles as the run does if there are no displaced answers. Otherwise, rejects with the advice
   * to move their files before the next run, which would pay for these answers again. */
  async after<T>(run: Promise<T>): Promise<T> {
    const [result] = await Promise.allSettled([run]);
    if (this.#paths.length === 0) return await run;
    const cause = result.status === "rejected" ? result.reason : undefined;
    const problem = cause instanceof Error ? cause.message : "Not all answers are in the output";
    throw new SinkError(
      `${problem}\nBefore the next run, move ${listOf(this.#paths)} to "${this.#folder}": ` +
        "otherwise, it would pay for these answers again",
      { cause },
    );
  }
}
