/**
 * What a generator hands to its runs.
 *
 * @module
 */

import type { Engine, EngineOptions } from "../engine/mod.ts";
import type { Progress } from "../progress/mod.ts";
import type { Outcome } from "../row.ts";
import type { LineFormat } from "../sink/mod.ts";
import { paramsId } from "./identity.ts";
import type { RunOptions } from "./options.ts";
import type { Prepared } from "./prepare.ts";
import type { ResolvedOptions } from "./resolve_options.ts";

/** What the generator hands to each run. */
export interface RunContext {
  /** The generator's options, resolved. */
  readonly generator: ResolvedOptions;
  /** What was made for this run. */
  readonly prepared: Prepared;
  /** Who counts and tells. */
  readonly progress: Progress;
  /** Hears of rows once they are on disk. */
  readonly onSettled: (outcomes: readonly Outcome[]) => void;
  /** Gives the engine to whoever steers the run. */
  readonly onEngine: (engine: Engine) => void;
  /** Ends the preparation; the engine is steered by itself. */
  readonly signal: AbortSignal;
}

/** What an engine takes from a generator, beside rows and places for them. */
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

/** How the lines of a generator's rows are put together. */
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
