/**
 * Counts what a run has spent, and decides whether it may spend more. No attempt starts once a
 * limit is reached, but attempts in flight are still paid for.
 *
 * @module
 */

import { UsageError } from "../../errors.ts";
import { formatCount, formatCountOf } from "../../figures.ts";
import { asAmount } from "../../json.ts";
import type { Completion, Teacher } from "../../teacher/mod.ts";

export interface BudgetOptions {
  /**
   * The cost of an answer in US dollars; undefined without token counts. Omit the function if the
   * price of any teacher is unknown. @default none
   */
  priceOf?: (completion: Completion, teacher: Teacher) => number | undefined;
  /** For error messages. @default [] */
  unpriced?: readonly Teacher[];
  /** Above 0. @default none */
  maxCostUsd?: number;
  /** A whole number above 0. @default none */
  maxCompletionTokens?: number;
}

/** No limit can be enforced once this many answers, and more than half of them all, came without
 * token counts. */
const UNCOUNTED_ANSWERS = 10;

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

export class Budget {
  readonly #priceOf: BudgetOptions["priceOf"];
  readonly #unpriced: readonly Teacher[];
  readonly #maxCompletionTokens: number;
  #maxCostUsd: number | null = null;
  /** The limit of all shards together. */
  #wholeMaxCostUsd = 0;
  #costUsd = 0;
  /** The cost of earlier runs that share the limit. */
  #earlierCostUsd = 0;
  #completionTokens = 0;
  #promptTokens = 0;
  #counted = 0;
  #uncounted = 0;
  /** Estimates for answers without token counts: those are billed, too. */
  #uncountedCostUsd = 0;
  #uncountedTokens = 0;

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

  /** Null unless the price of every teacher is known. */
  get costUsd(): number | null {
    return this.#priceOf === undefined ? null : this.#costUsd;
  }

  get maxCostUsd(): number | null {
    return this.#maxCostUsd;
  }

  /** Why no more may be spent; undefined while the budget lasts. */
  get exhaustedReason(): string | undefined {
    const maxCostUsd = this.#maxCostUsd, maxTokens = this.#maxCompletionTokens;
    if (maxCostUsd === null && maxTokens === Infinity) return undefined;
    const costUsd = this.#costUsd + this.#uncountedCostUsd + this.#earlierCostUsd;
    if (maxCostUsd !== null && costUsd >= maxCostUsd) {
      const cost = dollarsBeside(costUsd, maxCostUsd);
      // A single shard has the whole limit, and only shards count earlier runs.
      if (this.#wholeMaxCostUsd !== maxCostUsd || this.#earlierCostUsd > 0) {
        return `All runs of this shard have cost ${cost} of ${dollars(maxCostUsd)}, its share of ` +
          `the limit of ${dollars(this.#wholeMaxCostUsd)} (--max-cost)${this.#uncountedNote}`;
      }
      return `The run has cost ${cost} of at most ${dollars(maxCostUsd)} (--max-cost)` +
        this.#uncountedNote;
    }
    const completionTokens = Math.round(this.#completionTokens + this.#uncountedTokens);
    if (completionTokens >= maxTokens) {
      return `The run has received ${formatCount(completionTokens)} completion tokens of at most ` +
        `${formatCount(maxTokens)} (--max-completion-tokens-total)${this.#uncountedNote}`;
    }
    if (this.#uncounted >= UNCOUNTED_ANSWERS && this.#uncounted > this.#counted) {
      const limit = maxCostUsd === null ? "--max-completion-tokens-total" : "--max-cost";
      return `The limit ${limit} cannot be enforced: ${this.#uncounted} of ` +
        `${this.#uncounted + this.#counted} answers came without token counts (usage). Leave it ` +
        "out; --limit and --deadline limit a run as well";
    }
    return undefined;
  }

  get #uncountedNote(): string {
    if (this.#uncounted === 0) return "";
    const answers = formatCountOf(this.#uncounted, "answer");
    return `, counting ${answers} without token counts (usage) as the mean of the others`;
  }

  /** Counts an answer, accepted or not. Returns its cost in US dollars; null if unknown. */
  add(completion: Completion, teacher: Teacher): number | null {
    const { usage } = completion;
    if (usage === null || usage === undefined) {
      this.#uncounted++;
      this.#addEstimate(completion, teacher);
      return null;
    }
    this.#counted++;
    this.#promptTokens += usage.promptTokens;
    this.#completionTokens += usage.completionTokens;
    const costUsd = this.#priceOf?.(completion, teacher) ?? null;
    if (costUsd === null || !(costUsd >= 0)) return null;
    this.#costUsd += costUsd;
    return costUsd;
  }

  /** Estimates an answer as the mean of the counted ones, at the price of its teacher. */
  #addEstimate(completion: Completion, teacher: Teacher): void {
    if (this.#counted === 0) return;
    const promptTokens = this.#promptTokens / this.#counted;
    const completionTokens = this.#completionTokens / this.#counted;
    const usage = { promptTokens, completionTokens };
    this.#uncountedTokens += completionTokens;
    this.#uncountedCostUsd += asAmount(this.#priceOf?.({ ...completion, usage }, teacher)) ?? 0;
  }

  countEarlierRuns(usd: number): void {
    this.#earlierCostUsd = usd;
  }

  /**
   * Sets the limit on the cost.
   *
   * @param usd Null removes the limit.
   * @param wholeUsd The limit of all shards together, if `usd` is a shard's share.
   * @throws {RangeError} if `usd` is not above 0
   * @throws {UsageError} if a price is unknown
   */
  setMaxCost(usd: number | null, wholeUsd = usd): void {
    if (usd !== null) {
      checkMaxCost(usd);
      if (this.#priceOf === undefined) throw noPrice(usd, this.#unpriced);
    }
    this.#maxCostUsd = usd;
    this.#wholeMaxCostUsd = wholeUsd ?? 0;
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
      "Add --price-in and --price-out, US dollars per million tokens",
  );
}

/** `$1,234.50`. Below a cent, one more significant digit than `fractionDigits`. */
function dollars(usd: number, fractionDigits = 2): string {
  const isTiny = usd > 0 && usd < 0.01;
  const digits = isTiny
    ? { maximumSignificantDigits: fractionDigits + 1 }
    : { maximumFractionDigits: fractionDigits };
  return usd.toLocaleString("en-US", { style: "currency", currency: "USD", ...digits });
}

const MAX_DECIMALS = 6;

/** A cost with enough decimals to differ from its limit: `$2.0031` beside `$2.00`. */
function dollarsBeside(usd: number, limitUsd: number): string {
  for (let digits = 2; digits <= MAX_DECIMALS; digits++) {
    const text = dollars(usd, digits);
    if (text !== dollars(limitUsd, digits)) return text;
  }
  return dollars(usd);
}
