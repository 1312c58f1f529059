/**
 * A run, and the retries that somebody at the monitor asks for while it goes on.
 *
 * @module
 */

import { formatCount } from "../lib/figures.ts";
import type { Summary } from "../lib/progress/mod.ts";
import type { ResponseGenerator } from "../lib/response_generator.ts";
import type { ResolvedRunOptions } from "../lib/run/mod.ts";
import type { Monitor } from "../web/server.ts";

/** What the run has to do with beside its generator. */
export interface RunToEndOptions {
  /** Where somebody may ask for a retry. */
  readonly monitor: Monitor | undefined;
  /** Whether a signal has told the run to end. */
  readonly isInterrupted: () => boolean;
  /** Says something to the person. */
  readonly say: (message: string) => void;
}

/** How it ended. */
export interface RunEnd {
  /** The summary of the last run. */
  readonly summary: Summary;
  /** Whether that was a retry which the command line had not asked for. */
  readonly isRetry: boolean;
}

/**
 * Makes a run. When it is done and somebody at the monitor wants so, failed rows are asked again in a run
 * of its own: once for each time that it was wanted. All of them together cost no more than the first
 * might have.
 */
export async function runToEnd(
  generator: ResponseGenerator,
  run: ResolvedRunOptions,
  { monitor, isInterrupted, say }: RunToEndOptions,
): Promise<RunEnd> {
  let summary = await generator.run(run);
  let isRetry = false;
  while (monitor?.retryWhenDone && isDoneWithFailures(summary) && !isInterrupted()) {
    monitor.retryWhenDone = false;
    if (run.input.includes("-")) {
      say("Failed rows are not asked again: standard input can be read once only");
      break;
    }
    const left = budgetLeft(monitor, summary);
    if (left !== null && left <= 0) {
      say("Failed rows are not asked again: the budget is spent");
      break;
    }
    if (left !== null) generator.setMaxCost(left);
    say(`Asking ${countOf(summary.failures_on_disk)} again, as the monitor was told`);
    // What was to be thrown away is gone: now only the answers of the run before would be.
    summary = await generator.run({ ...run, retry: true, resume: true, overwrite: false });
    isRetry = true;
  }
  return { summary, isRetry };
}

/** A run that was stopped or halted has rows left which come first. */
function isDoneWithFailures({ state, failures_on_disk }: Summary): boolean {
  return state === "done" && failures_on_disk > 0;
}

/** In US dollars, or null for no limit. */
function budgetLeft(monitor: Monitor, { cost_usd }: Summary): number | null {
  const most = monitor.state().snapshot?.max_cost_usd ?? null;
  return most === null ? null : most - (cost_usd ?? 0);
}

function countOf(rows: number): string {
  return rows === 1 ? "the failed row" : `${formatCount(rows)} failed rows`;
}
