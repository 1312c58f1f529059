/** What answers cost: by the user's prices, else as answers state it, else by public prices.
 * @module */

import type { Completion, Params, Teacher, Usage } from "../teacher/mod.ts";
import type { PublicPrice, TokenPrices } from "./rates.ts";

/** The prices of the user, which apply to all teachers. */
export interface PriceOptions {
  /** US dollars per million prompt tokens. @default the listed price */
  priceIn?: number;
  /** US dollars per million prompt tokens read from the cache. @default `priceIn`, or the listed
   * price */
  priceCached?: number;
  /** US dollars per million completion tokens. @default the listed price */
  priceOut?: number;
}

export interface Prices {
  /** The prices for an estimate; undefined if unknown. */
  readonly ratesOf: (teacher: Teacher) => PlainRates | undefined;
  /** The cost of an answer in US dollars; undefined if the answer has no token counts. The function
   * is absent unless the price of every teacher is known: an incomplete sum would be mistaken for
   * the bill. */
  readonly priceOf: ((answer: PricedAnswer, teacher: Teacher) => number | undefined) | undefined;
  readonly unpriced: readonly Teacher[];
  /** For each model, a sentence that says where its price comes from; empty if the user set the
   * prices. */
  readonly notes: readonly string[];
}

/** US dollars per million tokens. */
export type PlainRates = Pick<TokenPrices, "prompt" | "completion">;

export type PricedAnswer = Pick<Completion, "usage" | "modelAsked" | "serviceTier">;

type CostOf = (answer: PricedAnswer) => number | undefined;

/** @throws {RangeError} if a price is not an amount of money, or is missing beside another */
export function checkPrices({ priceIn, priceOut, priceCached }: PriceOptions): void {
  for (
    const [name, flag, usd] of [
      ["priceIn", "--price-in", priceIn],
      ["priceOut", "--price-out", priceOut],
      ["priceCached", "--price-cached", priceCached],
    ] as const
  ) {
    if (usd === undefined || (Number.isFinite(usd) && usd >= 0)) continue;
    throw new RangeError(
      `Cannot use "${name}" (${flag}): it must be US dollars for a million tokens, 0 or more: ` +
        `current value is ${usd}`,
    );
  }
  if (priceCached !== undefined && priceIn === undefined) {
    throw new RangeError(
      "Cannot use --price-cached (priceCached) alone: add --price-in (priceIn) and --price-out (priceOut)",
    );
  }
  if ((priceIn === undefined) === (priceOut === undefined)) return;
  const [present, missing] = priceIn === undefined
    ? ["--price-out (priceOut)", "--price-in (priceIn)"]
    : ["--price-in (priceIn)", "--price-out (priceOut)"];
  throw new RangeError(
    `Cannot use ${present} alone: add ${missing}, US dollars for a million tokens, 0 if they are free`,
  );
}

export interface PricedRun extends PriceOptions {
  /** The parameters of the run, of which `service_tier` is read. */
  readonly params?: Params;
  /** Unix time in milliseconds: some prices depend on the time of day. @default Date.now */
  readonly now?: () => number;
}

/**
 * Finds the prices of teachers. Loads the lists only if a teacher has an https address and the user
 * gave no price.
 *
 * @throws {RangeError} as `checkPrices` does
 */
export async function pricesOf(
  teachers: readonly Teacher[],
  options: PricedRun = {},
): Promise<Prices> {
  checkPrices(options);
  const { priceIn, priceOut, priceCached = priceIn } = options;
  if (priceIn !== undefined && priceOut !== undefined) {
    return {
      priceOf: ({ usage }) => usage ? plainCost(usage, priceIn, priceCached!, priceOut) : undefined,
      ratesOf: () => ({ prompt: priceIn, completion: priceOut }),
      unpriced: [],
      notes: [],
    };
  }
  const tier = tierOf(options.params);
  const prices = new Map<Teacher, KnownPrice>();
  for (const teacher of teachers.filter(mayBePublic)) {
    const price = await findPrice(teacher, tier, options.now);
    if (price !== undefined) prices.set(teacher, price);
  }
  const unpriced = teachers.filter((teacher) => !prices.has(teacher));
  const isKnown = unpriced.length === 0 && teachers.length > 0;
  return {
    priceOf: isKnown ? (completion, teacher) => prices.get(teacher)?.costOf(completion) : undefined,
    ratesOf: (teacher) => prices.get(teacher)?.rates,
    unpriced,
    notes: [...new Set([...prices.values()].map(({ note }) => note))],
  };
}

