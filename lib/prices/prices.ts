/** Calculates what answers cost: from the user's prices, or else from the cost that answers state,
 * or else from public prices. Estimates what a run will cost, as a range, because the lengths of
 * answers are unknown. @module */

import { isCounted } from "../answer.ts";
import { formatCount, formatCountOf, formatRoughUsd } from "../figures.js";
import { asText } from "../json.ts";
import type { Completion, Params, Teacher, Usage } from "../teacher/mod.ts";
import { costOf, type TokenPrices } from "./rates.ts";

/** The user's prices, for all teachers. */
export interface PriceOptions {
  /** US dollars per million prompt tokens. @default the listed price */
  priceIn?: number;
  /** US dollars per million prompt tokens that come from the cache. @default `priceIn`; without it,
   * the listed price */
  priceCached?: number;
  /** US dollars per million completion tokens. @default the listed price */
  priceOut?: number;
}

export interface Prices {
  /** The prices for an estimate; undefined if unknown. */
  readonly ratesOf: (teacher: Teacher) => PlainRates | undefined;
  /** Returns the cost of an answer in US dollars. Returns undefined if the teacher joined later and
   * has no known price. Also returns undefined for an answer without token counts, unless it
   * states its cost or the model is free. The function itself is undefined unless the price of
   * every teacher at the start is known: an incomplete sum would be mistaken for the bill. */
  readonly priceOf: ((answer: PricedAnswer, teacher: Teacher) => number | undefined) | undefined;
  /** Teachers whose price is unknown. */
  readonly unpriced: readonly Teacher[];
  /** A sentence on the price of each model and its source; empty if the user set the prices. */
  readonly notes: readonly string[];
}

/** US dollars per million tokens. */
export type PlainRates = Pick<TokenPrices, "prompt" | "completion">;

export type PricedAnswer = Pick<Completion, "usage" | "modelAsked" | "serviceTier">;

export type CostOf = (answer: PricedAnswer) => number | undefined;

const MILLION = 1e6;

const PRICE_IN = "--price-in (priceIn)", PRICE_OUT = "--price-out (priceOut)";

/** @throws {RangeError} if a price is set without another price that it requires */
export function checkPrices({ priceIn, priceOut, priceCached }: PriceOptions): void {
  if (priceCached !== undefined && priceIn === undefined) {
    throw aloneError("--price-cached (priceCached)", `${PRICE_IN} and ${PRICE_OUT}`);
  }
  if (priceIn === undefined && priceOut !== undefined) throw aloneError(PRICE_OUT, PRICE_IN);
  if (priceIn !== undefined && priceOut === undefined) throw aloneError(PRICE_IN, PRICE_OUT);
}

function aloneError(present: string, missing: string): RangeError {
  return new RangeError(
    `Cannot use ${present} alone: add ${missing}, US dollars per million tokens, 0 if they are free`,
  );
}

export interface PricedRun extends PriceOptions {
  /** The parameters of the run, of which only `service_tier` is read. */
  readonly params?: Params;
  /** Unix time in milliseconds: some prices depend on the time of day. @default Date.now */
  readonly now?: () => number;
}

/** Finds the prices of teachers. Loads the public lists only if the user has set no prices, and the
 * address of a teacher is https. Call `checkPrices` first. */
export async function pricesOf(
  teachers: readonly Teacher[],
  options: PricedRun = {},
): Promise<Prices> {
  const { priceIn: prompt, priceOut: completion } = options;
  if (prompt !== undefined && completion !== undefined) {
    const { priceCached: cached = prompt } = options;
    const others = { cached, written: prompt, reasoning: completion, request: 0 };
    const prices = { prompt, completion, ...others };
    return {
      priceOf: orFree(({ usage }) => isCounted(usage) ? costOf(prices, usage) : undefined),
      ratesOf: () => prices,
      unpriced: [],
      notes: [],
    };
  }
  const tier = asText(options.params?.service_tier) || undefined;
  const lists = teachers.some(mayBePublic) ? await import("./public_prices.ts") : undefined;
  const prices = new Map<Teacher, KnownPrice | undefined>();
  // Prices are found on demand, because teachers may join during the run.
  const priceAt = (teacher: Teacher) => {
    if (!prices.has(teacher)) prices.set(teacher, findPrice(lists, teacher, tier, options.now));
    return prices.get(teacher);
  };
  const unpriced = teachers.filter((teacher) => priceAt(teacher) === undefined);
  const isKnown = unpriced.length === 0 && teachers.length > 0;
  return {
    priceOf: isKnown ? (completion, teacher) => priceAt(teacher)?.costOf(completion) : undefined,
    ratesOf: (teacher) => priceAt(teacher)?.rates,
    unpriced,
    notes: [...new Set([...prices.values()].flatMap((price) => price?.note ?? []))],
  };
}

interface KnownPrice {
  readonly costOf: CostOf;
  readonly rates: PlainRates | undefined;
  readonly note: string;
}

