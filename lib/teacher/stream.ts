/**
 * Puts an answer together from server-sent events.
 *
 * @module
 */

import { createParser, type EventSourceMessage } from "../deps/eventsource_parser.ts";
import { TeacherError } from "../errors.ts";
import type { EventReader } from "./api_format.ts";
import {
  type AnswerContext,
  type AnswerParts,
  responseError,
  toCompletion,
  TRANSLATED,
} from "./answer.ts";
import { DeltaText } from "./delta_text.ts";
import { asObject, asText, type JsonObject, parseJson } from "./json.ts";
import type { JsonPath } from "./json_text.ts";
import { MessageReader } from "./reasoning.ts";
import { errorIn, statedError } from "./refusal.ts";
import type { Completion } from "./teacher.ts";
import { ToolCallDeltas } from "./tool_call_deltas.ts";

/** Reads one streamed answer, chunk by chunk. */
export class StreamReader {
  /** Whether `[DONE]` came: nothing that follows belongs to the answer. */
  done = false;
  /** What the teacher reported in place of an answer, or what could not be read. */
  error: TeacherError | undefined;

  readonly #status: number;
  readonly #context: AnswerContext;
  readonly #decoder = new TextDecoder();
  readonly #parser = createParser({ onEvent: (event) => this.#event(event) });
  readonly #messages = new MessageReader();
  readonly #content = new DeltaText();
  readonly #reasoning = new DeltaText();
  readonly #toolCalls = new ToolCallDeltas();
  readonly #events: EventReader | undefined;
  readonly #parts: AnswerParts = {
    content: "",
    reasoning: "",
    refusal: "",
    toolCalls: undefined,
    finishReason: "",
    usage: undefined,
    model: "",
    id: "",
    kept: undefined,
    ttftMs: undefined,
  };
  #tokenSeen = false;
  #hasTokens = false;
  // Of several choices (`n`) the one that came first is read, as in an answer that is not streamed.
  #choiceIndex: number | undefined;

  /** Makes a reader for an answer of this status. */
  constructor(status: number, context: AnswerContext) {
    this.#status = status;
    this.#context = context;
    this.#events = context.format?.events?.();
  }

  /** Whether the answer is complete: `[DONE]` or a finish reason came, and no error. */
  get complete(): boolean {
    return this.error === undefined && (this.done || this.#parts.finishReason !== "");
  }

  /**
   * Reads a chunk as it came from the network.
   *
   * @returns Whether there was a token in it: text, reasoning or a part of a tool call.
   */
  feed(chunk: Uint8Array): boolean {
    this.#tokenSeen = false;
    this.#parser.feed(this.#decoder.decode(chunk, { stream: true }));
    return this.#tokenSeen;
  }

  /** Reads what is left when the stream has ended, an event without its blank line included. */
  end(): void {
    this.#parser.feed(`${this.#decoder.decode()}\n\n`);
  }

  /** The answer as far as it has come. */
  completion(ttftMs: number | undefined): Completion {
    this.#parts.content = this.#content.text;
    this.#parts.reasoning = this.#reasoning.text;
    this.#parts.toolCalls = this.#toolCalls.list();
    this.#parts.ttftMs = ttftMs;
    return toCompletion(this.#parts, this.#context);
  }

  #event({ event, data }: EventSourceMessage): void {
    if (this.done || this.error !== undefined) return;
    if (data === "[DONE]") {
      this.done = true;
      return;
    }
    // Some servers keep a connection alive with empty events.
    if (data.trim() === "") return;
    const chunk = asObject(parseJson(data));
    const { redact } = this.#context;
    if (event === "error" || chunk === undefined) {
      this.error = event === "error"
        ? statedError(chunk?.error ?? chunk ?? data, this.#status, redact)
        : responseError("An event of the stream is not a JSON object", data, this.#status, redact);
      return;
    }
    const events = this.#events;
    if (events === undefined) return this.#chunk(chunk, data);
    const translated = events.read(chunk);
    if (translated !== undefined) this.#chunk(translated, TRANSLATED);
    if (events.done) this.done = true;
  }

  #chunk(chunk: JsonObject, text: string): void {
    const parts = this.#parts;
    const position = this.#positionIn(chunk.choices);
    const choice = position < 0 ? undefined : (chunk.choices as JsonObject[])[position];
    const error = errorIn(choice, chunk);
    if (error !== undefined) {
      this.error = statedError(error, this.#status, this.#context.redact);
      return;
    }
    if (parts.id === "") parts.id = asText(chunk.id);
    if (parts.model === "") parts.model = asText(chunk.model);
    // Moonshot counts inside of the choice.
    const usage = chunk.usage ?? choice?.usage;
    if (usage !== undefined && usage !== null) parts.usage = usage;
    if (this.#context.keep.length > 0) this.#keep(choice, chunk);
    if (choice === undefined) return;
    const delta = asObject(choice.delta), message = asObject(choice.message);
    if (delta !== undefined) this.#delta(delta, text, ["choices", position, "delta"]);
    if (message !== undefined) this.#message(message, text, ["choices", position, "message"]);
    parts.finishReason = asText(choice.finish_reason) || parts.finishReason;
  }

  /** Where the choice that is read stands in a chunk, or -1. */
  #positionIn(choices: unknown): number {
    if (!Array.isArray(choices)) return -1;
    for (let position = 0; position < choices.length; position++) {
      const choice = asObject(choices[position]);
      if (choice === undefined) continue;
      const index = typeof choice.index === "number" ? choice.index : 0;
      this.#choiceIndex ??= index;
      if (index === this.#choiceIndex) return position;
    }
    return -1;
  }

  #delta(delta: JsonObject, text: string, path: JsonPath): void {
    const { content, reasoning } = this.#messages.read(delta);
    const refusal = asText(delta.refusal);
    this.#content.add(content);
    this.#reasoning.add(reasoning);
    this.#parts.refusal += refusal;
    const called = this.#toolCalls.add(delta, { text, path });
    if (called || content !== "" || reasoning !== "" || refusal !== "") {
      this.#tokenSeen = this.#hasTokens = true;
    }
  }

  /** Some servers send messages in place of deltas, others the whole message after them. */
  #message(message: JsonObject, text: string, path: JsonPath): void {
    if (!this.#hasTokens) {
      this.#delta(message, text, path);
      this.#hasTokens = false;
      return;
    }
    const { content, reasoning } = this.#messages.read(message);
    this.#content.extendTo(content);
    this.#reasoning.extendTo(reasoning);
    if (this.#toolCalls.list() === undefined) this.#toolCalls.add(message, { text, path });
  }

  /** Lists (those of `logprobs`) grow, of anything else the last word counts. */
  #keep(choice: JsonObject | undefined, chunk: JsonObject): void {
    for (const name of this.#context.keep) {
      const value = choice?.[name] ?? chunk[name];
      if (value === undefined || value === null) continue;
      const kept = this.#parts.kept ??= {};
      kept[name] = merge(kept[name], value);
    }
  }
}

/** The error of a stream that ended before its answer did. */
export function brokenOff(): TeacherError {
  return new TeacherError('The stream ended without a finish reason or "[DONE]"', {
    type: "network",
    retryable: true,
  });
}

function merge(kept: unknown, value: unknown): unknown {
  if (Array.isArray(kept) && Array.isArray(value)) return [...kept, ...value];
  const before = asObject(kept), after = asObject(value);
  if (before === undefined || after === undefined) return value ?? kept;
  const merged = { ...before };
  for (const [name, part] of Object.entries(after)) merged[name] = merge(before[name], part);
  return merged;
}
