/**
 * Everything that a run says before its first call, and `--dry-run` in its place.
 *
 * @module
 */

import { tokenLimitOf } from "../engine/answers/mod.ts";
import { describeEstimate, type Estimate, estimate } from "../prices/mod.ts";
import type { RunContext } from "./context.ts";
import type { Preflight } from "./preflight.ts";
import { describeInput } from "./report.ts";
import type { ResolvedOptions } from "./resolve_options.ts";

/** What is said. */
export interface StartNotices {
  /** What the user may want to know. */
  readonly info: readonly string[];
  /** What is probably not meant. */
  readonly warnings: readonly string[];
}

/** What the run will cost, as a range. */
export function estimateOf(
  { generator: { teachers, params }, prepared }: Pick<RunContext, "generator" | "prepared">,
  found: readonly Preflight[],
): Estimate {
  return estimate({
    answers: found.reduce((total, { plan }) => total + plan.toAsk, 0),
    promptTokens: found.reduce((total, { promptTokens }) => total + promptTokens, 0),
    maxTokens: tokenLimitOf(params)?.tokens,
    rates: teachers.map(({ teacher }) => prepared.ratesOf(teacher)),
  });
}

/** Says it, a sentence each. */
export function startNotices(
  context: Pick<RunContext, "generator" | "prepared">,
  inputs: readonly string[],
  found: readonly Preflight[],
): StartNotices {
  const { generator, prepared } = context;
  const cost = describeEstimate(estimateOf(context, found), prepared.spending.maxCostUsd);
  return {
    info: [
      ...describeInput(inputs, found),
      ...generator.notices,
      ...prepared.notes,
      ...cost.info,
    ],
    warnings: [...teacherNotices(generator, found), ...cost.warnings],
  };
}

/** What the user should know of the teachers before the first call; `found`: what the first row of each
 * shape is asked with counts, too, and the names of the parameters of the others. */
export function teacherNotices(
  { teachers, params }: Pick<ResolvedOptions, "teachers" | "params">,
  found: readonly Pick<Preflight, "firsts" | "paramNames">[] = [],
): string[] {
  const rows = found.flatMap(({ firsts }) => [...firsts.values()]);
  const names = found.flatMap(({ paramNames }) => [...paramNames].map((name) => [name, undefined]));
  const asked = {
    ...Object.fromEntries(names),
    ...params,
    ...rows.find((row) => row.params !== undefined)?.params,
  };
  return [...new Set(teachers.flatMap(({ teacher }) => teacher.notices?.(asked) ?? []))];
}
