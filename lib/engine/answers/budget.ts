/**
 * What a run has spent, and whether it may spend more.
 *
 * Spending ends as soon as a limit is reached, not before: what is in flight then is still paid for, so
 * a run costs its limit and the answers in flight at most.
 *
 * @module
 */

import { UsageError } from "../../errors.ts";
import { formatCount } from "../../figures.ts";
import type { Completion, Teacher } from "../../teacher/mod.ts";

/** Limits of a run, and the prices of its answers. */
export interface BudgetOptions {
  /** What an answer costs in US dollars; undefined if the teacher did not count its tokens.
   * @default no price is known */
  priceOf?: (completion: Completion, teacher: Teacher) => number | undefined;
  /** Teachers whose price is not known, for the message of the error. @default [] */
  unpriced?: readonly Teacher[];
  /** What the run may cost in US dollars: above 0. @default no limit */
  maxCostUsd?: number;
  /** Completion tokens that the run may have: 1 and more. @default no limit */
  maxCompletionTokens?: number;
}

/** Answers without a token count that halt the run, if they are also the majority: no limit can be enforced
 * then. */
const UNCOUNTED_ANSWERS = 10;

/**
 * Checks the limits of a run.
 *
 * @throws {RangeError} when one is out of range
 */
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

/** Counts the cost of all answers, including those that are not kept. */
export class Budget {
  readonly #priceOf: BudgetOptions["priceOf"];
  readonly #unpriced: readonly Teacher[];
  readonly #maxCompletionTokens: number;
  #maxCostUsd: number | null = null;
  #costUsd = 0;
  /** The cost of earlier runs that share the limit. */
  #costBefore = 0;
  #completionTokens = 0;
  #counted = 0;
  #uncounted = 0;

  /**
   * Nothing is spent yet.
   *
   * @throws {RangeError} when a limit is out of range
   * @throws {UsageError} when there is a limit to the cost and a price is not known
   */
  constructor(options: BudgetOptions = {}) {
    checkLimits(options);
    this.#priceOf = options.priceOf;
    this.#unpriced = options.unpriced ?? [];
    this.#maxCompletionTokens = options.maxCompletionTokens ?? Infinity;
    this.setMaxCost(options.maxCostUsd ?? null);
  }

  /** What the answers have cost so far in US dollars; null if no price is known. */
  get costUsd(): number | null {
    return this.#priceOf === undefined ? null : this.#costUsd;
  }

  /** What the run may cost in US dollars; null if there is no limit. */
  get maxCostUsd(): number | null {
    return this.#maxCostUsd;
  }

  /** Why nothing more may be spent, in words; undefined while it may. Cheap while it may. */
  get exhausted(): string | undefined {
    const maxCostUsd = this.#maxCostUsd, maxTokens = this.#maxCompletionTokens;
    if (maxCostUsd === null && maxTokens === Infinity) return undefined;
    if (maxCostUsd !== null && this.#costUsd + this.#costBefore >= maxCostUsd) {
      const cost = dollarsBeside(this.#costUsd + this.#costBefore, maxCostUsd);
      if (this.#costBefore > 0) {
        return `The shard has cost ${cost} of its share of at most ${dollars(maxCostUsd)} ` +
          "(--max-cost), all its runs together";
      }
      return `The run has cost ${cost} of at most ${dollars(maxCostUsd)} (--max-cost)`;
    }
    if (this.#completionTokens >= maxTokens) {
      return `The run has had ${
        formatCount(this.#completionTokens)
      } completion tokens of at most ` +
        `${formatCount(maxTokens)} (--max-completion-tokens-total)`;
    }
    if (this.#uncounted >= UNCOUNTED_ANSWERS && this.#uncounted > this.#counted) {
      const limit = maxCostUsd === null ? "--max-completion-tokens-total" : "--max-cost";
      return `The limit ${limit} cannot be held: ${this.#uncounted} of ` +
        `${this.#uncounted + this.#counted} answers came without a count of their tokens (usage)`;
    }
    return undefined;
  }

  /**
   * Counts an answer, kept or not.
   *
   * @returns What it cost in US dollars; 0 if that is not known.
   */
  add(completion: Completion, teacher: Teacher): number {
    const tokens = completion.usage?.completionTokens;
    // A custom teacher may return anything; one NaN would disable the limit.
    if (tokens === undefined || !(tokens >= 0)) {
      this.#uncounted++;
      return 0;
    }
    this.#counted++;
    this.#completionTokens += tokens;
    const costUsd = this.#priceOf?.(completion, teacher) ?? 0;
    if (!(costUsd > 0)) return 0;
    this.#costUsd += costUsd;
    return costUsd;
  }

  /** Adds the cost of earlier runs to what the limit is compared with. */
  countBefore(usd: number): void {
    this.#costBefore = usd;
  }

  /**
   * Changes the cost limit; null removes it.
   *
   * @throws {RangeError} when it is not above 0
   * @throws {UsageError} when a price is not known
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
    `Cannot hold the run to ${dollars(maxCostUsd)} (--max-cost): the price${whose} is not known. ` +
      "Add --price-in and --price-out, US dollars for a million tokens",
  );
}

/** `$1,234.50`; below a cent, three significant digits. */
function dollars(usd: number, fractionDigits = 2): string {
  const isTiny = usd > 0 && usd < 0.01;
  const digits = isTiny
    ? { maximumSignificantDigits: fractionDigits + 1 }
    : { maximumFractionDigits: fractionDigits };
  return usd.toLocaleString("en-US", { style: "currency", currency: "USD", ...digits });
}

/** A run that is less than a millionth of a dollar above its limit is shown as equal to it. */
const MOST_DIGITS = 6;

/** An amount with as many digits as tell it from another: `$2.0031` and `$2.00`. */
function dollarsBeside(usd: number, other: number): string {
  for (let digits = 2; digits <= MOST_DIGITS; digits++) {
    const text = dollars(usd, digits);
    if (text !== dollars(other, digits)) return text;
  }
  return dollars(usd);
}
