/**
 * Reads the token counts and the cost that an answer states, under the names of any API.
 *
 * @module
 */

import { asCount, asObject, type JsonObject } from "./json.ts";
import type { Usage } from "./teacher.ts";

/** xAI states costs in ticks (`cost_in_usd_ticks`). */
const TICKS_PER_USD = 1e10;

/**
 * The token counts of an answer under uniform names; null if the teacher reports none.
 *
 * @param model The model that answered, because Gemini counts differently.
 */
export function readUsage(value: unknown, model = ""): Usage | null {
  const usage = asObject(value);
  if (usage === undefined) return null;
  // `input_tokens`: mlx-vlm, and gateways to APIs with this name. `inputTokens`: Bedrock.
  const promptTokens = countOf(usage.prompt_tokens) ?? countOf(usage.input_tokens) ??
    countOf(usage.inputTokens) ?? countOf(usage.promptTokens);
  const completionTokens = countOf(usage.completion_tokens) ?? countOf(usage.output_tokens) ??
    countOf(usage.outputTokens) ?? countOf(usage.completionTokens);
  if (promptTokens === undefined && completionTokens === undefined) return null;
  const completionDetails = asObject(usage.completion_tokens_details) ??
    asObject(usage.output_tokens_details);
  const promptDetails = asObject(usage.prompt_tokens_details) ??
    asObject(usage.input_tokens_details);
  const cacheReads = asCount(usage.cache_read_input_tokens) ?? asCount(usage.cacheReadInputTokens);
  const cacheWrites = asCount(usage.cache_creation_input_tokens) ??
    asCount(usage.cacheWriteInputTokens);
  // Anthropic and Bedrock do not count these as prompt tokens. Gateways that translate the counts
  // to OpenAI's names do.
  const excludesCache = countOf(usage.prompt_tokens) === undefined &&
    (countOf(usage.input_tokens) ?? countOf(usage.inputTokens)) !== undefined;
  const cachedTokens = asCount(promptDetails?.cached_tokens) ??
    asCount(usage.prompt_cache_hit_tokens) ??
    asCount(usage.cached_tokens) ?? cacheReads ?? 0;
  const reasoning = asCount(completionDetails?.reasoning_tokens) ??
    asCount(usage.reasoning_tokens);
  const counted = (promptTokens ?? 0) + (completionTokens ?? 0);
  const uncounted = uncountedReasoning(asCount(usage.total_tokens), counted, reasoning, model);
  const cacheWriteTokens = asCount(promptDetails?.cache_write_tokens) ??
    asCount(promptDetails?.cache_creation_tokens) ?? cacheWrites;
  const costUsd = statedCost(usage);
  const counts = {
    promptTokens: (promptTokens ?? 0) +
      (excludesCache ? (cacheReads ?? 0) + (cacheWrites ?? 0) : 0),
    completionTokens: (completionTokens ?? 0) + uncounted,
    reasoningTokens: reasoning ?? uncounted,
    cachedTokens,
  };
  if (!cacheWriteTokens && costUsd === undefined) return counts;
  return { ...counts, cacheWriteTokens: cacheWriteTokens ?? 0, costUsd };
}

/**
 * The tokens of reasoning that only the total counts: Gemini, also behind gateways, bills them as
 * completion tokens.
 *
 * @param counted The tokens of the prompt and the completion.
 */
function uncountedReasoning(
  total: number | undefined,
  counted: number,
  reasoning: number | undefined,
  model: string,
): number {
  const difference = (total ?? 0) - counted;
  const isReasoning = difference > 0 && (difference === reasoning || /gemini/i.test(model));
  return isReasoning ? difference : 0;
}

/** A count, given as a number or, by some gateways, as text. */
function countOf(value: unknown): number | undefined {
  const isText = typeof value === "string" && /^\d+$/.test(value);
  return asCount(isText ? Number(value) : value);
}

/** The cost in US dollars that the usage states (OpenRouter, Perplexity, DeepInfra, xAI). */
function statedCost(usage: JsonObject): number | undefined {
  const { cost, estimated_cost: estimated, cost_in_usd_ticks: ticks } = usage;
  const stated = asAmount(cost) ?? asAmount(asObject(cost)?.total_cost) ?? asAmount(estimated);
  if (stated === undefined) {
    const amount = asAmount(ticks);
    return amount === undefined ? undefined : amount / TICKS_PER_USD;
  }
  // With the user's own upstream key, `cost` is only OpenRouter's fee.
  const upstream = asAmount(asObject(usage.cost_details)?.upstream_inference_cost);
  return usage.is_byok === true ? stated + (upstream ?? 0) : stated;
}

function asAmount(value: unknown): number | undefined {
  return typeof value === "number" && value >= 0 && value < Infinity ? value : undefined;
}
