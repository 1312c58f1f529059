/**
 * The events of a stream of `/responses` as chunks of a chat completion.
 *
 * Parts come as deltas, and whole once more: at their end, and in the last event. Servers leave out
 * one or the other, so what was not told in parts is taken from the whole.
 *
 * @module
 */

import type { EventReader } from "./api_format.ts";
import { asObject, asText, type JsonObject } from "./json.ts";
import {
  errorOf,
  finishReasonOf,
  outputOf,
  type ToolCall,
  toolCallOf,
  usageOf,
} from "./responses_answer.ts";

/** A call as far as it was told. */
interface ToldCall {
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
  /** Whether the reasoning itself is told, so that its summary is not wanted. */
  #hasThoughts = false;
  #summaryIndex = 0;
  /** The calls that were told of, in their order. */
  readonly #calls: ToldCall[] = [];

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

  /** A call begins, or it is whole. */
  #item(item: JsonObject): JsonObject | undefined {
    if (item.type !== "function_call") return undefined;
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
    // Its name is to come: it is told with the whole call.
    if (call === undefined) return undefined;
    call.args += asText(text);
    return delta({ tool_calls: [{ index: call.index, function: { arguments: text } }] });
  }

  /** What was not told yet of a call, as the delta of one. */
  #restOf(call: ToolCall, told: ToldCall | undefined, itemId?: unknown): JsonObject {
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

  /** The last event holds the whole answer once more. */
  #end(response: JsonObject, name: string): JsonObject {
    this.done = true;
    const body: JsonObject = { status: name, ...response };
    const { content, reasoning, refusal, toolCalls, logprobs } = outputOf(body.output);
    const message = {
      content: this.#hasText ? "" : content,
      reasoning_content: this.#hasReasoning ? "" : reasoning,
      refusal: this.#hasRefusal ? "" : refusal,
      // By their place: some servers give items other ids here.
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

  /** Id and model stand in the first event. What is no event of this endpoint is handed on. */
  #other(event: JsonObject): JsonObject | undefined {
    const response = asObject(event.response);
    if (response !== undefined) return { id: response.id, model: response.model };
    return typeof event.type === "string" && /^response\./.test(event.type) ? undefined : event;
  }
}

function delta(part: JsonObject, choice: JsonObject = {}): JsonObject {
  return { choices: [{ delta: part, ...choice }] };
}
