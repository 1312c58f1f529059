/** Checks what teachers return: without types, a custom one may return anything. @module */

import { asCount, isObject } from "../../json.ts";
import type { Completion, Usage } from "../../teacher/mod.ts";

/** The value as a completion, which may lack the text; undefined if it is none. */
export function asCompletion(value: unknown): Completion | undefined {
  if (!isObject(value)) return undefined;
  const { response } = value;
  const isText = response === undefined || response === null || typeof response === "string";
  return isText ? withSoundUsage(value as unknown as Completion) : undefined;
}

/**
 * Corrects counts that cannot be summed: one NaN would make the tokens of the whole run NaN, and a
 * negative count would raise its budget. As with servers, a missing count is 0, and usage without
 * any is null.
 */
function withSoundUsage(completion: Completion): Completion {
  const { usage } = completion;
  if (!usage || isSound(usage)) return completion;
  const promptTokens = asCount(usage.promptTokens);
  const completionTokens = asCount(usage.completionTokens);
  if (promptTokens === undefined && completionTokens === undefined) {
    return { ...completion, usage: null };
  }
  return {
    ...completion,
    usage: {
      promptTokens: promptTokens ?? 0,
      completionTokens: completionTokens ?? 0,
      reasoningTokens: asCount(usage.reasoningTokens),
      cachedTokens: asCount(usage.cachedTokens),
      cacheWriteTokens: asCount(usage.cacheWriteTokens),
      costUsd: isAmount(usage.costUsd) ? usage.costUsd : undefined,
    },
  };
}

/** On the hot path: most usage is sound, and is not copied. */
function isSound(usage: Usage): boolean {
  const { reasoningTokens = 0, cachedTokens = 0, cacheWriteTokens = 0, costUsd } = usage;
  return isCount(usage.promptTokens) && isCount(usage.completionTokens) &&
    isCount(reasoningTokens) && isCount(cachedTokens) && isCount(cacheWriteTokens) &&
    (costUsd === undefined || isAmount(costUsd));
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isAmount(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value < Infinity;
}
