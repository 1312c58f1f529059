/** Creates a completion from what a server sent: separates reasoning from the answer, and reads
 * token counts and the cost. @module */

import { asAmount, asCount } from "../json.ts";
import type { ApiFormat } from "./api_format.ts";
import { asObject, type JsonObject } from "./json.ts";
import type { Redact } from "./secrets.ts";
import type { Completion, Usage } from "./teacher.ts";
import { separateReasoning, type ThinkTags } from "./think_tags.ts";

export interface AnswerContext {
  readonly model: string;
  /** The model that the parameters request; undefined if they request none. */
  readonly modelAsked: string | undefined;
  /** The service tier that the parameters request. */
  readonly tierAsked?: string;
  /** The names of the raw fields to keep (`--keep`). */
  readonly keep: readonly string[];
  /** Whether requests ask for streams. @default false */
  readonly isStreamed?: boolean;
  /** The tags around reasoning that the user specified, in addition to the known tags. */
  readonly thinkTags?: ThinkTags;
  /** Hides keys in messages that quote the server. */
  readonly redact: Redact;
  /** The format of the endpoint. @default chat completions */
  readonly format?: ApiFormat;
}

/** An answer as the server sent it, streamed or not. Missing texts may be "". */
export interface AnswerParts {
  /** The text, including any reasoning between tags. */
  readonly content: string;
  readonly reasoning?: string;
  readonly refusal?: string;
  readonly toolCalls?: readonly unknown[];
  readonly finishReason?: string;
  readonly serviceTier?: string;
  readonly usage?: unknown;
  readonly model?: string;
  readonly id?: string;
  readonly kept?: Readonly<Record<string, unknown>>;
  /** Milliseconds from the request to the first token of a stream. */
  readonly ttftMs?: number;
}

/** Creates a completion. If there is no other text, the words of a refusal become the response. */
export function toCompletion(parts: AnswerParts, context: AnswerContext): Completion {
  const { reasoning: field = "", refusal = "", finishReason = "", id = "" } = parts;
  const model = parts.model || context.model;
  const split = separateReasoning(parts.content, field, context.thinkTags);
  // gpt-oss may leave tool calls in the text.
  const { response, reasoning, toolCalls = [] } = split;
  return {
    response: response === "" ? refusal : response,
    isRefusal: refusal !== "",
    reasoning,
    finishReason,
    usage: readUsage(parts.usage, model),
    model,
    modelAsked: context.modelAsked,
    serviceTier: parts.serviceTier || context.tierAsked,
    id,
    toolCalls: parts.toolCalls ?? (toolCalls.length > 0 ? toolCalls : undefined),
    ttftMs: parts.ttftMs,
    kept: parts.kept,
  };
}

/** The unit in which xAI states costs (`cost_in_usd_ticks`). */
const TICKS_PER_USD = 1e10;

/**
 * Reads token counts and the cost. Returns null if no cost is stated and the completion tokens are
 * unknown or all counts are 0. Some servers count nothing, and with counts of 0, the answer would
 * be free and no cost limit would be reached. If a cost is stated but no completion tokens, all
 * counts are 0, even if the prompt was counted. Limits then estimate the tokens of the answer
 * instead of counting 0.
 *
 * @param model The model that answered. Gemini counts reasoning differently.
 */
