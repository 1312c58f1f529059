/**
 * What a run needs that takes time to make: the checks of its answers, and the prices of its teachers.
 *
 * @module
 */

import { type Checks, createChecks } from "../checks/mod.ts";
import { AnswerPolicy, Budget } from "../engine/answers/mod.ts";
import { UsageError } from "../errors.ts";
import { type Prices, pricesOf } from "../prices/mod.ts";
import type { ResolvedOptions } from "./resolve_options.ts";

/** What is made for each run. */
export interface Prepared {
  /** The checks of answers; to be disposed of. */
  readonly checks: Checks;
  /** Which answers are kept. */
  readonly acceptance: AnswerPolicy;
  /** What has been spent, and what may be. */
  readonly spending: Budget;
  /** What the teachers take for a million tokens, for an estimate. */
  readonly ratesOf: Prices["ratesOf"];
  /** What there is to say of it. */
  readonly notes: readonly string[];
}

/**
 * Makes them. No call is made.
 *
 * @throws {UsageError} when a check or a budget cannot be used as it is
 */
export async function prepare(
  options: ResolvedOptions,
  maxCostUsd: number | null,
): Promise<Prepared> {
  try {
    const teachers = options.teachers.map(({ teacher }) => teacher);
    const { priceOf, ratesOf, unpriced, notes } = await pricesOf(teachers, options);
    const spending = new Budget({
      priceOf,
      unpriced,
      maxCostUsd: maxCostUsd ?? undefined,
      maxCompletionTokens: options.maxCompletionTokens,
    });
    // Last of all: they may hold a worker.
    const checks = await createChecks(options);
    const acceptance = new AnswerPolicy({ ...options, checks: checks.list });
    return { checks, acceptance, spending, ratesOf, notes };
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new UsageError(error.message, { cause: error });
  }
}
