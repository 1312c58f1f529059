/** Assembles an answer from server-sent events. @module */

import type { TeacherError } from "../errors.ts";
import { asText } from "../json.ts";
import {
  errorIn,
  finishReasonOf,
  lastReason,
  MessageReader,
  NO_JSON_TEXT,
  refusalOf,
  usageIn,
} from "./answer.ts";
import {
  brokenAnswerError,
  missingChoiceError,
  type Origin,
  otherAnswer,
  statedError,
  statesProblem,
  unwrapped,
} from "./answer_body.ts";
import type { EventReader } from "./api_format.ts";
import { type AnswerContext, toCompletion } from "./completion.ts";
import { asObject, type JsonObject } from "./json.ts";
import { DeltaText, type EventSink, StreamEvents } from "./stream_events.ts";
import type { Completion } from "./teacher.ts";
import { hasToolCalls, ToolCallDeltas } from "./tool_calls.ts";

/** What is learned from streams. All attempts at a teacher share it. */
export interface StreamHabits {
  /** Whether only `[DONE]` ends an answer. Some servers for Gemini put `stop` into every chunk. */
  endsByDoneOnly: boolean;
  /** Whether any answer had a finish reason. If so, one without it was probably interrupted. */
  namesEndings?: boolean;
}

export class StreamReader implements EventSink {
  done = false;
  error: TeacherError | undefined;

