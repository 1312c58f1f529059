/**
 * What a generator gives to its runs, and what is prepared for each: checks of answers, prices, and
 * the budget. Also the notices of a run, and the settings that it gives to the engine and the sink.
 *
 * @module
 */

import type { UidSelection } from "./admission.ts";
import { type Checks, createChecks } from "../checks/mod.ts";
import { AnswerPolicy, Budget } from "../engine/answers/mod.ts";
import type { Engine, EngineOptions } from "../engine/mod.ts";
import { UsageError } from "../errors.ts";
import type { InputOptions } from "../formats/mod.ts";
import { type Prices, pricesOf } from "../prices/mod.ts";
import type { Progress } from "../progress/mod.ts";
import type { FinishedRow } from "../row.ts";
import type { LineFormat } from "../sink/mod.ts";
import type { RowParser } from "../source/mod.ts";
import type { RunOptions } from "./options.ts";
import type { ResolvedOptions } from "./resolve_options.ts";
import { type Identity, paramsId } from "./run_file.ts";

/** What a generator gives to each run. */
export interface RunContext {
  readonly generator: ResolvedOptions;
  readonly prepared: Prepared;
  /** Counts rows and attempts, and informs the listeners. */
  readonly progress: Progress;
  /** Called with rows once their lines are on disk. */
  readonly onSettled: (rows: readonly FinishedRow[]) => void;
  /** Whether a listener needs the outcomes of the rows that `onSettled` gets. */
  readonly keepsOutcomes: () => boolean;
  /**
   * For a shard: limits the run to a share of the cost limit, from 0 to 1. `spentBefore` is what
   * earlier runs of the shard have already spent of that share, in US dollars.
   */
  readonly shareMaxCost: (share: number, spentBefore: number) => void;
  /** Called with the engine before it runs. */
  readonly onEngine: (engine: Engine) => void;
  /** Aborted to end the preparation. The engine is stopped separately. */
  readonly signal: AbortSignal;
}

/** What all inputs of a run share. */
export interface JobContext {
  /** Selects answers by `uids` and `excludeUids`; one selection for all inputs. */
  readonly selection: UidSelection;
  readonly options: RunOptions;
  /**
   * Returns the parser of rows. `uidFieldLast`: the fields of `uidField` come after `id`, as in an
   * earlier version.
   */
  readonly parserOf: (order: { uidFieldLast: boolean }) => RowParser;
  /** Rows with the same id: see `RowOptions`. */
  readonly duplicates: "merge" | "keep";
  /** How the input is read. @default by its name, then by its content */
  readonly format?: InputOptions;
  /** The folder of the images that rows name. @default that of the input */
  readonly imagesRoot?: string;
  /** Whether the rows of a small input stay in memory for the second pass. @default false */
  readonly keepsRows?: boolean;
  /**
   * Whether the user accepts further endings: an answer that failed as `unfinished` may then be a
   * result.
   * @default false
   */
  readonly acceptsEndings?: boolean;
  /** At most this many rows. @default `limit` of the run */
  readonly limit?: number;
  /** Answers for each row. @default what `run.json` says if failed rows are retried, else 1 */
  readonly samples?: number;
  /**
   * The settings that answers are created with. A seed in its parameters is raised for the second
   * answer to a row and later ones.
   */
  readonly identity: Identity;
  /** Shows the user a message. */
  readonly notice: (level: "info" | "warning", message: string) => void;
  /** Ends the first pass early. */
  readonly signal: AbortSignal;
}

/** The notices of one run. "run-start" is its first event, so earlier notices wait for it. */
export class RunNotices {
  readonly #progress: Progress;
  /** Notices that wait for `start`; undefined once it was called. */
  #early: [level: "info" | "warning", message: string][] | undefined = [];
  #hasWarnedUnlocked = false;

  /** Holds back all notices until `start()`. */
  constructor(progress: Progress) {
    this.#progress = progress;
  }

  /** Shows the user a notice; holds it back until `start()`. */
  add(level: "info" | "warning", message: string): void {
    if (this.#early === undefined) this.#progress.notice(level, message);
    else this.#early.push([level, message]);
  }

  /** Warns once that a file cannot be locked, and says what keeps other runs away from it. */
  warnUnlocked(path: string, reason: string, lock: string): void {
    if (this.#hasWarnedUnlocked) return;
    this.#hasWarnedUnlocked = true;
    this.add(
      "warning",
      `Cannot lock "${path}": ${reason}. Do not remove "${lock}", which keeps other runs away`,
    );
  }

  /** Warns that answers go to another file, because their output file can no longer be synced. */
  warnRescued(path: string, isTemporary: boolean): void {
    const next = isTemporary
      ? "Move this file next to the output before the next run, which adds them"
      : "The next run adds them to the output";
    this.add("warning", `The answers that are still in flight go to "${path}". ${next}`);
  }

  /** Emits the notices that were held back, and holds back none from now on. */
  start(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const [level, message] of early) this.add(level, message);
  }
}

/** The options of an engine that come from the generator: all but the source and the sink. */
export function engineOptions(
  { generator, prepared, progress }: Pick<RunContext, "generator" | "prepared" | "progress">,
): Omit<EngineOptions, "source" | "sink"> {
  return {
    ...generator,
    ...prepared,
    listener: progress,
    onNotice: (message) => progress.notice("warning", message),
  };
}

/** The format of lines for a generator's rows. */
export function lineFormat(
  generator: ResolvedOptions,
  options: Pick<RunOptions, "finalMessages" | "think">,
): LineFormat {
  return {
    paramsId: paramsId(generator.params),
    finalMessages: options.finalMessages ?? false,
    think: options.think ?? "wrap",
  };
}

/** What `prepare` makes for one run. */
export interface Prepared {
  /** To be disposed of when the run has ended. */
  readonly checks: Checks;
  readonly policy: AnswerPolicy;
  readonly budget: Budget;
  /** The prices of a teacher, for an estimate. */
  readonly ratesOf: Prices["ratesOf"];
  /** Notices about prices. */
  readonly notes: readonly string[];
}

/**
 * Prepares a run. No call is made.
 *
 * @throws {UsageError} when an option of the checks, the prices or the budget cannot be used
 */
export async function prepare(
  options: ResolvedOptions,
  maxCostUsd: number | null,
): Promise<Prepared> {
  try {
    const teachers = options.teachers.map(({ teacher }) => teacher);
    const { priceOf, ratesOf, unpriced, notes } = await pricesOf(teachers, options);
    const budget = new Budget({
      priceOf,
      unpriced,
      maxCostUsd: maxCostUsd ?? undefined,
      maxCompletionTokens: options.maxCompletionTokens,
    });
    // Last, because checks may hold a worker.
    const checks = await createChecks(options);
    // Loaded only where it is needed, which is rare.
    const { isRefusal } = options.rejectRefusals ? await import("../refusals.ts") : {};
    const policy = new AnswerPolicy({ ...options, isRefusal, checks: checks.list });
    return { checks, policy, budget, ratesOf, notes };
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new UsageError(error.message, { cause: error });
  }
}
