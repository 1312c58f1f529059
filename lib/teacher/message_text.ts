/**
 * Reads the text and reasoning of a message, or of the deltas of a stream. Servers put reasoning
 * into a separate field, into parts of the content, or into the text. Only one of these is read.
 *
 * @module
 */

import { asText, isTooDeep } from "../json.ts";
import { asObject, type JsonObject } from "./json.ts";

export interface ContentTexts {
  /** The answer, including reasoning between tags. */
  readonly content: string;
  /** Reasoning from separate fields or parts. */
  readonly reasoning: string;
}

/** Types of content parts that hold reasoning: `thinking` (Mistral, Anthropic), `reasoning`,
 * `reasoning_text`, `reasoning.text`, `thought`, and `redacted_thinking`, which has no text. */
const REASONING_PART = /^(?:redacted_)?(?:thinking|thought|reasoning)/;

/** The maximum depth of nested parts that are read. */
const MAX_LEVELS = 4;

/** Reads a message, or all deltas of one stream. */
export class MessageReader {
  // Remembered, because a stream may end with a list that repeats the reasoning of earlier fields.
  #hasField = false;

  read(message: JsonObject): ContentTexts {
    const { content } = message;
    const field = this.#reasoningField(message);
    if (typeof content === "string") return { content, reasoning: field };
    if (content === null || content === undefined) {
      // A spoken answer holds audio and its transcript.
      return { content: asText(asObject(message.audio)?.transcript), reasoning: field };
    }
    const parts = Array.isArray(content) ? content : [content];
    return {
      content: Array.isArray(content) || isReasoningPart(content)
        ? parts.map((part) => isReasoningPart(part) ? "" : textOf(part)).join("")
        : textOf(content) || jsonOf(content),
      reasoning: field !== "" || this.#hasField
        ? field
        : parts.map((part) => isReasoningPart(part) ? textOf(part) : "").join(""),
    };
  }

  #reasoningField(message: JsonObject): string {
    // `reasoning_content`: DeepSeek, Qwen, older vLLM. `reasoning`: OpenRouter, Ollama, newer vLLM.
    // `thinking`: Ollama's own API. `reasoning_text`: GitHub. `thinking_content`, `thought`:
    // CLIProxyAPI.
    const { reasoning_content, reasoning, thinking, reasoning_text } = message;
    const field = textOf(reasoning_content) || textOf(reasoning) || textOf(thinking) ||
      textOf(reasoning_text) || textOf(message.thinking_content) || textOf(message.thought);
    if (field !== "") this.#hasField = true;
    if (this.#hasField) return field;
    // These fields repeat one of those above, or replace it. `reasoning_details`: OpenRouter,
    // MiniMax. `thinking_blocks`, `provider_specific_fields`: LiteLLM.
    return textOf(message.reasoning_details) || textOf(message.thinking_blocks) ||
      providerFieldOf(message.provider_specific_fields);
  }
}

/** The text of a message's content; the text parts of a list are joined. */
export function promptText(content: unknown): string {
  if (!Array.isArray(content)) return asText(content);
  return content.map((part) => typeof part === "string" ? part : asText(asObject(part)?.text))
    .join("");
}

/** The text with which the model refuses to answer, from the field `refusal` or a part of the
 * content; "" if it does not refuse. */
export function refusalOf({ refusal, content }: JsonObject): string {
  const field = asText(refusal);
  if (field !== "" || !Array.isArray(content)) return field;
  return content.map((part) => asText(asObject(part)?.refusal)).join("");
}

/** The JSON text of a content that is a value, such as the object that a schema describes. */
function jsonOf(content: unknown): string {
  if (typeof content !== "object" || content === null) return String(content);
  const isEmpty = Object.keys(content).length === 0;
  return isEmpty || "type" in content || isTooDeep(content) ? "" : JSON.stringify(content);
}

/** The reasoning in `provider_specific_fields`, where LiteLLM puts fields that it does not know. */
function providerFieldOf(fields: unknown): string {
  const { reasoning_content, reasoning } = asObject(fields) ?? {};
  return textOf(reasoning_content) || textOf(reasoning);
}

function isReasoningPart(part: unknown): boolean {
  return REASONING_PART.test(asText(asObject(part)?.type));
}

/**
 * The text of a part or a list of parts, under the names that servers use; "" for encrypted parts.
 */
function textOf(part: unknown, levels = MAX_LEVELS): string {
  if (typeof part === "string") return part;
  if (typeof part !== "object" || part === null || levels === 0) return "";
  if (Array.isArray(part)) return part.map((element) => textOf(element, levels - 1)).join("");
  const { text, thinking, reasoning, summary, content } = part as JsonObject;
  // `text.value`: Azure's agents. In other objects, `value` may belong to an answer that is an
  // object.
  return asText(asObject(text)?.value) || textOf(text, levels - 1) ||
    textOf(thinking, levels - 1) ||
    textOf(reasoning, levels - 1) || summaryOf(summary, part as JsonObject, levels) ||
    textOf(content, levels - 1);
}

/** The summary of the reasoning. In an object with `effort`, `summary` is a setting instead:
 * `{"effort":"high","summary":"auto"}`. */
function summaryOf(summary: unknown, { effort }: JsonObject, levels: number): string {
  return effort === undefined ? textOf(summary, levels - 1) : "";
}

/** Pieces count as snapshots once there are this many: in any stream, the second piece may begin
 * with the first. */
const MIN_SNAPSHOTS = 3;
/** After this many snapshots, only the last one is kept in memory. */
const CERTAIN_SNAPSHOTS = 16;
/** The shortest piece, in characters, that may be a repetition of the whole text: a model may write
 * a word twice. */
const MIN_REPEATED_CHARS = 16;

/**
 * Joins the pieces of a text. Some servers (DashScope, MiniMax) send snapshots, which are all text
 * so far: each piece begins with the one before and is longer. Others (RAGFlow) repeat the complete
 * text in a last piece, which is dropped.
 */
export class DeltaText {
  #joined = "";
  #pieces = 0;
  // The last piece, as long as all pieces are snapshots; then undefined.
  #snapshot: string | undefined = "";

  add(piece: string): void {
    if (piece === "" || this.#repeatsAll(piece)) return;
    const snapshot = this.#snapshot;
    if (snapshot !== undefined) {
      const isNext = piece.length > snapshot.length
        ? piece.startsWith(snapshot)
        : this.#pieces >= MIN_SNAPSHOTS && piece === snapshot;
      this.#snapshot = isNext ? piece : undefined;
    }
    this.#pieces++;
    if (this.#snapshot !== undefined && this.#pieces > CERTAIN_SNAPSHOTS) this.#joined = piece;
    else this.#joined += piece;
  }

  /** Replaces the text by `whole` if that begins with it. */
  extendTo(whole: string): void {
    if (!whole.startsWith(this.text)) return;
    this.#joined = whole;
    this.#snapshot = undefined;
  }

  #repeatsAll(piece: string): boolean {
    return piece.length >= MIN_REPEATED_CHARS && piece.length === this.#joined.length &&
      this.#pieces >= MIN_SNAPSHOTS && this.#snapshot === undefined && piece === this.#joined;
  }

  /** The text so far. */
  get text(): string {
    return this.#snapshot !== undefined && this.#pieces >= MIN_SNAPSHOTS
      ? this.#snapshot
      : this.#joined;
  }
}
