/**
 * Estimates the cost of a run as a range, because answer lengths are not known beforehand.
 *
 * @module
 */

import { formatCount, formatCountOf, formatRoughUsd } from "../figures.ts";
import type { PlainRates } from "./prices.ts";

export interface EstimateOptions {
  /** The number of answers to request. */
  readonly answers: number;
  /** Estimated prompt tokens of all answers together. */
  readonly promptTokens: number;
  /** The token limit of each answer; undefined if the parameters set none. */
  readonly maxTokens: number | undefined;
  /** Answers to rows with a token limit of their own. @default none */
  readonly ownLimits?: OwnLimits;
  /** The price of each teacher; undefined if unknown. */
  readonly rates: readonly (PlainRates | undefined)[];
}

/** Answers to rows with a token limit of their own: how many, and the fewest and most tokens these
 * can take together. */
export interface OwnLimits {
  answers: number;
  fewest: number;
  most: number;
}

/** Counts `answers` answers to a row that limits each to `maxTokens` tokens. */
export function addOwnLimit(limits: OwnLimits, answers: number, maxTokens: number): void {
  limits.answers += answers;
  limits.fewest += answers * Math.min(SHORT_ANSWER_TOKENS, maxTokens);
  limits.most += answers * maxTokens;
}

export type Range = readonly [least: number, most: number];

export interface Estimate {
  /** The number of answers to request. */
  readonly answers: number;
  /** Prompt tokens of all answers together. */
  readonly promptTokens: number;
  /** Completion tokens of one answer; on average if rows have their own limits. */
  readonly completionTokens: Range;
  /** Whether `completionTokens` is an average, because rows have their own limits. */
  readonly isMean: boolean;
  /** Whether some answers have no token limit, so that the upper bound is an assumption. */
  readonly isAssumed: boolean;
  /** US dollars for all answers; null if the price of a teacher is unknown. */
  readonly costUsd: Range | null;
}

/** Completion tokens of a short answer: a choice with its reason. */
const SHORT_ANSWER_TOKENS = 100;
/** Completion tokens of a long answer: the solution of a problem with its reasoning. */
const LONG_ANSWER_TOKENS = 4_000;
/** The relative error of prompt tokens, which are estimated from the length of the text. */
const PROMPT_UNCERTAINTY = 0.25;
const MILLION = 1e6;
const NO_LIMIT = "an assumption: no max_tokens is set";

/** Estimates a run without failed attempts and repeated answers, which cost more. */
export function estimate(options: EstimateOptions): Estimate {
  const { answers, promptTokens, maxTokens, rates } = options;
  const limits = { answers: 0, fewest: 0, most: 0, ...options.ownLimits };
  const isMean = limits.answers > 0, others = answers - limits.answers;
  addOwnLimit(limits, others, maxTokens ?? LONG_ANSWER_TOKENS);
  const each = (tokens: number) => Math.round(tokens / Math.max(1, answers));
  const known = rates.filter((rate) => rate !== undefined);
  const costs = known.map(({ usdIn, usdOut }): Range => {
    const prompts = promptTokens * usdIn;
    return [
      (prompts * (1 - PROMPT_UNCERTAINTY) + limits.fewest * usdOut) / MILLION,
      (prompts * (1 + PROMPT_UNCERTAINTY) + limits.most * usdOut) / MILLION,
    ];
  });
  const isKnown = known.length === rates.length && known.length > 0;
  return {
    answers,
    promptTokens,
    completionTokens: [each(limits.fewest), each(limits.most)],
    isMean,
    isAssumed: maxTokens === undefined && others > 0,
    costUsd: isKnown
      ? [Math.min(...costs.map(([least]) => least)), Math.max(...costs.map(([, most]) => most))]
      : null,
  };
}

/** A sentence for the start of a run, and a warning if the budget may not suffice. Both are empty
 * if no rows are to be sent, or the cost is unknown. */
export function describeEstimate(
  { answers, promptTokens, completionTokens: [fewest, most], isMean, isAssumed, costUsd }: Estimate,
  maxCostUsd: number | null,
): { readonly info: readonly string[]; readonly warnings: readonly string[] } {
  if (answers === 0 || costUsd === null) return { info: [], warnings: [] };
  const [least, dearest] = costUsd;
  const assumed = isMean ? "rows without max_tokens are an assumption" : NO_LIMIT;
  const why = isAssumed ? assumed : "the limit by max_tokens";
  const info = `Estimated cost of ${formatCountOf(answers, "answer")}, by their length: ` +
    `${besideUsd(least, dearest)} (${formatCount(fewest)} completion tokens each${
      isMean ? " on average" : ""
    }) to ${formatRoughUsd(dearest)} (${formatCount(most)}, ${why}), ` +
    `with about ${formatCount(promptTokens)} prompt tokens in all. It narrows as answers arrive`;
  return { info: [info], warnings: budgetWarnings(costUsd, maxCostUsd) };
}

/** An amount rounded to cents if the larger one beside it is a dollar or more. */
function besideUsd(usd: number, larger: number): string {
  if (larger < 1 || usd >= 0.0995) return formatRoughUsd(usd);
  return usd < 0.01 ? "under $0.01" : `$${usd.toFixed(2)}`;
}

function budgetWarnings([least, most]: Range, maxCostUsd: number | null): string[] {
  if (maxCostUsd === null || maxCostUsd >= most) return [];
  const budget = formatRoughUsd(maxCostUsd);
  return [
    maxCostUsd < least
      ? `--max-cost ${budget} is below the estimated cost (${formatRoughUsd(least)} at least): ` +
        "the run will end before all rows are answered"
      : `--max-cost ${budget} is below the highest estimate (${formatRoughUsd(most)}): ` +
        "it may end before all rows are answered",
  ];
}
