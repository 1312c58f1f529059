/**
 * Public prices. Retort's list, `public_prices.json`, comes first: `tools/update_prices.ts` makes
 * it from LiteLLM's table. Pydantic's list, genai-prices, has more APIs and models (OpenRouter,
 * Hugging Face, models matched by name patterns), but no service tiers. It takes 35 ms to load, so
 * this module is imported only if a price is needed.
 *
 * Prices apply only to the hosts of public APIs: a private server or gateway may use any model's
 * name and charge something else.
 *
 * @module
 */

import list from "./public_prices.json" with { type: "json" };
import { isCounted } from "../answer.ts";
import { calcPrice, findProvider, type TieredPrices } from "../deps/genai_prices.ts";
import type { Teacher } from "../teacher/mod.ts";
import type { CostOf } from "./prices.ts";
import {
  costOf,
  parseRates,
  pricesFor,
  type PublicPrice,
  stepFor,
  type Steps,
  tierNamed,
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

/** Models that speak. The lists have only text prices for these models, but audio tokens, which
 * count as completion tokens, cost about six times as much. So the price of these models is
 * unknown. */
const SPEAKING = /(?:^|[-/])(?:gpt-audio|audio-preview|realtime|tts)(?:-|$)/;

/** APIs whose answers state what they cost, including discounts and tools. */
const STATE_COST = ["openrouter.ai", "api.x.ai", "api.deepinfra.com", "api.perplexity.ai"];

export function statesItsCost(address: string): boolean {
  return STATE_COST.includes(publicUrl(address)?.hostname ?? "");
}

/** Creates a function for the cost of an answer, even if its row names another model. If the price
 * of that model is unknown, the teacher's own price applies: at a price of 0, such an answer would
 * not count towards the budget. */
export function costOfModels(
  ownPrice: PublicPrice,
  priceAt: (model: string) => PublicPrice | undefined,
): CostOf {
  const otherPrices = new Map<string, PublicPrice>();
  const priceOf = (model: string) => {
    const price = otherPrices.get(model) ?? priceAt(model) ?? ownPrice;
    otherPrices.set(model, price);
    return price;
  };
  return ({ usage, modelAsked, serviceTier }) => {
    if (!isCounted(usage)) return undefined;
    const price = modelAsked === undefined ? ownPrice : priceOf(modelAsked);
    return costOf(price.pricesFor(usage.promptTokens, serviceTier), usage);
  };
}

export function noteOf(
  { model, address }: Teacher,
  price: PublicPrice,
  tier: string | undefined,
): string {
  const tierNote = tier === undefined
    ? ""
    : price.knowsTier(tier)
    ? `, service_tier ${tier}`
    : `, no separate price for service_tier ${tier}`;
  const { prompt, cached, completion } = price.pricesFor(0, tier);
  const cachedNote = cached === prompt ? "" : ` $${cached} cached,`;
  return `Public price of "${model}" at ${address}${tierNote}: $${prompt} in,${cachedNote} ` +
    `$${completion} out per million tokens (${price.source}; --price-in and --price-out override it)`;
}

const MODELS: Readonly<Record<string, Readonly<Record<string, string>>>> = list.models;

const LIST_NAME = `${list.source} of ${list.date}`;

/** The id to look under, by provider, if a model is not listed under the provider's own id. */
const FALLBACK_IDS: Readonly<Record<string, string>> = { azure_ai: "azure" };

export function listedPrice(
  model: string,
  address: string,
  now: () => number = Date.now,
): PublicPrice | undefined {
  const provider = providerAt(address);
  if (provider === undefined) return undefined;
  const text = listedText(provider.id, model) ?? listedText(FALLBACK_IDS[provider.id], model);
  if (text === undefined) return undefined;
  const rates = parseRates(text, provider.region);
  return {
    source: LIST_NAME,
    knowsTier: (tier) => rates.tiers.has(tierNamed(tier)),
    pricesFor: (promptTokens, tier) =>
      pricesFor(rates, promptTokens, tierNamed(tier), rates.offPeak === undefined ? 0 : now()),
  };
}

function listedText(provider: string | undefined, model: string): string | undefined {
  const models = MODELS[provider ?? ""];
  if (models === undefined) return undefined;
  // ft:gpt-4o-mini-2024-07-18:acme::abc is listed without its owner and id, :acme::abc.
  const name = model.startsWith("ft:") ? model.split(":").slice(0, 2).join(":") : model;
  return Object.hasOwn(models, name) ? models[name] : undefined;
}

/** Prices are read again after this time, because some change with the hour, or on a known date. */
const REFRESH_MS = 60_000;

export function genaiPrice(
  model: string,
  address: string,
  now: () => number = Date.now,
): PublicPrice | undefined {
  const providerId = genaiProviderAt(address);
  if (providerId === undefined) return undefined;
  let refreshAt = now() + REFRESH_MS;
  const first = stepsOf(model, providerId, now());
  if (first === undefined) return undefined;
  let steps = first;
  return {
    source: "genai-prices",
    knowsTier: (tier) => tierNamed(tier) === "",
    pricesFor(promptTokens) {
      const nowMs = now();
      if (nowMs >= refreshAt) {
        refreshAt = nowMs + REFRESH_MS;
        steps = stepsOf(model, providerId, nowMs) ?? steps;
      }
      return stepFor(steps, promptTokens);
    },
  };
}

/** Returns the prices as `Steps`, because `calcPrice` would take 4 to 36 µs for each answer. */
function stepsOf(model: string, providerId: string, atMs: number): Steps | undefined {
  const listed = calcPrice({}, model, { providerId, timestamp: new Date(atMs) });
  if (listed === null) return undefined;
  const { input_mtok: prompt, output_mtok: completion, ...others } = listed.model_price;
  // Models billed by image or hour have no token prices.
  if (prompt === undefined || completion === undefined) return undefined;
  const { cache_read_mtok: cached = prompt, cache_write_mtok: written = prompt } = others;
  const { output_reasoning_mtok: reasoning = completion, requests_kcount: requests = 0 } = others;
  const starts = [prompt, completion, cached, written, reasoning].flatMap(startsOf);
  return [0, ...new Set(starts)].sort((a, b) => a - b).map((above) => ({
    above,
    prices: {
      prompt: priceAbove(above, prompt),
      cached: priceAbove(above, cached),
      written: priceAbove(above, written),
      completion: priceAbove(above, completion),
      reasoning: priceAbove(above, reasoning),
      request: priceAbove(0, requests) / 1_000,
    },
  }));
}

function startsOf(price: number | TieredPrices): number[] {
  return typeof price === "number" ? [] : price.tiers.map(({ start }) => start);
}

/** Returns the price for a prompt of this length. A long prompt raises the price of all tokens of a
 * request, completion tokens included. */
function priceAbove(promptTokens: number, price: number | TieredPrices): number {
  if (typeof price === "number") return price;
  return price.tiers.findLast(({ start }) => start <= promptTokens)?.price ?? price.base;
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

/** Whether the pattern matches the complete host. Patterns are anchored only at the start, so
 * `https://api.openai.com` matches `https://api.openai.com.corp.example`, too. One pattern has `.*`
 * before the host, which may match into the path; another ends before the top-level domain. */
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
  /** The region of the API, if some models cost more there. @default none */
  readonly region?: "eu" | "us";
}

/** Complete host names. A name that begins with a dot stands for hosts with one more label. */
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
