/**
 * Translates answers of `/responses` into chat completions, whole or as the events of a stream.
 *
 * Each part comes as deltas, and again as a whole: at its end, and in the last event. Servers leave out one or
 * the other, so what no delta had is taken from the whole.
 *
 * @module
 */

import type { EventReader } from "./api_format.ts";
import { asObject, asText, type JsonObject } from "./json.ts";

/** The content of the items of an output, as in a chat completion. */
export interface Output {
  /** The text. */
  readonly content: string;
  /** The reasoning itself where the server sends it (vLLM and other open ones), else its summary. */
  readonly reasoning: string;
  /** The model's explanation of why it does not answer, or "". */
  readonly refusal: string;
  /** Tool calls. */
  readonly toolCalls: readonly ToolCall[];
  /** The log probabilities of the text's tokens, or undefined. */
  readonly logprobs: readonly unknown[] | undefined;
}

/** A call of a function in the form of chat completions. */
interface ToolCall extends JsonObject {
  /** The id that its result refers to. */
  readonly id: string;
  /** The function, with its arguments as JSON text. */
  readonly function: { readonly name: string; readonly arguments: string };
}

/** Translates an answer into a chat completion; its other fields stay. */
export function asChatCompletion(body: JsonObject): JsonObject {
  // The body of another server, or a bare error.
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
        // Not by spreading: an answer may have more tokens than a call takes arguments.
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

function isCall({ type }: JsonObject): boolean {
  return type === "function_call" || type === "custom_tool_call";
}

/** A call of a function in the form of chat completions. The input of a custom tool, a free text, stands for its
 * arguments. */
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

/** The token counts under the names of chat completions. */
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

/** The finish reason of an answer, or "" if the server gives none. */
function finishReasonOf(body: JsonObject, hasCalls: boolean): string {
  const { status, incomplete_details: details } = body;
  if (status === "completed") return hasCalls ? "tool_calls" : "stop";
  if (status === "failed") return "error";
  if (status !== "incomplete") return asText(status);
  const reason = asText(asObject(details)?.reason);
  return reason === "max_output_tokens" ? "length" : reason || "incomplete";
}

/** The error of a failed answer; undefined if a part of the answer exists, which counts instead. */
function errorOf({ status, error }: JsonObject, hasContent: boolean): unknown {
  if (status !== "failed") return error;
  return hasContent ? undefined : error ?? "The teacher reports a failure without a reason";
}

function textsOf(parts: unknown): string[] {
  return asList(parts).map(({ text }) => asText(text)).filter((text) => text !== "");
}

function asList(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.map((one) => asObject(one) ?? {}) : [];
}

/** A call as far as the stream has sent it. */
interface SentCall {
  readonly index: number;
  readonly id: string;
  readonly itemId: unknown;
  args: string;
}

/** Reads one stream. */
export class ResponsesEvents implements EventReader {
  done = false;
  #hasText = false;
  #hasRefusal = false;
  #hasReasoning = false;
  /** Whether the reasoning itself is sent, so that its summary is ignored. */
  #hasThoughts = false;
  #summaryIndex = 0;
  /** The calls so far, in their order. */
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

  /** A call begins, or is complete. */
  #item(item: JsonObject): JsonObject | undefined {
    if (!isCall(item)) return undefined;
    const call = toolCallOf(item);
    const told = this.#calls.find(({ id, itemId }) =>
      id === call.id || (itemId !== undefined && itemId === item.id)
    );
    return delta({ tool_calls: [this.#restOf(call, told, item.id)] });
  }

  #arguments({ item_id: itemId, delta: text }: JsonObject): JsonObject | undefined {
    const call = itemId === undefined
      ? this.#calls.at(-1)
      : this.#calls.find((one) => one.itemId === itemId);
    // Its name follows with the complete call.
    if (call === undefined) return undefined;
    call.args += asText(text);
    return delta({ tool_calls: [{ index: call.index, function: { arguments: text } }] });
  }

  /** The part of a call that was not sent yet, as a delta. */
  #restOf(call: ToolCall, told: SentCall | undefined, itemId?: unknown): JsonObject {
    const { id, function: { arguments: args } } = call;
    if (told === undefined) {
      const index = this.#calls.length;
      this.#calls.push({ index, id, itemId, args });
      return { ...call, index };
    }
    const rest = args.startsWith(told.args) ? args.slice(told.args.length) : "";
    told.args += rest;
    return { index: told.index, function: { arguments: rest } };
  }

  /** The last event holds the whole answer again. */
  #end(response: JsonObject, name: string): JsonObject {
    this.done = true;
    const body: JsonObject = { status: name, ...response };
    const { content, reasoning, refusal, toolCalls, logprobs } = outputOf(body.output);
    const message = {
      content: this.#hasText ? "" : content,
      reasoning_content: this.#hasReasoning ? "" : reasoning,
      refusal: this.#hasRefusal ? "" : refusal,
      // Matched by position: some servers give items other ids here.
      tool_calls: toolCalls.map((call, index) => this.#restOf(call, this.#calls[index])),
    };
    const hasContent = this.#hasText || content !== "" || this.#calls.length > 0;
    return {
      ...body,
      error: errorOf(body, hasContent),
      usage: usageOf(body.usage),
      choices: [{
        delta: message,
        finish_reason: finishReasonOf(body, this.#calls.length > 0),
        ...(this.#hasText || logprobs === undefined ? {} : { logprobs: { content: logprobs } }),
      }],
    };
  }

  /** Id and model are in the first event. Events of another format are passed on. */
  #other(event: JsonObject): JsonObject | undefined {
    const response = asObject(event.response);
    if (response !== undefined) return { id: response.id, model: response.model };
    return typeof event.type === "string" && /^response\./.test(event.type) ? undefined : event;
  }
}

function delta(part: JsonObject, choice: JsonObject = {}): JsonObject {
  return { choices: [{ delta: part, ...choice }] };
}