export function readUsage(value: unknown, model = ""): Usage | null {
  const usage = asObject(value);
  if (usage === undefined) return null;
  // `input_tokens` comes from mlx-vlm and from gateways to APIs with this name, `inputTokens` from
  // Bedrock.
  const inputTokens = countIn(usage, "input_tokens", "inputTokens");
  const openaiPrompt = countOf(usage.prompt_tokens);
  const statedPrompt = openaiPrompt ?? inputTokens ?? countOf(usage.promptTokens);
  const statedCompletion = countIn(usage, "completion_tokens", "output_tokens") ??
    countIn(usage, "outputTokens", "completionTokens");
  const total = countOf(usage.total_tokens);
  const completionTokens = statedCompletion ?? restOf(total, statedPrompt);
  const costUsd = statedCost(usage);
  if (completionTokens === undefined) {
    return costUsd === undefined ? null : { promptTokens: 0, completionTokens: 0, costUsd };
  }
  const promptTokens = statedPrompt ?? restOf(total, completionTokens) ?? 0;
  const countedTokens = promptTokens + (statedCompletion ?? 0);
  const details = asObject(usage.completion_tokens_details) ??
    asObject(usage.output_tokens_details);
  const promptDetails = asObject(usage.prompt_tokens_details) ??
    asObject(usage.input_tokens_details);
  const cacheReads = countIn(usage, "cache_read_input_tokens", "cacheReadInputTokens");
  const cacheWrites = countIn(usage, "cache_creation_input_tokens", "cacheWriteInputTokens");
  // Anthropic and Bedrock do not count cached tokens as input. Gateways that use OpenAI's names do.
  const excludesCache = openaiPrompt === undefined && inputTokens !== undefined;
  const excludedTokens = excludesCache ? (cacheReads ?? 0) + (cacheWrites ?? 0) : 0;
  const reasoning = countOf(details?.reasoning_tokens) ?? countOf(usage.reasoning_tokens);
  const uncounted = uncountedReasoning(total, countedTokens, reasoning, model);
  const cacheWriteTokens = countOf(promptDetails?.cache_write_tokens) ??
    countOf(promptDetails?.cache_creation_tokens) ?? cacheWrites;
  const counts = {
    promptTokens: promptTokens + excludedTokens,
    // If the completion tokens are derived from the total, they already include uncounted
    // reasoning.
    completionTokens: completionTokens + (statedCompletion === undefined ? 0 : uncounted),
    reasoningTokens: reasoning ?? uncounted,
    cachedTokens: countOf(promptDetails?.cached_tokens) ??
      countOf(usage.prompt_cache_hit_tokens) ?? countOf(usage.cached_tokens) ?? cacheReads ?? 0,
  };
  if (costUsd === undefined && counts.promptTokens + counts.completionTokens === 0) return null;
  // Most answers have neither, and so get the smaller object.
  if (!cacheWriteTokens && costUsd === undefined) return counts;
  return { ...counts, cacheWriteTokens: cacheWriteTokens ?? 0, costUsd };
}

function restOf(total: number | undefined, part: number | undefined): number | undefined {
  return total === undefined || part === undefined || total < part ? undefined : total - part;
}

/** Returns the number of reasoning tokens that only the total includes. Gemini bills them as
 * completion tokens, even behind gateways. */
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

/** Returns the count under one of two names. The first field may contain something other than a
 * count, such as "". */
function countIn(usage: JsonObject, name: string, otherName: string): number | undefined {
  return countOf(usage[name]) ?? countOf(usage[otherName]);
}

/** Reads a count, which some gateways send as text. */
function countOf(value: unknown): number | undefined {
  const isText = typeof value === "string" && /^\d+$/.test(value);
  return asCount(isText ? Number(value) : value);
}

/** Returns the cost in US dollars that OpenRouter, Perplexity, DeepInfra or xAI states. */
function statedCost(usage: JsonObject): number | undefined {
  const { cost, estimated_cost: estimated, cost_in_usd_ticks: ticks } = usage;
  const stated = asAmount(cost) ?? asAmount(asObject(cost)?.total_cost) ?? asAmount(estimated);
  if (stated === undefined) {
    const amount = asAmount(ticks);
    return amount === undefined ? undefined : amount / TICKS_PER_USD;
  }
  // If the user has an upstream key of their own, `cost` contains only OpenRouter's fee.
  const upstream = asAmount(asObject(usage.cost_details)?.upstream_inference_cost);
  return usage.is_byok === true ? stated + (upstream ?? 0) : stated;
}
