/**
 * Counts what a run has spent, and decides whether it may spend more. No attempt starts once a
 * limit is reached, but attempts in flight are still paid for.
 *
 * @module
 */

import { isCounted } from "../../answer.ts";
import { UsageError } from "../../errors.ts";
import { formatCount, formatCountOf, formatUsd } from "../../figures.js";
import { asAmount } from "../../json.ts";
import type { Completion, Teacher } from "../../teacher/mod.ts";

/** The fields of an answer that its price may depend on. */
type PricedAnswer = Pick<Completion, "usage" | "modelAsked" | "serviceTier">;

interface BudgetOptions {
  /** Returns the cost of an answer in US dollars; undefined if the cost is unknown, usually because
   * the answer has no token counts. Omit the function if the price of any teacher is unknown.
   * @default none */
  priceOf?: (answer: PricedAnswer, teacher: Teacher) => number | undefined;
  /** Teachers whose price is unknown, for error messages. @default [] */
  unpriced?: readonly Teacher[];
  /** The limit on the cost, in US dollars above 0. @default none */
  maxCostUsd?: number;
  /** The limit on completion tokens, a whole number above 0. @default none */
  maxCompletionTokens?: number;
}

/** A limit cannot be enforced if more than half of all answers, and at least this many, lack the
 * token count or the cost that it limits. */
const MIN_UNCOUNTED_ANSWERS = 10;
const UNCOUNTED_TEXT = "without token counts (usage)";

/** The end of the message that a shard has spent its share of the limit. Earlier runs of the shard
 * count towards its share, so its next run would stop at once if the limit stayed the same. */
export const RAISE_ADVICE = "Raise the limit to continue";

/** The relative error that a sum of costs may have: 7 × $0.01 adds up to $0.06999999999999999. */
const ROUNDING_ERROR = 1e-9;

interface Payee {
  readonly teacher: Teacher;
  /** Called with each known cost, and with estimates for the answers of unknown cost. */
  paid(usd: number): void;
}

interface UnestimatedAnswers {
  readonly count: number;
  /** The first of these answers, without its texts. */
  readonly sample: PricedAnswer;
}

/** Validates limits before a budget is created from them.
 *
 * @throws {RangeError} if a limit is out of range */
export function checkLimits(
  { maxCostUsd, maxCompletionTokens }: Pick<BudgetOptions, "maxCostUsd" | "maxCompletionTokens">,
): void {
  if (maxCostUsd !== undefined && !(Number.isFinite(maxCostUsd) && maxCostUsd > 0)) {
    throw new RangeError(
      'Cannot use "maxCostUsd" (--max-cost): it must be US dollars above 0: current value is ' +
        maxCostUsd,
    );
  }
  if (maxCompletionTokens === undefined) return;
  if (Number.isSafeInteger(maxCompletionTokens) && maxCompletionTokens > 0) return;
  throw new RangeError(
    'Cannot use "maxCompletionTokens" (--max-completion-tokens-total): it must be a whole number ' +
      `above 0: current value is ${maxCompletionTokens}`,
  );
}

export class Budget {
  readonly #priceOf: BudgetOptions["priceOf"];
  readonly #unpricedTeachers: readonly Teacher[];
  readonly #maxCompletionTokens: number;
  /** The cost limit of the run or, for a shard, of all shards together; null without a limit. */
  #wholeMaxCostUsd: number | null = null;
  /** For a shard, the fraction of the cost limit that all its runs together may spend. */
  #share = 1;
  /** For a shard, the cost of its earlier runs. */
  #earlierCostUsd = 0;
  /** Sums over the answers with token counts. */
  readonly #counted = { answers: 0, promptTokens: 0, completionTokens: 0 };
  /** The number of answers without token counts. */
  #uncounted = 0;
  /** Counts the answers of known cost and sums up their cost. */
  readonly #priced = { answers: 0, usd: 0 };
  /** Counts the answers of unknown cost and sums up their estimated cost. */
  readonly #unpriced = { answers: 0, usd: 0 };
  /** Answers of unknown cost that wait for the first answer of known cost. Only then can their cost
   * be estimated. */
  readonly #unestimated = new Map<Payee, UnestimatedAnswers>();

