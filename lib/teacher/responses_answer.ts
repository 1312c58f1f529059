/** Translates answers of `/responses`, complete or as events, into chat completions. A stream sends
 * each part three times: as deltas, as a complete part, and in the last event. Some servers omit
 * one of these, so complete parts replace missing deltas. @module */

import { asText } from "../json.ts";
import type { EventReader } from "./api_format.ts";
import { asObject, type JsonObject } from "./json.ts";

interface Output {
  readonly content: string;
  /** The reasoning itself if the server sends it (vLLM and others), otherwise its summary. */
  readonly reasoning: string;
  readonly refusal: string;
  readonly toolCalls: readonly ToolCall[];
  readonly logprobs: readonly unknown[] | undefined;
}

interface ToolCall extends JsonObject {
  /** The id to which the call's result refers. */
  readonly id: string;
  readonly function: { readonly name: string; readonly arguments: string };
}

/** Translates a complete answer. Fields without a counterpart are kept. */
export function asChatCompletion(body: JsonObject): JsonObject {
  // The body is an answer of another API, or contains only an error.
  if (!Array.isArray(body.output)) return body;
  const { content, reasoning, refusal, toolCalls, logprobs } = outputOf(body.output);
  const hasCalls = toolCalls.length > 0;
  const message = { content, reasoning_content: reasoning, refusal, tool_calls: toolCalls };
  return withChoice(body, { message }, logprobs, hasCalls, content !== "" || hasCalls);
}

function withChoice(
  body: JsonObject,
  choice: JsonObject,
  logprobs: readonly unknown[] | undefined,
  hasCalls: boolean,
  hasContent: boolean,
): JsonObject {
  return {
    ...body,
    error: errorOf(body, hasContent),
    usage: usageOf(body.usage),
    choices: [{
      ...choice,
      finish_reason: finishReasonOf(body, hasCalls),
      ...(logprobs === undefined ? {} : { logprobs: { content: logprobs } }),
    }],
  };
}

