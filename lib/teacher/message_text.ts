/**
 * The text and the reasoning of a message, or of the deltas of a stream. Servers put reasoning in a field of
 * its own, in parts of the content, or in the text itself; it is read from one of these places only.
 *
 * @module
 */

import { isTooDeep } from "../json.ts";
import { asObject, asText, type JsonObject } from "./json.ts";

/** The text of a message, by what it is. */
export interface ContentTexts {
  /** The answer, with reasoning that stands in it between tags. */
  readonly content: string;
  /** Reasoning that came in fields or parts of its own. */
  readonly reasoning: string;
}

/** Parts of a content that are no part of the answer: `thinking` (Mistral, Anthropic), `reasoning`,
 * `reasoning_text`, `reasoning.text`, `thought`; `redacted_thinking`, which has no text. */
const REASONING_PART = /^(?:redacted_)?(?:thinking|thought|reasoning)/;

/** Parts of parts: what is deeper is no text that was meant to be read. */
const MOST_LEVELS = 4;

/** Reads messages, or the deltas of one stream. */
export class MessageReader {
  // A stream may end with a list that repeats what fields have brought before.
  #hasField = false;

  /** The texts of a message or a delta. */
  read(message: JsonObject): ContentTexts {
    const { content } = message;
    const field = this.#field(message);
    if (typeof content === "string") return { content, reasoning: field };
    if (content === null || content === undefined) return { content: "", reasoning: field };
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
    // They repeat one of the fields above, or replace it. `reasoning_details`: OpenRouter, MiniMax.
    // `thinking_blocks`, `provider_specific_fields`: LiteLLM.
    return textOf(message.reasoning_details) || textOf(message.thinking_blocks) ||
      providerFieldOf(message.provider_specific_fields);
  }
}

/** Why the model would not answer, in its own words, or "": a field beside the content, or a part of it. */
export function refusalOf({ refusal, content }: JsonObject): string {
  const field = asText(refusal);
  if (field !== "" || !Array.isArray(content)) return field;
  return content.map((part) => asText(asObject(part)?.refusal)).join("");
}

/** A content that is no text but a value, such as the object that a schema asks for. */
function jsonOf(content: unknown): string {
  if (typeof content !== "object" || content === null) return String(content);
  const isEmpty = Object.keys(content).length === 0;
  return isEmpty || "type" in content || isTooDeep(content) ? "" : JSON.stringify(content);
}

/** LiteLLM leaves there what it has no field for. */
function providerFieldOf(fields: unknown): string {
  const { reasoning_content, reasoning } = asObject(fields) ?? {};
  return textOf(reasoning_content) || textOf(reasoning);
}

function isReasoningPart(part: unknown): boolean {
  return REASONING_PART.test(asText(asObject(part)?.type));
}

/** The text of a part, or of a list of them, by the names that servers use. What is encrypted has none. */
function textOf(part: unknown, levels = MOST_LEVELS): string {
  if (typeof part === "string") return part;
  if (typeof part !== "object" || part === null || levels === 0) return "";
  if (Array.isArray(part)) return part.map((one) => textOf(one, levels - 1)).join("");
  const { text, thinking, reasoning, summary, content } = part as JsonObject;
  return textOf(text, levels - 1) || textOf(thinking, levels - 1) ||
    textOf(reasoning, levels - 1) || summaryOf(summary, part as JsonObject, levels) ||
    textOf(content, levels - 1);
}

/** Beside an `effort`, a summary is a setting: `{"effort":"high","summary":"auto"}`. */
function summaryOf(summary: unknown, { effort }: JsonObject, levels: number): string {
  return effort === undefined ? textOf(summary, levels - 1) : "";
}

/** The number of pieces that tell a stream of snapshots from one whose second piece begins like the first. */
const LEAST_SNAPSHOTS = 3;
/** The number of snapshots after which only the last one is held in memory. */
const CERTAIN_SNAPSHOTS = 16;
/** The least length of a piece that is taken for a repetition of the whole text: a model may well write a
 * word twice, but not everything it has written in several pieces once more in a single one. */
const LEAST_REPEATED = 16;

/**
 * Puts pieces together. Some servers send the whole text so far with each of them (DashScope, MiniMax):
 * a stream in which every piece is longer than the one before and begins with it is one of snapshots.
 * Others send it once more in a single piece (RAGFlow): that piece is dropped.
 */
export class DeltaText {
  #joined = "";
  #pieces = 0;
  // The last piece as long as all pieces so far were snapshots, else undefined.
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

  /** Takes the whole text, where it is a longer one. */
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
