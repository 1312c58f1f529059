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
  /**
   * The token limit of each answer without one of its own; undefined if the parameters set none.
   */
  readonly maxTokens: number | undefined;
  /** Answers to rows with a token limit of their own. @default none */
  readonly ownLimits?: OwnLimits;
  /** The price of each teacher; undefined if unknown. */
  readonly rates: readonly (PlainRates | undefined)[];
}

/** Answers to rows with a token limit of their own. */
export interface OwnLimits {
  answers: number;
  /** Completion tokens of all these answers if they are short. */
  minTokens: number;
  /** Completion tokens of all these answers if they reach their limits. */
  maxTokens: number;
}

/** Adds `answers` answers to a row that limits each to `maxTokens` tokens. */
export function addOwnLimit(limits: OwnLimits, answers: number, maxTokens: number): void {
  limits.answers += answers;
  limits.minTokens += answers * Math.min(SHORT_ANSWER_TOKENS, maxTokens);
  limits.maxTokens += answers * maxTokens;
}

export type Range = readonly [low: number, high: number];

export interface Estimate {
  /** The number of answers to request. */
  readonly answers: number;
  /** Prompt tokens of all answers together. */
  readonly promptTokens: number;
  /** Completion tokens of one answer; on average if rows have their own limits. */
  readonly completionTokens: Range;
  /** Whether `completionTokens` is an average, because rows have their own limits. */
  readonly isMean: boolean;
  /** Whether some answers have no token limit: the upper bound is then an assumption. */
  readonly isAssumed: boolean;
  /** US dollars for all answers; null if the price of a teacher is unknown. */
  readonly costUsd: Range | null;
}

/** Completion tokens of a short answer: a choice with its reason. */
const SHORT_ANSWER_TOKENS = 100;
/** Completion tokens of a long answer: the solution of a problem with its reasoning. */
const LONG_ANSWER_TOKENS = 4_000;
/** The relative error of the prompt tokens, which are estimated from the length of the text. */
const PROMPT_UNCERTAINTY = 0.25;
const MILLION = 1e6;
/** Says where the length of a long answer comes from. */
const NO_LIMIT = "an assumption: no max_tokens is set";

/** Estimates the cost of a run. Failed attempts and rejected answers cost more, and are not
 * included. */
export function estimate(options: EstimateOptions): Estimate {
  const { answers, promptTokens, maxTokens, rates } = options;
  const totals = { answers: 0, minTokens: 0, maxTokens: 0, ...options.ownLimits };
  const isMean = totals.answers > 0, otherAnswers = answers - totals.answers;
  addOwnLimit(totals, otherAnswers, maxTokens ?? LONG_ANSWER_TOKENS);
  const perAnswer = (tokens: number) => Math.round(tokens / Math.max(1, answers));
  const knownRates = rates.filter((rate) => rate !== undefined);
  const costs = knownRates.map(({ usdIn, usdOut }): Range => {
    const prompts = promptTokens * usdIn;
    return [
      (prompts * (1 - PROMPT_UNCERTAINTY) + totals.minTokens * usdOut) / MILLION,
      (prompts * (1 + PROMPT_UNCERTAINTY) + totals.maxTokens * usdOut) / MILLION,
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

/** A sentence for the start of a run, and a warning if the budget may not suffice. Both are empty
 * if no rows are to be sent, or the cost is unknown. */
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

/** Formats the lower end of a range: to the cent if the upper end is a dollar or more. */
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