/** @param lists Undefined if no teacher at the start may have a public price. */
function findPrice(
  lists: typeof import("./public_prices.ts") | undefined,
  teacher: Teacher,
  tier: string | undefined,
  now?: () => number,
): KnownPrice | undefined {
  if (lists === undefined || !mayBePublic(teacher)) return undefined;
  const { costOfModels, noteOf, publicPrice, statesItsCost } = lists;
  const { model = "", address = "" } = teacher;
  const priceAt = (name: string) => publicPrice(name, address, now);
  const price = priceAt(model);
  const isStated = statesItsCost(address);
  if (price === undefined && !isStated) return undefined;
  const listed = price === undefined ? undefined : costOfModels(price, priceAt);
  return {
    costOf: orFree((completion) =>
      isStated && completion.usage?.costUsd !== undefined
        ? completion.usage.costUsd
        : listed?.(completion)
    ),
    rates: price?.pricesFor(0, tier),
    note: price === undefined
      ? `Cost of "${model}" at ${address} as stated in its answers`
      : noteOf(teacher, price, tier) +
        (isStated ? "; the cost that an answer states overrides it" : ""),
  };
}

/** A usage with prompt, cached and completion tokens, whose cost is 0 only if the model is free. */
const ANY_USAGE: Usage = { promptTokens: 2, cachedTokens: 1, completionTokens: 1 };

/** Returns a function like `costOf`, for which answers of free models cost 0 even without token
 * counts. */
function orFree(costOf: CostOf): CostOf {
  return (answer) =>
    costOf(answer) ?? (costOf({ ...answer, usage: ANY_USAGE }) === 0 ? 0 : undefined);
}

function mayBePublic({ address, model }: Teacher): boolean {
  return Boolean(model && address?.startsWith("https://"));
}

export interface EstimateOptions {
  readonly answers: number;
  /** Prompt tokens of all requests together. */
  readonly promptTokens: number;
  /** The token limit that the parameters of the run set; undefined without one. */
  readonly maxTokens: number | undefined;
  readonly rowTokenLimits?: RowTokenLimits;
  readonly rates: readonly (PlainRates | undefined)[];
}

/** Sums over the answers to rows with a token limit of their own. */
export interface RowTokenLimits {
  answers: number;
  /** Completion tokens of these answers if all are short. */
  minTokens: number;
  /** Completion tokens of these answers if all reach their limits. */
  maxTokens: number;
}

export function addRowTokenLimit(limits: RowTokenLimits, answers: number, maxTokens: number): void {
  limits.answers += answers;
  limits.minTokens += answers * Math.min(SHORT_ANSWER_TOKENS, maxTokens);
  limits.maxTokens += answers * maxTokens;
}

export type Range = readonly [low: number, high: number];

export interface Estimate {
  readonly answers: number;
  readonly promptTokens: number;
  /** Tokens of one answer: a mean if some rows have limits of their own (`isMean`). */
  readonly completionTokens: Range;
  readonly isMean: boolean;
  /** Whether the upper bound is an assumption, because some answers have no token limit. */
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

/** Estimates the cost of all answers. Failed attempts and rejected answers cost extra. */
export function estimate(options: EstimateOptions): Estimate {
  const { answers, promptTokens, maxTokens, rates } = options;
  const totals = { answers: 0, minTokens: 0, maxTokens: 0, ...options.rowTokenLimits };
  const isMean = totals.answers > 0, otherAnswers = answers - totals.answers;
  addRowTokenLimit(totals, otherAnswers, maxTokens ?? LONG_ANSWER_TOKENS);
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

/** Returns sentences for the start of a run: the estimate, and a warning if the budget may not
 * suffice. There are none if no rows are sent, or the cost is unknown. */
export function describeEstimate(
  { answers, promptTokens, completionTokens: [short, long], isMean, isAssumed, costUsd }: Estimate,
  maxCostUsd: number | null,
): { readonly info: readonly string[]; readonly warnings: readonly string[] } {
  if (answers === 0 || costUsd === null) return { info: [], warnings: [] };
  const [low, high] = costUsd;
  const [limit, assumption] = isMean
    ? ["the mean max_tokens limit", "assumed for rows without max_tokens"]
    : ["the max_tokens limit", "assumed: no max_tokens is set"];
  const info =
    `Estimated cost of ${formatCountOf(answers, "answer")}, depending on their length: ` +
    `${formatLowUsd(low, high)} (${formatCount(short)} completion tokens each${
      isMean ? " on average" : ""
    }) to ${formatRoughUsd(high)} (${formatCount(long)}, ${isAssumed ? assumption : limit}), ` +
    `with about ${formatCount(promptTokens)} prompt tokens in all. ` +
    "The estimate narrows as answers arrive";
  return { info: [info], warnings: budgetWarnings(costUsd, maxCostUsd) };
}

/** Formats the lower end of a range, without fractions of a cent if the upper end is in dollars. */
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
