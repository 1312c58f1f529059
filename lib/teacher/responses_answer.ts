/**
 * An answer of `/responses` as a chat completion.
 *
 * @module
 */

import { asObject, asText, type JsonObject } from "./json.ts";

/** What the items of an output hold, in the words of a chat completion. */
export interface Output {
  /** The text. */
  readonly content: string;
  /** The reasoning itself where the server tells it (vLLM and other open ones), else its summary. */
  readonly reasoning: string;
  /** Why the model would not answer, or "". */
  readonly refusal: string;
  /** Tool calls. */
  readonly toolCalls: readonly ToolCall[];
  /** The log probabilities of the text's tokens, or undefined. */
  readonly logprobs: readonly unknown[] | undefined;
}

/** A call of a function in the form of chat completions. */
export interface ToolCall extends JsonObject {
  /** What its result refers to. */
  readonly id: string;
  /** The function, with its arguments as JSON text. */
  readonly function: { readonly name: string; readonly arguments: string };
}

/** The answer as a chat completion, with its further fields beside it. */
export function asChatCompletion(body: JsonObject): JsonObject {
  // Another server, or an error without an answer around it.
  if (!Array.isArray(body.output)) return body;
  const { content, reasoning, refusal, toolCalls, logprobs } = outputOf(body.output);
  const finishReason = finishReasonOf(body, toolCalls.length > 0);
  return {
    ...body,
    error: errorOf(body, content !== "" || toolCalls.length > 0),
    usage: usageOf(body.usage),
    choices: [{
      message: { content, reasoning_content: reasoning, refusal, tool_calls: toolCalls },
      finish_reason: finishReason,
      ...(logprobs === undefined ? {} : { logprobs: { content: logprobs } }),
    }],
  };
}

/** Reads the items of an output. */
export function outputOf(items: unknown): Output {
  const texts: string[] = [], refusals: string[] = [], thoughts: string[] = [];
  const summaries: string[] = [], toolCalls: ToolCall[] = [], logprobs: unknown[] = [];
  for (const item of asList(items)) {
    if (item.type === "function_call") toolCalls.push(toolCallOf(item));
    else if (item.type === "reasoning") {
      thoughts.push(...textsOf(item.content));
      summaries.push(...textsOf(item.summary));
    } else if (item.type === "message") {
      for (const part of asList(item.content)) {
        if (part.type === "refusal") refusals.push(asText(part.refusal));
        else texts.push(asText(part.text));
        // One by one: an answer may have more tokens than a call takes arguments.
        for (const one of Array.isArray(part.logprobs) ? part.logprobs : []) logprobs.push(one);
      }
    }
  }
  return {
    content: texts.join(""),
    reasoning: thoughts.length > 0 ? thoughts.join("") : summaries.join("\n\n"),
    refusal: refusals.join(""),
    toolCalls,
    logprobs: logprobs.length > 0 ? logprobs : undefined,
  };
}

/** A call of a function in the form of chat completions. */
export function toolCallOf({ call_id: callId, id, name, arguments: args }: JsonObject): ToolCall {
  const text = typeof args === "string" ? args : args === undefined ? "" : JSON.stringify(args);
  return {
    id: asText(callId) || asText(id),
    type: "function",
    function: { name: asText(name), arguments: text },
  };
}

/** The token counts by the names of chat completions. */
export function usageOf(usage: unknown): unknown {
  const counts = asObject(usage);
  if (counts?.input_tokens === undefined && counts?.output_tokens === undefined) return usage;
  return {
    ...counts,
    prompt_tokens: counts.input_tokens,
    completion_tokens: counts.output_tokens,
    prompt_tokens_details: counts.input_tokens_details,
    completion_tokens_details: counts.output_tokens_details,
  };
}

/** Why an answer ended, or "" where the server does not say. */
export function finishReasonOf(body: JsonObject, hasCalls: boolean): string {
  const { status, incomplete_details: details } = body;
  if (status === "completed") return hasCalls ? "tool_calls" : "stop";
  if (status === "failed") return "error";
  if (status !== "incomplete") return asText(status);
  const reason = asText(asObject(details)?.reason);
  return reason === "max_output_tokens" ? "length" : reason || "incomplete";
}

/** The error of an answer that has failed; where it broke off, what there is of it counts. */
export function errorOf({ status, error }: JsonObject, hasContent: boolean): unknown {
  if (status !== "failed") return error;
  return hasContent ? undefined : error ?? "The teacher says that it has failed, and not why";
}

function textsOf(parts: unknown): string[] {
  return asList(parts).map(({ text }) => asText(text)).filter((text) => text !== "");
}

function asList(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.map((one) => asObject(one) ?? {}) : [];
}