function outputOf(items: unknown): Output {
  const texts: string[] = [], refusals: string[] = [], thoughts: string[] = [];
  const summaries: string[] = [], toolCalls: ToolCall[] = [], logprobs: unknown[] = [];
  for (const item of asList(items)) {
    if (isCall(item)) toolCalls.push(toolCallOf(item));
    else if (item.type === "reasoning") {
      thoughts.push(...textsOf(item.content));
      summaries.push(...textsOf(item.summary));
    } else if (item.type === "message") {
      for (const part of asList(item.content)) {
        if (part.type === "refusal") refusals.push(asText(part.refusal));
        else texts.push(asText(part.text));
        // The list is not spread, because an answer may have more tokens than a call can have
        // arguments.
        for (const token of Array.isArray(part.logprobs) ? part.logprobs : []) logprobs.push(token);
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

function isCall({ type }: JsonObject): boolean {
  return type === "function_call" || type === "custom_tool_call";
}

/** Translates a tool call. The free text of a custom tool becomes the arguments. */
function toolCallOf(
  { call_id: callId, id, name, input, arguments: args = input }: JsonObject,
): ToolCall {
  const text = typeof args === "string" ? args : args === undefined ? "" : JSON.stringify(args);
  return {
    id: asText(callId) || asText(id),
    type: "function",
    function: { name: asText(name), arguments: text },
  };
}

/** Translates the token counts. In `/responses`, these are `input_tokens` and `output_tokens`, even
 * if there is also a `prompt_tokens` of 0. */
function usageOf(usage: unknown): unknown {
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

/** Returns the finish reason, in the terms of chat completions if possible; "" if there is none. */
function finishReasonOf(body: JsonObject, hasCalls: boolean): string {
  const { status, incomplete_details: details } = body;
  if (status === "completed") return hasCalls ? "tool_calls" : "stop";
  if (status === "failed") return "error";
  if (status !== "incomplete") return asText(status);
  const reason = asText(asObject(details)?.reason);
  return reason === "max_output_tokens" ? "length" : reason || "incomplete";
}

/** Returns the error of an answer. Undefined if the answer failed but part of it has arrived,
 * because that part is kept. */
function errorOf({ status, error }: JsonObject, hasContent: boolean): unknown {
  if (status !== "failed") return error;
  return hasContent ? undefined : error ?? "The teacher reports a failure without a reason";
}

function textsOf(parts: unknown): string[] {
  return asList(parts).map(({ text }) => asText(text)).filter((text) => text !== "");
}

function asList(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.map((element) => asObject(element) ?? {}) : [];
}

interface SentCall {
  readonly index: number;
  readonly id: string;
  readonly itemId: unknown;
  argsSoFar: string;
}

export class ResponsesEvents implements EventReader {
  done = false;
  #hasText = false;
  #hasRefusal = false;
  #hasReasoning = false;
  /** Whether the stream sends the reasoning itself, so that its summary is ignored. */
  #hasThoughts = false;
  #summaryIndex = 0;
  /** The tool calls of the stream, in the order in which they began. */
  readonly #calls: SentCall[] = [];

  read(event: JsonObject): JsonObject | undefined {
    const { type } = event;
    switch (type) {
      case "response.output_text.delta":
        return this.#text(event);
      case "response.refusal.delta":
        this.#hasRefusal = true;
        return delta({ refusal: event.delta });
      case "response.reasoning_text.delta":
        this.#hasThoughts = this.#hasReasoning = true;
        return delta({ reasoning_content: event.delta });
      case "response.reasoning_summary_text.delta":
        return this.#summary(event);
      case "response.output_item.added":
      case "response.output_item.done":
        return this.#item(asObject(event.item) ?? {});
      case "response.function_call_arguments.delta":
        return this.#arguments(event);
      case "response.completed":
      case "response.incomplete":
      case "response.failed":
        return this.#end(asObject(event.response) ?? {}, asText(type).slice("response.".length));
      case "error":
        return { error: event.error ?? event };
      default:
        return this.#other(event);
    }
  }

  #text({ delta: content, logprobs }: JsonObject): JsonObject {
    this.#hasText = true;
    const isList = Array.isArray(logprobs) && logprobs.length > 0;
    return delta({ content }, isList ? { logprobs: { content: logprobs } } : {});
  }

  #summary({ delta: text, summary_index: index }: JsonObject): JsonObject | undefined {
    if (this.#hasThoughts) return undefined;
    const isNext = typeof index === "number" && index > this.#summaryIndex;
    const gap = isNext && this.#hasReasoning ? "\n\n" : "";
    if (isNext) this.#summaryIndex = index;
    this.#hasReasoning = true;
    return delta({ reasoning_content: gap + asText(text) });
  }

  #item(item: JsonObject): JsonObject | undefined {
    if (!isCall(item)) return undefined;
    const call = toolCallOf(item);
    const sent = this.#calls.find(({ id, itemId }) =>
      id === call.id || (itemId !== undefined && itemId === item.id)
    );
    return delta({ tool_calls: [this.#restOf(call, sent, item.id)] });
  }

  #arguments({ item_id: itemId, delta: text }: JsonObject): JsonObject | undefined {
    const call = itemId === undefined
      ? this.#calls.at(-1)
      : this.#calls.find((sent) => sent.itemId === itemId);
    // The delta is ignored because the complete call follows.
    if (call === undefined) return undefined;
    call.argsSoFar += asText(text);
    return delta({ tool_calls: [{ index: call.index, function: { arguments: text } }] });
  }

  /** Returns the part of a complete call that has not been passed on yet, as a delta. */
  #restOf(call: ToolCall, sent: SentCall | undefined, itemId?: unknown): JsonObject {
    const { id, function: { arguments: args } } = call;
    if (sent === undefined) {
      const index = this.#calls.length;
      this.#calls.push({ index, id, itemId, argsSoFar: args });
      return { ...call, index };
    }
    const rest = args.startsWith(sent.argsSoFar) ? args.slice(sent.argsSoFar.length) : "";
    sent.argsSoFar += rest;
    return { index: sent.index, function: { arguments: rest } };
  }

  #end(response: JsonObject, name: string): JsonObject {
    this.done = true;
    const body: JsonObject = { status: name, ...response };
    const { content, reasoning, refusal, toolCalls, logprobs } = outputOf(body.output);
    const message = {
      content: this.#hasText ? "" : content,
      reasoning_content: this.#hasReasoning ? "" : reasoning,
      refusal: this.#hasRefusal ? "" : refusal,
      // Calls are matched by position, because some servers change the ids in the last event.
      tool_calls: toolCalls.map((call, index) => this.#restOf(call, this.#calls[index])),
    };
    const hasCalls = this.#calls.length > 0;
    const hasContent = this.#hasText || content !== "" || hasCalls;
    const rest = this.#hasText ? undefined : logprobs;
    return withChoice(body, { delta: message }, rest, hasCalls, hasContent);
  }

  /** Reads the id and the model from the first events. Events of another format are returned
   * unchanged. */
  #other(event: JsonObject): JsonObject | undefined {
    const response = asObject(event.response);
    if (response !== undefined) return { id: response.id, model: response.model };
    return typeof event.type === "string" && /^response\./.test(event.type) ? undefined : event;
  }
}

function delta(part: JsonObject, choice: JsonObject = {}): JsonObject {
  return { choices: [{ delta: part, ...choice }] };
}
