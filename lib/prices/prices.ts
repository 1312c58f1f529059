/**
 * What an answer costs: by the prices that a person gives, else by a list of public prices.
 *
 * @module
 */

import type { Completion, Teacher } from "../teacher/mod.ts";
import type { PublicPrice } from "./public_prices.ts";

/** What a person says of prices. */
export interface PriceOptions {
  /** US dollars for a million prompt tokens, cached or not. @default what the list says */
  priceIn?: number;
  /** US dollars for a million completion tokens. @default what the list says */
  priceOut?: number;
}

/** What is known of the prices of a run's teachers. */
export interface Prices {
  /** What an answer of a teacher costs in US dollars; undefined where the teacher did not count its
   * tokens. Undefined itself unless the price of every teacher is known: a sum that leaves some out
   * would pass for the bill. */
  readonly priceOf: ((completion: Completion, teacher: Teacher) => number | undefined) | undefined;
  /** Teachers whose price is not known. */
  readonly unpriced: readonly Teacher[];
  /** Where prices come from that nobody gave, in words: one sentence for each model. */
  readonly notes: readonly string[];
}

/** The cost of an answer at one teacher. */
type CostOf = (completion: Completion) => number | undefined;

/**
 * Checks what a person says of prices.
 *
 * @throws {RangeError} when one is no amount of money, or one is there without the other
 */
export function checkPrices({ priceIn, priceOut }: PriceOptions): void {
  for (
    const [name, flag, usd] of [
      ["priceIn", "--price-in", priceIn],
      ["priceOut", "--price-out", priceOut],
    ] as const
  ) {
    if (usd === undefined || (Number.isFinite(usd) && usd >= 0)) continue;
    throw new RangeError(
      `Cannot use "${name}" (${flag}): it must be US dollars for a million tokens, 0 and more: ` +
        `current value is ${usd}`,
    );
  }
  if ((priceIn === undefined) === (priceOut === undefined)) return;
  const [given, missing] = priceIn === undefined
    ? ["--price-out (priceOut)", "--price-in (priceIn)"]
    : ["--price-in (priceIn)", "--price-out (priceOut)"];
  throw new RangeError(
    `Cannot use ${given} alone: add ${missing}, US dollars for a million tokens, 0 where they are free`,
  );
}

/**
 * Finds out what the answers of some teachers cost. Prices that are given hold for all of them. No
 * call is made; the list is loaded when a teacher is at a public address and no price is given.
 *
 * @param now Unix milliseconds, for prices that change with the time of day.
 * @throws {RangeError} as `checkPrices` does
 */
export async function pricesOf(
  teachers: readonly Teacher[],
  options: PriceOptions = {},
  now?: () => number,
): Promise<Prices> {
  checkPrices(options);
  const { priceIn, priceOut } = options;
  if (priceIn !== undefined && priceOut !== undefined) {
    const priceOf = (completion: Completion) => plainCost(completion, priceIn, priceOut);
    return { priceOf, unpriced: [], notes: [] };
  }
  const costs = new Map<Teacher, CostOf>();
  const notes = new Set<string>();
  for (const teacher of teachers.filter(mayBePublic)) {
    const { publicPrice } = await import("./public_prices.ts");
    const priceAt = (model: string) => publicPrice(model, teacher.address ?? "", now);
    const price = priceAt(teacher.model ?? "");
    if (price === undefined) continue;
    costs.set(teacher, costOfModels(price, priceAt));
    notes.add(noteOn(teacher, price));
  }
  const unpriced = teachers.filter((teacher) => !costs.has(teacher));
  const isKnown = unpriced.length === 0 && teachers.length > 0;
  return {
    priceOf: isKnown ? (completion, teacher) => costs.get(teacher)?.(completion) : undefined,
    unpriced,
    notes: [...notes],
  };
}

function plainCost({ usage }: Completion, priceIn: number, priceOut: number): number | undefined {
  if (!usage) return undefined;
  return (usage.promptTokens * priceIn + usage.completionTokens * priceOut) / 1e6;
}

/** Whether the list is worth loading: public APIs are at https addresses. */
function mayBePublic({ address, model }: Teacher): boolean {
  return Boolean(model) && address !== undefined && address.startsWith("https://");
}

/** Rows may ask for another model. One that has no price is counted like the teacher's own: a budget
 * that takes it for free would not hold. */
function costOfModels(
  own: PublicPrice,
  priceAt: (model: string) => PublicPrice | undefined,
): CostOf {
  const others = new Map<string, PublicPrice>();
  return ({ usage, modelAsked }) => {
    if (!usage) return undefined;
    if (modelAsked === undefined) return own.costOf(usage);
    let price = others.get(modelAsked);
    if (price === undefined) others.set(modelAsked, price = priceAt(modelAsked) ?? own);
    return price.costOf(usage);
  };
}

function noteOn({ model, address }: Teacher, { usdIn, usdOut }: PublicPrice): string {
  return `Cost of "${model}" at ${address} by a list of public prices: $${usdIn} for a million ` +
    `prompt tokens, $${usdOut} for a million completion tokens (--price-in and --price-out override it)`;
}
