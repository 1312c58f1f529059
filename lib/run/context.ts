/**
 * What a generator hands to its runs.
 *
 * @module
 */

import type { Engine } from "../engine/engine.ts";
import type { RetryPolicy } from "../engine/retry_policy.ts";
import type { Progress } from "../progress/progress.ts";
import type { LineFormat } from "../sink/line.ts";
import { paramsId } from "./identity.ts";
import type { ResponseGeneratorOptions, RunOptions } from "./options.ts";

/** What the generator hands to each run. */
export interface RunContext {
  /** The generator's options, resolved. */
  readonly generator: ResolvedOptions;
  /** What there is to say of the options. */
  readonly notices: readonly string[];
  /** Who counts and tells. */
  readonly progress: Progress;
  /** Gives the engine to whoever steers the run. */
  readonly onEngine: (engine: Engine) => void;
  /** Ends the preparation; the engine is steered by itself. */
  readonly signal: AbortSignal;
}

/** A generator's options with nothing left open. */
export type ResolvedOptions =
  & ResponseGeneratorOptions
  & Required<
    Pick<ResponseGeneratorOptions, "params" | "concurrency" | "onTruncated" | "duplicates">
  >
  & { readonly retryPolicy: RetryPolicy };

/** What a run would do. */
export interface Preview {
  /** Rows of all inputs, duplicates merged. */
  total: number;
  /** Rows that would be asked. */
  toAsk: number;
  /** What there is to say of each input, in words. */
  notes: string[];
  /** The first request as it would be sent, or null when there is nothing to ask. */
  request: unknown;
}

/** How the lines of a generator's rows are put together. */
export function lineFormat(
  generator: ResolvedOptions,
  options: Pick<RunOptions, "finalMessages" | "think">,
): LineFormat {
  return {
    paramsId: paramsId(generator.params),
    model: generator.teacher.model ?? "",
    address: generator.teacher.address ?? "",
    finalMessages: options.finalMessages ?? false,
    think: options.think ?? "wrap",
  };
}