interface KnownPrice {
  readonly costOf: CostOf;
  readonly rates: PlainRates | undefined;
  readonly note: string;
}

async function findPrice(
  teacher: Teacher,
  tier: string | undefined,
  now?: () => number,
): Promise<KnownPrice | undefined> {
  const { publicPrice } = await import("./public_prices.ts");
  const { model = "", address = "" } = teacher;
  const priceAt = (name: string) => publicPrice(name, address, now);
  const price = priceAt(model);
  const isStated = statesItsCost(address);
  if (price === undefined && !isStated) return undefined;
  const listed = price === undefined ? undefined : costOfModels(price, priceAt);
  return {
    costOf: (completion) =>
      isStated && completion.usage?.costUsd !== undefined
        ? completion.usage.costUsd
        : listed?.(completion),
    rates: price?.ratesFor(tier),
    note: price === undefined
      ? `Cost of "${model}" at ${address} as stated in its answers`
      : noteOf(teacher, price, tier) +
        (isStated ? "; the cost that an answer states overrides it" : ""),
  };
}

/** APIs whose answers state what they cost, including discounts and tools. */
const STATE_COST = ["openrouter.ai", "api.x.ai", "api.deepinfra.com", "api.perplexity.ai"];

function statesItsCost(address: string): boolean {
  const url = URL.parse(address);
  return url?.protocol === "https:" && url.port === "" && STATE_COST.includes(url.hostname);
}

function tierOf(params: Params | undefined): string | undefined {
  const tier = params?.service_tier;
  return typeof tier === "string" ? tier : undefined;
}

function plainCost(usage: Usage, priceIn: number, priceCached: number, priceOut: number): number {
  const { promptTokens, completionTokens } = usage;
  const cached = Math.min(usage.cachedTokens ?? 0, promptTokens);
  return ((promptTokens - cached) * priceIn + cached * priceCached + completionTokens * priceOut) /
    1e6;
}

function mayBePublic({ address, model }: Teacher): boolean {
  return Boolean(model) && address !== undefined && address.startsWith("https://");
}

/** A row may name another model. If that has no price, the price of the teacher's own model counts:
 * if the answer counted as free, budgets would not hold. */
function costOfModels(
  ownPrice: PublicPrice,
  priceAt: (model: string) => PublicPrice | undefined,
): CostOf {
  const otherPrices = new Map<string, PublicPrice>();
  return ({ usage, modelAsked, serviceTier }) => {
    if (!usage) return undefined;
    if (modelAsked === undefined) return ownPrice.costOf(usage, serviceTier);
    let price = otherPrices.get(modelAsked);
    if (price === undefined) {
      price = priceAt(modelAsked) ?? ownPrice;
      otherPrices.set(modelAsked, price);
    }
    return price.costOf(usage, serviceTier);
  };
}

function noteOf({ model, address }: Teacher, price: PublicPrice, tier: string | undefined): string {
  const isTier = tier !== undefined && price.knowsTier(tier);
  const tierNote = tier === undefined
    ? ""
    : isTier
    ? `, service_tier ${tier}`
    : `, no separate price for service_tier ${tier}`;
  const { prompt, cached, completion } = price.ratesFor(tier);
  const cachedNote = cached === prompt ? "" : ` $${cached} cached,`;
  return `Public price of "${model}" at ${address}${tierNote}: $${prompt} in,${cachedNote} ` +
    `$${completion} out per million tokens (${price.source}; --price-in and --price-out override it)`;
}
