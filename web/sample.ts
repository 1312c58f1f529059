/**
 * A finished row as users see it.
 *
 * @module
 */

import type { Outcome, Row } from "../lib/row.ts";
import { cut } from "../lib/printable.ts";
import type { Sample } from "./monitor_state.ts";

/** Longest text in a list, in UTF-16 units. */
export const MAX_TEXT = 4_000;

/** Of a uid, an address or a name. */
const MAX_NAME = 200;

const MAX_MESSAGE = 1_000;

export function sampleOf(outcome: Outcome, id: number, maxText: number = MAX_TEXT): Sample {
  const { row, completion, failure } = outcome;
  const prompt = promptOf(row);
  const reasoning = completion?.reasoning ?? "";
  const response = completion?.response ?? "";
  const toolCalls = asJson(completion?.toolCalls);
  const longest = Math.max(
    ...[prompt, reasoning, response, toolCalls].map((text) => text.length),
  );
  return {
    id,
    time: outcome.settledAt,
    uid: cut(row.uid, MAX_NAME),
    prompt: cut(prompt, maxText),
    reasoning: cut(reasoning, maxText),
    response: cut(response, maxText),
    tool_calls: cut(toolCalls, maxText),
    finish_reason: cut(completion?.finishReason ?? "", MAX_NAME),
    prompt_tokens: completion?.usage?.promptTokens ?? null,
    completion_tokens: completion?.usage?.completionTokens ?? null,
    reasoning_tokens: completion?.usage?.reasoningTokens ?? null,
    latency_ms: Math.round(outcome.latencyMs),
    attempts: outcome.attempts,
    cost_usd: outcome.costUsd ?? 0,
    teacher: cut(completion?.teacher ?? outcome.teacher?.address ?? "", MAX_NAME),
    model: cut(completion?.model ?? outcome.teacher?.model ?? "", MAX_NAME),
    failure: failure === undefined ? null : {
      type: failure.type,
      message: cut(failure.message, MAX_MESSAGE),
      status: failure.status,
    },
    is_cut: longest > maxText,
  };
}

export function shortened(sample: Sample, maxText: number): Sample {
  const { prompt, reasoning, response, tool_calls } = sample;
  return {
    ...sample,
    prompt: cut(prompt, maxText),
    reasoning: cut(reasoning, maxText),
    response: cut(response, maxText),
    tool_calls: cut(tool_calls, maxText),
    is_cut: sample.is_cut ||
      [prompt, reasoning, response, tool_calls].some((text) => text.length > maxText),
  };
}

export function weightOf({ row, completion }: Outcome): number {
  return row.text.length + (completion?.response.length ?? 0) +
    (completion?.reasoning?.length ?? 0);
}

/**
 * The last user message, or the last message if no user wrote one. Images and other parts are named
 * in brackets.
 */
function promptOf(row: Row): string {
  const message = row.messages.findLast(({ role }) => role === "user") ?? row.messages.at(-1);
  const content = message?.content;
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return asJson(content);
  return content.map(partText).join("\n");
}

function partText(part: unknown): string {
  if (typeof part === "string") return part;
  if (typeof part !== "object" || part === null) return String(part);
  if ("text" in part && typeof part.text === "string") return part.text;
  return `[${"type" in part && typeof part.type === "string" ? cut(part.type, MAX_NAME) : "?"}]`;
}

/** A custom teacher may return values that JSON cannot represent. */
function asJson(value: unknown): string {
  if (value === undefined || value === null) return "";
  try {
    return JSON.stringify(value) ?? "";
  } catch {
    return String(value);
  }
}
