/** Estimates the cost of a run as a range: answer lengths are not known beforehand. @module */

import { formatCount, formatCountOf, formatRoughUsd } from "../figures.ts";
import type { PlainRates } from "./prices.ts";

export interface EstimateOptions {
  readonly answers: number;
  readonly promptTokens: number;
  /** Tokens to which the parameters limit each answer; undefined if they set no limit. */
  readonly maxTokens: number | undefined;
  readonly ownLimits?: OwnLimits;
  readonly rates: readonly (PlainRates | undefined)[];
}

/** The answers to rows that set a token limit of their own, added up. */
export interface OwnLimits {
  answers: number;
  /** Completion tokens of these answers if all are short. */
  minTokens: number;
  /** Completion tokens of these answers if all reach their limits. */
  maxTokens: number;
}

/** Adds the answers to one row, each limited to `maxTokens` tokens. */
export function addOwnLimit(limits: OwnLimits, answers: number, maxTokens: number): void {
  limits.answers += answers;
  limits.minTokens += answers * Math.min(SHORT_ANSWER_TOKENS, maxTokens);
  limits.maxTokens += answers * maxTokens;
}

export type Range = readonly [low: number, high: number];

export interface Estimate {
  readonly answers: number;
  readonly promptTokens: number;
  /** The tokens of one answer; an average if rows have limits of their own (`isMean`). */
  readonly completionTokens: Range;
  readonly isMean: boolean;
  /** Whether some answers have no token limit, so that the upper bound is an assumption. */
  readonly isAssumed: boolean;
  /** The cost of all answers; null if the price of a teacher is unknown. */
  readonly costUsd: Range | null;
}

/** The length of a short answer, such as a choice with its reason. */
const SHORT_ANSWER_TOKENS = 100;
/** The length of a long answer, such as the solution of a problem with its reasoning. */
const LONG_ANSWER_TOKENS = 4_000;
/** Prompt tokens are estimated from the length of the text, with this relative error. */
const PROMPT_UNCERTAINTY = 0.25;
const MILLION = 1e6;
const NO_LIMIT = "an assumption: no max_tokens is set";

/** Estimates the cost of all answers. Failed attempts and rejected answers cost extra. */
export function estimate(options: EstimateOptions): Estimate {
  const { answers, promptTokens, maxTokens, rates } = options;
  const totals = { answers: 0, minTokens: 0, maxTokens: 0, ...options.ownLimits };
  const isMean = totals.answers > 0, otherAnswers = answers - totals.answers;
  addOwnLimit(totals, otherAnswers, maxTokens ?? LONG_ANSWER_TOKENS);
  const perAnswer = (tokens: number) => Math.round(tokens / Math.max(1, answers));
  const knownRates = rates.filter((rate) => rate !== undefined);
  const costs = knownRates.map(({ prompt, completion }): Range => {
    const prompts = promptTokens * prompt;
    return [
      (prompts * (1 - PROMPT_UNCERTAINTY) + totals.minTokens * completion) / MILLION,
      (prompts * (1 + PROMPT_UNCERTAINTY) + totals.maxTokens * completion) / MILLION,
    ];
  });
  const isKnown = knownRates.length === rates.length && knownRates.length > 0;
  return {
    answers,
    promptTokens,
    completionTokens: [perAnswer(totals.minTokens), perAnswer(totals.maxTokens)],
    isMean,
    isAssumed: maxTokens === undefined && otherAnswers > 0,
    costUsd: isKnown
      ? [Math.min(...costs.map(([low]) => low)), Math.max(...costs.map(([, high]) => high))]
      : null,
  };
}

/** A sentence for the start of a run, and a warning if the budget may not suffice; nothing if no
 * rows are to be sent, or the cost is unknown. */
export function describeEstimate(
  { answers, promptTokens, completionTokens: [short, long], isMean, isAssumed, costUsd }: Estimate,
  maxCostUsd: number | null,
): { readonly info: readonly string[]; readonly warnings: readonly string[] } {
  if (answers === 0 || costUsd === null) return { info: [], warnings: [] };
  const [low, high] = costUsd;
  const assumed = isMean ? "rows without max_tokens are an assumption" : NO_LIMIT;
  const source = isAssumed ? assumed : "the limit by max_tokens";
  const info = `Estimated cost of ${formatCountOf(answers, "answer")}, by their length: ` +
    `${formatLowUsd(low, high)} (${formatCount(short)} completion tokens each${
      isMean ? " on average" : ""
    }) to ${formatRoughUsd(high)} (${formatCount(long)}, ${source}), ` +
    `with about ${formatCount(promptTokens)} prompt tokens in all. ` +
    "The estimate narrows as answers arrive";
  return { info: [info], warnings: budgetWarnings(costUsd, maxCostUsd) };
}

/** Shows cents if the upper end of the range is a dollar or more. */
function formatLowUsd(low: number, high: number): string {
  if (high < 1 || low >= 0.0995) return formatRoughUsd(low);
  return low < 0.01 ? "under $0.01" : `$${low.toFixed(2)}`;
}

function budgetWarnings([low, high]: Range, maxCostUsd: number | null): string[] {
  if (maxCostUsd === null || maxCostUsd >= high) return [];
  const budget = formatRoughUsd(maxCostUsd);
  return [
    maxCostUsd < low
      ? `--max-cost ${budget} is below the estimated cost (${formatRoughUsd(low)} at least): ` +
        "the run will end before all rows are answered"
      : `--max-cost ${budget} is below the highest estimate (${formatRoughUsd(high)}): ` +
        "the run may end before all rows are answered",
  ];
}
