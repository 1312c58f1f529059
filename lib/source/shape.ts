/**
 * The shapes that a row may have, and the prompt in each.
 *
 * @module
 */

import type { Message } from "../teacher/mod.ts";
import {
  conversationOf,
  type ConversationOptions,
  isBlank,
  isObject,
  shareGptTurns,
  withSystem,
} from "./messages.ts";
import { BadRow, mustBe } from "./problem.ts";
import { promptHint } from "./prompt_hint.ts";
import type { Template } from "./template.ts";

/** What a row looks like. */
export type Shape =
  /** Made by the run's template. */
  | "template"
  /** The field that the run names. */
  | "prompt-field"
  /** `{"custom_id","method","url","body":{"messages",…}}`: OpenAI Batch. */
  | "openai-batch"
  /** `{"messages":[…]}`. */
  | "messages"
  /** `{"prompt":[messages]}`: TRL. */
  | "prompt-messages"
  /** A bare array of messages. */
  | "message-array"
  /** `{"conversations":[{"from","value"}]}`: ShareGPT. */
  | "conversations"
  /** `{"prompt":"…"}`. */
  | "prompt"
  /** `{"question":"…"}`. */
  | "question"
  /** `{"instruction","input"?}`: Alpaca. */
  | "instruction";

/** One JSON object or array, as it was parsed. */
export type ParsedJson = unknown[] | Readonly<Record<string, unknown>>;

/** What the run says of prompts. */
export interface PromptOptions {
  /** Makes the prompt of every row that is an object, whatever else the row holds. */
  readonly template?: Template;
  /** The prompt of every row that has this field; the others are read as their shape says. */
  readonly promptField?: string;
  /** The system message where a row has none. */
  readonly system?: string;
}

/**
 * The first shape of §4's table that fits. What the person asked for by name, a template or a prompt
 * field, comes before what is guessed. A field that is null counts as absent: files made from Arrow
 * tables hold every column in every row.
 */
export function detectShape(row: ParsedJson, options: PromptOptions): Shape | BadRow {
  if (isArray(row)) return "message-array";
  if (options.template !== undefined) return "template";
  const { promptField } = options;
  if (promptField !== undefined && Object.hasOwn(row, promptField) && row[promptField] !== null) {
    return "prompt-field";
  }
  if (isBatch(row)) return "openai-batch";
  if (has(row.messages)) return "messages";
  if (Array.isArray(row.prompt)) return "prompt-messages";
  if (has(row.conversations)) return "conversations";
  if (has(row.prompt)) return "prompt";
  if (has(row.question)) return "question";
  if (has(row.instruction)) return "instruction";
  return new BadRow(
    'no prompt found: expected "messages", "prompt", "conversations", "question" or ' +
      `"instruction", or a template: ${fieldsOf(row)}`,
    () => promptHint(row),
  );
}

/** How one row is turned into messages. */
export interface MessagesOptions extends PromptOptions {
  /** What `detectShape` found. */
  readonly shape: Shape;
  /** The row's JSON text. */
  readonly text: string;
  /** Whether a trailing assistant turn is sent, as the start of the answer. */
  readonly keepsPrefill: boolean;
}

/** What is sent for a row, oldest first, its system message included. */
export function messagesOf(row: ParsedJson, options: MessagesOptions): Message[] | BadRow {
  const messages = isArray(row)
    ? conversation(row, "row", options)
    : ownMessages(row as Readonly<Record<string, unknown>>, options);
  return messages instanceof BadRow ? messages : withSystem(messages, options.system);
}

function ownMessages(
  row: Readonly<Record<string, unknown>>,
  options: MessagesOptions,
): Message[] | BadRow {
  switch (options.shape) {
    case "template":
      return userMessage(options.template!.render(row, options.text), "template");
    case "prompt-field":
      return userMessage(row[options.promptField!], options.promptField!);
    case "openai-batch":
      return batchMessages(row, options);
    case "conversations":
      return shareGpt(row, options);
    case "instruction":
      return alpaca(row);
    case "messages":
      return conversation(row.messages, "messages", options);
    case "prompt-messages":
      return conversation(row.prompt, "prompt", options);
    case "prompt":
      return userMessage(row.prompt, "prompt");
    case "question":
      return userMessage(row.question, "question");
    case "message-array":
      return conversation(row, "row", options);
  }
}

