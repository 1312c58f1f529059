/**
 * Public prices, first from our own list (`public_prices.json`: the facts of LiteLLM's table in our
 * own format, written by `tools/update_prices.ts`), then from Pydantic's, for APIs and models that
 * ours lacks: OpenRouter, Hugging Face, models by a pattern of their names. Pydantic's list has no
 * service tiers; it is 0.8 MB and takes 35 ms to load, so this file is imported only when a price
 * is needed.
 *
 * They hold for public APIs at their own hosts. Your own server or a gateway may use the name of
 * any model, and charge a different price or nothing.
 *
 * @module
 */

import list from "./public_prices.json" with { type: "json" };
import {
  calcPrice,
  findProvider,
  type ModelPrice,
  type TieredPrices,
} from "../deps/genai_prices.ts";
import type { Usage } from "../teacher/mod.ts";
import {
  costOf,
  parseRates,
  type Prices,
  pricesFor,
  type PublicPrice,
  type Rates,
  tierNamed,
} from "./rates.ts";

/**
 * The price of a model at an address.
 *
 * @param now Unix milliseconds.
 * @returns undefined if the address is not that of a public API, or no list has the model.
 */
export function publicPrice(
  model: string,
  address: string,
  now?: () => number,
): PublicPrice | undefined {
  return listedPrice(model, address, now) ?? genaiPrice(model, address, now);
}

const MODELS: Readonly<Record<string, Readonly<Record<string, string>>>> = list.models;

/** The source and the date of the prices. */
export const LIST_NAME = `${list.source} of ${list.date}`;

/** Providers some of whose models are listed under another provider. */
const OTHER_LISTS: Readonly<Record<string, string>> = { azure_ai: "azure" };

/** The price of a model at an address; undefined if the list lacks either. */
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

/** Removes rounding errors of a multiplication. */
function rounded(usd: number): number {
  return Number(usd.toPrecision(10));
}

/** The prices of one model at one moment, in US dollars. */
interface GenaiRates {
  /** For a million prompt tokens. */
  readonly prompt: Rate;
  /** For a million prompt tokens from the cache. */
  readonly cached: Rate;
  /** For a million completion tokens. */
  readonly completion: Rate;
  /** For a million reasoning tokens. */
  readonly reasoning: Rate;
  /** For a request. */
  readonly request: number;
}

/** A price, or one that depends on the length of the prompt. */
type Rate = number | TieredPrices;

/** Some prices change with the hour, or on a known date. */
const REFRESH_MS = 60_000;

/**
 * The price of a model at an address.
 *
 * @param now Unix milliseconds.
 * @returns undefined if the address is not that of a public API, or the list lacks the model.
 */
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
    usdIn: () => rateFor(0, rates.prompt),
    usdCached: () => rateFor(0, rates.cached),
    usdOut: () => rateFor(0, rates.completion),
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

/** The package's `calcPrice` gives the same result in 4 to 36 µs; this takes less than one. */
function costAt(rates: GenaiRates, usage: Usage): number {
  const at = (rate: Rate) => rateFor(usage.promptTokens, rate);
  const prompt = at(rates.prompt), cached = at(rates.cached);
  const completion = at(rates.completion), reasoning = at(rates.reasoning);
  return costOf({ prompt, cached, written: prompt, completion, reasoning }, usage) + rates.request;
}

/** Long prompts raise the price of all tokens of a request, those of the answer too. */
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
  // The model is billed by image or by hour.
  if (prompt === undefined || completion === undefined) return undefined;
  return {
    prompt,
    cached: listed.cache_read_mtok ?? prompt,
    completion,
    reasoning: listed.output_reasoning_mtok ?? completion,
    request: requests === undefined ? 0 : rateFor(0, requests) / 1_000,
  };
}

function genaiProviderAt(address: string): string | undefined {
  const url = URL.parse(address);
  if (url === null || url.protocol !== "https:" || url.port !== "") return undefined;
  const host = `https://${url.hostname}`;
  const provider = findProvider({ providerApiUrl: host + url.pathname });
  if (provider === undefined) return undefined;
  return isDecidedByHost(provider.api_pattern, host, url.pathname) ? provider.id : undefined;
}

/**
 * Whether a pattern of the list has matched the complete host. Patterns are anchored only at the
 * start, so `https://api\.openai\.com` also matches `https://api.openai.com.corp.example`; some
 * begin with `.*`, which may run into the path; and one ends before the top-level domain.
 */
function isDecidedByHost(pattern: string, host: string, path: string): boolean {
  const expression = new RegExp(`^(?:${pattern})`);
  if (expression.test(`https://localhost${path}`)) return false;
  const matched = expression.exec(host + path)?.[0] ?? "";
  const rest = host.slice(matched.length);
  return rest === "" || (matched.endsWith(".") && !rest.includes("."));
}

/** A public API. */
interface Provider {
  /** Its name in the list. */
  readonly id: string;
  /** A region with a surcharge for some models, such as the EU. @default none */
  readonly region?: "eu" | "us";
}

/** Complete hosts. A name that begins with a dot means its subdomains. */
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

/** The providers in the list. */
export const PROVIDER_IDS: readonly string[] = HOSTS.map(([id]) => id);

const BY_HOST = new Map(HOSTS.flatMap(([id, ...hosts]) => hosts.map((host) => [host, id])));

/** The provider of an address; undefined if it is not a public API in the list. */
export function providerAt(address: string): Provider | undefined {
  const url = URL.parse(address);
  if (url === null || url.protocol !== "https:" || url.port !== "") return undefined;
  const host = url.hostname;
  const below = host.slice(host.indexOf("."));
  const id = BY_HOST.get(host) ?? BY_HOST.get(below);
  if (id === undefined) return undefined;
  const region = /^(eu|us)\.api\.openai\.com$/.exec(host)?.[1] as Provider["region"];
  return { id, region };
}