  readonly #origin: Origin;
  readonly #context: AnswerContext;
  readonly #habits: StreamHabits;
  readonly #events = new StreamEvents(this);
  readonly #messages = new MessageReader();
  readonly #content = new DeltaText();
  readonly #reasoning = new DeltaText();
  readonly #toolCalls = new ToolCallDeltas();
  readonly #format: EventReader | undefined;
  readonly #parts = {
    refusal: "",
    finishReason: "",
    serviceTier: "",
    usage: undefined as JsonObject | undefined,
    model: "",
    id: "",
    kept: undefined as JsonObject | undefined,
  };
  /** The number of deltas and messages that contained text, reasoning or a part of a tool call. */
  #tokens = 0;
  /** Whether a token has come in a delta. Some servers send messages instead of deltas. */
  #hasDeltaToken = false;
  // If there are several choices (`n`), only the one that appears first is read.
  #choiceIndex: number | undefined;
  /** Whether a chunk of the answer came without a finish reason. If every chunk has one, the server
   * may put a reason into each of them, and a reason does not mark the end. */
  #hasOpenChunk = false;
  /** Whether the stream seems to have ended: a chunk that contained usage but no token came with or
   * after the finish reason. */
  #hasEndChunk = false;
  #otherApi: { readonly message: string; readonly content: DeltaText } | undefined;

  constructor(
    status: number,
    context: AnswerContext,
    habits: StreamHabits = { endsByDoneOnly: false },
  ) {
    this.#origin = { status, redact: context.redact };
    this.#context = context;
    this.#format = context.format?.events?.();
    this.#habits = habits;
  }

  /** Whether text, reasoning or a part of a tool call has arrived. */
  get hasOutput(): boolean {
    return this.#tokens > 0 || this.#content.text !== "";
  }

  /** The finish reason; "" until it arrives or, if `endsByDoneOnly` is set, until `[DONE]`. */
  get finishReason(): string {
    return this.#habits.endsByDoneOnly && !this.done ? "" : this.#parts.finishReason;
  }

  /** Whether the answer and its usage seem to be complete, so that only `[DONE]` or the end of the
   * response is missing. False if there is a tool call, because a gateway may execute the call
   * itself and continue the answer. */
  get isWhole(): boolean {
    const { finishReason } = this;
    return this.#hasEndChunk && finishReason !== "" && !/tool|function/i.test(finishReason) &&
      this.#toolCalls.list() === undefined;
  }

  /** @returns Whether the chunk contained a token: text, reasoning or a part of a tool call. */
  feed(chunk: Uint8Array): boolean {
    const before = this.#tokens;
    this.#events.feed(chunk);
    return this.#tokens > before;
  }

  /** Reads a last event without its empty line. Sets `error` if the stream had no answer. */
  end(): void {
    this.#events.end();
    if (this.error !== undefined || this.#choiceIndex !== undefined) return;
    this.#rejectOtherApi();
    this.error ??= brokenAnswerError("The stream contained no answer", "", this.#origin);
  }

  /** @param hasOthers Whether other requests to this teacher are in flight. */
  completion(ttftMs: number | undefined, hasOthers: boolean = false): Completion {
    const { finishReason } = this;
    const completion = toCompletion({
      ...this.#parts,
      content: this.#content.text,
      reasoning: this.#reasoning.text,
      toolCalls: this.#toolCalls.list(),
      finishReason,
      ttftMs,
    }, this.#context);
    if (finishReason !== "") this.#habits.namesEndings = true;
    if (!this.done || finishReason !== "" || !hasOthers) return completion;
    const notice = this.#habits.namesEndings ? `An answer broke off: ${INTERRUPTED}` : undefined;
    return { ...completion, doubt: INTERRUPTED, notice };
  }

  onObject(object: JsonObject, text: string): void {
    const events = this.#format;
    if (events === undefined) return this.#chunk(object, text);
    const translated = events.read(object);
    if (translated !== undefined) this.#chunk(translated, NO_JSON_TEXT);
    if (events.done) this.done = true;
  }

  onError(error: unknown, envelope?: JsonObject): void {
    this.error = statedError(error, this.#origin, envelope);
  }

  onUnreadable(text: string): void {
    const problem = "An event of the stream is not a JSON object";
    this.error = brokenAnswerError(problem, text, this.#origin);
  }

  onDone(): void {
    this.done = true;
    this.#rejectOtherApi();
  }

  get isOver(): boolean {
    return this.done || this.error !== undefined;
  }

  #chunk(sent: JsonObject, sentText: string): void {
    const parts = this.#parts;
    const { object: chunk, text } = unwrapped({ object: sent, text: sentText });
    const position = this.#positionIn(chunk.choices);
    const choice = position < 0 ? undefined : (chunk.choices as JsonObject[])[position];
    const error = errorIn(choice, chunk);
    if (error !== undefined) return this.onError(error, chunk);
    // MiniMax's errors have null as `choices`.
    if (choice === undefined && (chunk.choices ?? null) === null) {
      if (this.#choiceIndex === undefined) this.#collectOther(chunk);
      if (statesProblem({ ...chunk, error: undefined })) {
        this.error = missingChoiceError(chunk, "choice", "", this.#origin);
        return;
      }
    }
    if (parts.id === "") parts.id = asText(chunk.id);
    if (parts.model === "") parts.model = asText(chunk.model);
    parts.serviceTier = asText(chunk.service_tier) || parts.serviceTier;
    const usage = asObject(usageIn(choice, chunk));
    // Some gateways first send the counts of the prompt, and at the end the counts of the answer.
    if (usage !== undefined && !isLateZero(usage, parts.usage)) {
      parts.usage = { ...parts.usage, ...usage };
    }
    if (this.#context.keep.length > 0) this.#keep(choice, chunk);
    const before = this.#tokens;
    if (choice !== undefined) this.#choice(choice, chunk, text, position);
    else if (!Array.isArray(chunk.choices)) {
      parts.finishReason = lastReason(parts.finishReason, finishReasonOf(chunk));
    }
    if (parts.finishReason === "" && this.#tokens > 0) this.#hasOpenChunk = true;
    if (this.#tokens > before) this.#hasEndChunk = false;
    else if (usage !== undefined && parts.finishReason !== "") {
      this.#hasEndChunk = this.#hasOpenChunk;
    }
  }

  #choice(choice: JsonObject, chunk: JsonObject, text: string, position: number): void {
    const delta = asObject(choice.delta), message = asObject(choice.message);
    if (delta !== undefined) this.#delta(delta, "delta", text, position);
    if (message !== undefined) this.#message(message, text, position);
    // `/completions` streams `text`. Older versions of LocalAI use `text` for chats too.
    if (typeof choice.text === "string" && delta === undefined && message === undefined) {
      this.#delta({ content: choice.text }, "delta", text, position);
    }
    const parts = this.#parts;
    parts.finishReason = lastReason(parts.finishReason, finishReasonOf(choice, chunk));
  }

  /** Collects an answer of another API, for the error of a stream without a choice. */
  #collectOther(chunk: JsonObject): void {
    const other = otherAnswer(chunk);
    if (other === undefined) return;
    this.#otherApi ??= { message: other.message, content: new DeltaText() };
    this.#otherApi.content.add(other.content);
  }

  /** If the stream is an answer of another API, sets `error` and keeps the answer's text. */
  #rejectOtherApi(): void {
    const other = this.#otherApi;
    if (other === undefined || this.#choiceIndex !== undefined) return;
    this.error = brokenAnswerError(other.message, "", this.#origin, "other_api");
    this.#content.add(other.content.text);
  }

  /** Returns the position of the choice that is read; -1 if it is not in the list. */
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

  #delta(delta: JsonObject, name: "delta" | "message", text: string, position: number): void {
    const { content, reasoning } = this.#messages.read(delta);
    const refusal = refusalOf(delta);
    this.#content.add(content);
    this.#reasoning.add(reasoning);
    if (refusal !== "") this.#parts.refusal += refusal;
    const hasCall = hasToolCalls(delta) &&
      this.#toolCalls.add(delta, { text, path: ["choices", position, name] });
    if (hasCall || content !== "" || reasoning !== "" || refusal !== "") {
      this.#tokens++;
      if (name === "delta") this.#hasDeltaToken = true;
      if (this.#parts.finishReason !== "") this.#habits.endsByDoneOnly = true;
    }
  }

  /** Reads a message. Some servers send messages instead of deltas, or in addition at the end. */
  #message(message: JsonObject, text: string, position: number): void {
    if (!this.#hasDeltaToken) return this.#delta(message, "message", text, position);
    const { content, reasoning } = this.#messages.read(message);
    this.#content.extendTo(content);
    this.#reasoning.extendTo(reasoning);
    if (!hasToolCalls(message) || this.#toolCalls.list() !== undefined) return;
    this.#toolCalls.add(message, { text, path: ["choices", position, "message"] });
  }

  /** Collects the raw fields to keep. Joins lists, as in `logprobs`, merges objects, and replaces
   * other values. */
  #keep(choice: JsonObject | undefined, chunk: JsonObject): void {
    for (const name of this.#context.keep) {
      const value = choice?.[name] ?? chunk[name];
      if (value === undefined || value === null) continue;
      const fields = this.#parts.kept ??= {};
      fields[name] = merge(fields[name], value);
    }
  }
}

/** Whether the usage is a second object with counts of 0. Some gateways end a stream with it. */
function isLateZero(usage: JsonObject, before: JsonObject | undefined): boolean {
  return before !== undefined && usage.prompt_tokens === 0 && usage.completion_tokens === 0;
}

/** The probable cause if a stream ends without a finish reason: llama-cpp-python ends a stream with
 * `[DONE]` if another request is waiting (`interrupt_requests`). */
const INTERRUPTED = "this server serves one stream at a time: use -c 1 or leave out --stream";

/** Merges two values. Lists grow in place, because copying them for each token would take quadratic
 * time. Values below `levels` levels are replaced, but `logprobs` has only about three levels. */
function merge(kept: unknown, value: unknown, levels = 16): unknown {
  if (Array.isArray(value)) {
    const list: unknown[] = Array.isArray(kept) ? kept : [];
    for (const element of value) list.push(element);
    return list;
  }
  const later = asObject(value);
  if (later === undefined || levels === 0) return value ?? kept;
  const merged = asObject(kept) ?? {};
  for (const [name, part] of Object.entries(later)) {
    merged[name] = merge(merged[name], part, levels - 1);
  }
  return merged;
}
