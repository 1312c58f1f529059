/**
 * Public prices. Our own list, `public_prices.json`, comes first: it holds the facts of LiteLLM's
 * table in our own format (`tools/update_prices.ts`). Pydantic's list, genai-prices, has more APIs
 * and models (OpenRouter, Hugging Face, models matched by name patterns), but no service tiers. It
 * takes 35 ms to load, so this module is imported only if a price is needed.
 *
 * Prices apply only to the hosts of public APIs: a private server or gateway may use any model's
 * name and charge something else.
 *
 * @module
 */

import list from "./public_prices.json" with { type: "json" };
import { isCounted } from "../answer.ts";
import {
  calcPrice,
  findProvider,
  type ModelPrice,
  type TieredPrices,
} from "../deps/genai_prices.ts";
import type { Teacher, Usage } from "../teacher/mod.ts";
import type { CostOf } from "./prices.ts";
import {
  costOf,
  parseRates,
  pricesFor,
  type PublicPrice,
  tierNamed,
  type TokenPrices,
} from "./rates.ts";

export function publicPrice(
  model: string,
  address: string,
  now?: () => number,
): PublicPrice | undefined {
  if (SPEAKING.test(model)) return undefined;
  // Google's API takes names with or without this prefix.
  const name = model.replace(/^models\//, "");
  return listedPrice(name, address, now) ?? genaiPrice(name, address, now);
}

/** Models that speak. The lists have only the prices of their text: audio tokens, which count as
 * completion tokens, cost about six times as much. */
const SPEAKING = /(?:^|[-/])(?:gpt-audio|audio-preview|realtime|tts)(?:-|$)/;

/** APIs whose answers state what they cost, including discounts and tools. */
const STATE_COST = ["openrouter.ai", "api.x.ai", "api.deepinfra.com", "api.perplexity.ai"];

export function statesItsCost(address: string): boolean {
  return STATE_COST.includes(publicUrl(address)?.hostname ?? "");
}

/** A row may name another model. If that model has no price, the price of the teacher's own
 * model counts: if the answer counted as free, budgets would not hold. */
export function costOfModels(
  ownPrice: PublicPrice,
  priceAt: (model: string) => PublicPrice | undefined,
): CostOf {
  const otherPrices = new Map<string, PublicPrice>();
  return ({ usage, modelAsked, serviceTier }) => {
    if (!isCounted(usage)) return undefined;
    if (modelAsked === undefined) return ownPrice.costOf(usage, serviceTier);
    let price = otherPrices.get(modelAsked);
    if (price === undefined) {
      price = priceAt(modelAsked) ?? ownPrice;
      otherPrices.set(modelAsked, price);
    }
    return price.costOf(usage, serviceTier);
  };
}

export function noteOf(
  { model, address }: Teacher,
  price: PublicPrice,
  tier: string | undefined,
): string {
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

const MODELS: Readonly<Record<string, Readonly<Record<string, string>>>> = list.models;

const LIST_NAME = `${list.source} of ${list.date}`;

/** Where to look for models that are not listed under the provider's own id. */
const FALLBACK_IDS: Readonly<Record<string, string>> = { azure_ai: "azure" };

export function listedPrice(
  model: string,
  address: string,
  now: () => number = Date.now,
): PublicPrice | undefined {
  const provider = providerAt(address);
  if (provider === undefined) return undefined;
  const text = textOf(provider.id, model) ?? textOf(FALLBACK_IDS[provider.id], model);
  if (text === undefined) return undefined;
  const rates = parseRates(text);
  const factor = rates.regions.get(provider.region ?? "") ?? 1;
  const pricesAt = (promptTokens: number, tier?: string) =>
    pricesFor(rates, promptTokens, tierNamed(tier), rates.offPeak === undefined ? 0 : now());
  return {
    source: LIST_NAME,
    costOf: (usage, tier) =>
      costOf(pricesAt(usage.promptTokens, tier), usage) * factor + rates.request,
    knowsTier: (tier) => rates.tiers.has(tierNamed(tier)),
    ratesFor(tier) {
      const { prompt, cached, completion } = pricesAt(0, tier);
      return {
        prompt: rounded(prompt * factor),
        cached: rounded(cached * factor),
        completion: rounded(completion * factor),
      };
    },
  };
}

function textOf(provider: string | undefined, model: string): string | undefined {
  const models = MODELS[provider ?? ""];
  if (models === undefined) return undefined;
  // ft:gpt-4o-mini-2024-07-18:acme::abc is listed without its owner and id, :acme::abc.
  const name = model.startsWith("ft:") ? model.split(":").slice(0, 2).join(":") : model;
  return Object.hasOwn(models, name) ? models[name] : undefined;
}

/** Removes rounding errors: 3 * 1.1 is 3.3000000000000003. */
function rounded(usd: number): number {
  return Number(usd.toPrecision(10));
}

/** The prices of one model in Pydantic's list at one moment. `request` is in US dollars. */
type GenaiRates = Readonly<Record<keyof TokenPrices, Rate>> & { readonly request: number };

type Rate = number | TieredPrices;

/** Prices are read again after this time: some change with the hour, or on a known date. */
const REFRESH_MS = 60_000;

export function genaiPrice(
  model: string,
  address: string,
  now: () => number = Date.now,
): PublicPrice | undefined {
  const providerId = genaiProviderAt(address);
  if (providerId === undefined) return undefined;
  let refreshAt = now() + REFRESH_MS;
  const first = ratesOf(model, providerId, now());
  if (first === undefined) return undefined;
  let rates = first;
  return {
    source: "genai-prices",
    knowsTier: (tier) => tierNamed(tier) === "",
    ratesFor: () => pricesIn(rates, 0),
    costOf(usage) {
      const nowMs = now();
      if (nowMs >= refreshAt) {
        refreshAt = nowMs + REFRESH_MS;
        rates = ratesOf(model, providerId, nowMs) ?? rates;
      }
      return costAt(rates, usage);
    },
  };
}

/** Does what `calcPrice` of genai-prices does, in less than 1 µs instead of 4 to 36. */
function costAt(rates: GenaiRates, usage: Usage): number {
  return costOf(pricesIn(rates, usage.promptTokens), usage) + rates.request;
}

function pricesIn(rates: GenaiRates, promptTokens: number): TokenPrices {
  return {
    prompt: rateFor(promptTokens, rates.prompt),
    cached: rateFor(promptTokens, rates.cached),
    written: rateFor(promptTokens, rates.written),
    completion: rateFor(promptTokens, rates.completion),
    reasoning: rateFor(promptTokens, rates.reasoning),
  };
}

/** A long prompt raises the price of all tokens of a request, completion tokens included. */
function rateFor(promptTokens: number, rate: Rate): number {
  if (typeof rate === "number") return rate;
  let price = rate.base;
  for (const tier of rate.tiers) if (promptTokens > tier.start) price = tier.price;
  return price;
}

function ratesOf(model: string, providerId: string, atMs: number): GenaiRates | undefined {
  const listed = calcPrice({}, model, { providerId, timestamp: new Date(atMs) });
  return listed === null ? undefined : ratesIn(listed.model_price);
}

function ratesIn(listed: ModelPrice): GenaiRates | undefined {
  const { input_mtok: prompt, output_mtok: completion, requests_kcount: requests } = listed;
  // Models billed by image or hour have no token prices.
  if (prompt === undefined || completion === undefined) return undefined;
  return {
    prompt,
    cached: listed.cache_read_mtok ?? prompt,
    written: listed.cache_write_mtok ?? prompt,
    completion,
    reasoning: listed.output_reasoning_mtok ?? completion,
    request: requests === undefined ? 0 : rateFor(0, requests) / 1_000,
  };
}

function publicUrl(address: string): URL | undefined {
  const url = URL.parse(address);
  return url?.protocol === "https:" && url.port === "" ? url : undefined;
}

function genaiProviderAt(address: string): string | undefined {
  const url = publicUrl(address);
  if (url === undefined) return undefined;
  const host = `https://${url.hostname}`;
  const provider = findProvider({ providerApiUrl: host + url.pathname });
  if (provider === undefined) return undefined;
  return isDecidedByHost(provider.api_pattern, host, url.pathname) ? provider.id : undefined;
}

/**
 * Whether the pattern matches the complete host. Patterns are anchored only at the start, so
 * `https://api\.openai\.com` also matches `https://api.openai.com.corp.example`; some begin with
 * `.*`, which may match into the path; and one ends before the top-level domain.
 */
function isDecidedByHost(pattern: string, host: string, path: string): boolean {
  const expression = new RegExp(`^(?:${pattern})`);
  if (expression.test(`https://localhost${path}`)) return false;
  const matched = expression.exec(host + path)?.[0] ?? "";
  const hostEnd = host.slice(matched.length);
  return hostEnd === "" || (matched.endsWith(".") && !hostEnd.includes("."));
}

interface Provider {
  /** The provider's name in `public_prices.json`. */
  readonly id: string;
  /** Set if some models cost more in the region. @default none */
  readonly region?: "eu" | "us";
}

/** Complete host names. A leading dot stands for one more label. */
const HOSTS: readonly (readonly [id: string, ...hosts: string[]])[] = [
  ["openai", "api.openai.com", "eu.api.openai.com", "us.api.openai.com"],
  ["anthropic", "api.anthropic.com"],
  ["gemini", "generativelanguage.googleapis.com"],
  ["mistral", "api.mistral.ai"],
  ["deepseek", "api.deepseek.com"],
  ["xai", "api.x.ai"],
  ["groq", "api.groq.com"],
  ["together_ai", "api.together.xyz", "api.together.ai"],
  ["fireworks_ai", "api.fireworks.ai"],
  ["deepinfra", "api.deepinfra.com"],
  ["novita", "api.novita.ai"],
  ["nebius", "api.studio.nebius.ai", "api.studio.nebius.com", "api.tokenfactory.nebius.com"],
  ["dashscope", "dashscope-intl.aliyuncs.com", "dashscope-us.aliyuncs.com"],
  ["moonshot", "api.moonshot.ai"],
  ["zai", "api.z.ai"],
  ["minimax", "api.minimax.io"],
  ["cerebras", "api.cerebras.ai"],
  ["sambanova", "api.sambanova.ai"],
  ["hyperbolic", "api.hyperbolic.xyz"],
  ["nscale", "inference.api.nscale.com"],
  ["scaleway", "api.scaleway.ai"],
  ["ovhcloud", "oai.endpoints.kepler.ai.cloud.ovh.net"],
  ["lambda_ai", "api.lambda.ai", "api.lambdalabs.com"],
  ["baseten", "inference.baseten.co"],
  ["friendliai", "api.friendli.ai"],
  ["gmi", "api.gmi-serving.com"],
  ["cloudflare", "api.cloudflare.com"],
  ["inception", "api.inceptionlabs.ai"],
  ["morph", "api.morphllm.com"],
  ["wandb", "api.inference.wandb.ai"],
  ["vercel_ai_gateway", "ai-gateway.vercel.sh"],
  ["azure", ".openai.azure.com", ".cognitiveservices.azure.com"],
  ["azure_ai", ".services.ai.azure.com"],
];

export const PROVIDER_IDS: readonly string[] = HOSTS.map(([id]) => id);

const BY_HOST = new Map(HOSTS.flatMap(([id, ...hosts]) => hosts.map((host) => [host, id])));

export function providerAt(address: string): Provider | undefined {
  const host = publicUrl(address)?.hostname ?? "";
  const parentDomain = host.slice(host.indexOf("."));
  const id = BY_HOST.get(host) ?? BY_HOST.get(parentDomain);
  if (id === undefined) return undefined;
  const region = /^(eu|us)\.api\.openai\.com$/.exec(host)?.[1] as Provider["region"];
  return { id, region };
}
