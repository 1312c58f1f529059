/**
 * Reads text and reasoning of a message or of the deltas of a stream. Servers put reasoning into a
 * field of its own, into parts of the content, or into the text; it is read from only one of these.
 *
 * @module
 */

import { isTooDeep } from "../json.ts";
import { asObject, asText, type JsonObject } from "./json.ts";

export interface ContentTexts {
  /** The answer, including reasoning between tags. */
  readonly content: string;
  /** Reasoning from separate fields or parts. */
  readonly reasoning: string;
}

/** Types of content parts that hold reasoning: `thinking` (Mistral, Anthropic), `reasoning`,
 * `reasoning_text`, `reasoning.text`, `thought`, and `redacted_thinking`, which has no text. */
const REASONING_PART = /^(?:redacted_)?(?:thinking|thought|reasoning)/;

/** The deepest nesting of parts that is read. */
const MOST_LEVELS = 4;

/** Reads a message, or all deltas of one stream. */
export class MessageReader {
  // A stream may end with a list that repeats the reasoning of earlier fields.
  #hasField = false;

  read(message: JsonObject): ContentTexts {
    const { content } = message;
    const field = this.#field(message);
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

  #field(message: JsonObject): string {
    // `reasoning_content`: DeepSeek, Qwen, older vLLM. `reasoning`: OpenRouter, Ollama, newer vLLM.
    // `thinking`: Ollama's own API. `reasoning_text`: GitHub. `thinking_content`, `thought`:
    // CLIProxyAPI.
    const { reasoning_content, reasoning, thinking, reasoning_text } = message;
    const field = textOf(reasoning_content) || textOf(reasoning) || textOf(thinking) ||
      textOf(reasoning_text) || textOf(message.thinking_content) || textOf(message.thought);
    if (field !== "") this.#hasField = true;
    if (this.#hasField) return field;
    // These repeat one of the fields above, or replace it. `reasoning_details`: OpenRouter,
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

/** The model's words for why it does not answer, from a field beside the content or a part of it;
 * "" if it answers. */
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

/** LiteLLM puts fields there that it does not know. */
function providerFieldOf(fields: unknown): string {
  const { reasoning_content, reasoning } = asObject(fields) ?? {};
  return textOf(reasoning_content) || textOf(reasoning);
}

function isReasoningPart(part: unknown): boolean {
  return REASONING_PART.test(asText(asObject(part)?.type));
}

/**
 * The text of a part or a list of parts under the names that servers use; "" for encrypted parts.
 */
function textOf(part: unknown, levels = MOST_LEVELS): string {
  if (typeof part === "string") return part;
  if (typeof part !== "object" || part === null || levels === 0) return "";
  if (Array.isArray(part)) return part.map((one) => textOf(one, levels - 1)).join("");
  const { text, thinking, reasoning, summary, content } = part as JsonObject;
  // `text.value`: Azure's agents. In other objects, `value` may belong to an answer that is an
  // object.
  return asText(asObject(text)?.value) || textOf(text, levels - 1) ||
    textOf(thinking, levels - 1) ||
    textOf(reasoning, levels - 1) || summaryOf(summary, part as JsonObject, levels) ||
    textOf(content, levels - 1);
}

/** The summary of the reasoning. Beside `effort`, `summary` is a setting:
 * `{"effort":"high","summary":"auto"}`. */
function summaryOf(summary: unknown, { effort }: JsonObject, levels: number): string {
  return effort === undefined ? textOf(summary, levels - 1) : "";
}

/** Pieces before a stream is taken for snapshots: in any stream the second piece may begin like the
 * first. */
const LEAST_SNAPSHOTS = 3;
/** Snapshots after which only the last one is kept in memory. */
const CERTAIN_SNAPSHOTS = 16;
/** The shortest piece, in characters, that counts as a repetition of the text: a model may write a
 * word twice, but not all its text in a single piece. */
const LEAST_REPEATED = 16;

/**
 * Joins the pieces of a text. Some servers send all text so far in each piece (DashScope, MiniMax):
 * if every piece begins with the one before and is longer, the pieces are snapshots. Others repeat
 * the complete text in a last piece (RAGFlow), which is dropped.
 */
export class DeltaText {
  #joined = "";
  #pieces = 0;
  // The last piece while all pieces so far are snapshots, else undefined.
  #snapshot: string | undefined = "";

  add(piece: string): void {
    if (piece === "" || this.#repeatsAll(piece)) return;
    const snapshot = this.#snapshot;
    if (snapshot !== undefined) {
      const isNext = piece.length > snapshot.length
        ? piece.startsWith(snapshot)
        : this.#pieces >= LEAST_SNAPSHOTS && piece === snapshot;
      this.#snapshot = isNext ? piece : undefined;
    }
    this.#pieces++;
    if (this.#snapshot !== undefined && this.#pieces > CERTAIN_SNAPSHOTS) this.#joined = piece;
    else this.#joined += piece;
  }

  /** Replaces the text by a longer one that begins with it; ignores any other. */
  extendTo(whole: string): void {
    if (!whole.startsWith(this.text)) return;
    this.#joined = whole;
    this.#snapshot = undefined;
  }

  #repeatsAll(piece: string): boolean {
    return piece.length >= LEAST_REPEATED && piece.length === this.#joined.length &&
      this.#pieces >= LEAST_SNAPSHOTS && this.#snapshot === undefined && piece === this.#joined;
  }

  /** The text so far. */
  get text(): string {
    return this.#snapshot !== undefined && this.#pieces >= LEAST_SNAPSHOTS
      ? this.#snapshot
      : this.#joined;
  }
}
