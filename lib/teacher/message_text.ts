/**
 * The text and the reasoning of a message, or of the deltas of a stream. Servers put reasoning in a field of
 * its own, in parts of the content, or in the text itself; it is read from one of these places only.
 *
 * @module
 */

import { isTooDeep } from "../json.ts";
import { asObject, asText, type JsonObject } from "./json.ts";

/** The texts of a message. */
export interface ContentTexts {
  /** The answer, including reasoning between tags. */
  readonly content: string;
  /** Reasoning from separate fields or parts. */
  readonly reasoning: string;
}

/** Types of content parts that hold reasoning: `thinking` (Mistral, Anthropic), `reasoning`, `reasoning_text`,
 * `reasoning.text`, `thought`; `redacted_thinking`, which has no text. */
const REASONING_PART = /^(?:redacted_)?(?:thinking|thought|reasoning)/;

/** The deepest nesting of parts; deeper text is not meant to be read. */
const MOST_LEVELS = 4;

/** Reads messages, or the deltas of one stream. */
export class MessageReader {
  // A stream may end with a list that repeats what fields held before.
  #hasField = false;

  /** The texts of a message or a delta. */
  read(message: JsonObject): ContentTexts {
    const { content } = message;
    const field = this.#field(message);
    if (typeof content === "string") return { content, reasoning: field };
    if (content === null || content === undefined) {
      // A spoken answer comes with the sound and its text.
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
    // `thinking`: Ollama's own API. `reasoning_text`: GitHub. `thinking_content`, `thought`: CLIProxyAPI.
    const { reasoning_content, reasoning, thinking, reasoning_text } = message;
    const field = textOf(reasoning_content) || textOf(reasoning) || textOf(thinking) ||
      textOf(reasoning_text) || textOf(message.thinking_content) || textOf(message.thought);
    if (field !== "") this.#hasField = true;
    if (this.#hasField) return field;
    // These repeat one of the fields above, or replace it. `reasoning_details`: OpenRouter, MiniMax.
    // `thinking_blocks`, `provider_specific_fields`: LiteLLM.
    return textOf(message.reasoning_details) || textOf(message.thinking_blocks) ||
      providerFieldOf(message.provider_specific_fields);
  }
}

/** The text of a message; the text parts of a list are joined. */
export function promptText(content: unknown): string {
  if (!Array.isArray(content)) return asText(content);
  return content.map((part) => typeof part === "string" ? part : asText(asObject(part)?.text))
    .join("");
}

/** The model's explanation of why it does not answer, or "": a field next to the content, or a part of it. */
export function refusalOf({ refusal, content }: JsonObject): string {
  const field = asText(refusal);
  if (field !== "" || !Array.isArray(content)) return field;
  return content.map((part) => asText(asObject(part)?.refusal)).join("");
}

/** A content that is a value instead of text, such as the object that a schema describes. */
function jsonOf(content: unknown): string {
  if (typeof content !== "object" || content === null) return String(content);
  const isEmpty = Object.keys(content).length === 0;
  return isEmpty || "type" in content || isTooDeep(content) ? "" : JSON.stringify(content);
}

/** LiteLLM puts there what it has no field for. */
function providerFieldOf(fields: unknown): string {
  const { reasoning_content, reasoning } = asObject(fields) ?? {};
  return textOf(reasoning_content) || textOf(reasoning);
}

function isReasoningPart(part: unknown): boolean {
  return REASONING_PART.test(asText(asObject(part)?.type));
}

/** The text of a part or a list of parts, by the names that servers use. Encrypted parts have none. */
function textOf(part: unknown, levels = MOST_LEVELS): string {
  if (typeof part === "string") return part;
  if (typeof part !== "object" || part === null || levels === 0) return "";
  if (Array.isArray(part)) return part.map((one) => textOf(one, levels - 1)).join("");
  const { text, thinking, reasoning, summary, content } = part as JsonObject;
  // `text.value`: Azure's agents. A `value` elsewhere may be a field of an answer that is an object.
  return asText(asObject(text)?.value) || textOf(text, levels - 1) ||
    textOf(thinking, levels - 1) ||
    textOf(reasoning, levels - 1) || summaryOf(summary, part as JsonObject, levels) ||
    textOf(content, levels - 1);
}

/** With an `effort`, a summary is a setting: `{"effort":"high","summary":"auto"}`. */
function summaryOf(summary: unknown, { effort }: JsonObject, levels: number): string {
  return effort === undefined ? textOf(summary, levels - 1) : "";
}

/** The number of pieces after which a stream counts as snapshots: the second piece of any stream may begin like
 * the first. */
const LEAST_SNAPSHOTS = 3;
/** The number of snapshots after which only the last one is held in memory. */
const CERTAIN_SNAPSHOTS = 16;
/** The shortest piece that counts as a repetition of the whole text: a model may write a word twice, but not
 * all of its text again in a single piece. */
const LEAST_REPEATED = 16;

/**
 * Joins the pieces of a text. Some servers send the whole text so far in each piece (DashScope, MiniMax): if
 * every piece is longer than the one before and begins with it, the pieces are snapshots. Others repeat the
 * whole text in one piece at the end (RAGFlow): that piece is dropped.
 */
export class DeltaText {
  #joined = "";
  #pieces = 0;
  // The last piece while all pieces so far are snapshots, else undefined.
  #snapshot: string | undefined = "";

  /** Adds a piece. */
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

  /** Replaces the text by a longer one that begins with it. */
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
