/**
 * Checks what a teacher returned before the answer policy sees it: whether it is a completion, and
 * whether the teacher finished it.
 *
 * @module
 */

import type { Ending } from "../../answer.ts";
import { TeacherError } from "../../errors.ts";
import { asAmount, asCount, isObject } from "../../json.ts";
import type { Completion, Usage } from "../../teacher/mod.ts";

export const EMPTY_ANSWER = "The answer holds neither text nor a tool call";

/** Returns a value as a completion with valid fields and token counts, or undefined if the value is
 * not a completion. A custom teacher written in JavaScript may return anything. */
export function asCompletion(value: unknown): Completion | undefined {
  if (!isObject(value)) return undefined;
  const { response } = value;
  const isText = response === undefined || response === null || typeof response === "string";
  // The raw body of an API has none of these fields. If it were accepted, each answer would be
  // empty.
  const hasCompletionField = "response" in value || "toolCalls" in value || "reasoning" in value ||
    "finishReason" in value;
  if (!isText || !hasCompletionField) return undefined;
  const completion = withValidFields(value as unknown as Completion), { usage } = completion;
  return !usage || isValid(usage) ? completion : { ...completion, usage: validUsage(usage) };
}

const TEXT_FIELDS = [
  "reasoning",
  "model",
  "modelAsked",
  "serviceTier",
  "id",
  "teacher",
  "notice",
] as const;

/** Converts fields that should be text to JSON text, and a single tool call to a list. Other types
 * in a results line would make it impossible to export. */
function withValidFields(completion: Completion): Completion {
  let valid = completion;
  for (const name of TEXT_FIELDS) {
    const value: unknown = completion[name];
    if (typeof value === "string" || value === undefined || value === null) continue;
    valid = { ...valid, [name]: asText(value) };
  }
  const { toolCalls } = completion;
  if (toolCalls === undefined || Array.isArray(toolCalls)) return valid;
  return { ...valid, toolCalls: isObject(toolCalls) ? [toolCalls] : undefined };
}

function asText(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

/** Corrects invalid counts. A single NaN would turn the token count of the whole run into NaN, and
 * a negative count would let the run spend more. */
function validUsage(usage: Usage): Usage | null {
  const completionTokens = asCount(usage.completionTokens), costUsd = asAmount(usage.costUsd);
  // With 0 tokens, an answer would count as free, and no cost limit would ever be reached.
  if (completionTokens === undefined) {
    return costUsd === undefined ? null : { promptTokens: 0, completionTokens: 0, costUsd };
  }
  return {
    promptTokens: asCount(usage.promptTokens) ?? 0,
    completionTokens,
    reasoningTokens: asCount(usage.reasoningTokens),
    cachedTokens: asCount(usage.cachedTokens),
    cacheWriteTokens: asCount(usage.cacheWriteTokens),
    costUsd,
  };
}

/** Whether the counts and the cost are valid. Only prompt and completion tokens are required. */
function isValid(usage: Usage): boolean {
  const { promptTokens = -1, completionTokens = -1, costUsd } = usage;
  const { reasoningTokens = 0, cachedTokens = 0, cacheWriteTokens = 0 } = usage;
  return asCount(promptTokens) === promptTokens && asCount(completionTokens) === completionTokens &&
    asCount(reasoningTokens) === reasoningTokens && asCount(cachedTokens) === cachedTokens &&
    asCount(cacheWriteTokens) === cacheWriteTokens && asAmount(costUsd) === costUsd;
}

/** Returns an error if an answer must be requested again: it was aborted, it has no known finish
 * reason, or it is empty without counted tokens. Returns undefined for all other answers. */
export function unfinishedError(completion: Completion, ending: Ending): TeacherError | undefined {
  if (ending === "whole" && isEmptyAndUncounted(completion)) {
    return new TeacherError(`${EMPTY_ANSWER}, and the teacher counted no tokens for it`, {
      type: "empty",
      partial: completion,
    });
  }
  if (ending !== "broken" && ending !== "unknown" && ending !== "none") return undefined;
  return new TeacherError(describeUnfinished(ending, completion), {
    type: "unfinished",
    code: ending === "broken" ? "broken_off" : "unknown_finish_reason",
    partial: completion,
  });
}

function describeUnfinished(ending: Ending, { finishReason, doubt }: Completion): string {
  if (ending === "none") {
    const what = "The answer ended without a finish reason";
    return doubt === undefined ? what : `${what}: ${doubt}`;
  }
  const word = JSON.stringify(finishReason);
  return ending === "broken"
    ? `The teacher aborted the answer (finish reason ${word})`
    : `The answer ended with an unknown finish reason (${word})`;
}

export function hasContent({ response, toolCalls }: Completion): boolean {
  // The search stops at the first visible character, whereas trim() would search from both ends and
  // might copy the rest.
  return /\S/.test(response ?? "") || (toolCalls?.length ?? 0) > 0;
}

/** Whether an answer is empty and has no counted tokens. Ollama's cloud and LiteLLM send an empty
 * answer when the server behind them has failed, and Gemini sometimes sends one too. */
function isEmptyAndUncounted(completion: Completion): boolean {
  const { usage } = completion;
  return (usage?.completionTokens ?? 0) === 0 && !hasContent(completion) &&
    !hasReasoning(completion);
}

/** Whether an answer has reasoning. Some teachers report only the token count of the reasoning, not
 * its text. */
export function hasReasoning({ reasoning, usage }: Completion): boolean {
  return /\S/.test(reasoning ?? "") || (usage?.reasoningTokens ?? 0) > 0;
}
