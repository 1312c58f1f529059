/**
 * The prices of `public_prices.json`: the facts of LiteLLM's table, in a form of our own
 * (`tools/update_prices.ts` writes it).
 *
 * @module
 */

import { providerAt } from "./hosts.ts";
import { type PublicPrice, tierNamed } from "./public_price.ts";
import list from "./public_prices.json" with { type: "json" };
import { costOf, parseRates, type Prices, pricesFor, type Rates } from "./rates.ts";

const MODELS: Readonly<Record<string, Readonly<Record<string, string>>>> = list.models;

/** Where the prices come from, and when. */
export const LIST_NAME = `${list.source} of ${list.date}`;

/** Providers of whose models some stand in the list of another. */
const OTHER_LISTS: Readonly<Record<string, string>> = { azure_ai: "azure" };

/** The price of a model at an address; undefined where the list does not know one of them. */
export function listedPrice(
  model: string,
  address: string,
  now: () => number = Date.now,
): PublicPrice | undefined {
  const provider = providerAt(address);
  if (provider === undefined) return undefined;
  const text = find(provider.id, model) ?? find(OTHER_LISTS[provider.id], model);
  if (text === undefined) return undefined;
  const rates = parseRates(text);
  const factor = rates.regions.get(provider.region ?? "") ?? 1;
  const pricesAt = (promptTokens: number, tier?: string) =>
    pricesFor(rates, promptTokens, tierNamed(tier), rates.offPeak === undefined ? 0 : now());
  const shown = (name: keyof Prices) => (tier?: string) =>
    rounded(pricesAt(0, tier)[name] * factor);
  return {
    source: LIST_NAME,
    costOf: (usage, tier) =>
      costOf(pricesAt(usage.promptTokens, tier), usage) * factor + rates.request,
    knowsTier: (tier) => hasTier(rates, tier),
    usdIn: shown("prompt"),
    usdCached: shown("cached"),
    usdOut: shown("completion"),
  };
}

function hasTier({ tiers }: Rates, tier: string): boolean {
  return tiers.has(tierNamed(tier));
}

function find(provider: string | undefined, model: string): string | undefined {
  const models = MODELS[provider ?? ""];
  if (models === undefined) return undefined;
  // A fine-tuned model is billed like its base: ft:gpt-4o-mini-2024-07-18:acme::abc.
  const name = model.startsWith("ft:") ? model.split(":").slice(0, 2).join(":") : model;
  return Object.hasOwn(models, name) ? models[name] : undefined;
}

/** Without what is left of a multiplication. */
function rounded(usd: number): number {
  return Number(usd.toPrecision(10));
}
