/**
 * Counts what a run has spent and decides whether it may spend more.
 *
 * Spending ends once a limit is reached, not before: attempts in flight at that moment are still
 * paid for, so a run costs at most its limit plus the answers in flight.
 *
 * @module
 */

import { UsageError } from "../../errors.ts";
import { formatCount } from "../../figures.ts";
import type { Completion, Teacher } from "../../teacher/mod.ts";

export interface BudgetOptions {
  /** US dollars for an answer; undefined if the answer has no token counts. @default none, because
   * the price of a teacher is unknown */
  priceOf?: (completion: Completion, teacher: Teacher) => number | undefined;
  /** Teachers without a known price, for error messages. @default [] */
  unpriced?: readonly Teacher[];
  /** The limit in US dollars, above 0. @default none */
  maxCostUsd?: number;
  /** The limit in completion tokens, a whole number above 0. @default none */
  maxCompletionTokens?: number;
}

/** The number of answers without token counts that halts the run if they are also the majority: no
 * limit can be enforced then. */
const UNCOUNTED_ANSWERS = 10;

/** @throws {RangeError} if a limit is out of range */
export function checkLimits(
  { maxCostUsd, maxCompletionTokens }: Pick<BudgetOptions, "maxCostUsd" | "maxCompletionTokens">,
): void {
  if (maxCostUsd !== undefined) checkMaxCost(maxCostUsd);
  if (
    maxCompletionTokens === undefined ||
    (Number.isSafeInteger(maxCompletionTokens) && maxCompletionTokens > 0)
  ) return;
  throw new RangeError(
    'Cannot use "maxCompletionTokens" (--max-completion-tokens-total): it must be a whole number ' +
      `above 0: current value is ${maxCompletionTokens}`,
  );
}

/** Sums the cost of all answers, whether or not they are accepted. */
export class Budget {
  readonly #priceOf: BudgetOptions["priceOf"];
  readonly #unpriced: readonly Teacher[];
  readonly #maxCompletionTokens: number;
  #maxCostUsd: number | null = null;
  #costUsd = 0;
  /** US dollars of earlier runs that share the limit. */
  #earlierCostUsd = 0;
  #completionTokens = 0;
  #counted = 0;
  #uncounted = 0;

  /**
   * @throws {RangeError} if a limit is out of range
   * @throws {UsageError} if the cost is limited and a price is unknown
   */
  constructor(options: BudgetOptions = {}) {
    checkLimits(options);
    this.#priceOf = options.priceOf;
    this.#unpriced = options.unpriced ?? [];
    this.#maxCompletionTokens = options.maxCompletionTokens ?? Infinity;
    this.setMaxCost(options.maxCostUsd ?? null);
  }

  /** US dollars for the answers so far; null unless the price of every teacher is known. */
  get costUsd(): number | null {
    return this.#priceOf === undefined ? null : this.#costUsd;
  }

  /** The limit in US dollars; null if there is none. */
  get maxCostUsd(): number | null {
    return this.#maxCostUsd;
  }

  /** Why no more may be spent, for the user; undefined while more may be. On the hot path: cheap in
   * that case. */
  get exhaustedReason(): string | undefined {
    const maxCostUsd = this.#maxCostUsd, maxTokens = this.#maxCompletionTokens;
    if (maxCostUsd === null && maxTokens === Infinity) return undefined;
    if (maxCostUsd !== null && this.#costUsd + this.#earlierCostUsd >= maxCostUsd) {
      const cost = dollarsBeside(this.#costUsd + this.#earlierCostUsd, maxCostUsd);
      if (this.#earlierCostUsd > 0) {
        return `The shard has cost ${cost} of its share of at most ${dollars(maxCostUsd)} ` +
          "(--max-cost), all its runs together";
      }
      return `The run has cost ${cost} of at most ${dollars(maxCostUsd)} (--max-cost)`;
    }
    if (this.#completionTokens >= maxTokens) {
      return `The run has received ${
        formatCount(this.#completionTokens)
      } completion tokens of at ` +
        `most ${formatCount(maxTokens)} (--max-completion-tokens-total)`;
    }
    if (this.#uncounted >= UNCOUNTED_ANSWERS && this.#uncounted > this.#counted) {
      const limit = maxCostUsd === null ? "--max-completion-tokens-total" : "--max-cost";
      return `The limit ${limit} cannot be enforced: ${this.#uncounted} of ` +
        `${this.#uncounted + this.#counted} answers came without token counts (usage)`;
    }
    return undefined;
  }

  /**
   * Counts an answer, whether or not it is accepted.
   *
   * @returns Its cost in US dollars; null if unknown.
   */
  add(completion: Completion, teacher: Teacher): number | null {
    const tokens = completion.usage?.completionTokens;
    // A custom teacher may return anything; one NaN would disable the limit.
    if (tokens === undefined || !(tokens >= 0)) {
      this.#uncounted++;
      return null;
    }
    this.#counted++;
    this.#completionTokens += tokens;
    const costUsd = this.#priceOf?.(completion, teacher) ?? null;
    if (costUsd === null || !(costUsd >= 0)) return null;
    this.#costUsd += costUsd;
    return costUsd;
  }

  /** Counts what earlier runs have cost, `usd` US dollars in total, against the limit. */
  countEarlierRuns(usd: number): void {
    this.#earlierCostUsd = usd;
  }

  /**
   * Changes the cost limit; null removes it.
   *
   * @throws {RangeError} if it is not above 0
   * @throws {UsageError} if a price is unknown
   */
  setMaxCost(usd: number | null): void {
    if (usd !== null) {
      checkMaxCost(usd);
      if (this.#priceOf === undefined) throw noPrice(usd, this.#unpriced);
    }
    this.#maxCostUsd = usd;
  }
}

function checkMaxCost(usd: number): void {
  if (Number.isFinite(usd) && usd > 0) return;
  throw new RangeError(
    `Cannot use "maxCostUsd" (--max-cost): it must be US dollars above 0: current value is ${usd}`,
  );
}

function noPrice(maxCostUsd: number, unpriced: readonly Teacher[]): UsageError {
  const names = unpriced.map(({ model, address }) =>
    `"${model ?? ""}"${address ? ` at ${address}` : ""}`
  );
  const whose = names.length === 0 ? "" : ` of ${[...new Set(names)].join(", ")}`;
  return new UsageError(
    `Cannot limit the run to ${
      dollars(maxCostUsd)
    } (--max-cost): the price${whose} is not known. ` +
      "Add --price-in and --price-out, US dollars for a million tokens",
  );
}

/** `$1,234.50`. Below a cent, shows one more significant digit than `fractionDigits`. */
function dollars(usd: number, fractionDigits = 2): string {
  const isTiny = usd > 0 && usd < 0.01;
  const digits = isTiny
    ? { maximumSignificantDigits: fractionDigits + 1 }
    : { maximumFractionDigits: fractionDigits };
  return usd.toLocaleString("en-US", { style: "currency", currency: "USD", ...digits });
}

/** Maximum number of decimals to tell a cost from its limit. Smaller differences are not shown. */
const MAX_DECIMALS = 6;

/** A cost with enough decimals to differ from its limit: `$2.0031` beside `$2.00`. */
function dollarsBeside(usd: number, limitUsd: number): string {
  for (let digits = 2; digits <= MAX_DECIMALS; digits++) {
    const text = dollars(usd, digits);
    if (text !== dollars(limitUsd, digits)) return text;
  }
  return dollars(usd);
}