function conversation(
  value: unknown,
  name: string,
  { keepsPrefill }: MessagesOptions,
): Message[] | BadRow {
  return conversationOf(value, { name, keepsPrefill } satisfies ConversationOptions);
}

function userMessage(content: unknown, name: string): Message[] | BadRow {
  if (content instanceof BadRow) return content;
  if (typeof content !== "string") return mustBe(name, "a string", content);
  if (isBlank(content)) return mustBe(name, "more than white space", content);
  return [{ role: "user", content }];
}

const CHAT_PATH = "/chat/completions";

function batchMessages(
  row: Readonly<Record<string, unknown>>,
  options: MessagesOptions,
): Message[] | BadRow {
  const { method, url } = row;
  if (has(method) && method !== "POST") return mustBe("method", '"POST"', method);
  if (has(url) && !(typeof url === "string" && url.endsWith(CHAT_PATH))) {
    return mustBe("url", `a path that ends in "${CHAT_PATH}"`, url);
  }
  const body = row.body as Record<string, unknown>;
  return conversation(body.messages, "body.messages", options);
}

function shareGpt(
  row: Readonly<Record<string, unknown>>,
  options: MessagesOptions,
): Message[] | BadRow {
  const turns = shareGptTurns(row.conversations, "conversations");
  if (turns instanceof BadRow) return turns;
  const messages = conversation(turns, "conversations", options);
  return messages instanceof BadRow ? messages : withSystem(messages, systemOf(row));
}

/**
 * Instruction and input with an empty line between them, as in the template of Stanford Alpaca
 * (https://github.com/tatsu-lab/stanford_alpaca#data-release) without its headings. LLaMA-Factory's
 * additions are read as it reads them: `system`, and `history` with its pairs of earlier turns.
 */
function alpaca(row: Readonly<Record<string, unknown>>): Message[] | BadRow {
  const { instruction } = row;
  const input = row.input ?? "";
  if (typeof instruction !== "string") return mustBe("instruction", "a string", instruction);
  if (typeof input !== "string") return mustBe("input", "a string", input);
  const parts = [instruction, input].filter((part) => !isBlank(part));
  const prompt = userMessage(parts.join("\n\n"), "instruction");
  if (prompt instanceof BadRow) return prompt;
  return withSystem([...earlierTurns(row.history), ...prompt], systemOf(row));
}

function earlierTurns(history: unknown): Message[] {
  if (!Array.isArray(history) || !history.every(isPairOfTexts)) return [];
  return history.flatMap(([question, answer]) => [
    { role: "user", content: question },
    { role: "assistant", content: answer },
  ]);
}

function isPairOfTexts(value: unknown): value is [string, string] {
  return Array.isArray(value) && value.length === 2 &&
    value.every((text) => typeof text === "string");
}

function systemOf({ system }: Readonly<Record<string, unknown>>): string | undefined {
  return typeof system === "string" && !isBlank(system) ? system : undefined;
}

/** A `body` alone may be anything; with messages in it, or with what else a Batch line has, it is one. */
function isBatch(row: Readonly<Record<string, unknown>>): boolean {
  if (!isObject(row.body)) return false;
  return has(row.body.messages) || (has(row.custom_id) && (has(row.url) || has(row.method)));
}

function has(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function isArray(row: ParsedJson): row is unknown[] {
  return Array.isArray(row);
}

const FIELDS_SHOWN = 10;

function fieldsOf(row: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(row);
  if (names.length === 0) return "the row is empty";
  const shown = names.slice(0, FIELDS_SHOWN).map((name) => JSON.stringify(name)).join(", ");
  return `its fields are ${shown}${names.length > FIELDS_SHOWN ? ", …" : ""}`;
}
