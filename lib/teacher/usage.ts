/**
 * What an answer was billed by: the tokens as the teacher counted them, and the cost where it says that.
 *
 * @module
 */

import { asCount, asObject, type JsonObject } from "./json.ts";
import type { Usage } from "./teacher.ts";

/** xAI counts in these: https://docs.x.ai/developers/cost-tracking. */
const TICKS_PER_USD = 1e10;

/** The tokens of an answer in one form, or null where the teacher says nothing of them. `model` is the one
 * that has answered. */
export function readUsage(value: unknown, model = ""): Usage | null {
  const usage = asObject(value);
  if (usage === undefined) return null;
  const promptTokens = asCount(usage.prompt_tokens);
  const completionTokens = asCount(usage.completion_tokens);
  if (promptTokens === undefined && completionTokens === undefined) return null;
  const completion = asObject(usage.completion_tokens_details);
  const prompt = asObject(usage.prompt_tokens_details);
  const cachedTokens = asCount(prompt?.cached_tokens) ?? asCount(usage.prompt_cache_hit_tokens) ??
    asCount(usage.cached_tokens) ?? 0;
  const reasoning = asCount(completion?.reasoning_tokens) ?? asCount(usage.reasoning_tokens);
  const rest = (asCount(usage.total_tokens) ?? 0) - (promptTokens ?? 0) - (completionTokens ?? 0);
  // Gemini counts thoughts in the total only, and bills them like the answer; so do gateways to it.
  const isUncounted = rest > 0 && (rest === reasoning || /gemini/i.test(model));
  const thoughts = isUncounted ? rest : 0;
  const written = asCount(prompt?.cache_write_tokens) ?? asCount(prompt?.cache_creation_tokens);
  const costUsd = statedCost(usage);
  const counts = {
    promptTokens: promptTokens ?? 0,
    completionTokens: (completionTokens ?? 0) + thoughts,
    reasoningTokens: reasoning ?? thoughts,
    cachedTokens,
  };
  if (!written && costUsd === undefined) return counts;
  return { ...counts, cacheWriteTokens: written ?? 0, costUsd };
}

/** What the answer was billed in US dollars, where it says so: OpenRouter, Perplexity, DeepInfra, xAI. */
function statedCost(usage: JsonObject): number | undefined {
  const { cost, estimated_cost: estimated, cost_in_usd_ticks: ticks } = usage;
  const stated = asAmount(cost) ?? asAmount(asObject(cost)?.total_cost) ?? asAmount(estimated);
  if (stated === undefined) {
    const amount = asAmount(ticks);
    return amount === undefined ? undefined : amount / TICKS_PER_USD;
  }
  // With a key of the user's own at the provider behind it, the fee of OpenRouter is a part only.
  const upstream = asAmount(asObject(usage.cost_details)?.upstream_inference_cost);
  return usage.is_byok === true ? stated + (upstream ?? 0) : stated;
}

function asAmount(value: unknown): number | undefined {
  return typeof value === "number" && value >= 0 && value < Infinity ? value : undefined;
}