  /** @throws {UsageError} if the cost is limited and a price is unknown */
  constructor(options: BudgetOptions = {}) {
    this.#priceOf = options.priceOf;
    this.#unpricedTeachers = options.unpriced ?? [];
    this.#maxCompletionTokens = options.maxCompletionTokens ?? Infinity;
    this.setMaxCost(options.maxCostUsd ?? null);
  }

  /** Whether the price of every teacher is known. */
  get isPriced(): boolean {
    return this.#priceOf !== undefined;
  }

  /** The cost so far, including estimates for answers of unknown cost. Null if prices are
   * unknown, or if there are answers but none of known cost. */
  get costUsd(): number | null {
    const isUnknown = this.#unpriced.answers > 0 && this.#priced.answers === 0;
    return !this.isPriced || isUnknown ? null : this.#priced.usd + this.#unpriced.usd;
  }

  /** The limit on the cost. For a shard, this is the share of all its runs together. */
  get maxCostUsd(): number | null {
    return this.#wholeMaxCostUsd === null ? null : this.#wholeMaxCostUsd * this.#share;
  }

  /** The part of `maxCostUsd` that earlier runs of the shard have not spent. */
  get remainingCostUsd(): number | null {
    const usd = this.maxCostUsd;
    return usd === null ? null : Math.max(0, usd - this.#earlierCostUsd);
  }

  /** The limit for all shards that this shard's cost so far would use up: $8 after $2 with a share
   * of 0.25. Null if the cost is unknown. */
  get usedUpMaxCostUsd(): number | null {
    const costUsd = this.costUsd;
    return costUsd === null ? null : (costUsd + this.#earlierCostUsd) / this.#share;
  }

  /** Why no more may be spent: a limit is reached or cannot be enforced. Undefined if more may be
   * spent. */
  get exhaustedReason(): string | undefined {
    const { maxCostUsd } = this, maxTokens = this.#maxCompletionTokens;
    if (maxCostUsd === null && maxTokens === Infinity) return undefined;
    const costUsd = (this.costUsd ?? 0) + this.#earlierCostUsd;
    if (maxCostUsd !== null && costUsd >= maxCostUsd * (1 - ROUNDING_ERROR)) {
      const cost = formatUsd(costUsd), limit = formatUsd(maxCostUsd);
      const note = noteOf(this.#unpriced.answers, "of unknown cost");
      // Only a shard has costs of earlier runs or a share below 1.
      if (this.#share !== 1 || this.#earlierCostUsd > 0) {
        const wholeLimit = formatUsd(this.#wholeMaxCostUsd!);
        return `All runs of this shard have cost ${cost} of ${limit}, its share of the limit of ` +
          `${wholeLimit} (--max-cost)${note}. ${RAISE_ADVICE}`;
      }
      return `The run has cost ${cost} of at most ${limit} (--max-cost)${note}`;
    }
    const { answers: counted, completionTokens: countedTokens } = this.#counted;
    const uncountedTokens = this.#uncounted * countedTokens / Math.max(1, counted);
    const completionTokens = Math.round(countedTokens + uncountedTokens);
    if (completionTokens >= maxTokens) {
      return `The run has received ${formatCount(completionTokens)} completion tokens of at most ` +
        `${formatCount(maxTokens)} (--max-completion-tokens-total)` +
        noteOf(this.#uncounted, UNCOUNTED_TEXT);
    }
    return (maxCostUsd === null ? undefined : unenforceableReason(
      "--max-cost",
      this.#unpriced.answers,
      this.#priced.answers,
      "without the usage that determines their cost",
    )) ?? (maxTokens === Infinity ? undefined : unenforceableReason(
      "--max-completion-tokens-total",
      this.#uncounted,
      counted,
      UNCOUNTED_TEXT,
    ));
  }

  /** Counts an answer, accepted or not. Returns its cost, or null if the cost is unknown. */
  add(completion: Completion, payee: Payee): number | null {
    const { usage, modelAsked, serviceTier } = completion, counted = this.#counted;
    if (isCounted(usage)) {
      counted.answers++;
      counted.promptTokens += usage.promptTokens;
      counted.completionTokens += usage.completionTokens;
    } else this.#uncounted++;
    if (this.#priceOf === undefined) return null;
    const usd = asAmount(this.#priceOf(completion, payee.teacher));
    if (usd === undefined) {
      this.#unpriced.answers++;
      const { count, sample } = this.#unestimated.get(payee) ??
        { count: 0, sample: { usage, modelAsked, serviceTier } };
      this.#unestimated.set(payee, { count: count + 1, sample });
    } else {
      this.#priced.answers++;
      this.#priced.usd += usd;
      payee.paid(usd);
    }
    if (this.#priced.answers > 0 && this.#unestimated.size > 0) this.#payEstimates();
    return usd ?? null;
  }

  #payEstimates(): void {
    for (const [payee, { count, sample }] of this.#unestimated) {
      const usd = count * this.#estimateUsd(sample, payee.teacher);
      this.#unpriced.usd += usd;
      payee.paid(usd);
    }
    this.#unestimated.clear();
  }

  /** Estimates an unknown cost. An answer without token counts is priced with the mean counts. If
   * that gives no price, or the answer has token counts, the estimate is the mean of the known
   * costs. */
  #estimateUsd(answer: PricedAnswer, teacher: Teacher): number {
    const { answers, ...sums } = this.#counted;
    const usage = {
      promptTokens: sums.promptTokens / Math.max(1, answers),
      completionTokens: sums.completionTokens / Math.max(1, answers),
    };
    const usd = isCounted(answer.usage)
      ? undefined
      : asAmount(this.#priceOf?.({ ...answer, usage }, teacher));
    return usd ?? this.#priced.usd / this.#priced.answers;
  }

  /** Sets a shard's share of the limit, a fraction above 0, and the cost of its earlier runs. */
  setShare(share: number, earlierCostUsd: number): void {
    this.#share = share;
    this.#earlierCostUsd = earlierCostUsd;
  }

  /**
   * Sets the limit on the cost.
   *
   * @param usd For a shard, the limit of all shards together. Null removes the limit.
   * @throws {UsageError} if a price is unknown
   */
  setMaxCost(usd: number | null): void {
    if (usd !== null && !this.isPriced) throw noPrice(usd, this.#unpricedTeachers);
    this.#wholeMaxCostUsd = usd;
  }
}

/** Why a limit cannot be enforced; undefined if it can, or if too few answers show that it
 * cannot. */
function unenforceableReason(
  flag: string,
  unknown: number,
  known: number,
  what: string,
): string | undefined {
  if (unknown < MIN_UNCOUNTED_ANSWERS || unknown <= known) return undefined;
  return `The limit ${flag} cannot be enforced: ${unknown} of ${unknown + known} answers came ` +
    `${what}. Leave it out; --limit and --deadline limit a run as well`;
}

function noteOf(unknown: number, what: string): string {
  if (unknown === 0) return "";
  return `, counting ${formatCountOf(unknown, "answer")} ${what} as the mean of the others`;
}

function noPrice(maxCostUsd: number, unpriced: readonly Teacher[]): UsageError {
  // A custom teacher may have neither a model nor an address.
  const names = unpriced.map(({ model, address }) =>
    `${model ? `"${model}"` : "the teacher"}${address ? ` at ${address}` : ""}`
  );
  const whose = names.length === 0 ? "" : ` of ${[...new Set(names)].join(", ")}`;
  const limit = formatUsd(maxCostUsd);
  return new UsageError(
    `Cannot limit the run to ${limit} (--max-cost): the price${whose} is not known. ` +
      "Add --price-in and --price-out, US dollars per million tokens",
  );
}
