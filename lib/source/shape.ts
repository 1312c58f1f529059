/**
 * The shapes that a row may have, and the messages and fields of each shape that are sent.
 *
 * @module
 */

import { isObject } from "../json.ts";
import type { Message } from "../teacher/mod.ts";
import { mayHoldMedia, withImages } from "./images.ts";
import { isBlank, isEmptyList, isSet, ownField } from "./json_values.ts";
import { conversationOf, isColumns, isSystem, partsProblem, withSystem } from "./messages.ts";
import { mustBe, type Reading, RowProblem } from "./parsed_row.ts";
import { missingPrompt, nestedFieldHint } from "./missing_prompt.ts";
import {
  oldAnswerProblem,
  type Template,
  turnsOfHelpSteer,
  turnsOfTranscript,
} from "./prompt_texts.ts";

export type Shape =
  /** The prompt comes from the run's template. */
  | "template"
  /** The run names the field with the prompt or the messages (`--prompt-field`). */
  | "prompt-field"
  /** `{"custom_id","method","url","body":{"messages",…}}`: OpenAI Batch. */
  | "openai-batch"
  /** `{"messages":[…]}`, possibly with other fields of a request. */
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
  /** `{"instruction","input"?}`: Alpaca; `{"instruction","context"?}`: Dolly. */
  | "instruction"
  /** `{"conversation":[{"role","content",…}]}`: LMSYS, WildChat. */
  | "conversation"
  /** `{"chosen","rejected"}`: preference pairs that contain the prompt. */
  | "chosen";

export type ParsedJson = unknown[] | RowObject;

/** Any row except a bare array of messages. */
export type RowObject = Readonly<Record<string, unknown>>;

export interface PromptOptions {
  /** The template for every row that is an object. It overrides `promptField`. */
  readonly template?: Template;
  readonly promptField?: string;
  readonly system?: string;
}

/** Returns the shape of a row. For objects, the user's template or prompt field takes
 * precedence. */
export function detectShape(row: ParsedJson, options: PromptOptions): Shape | RowProblem {
  if (Array.isArray(row)) return "message-array";
  if (options.template !== undefined) return "template";
  if (hasPromptField(row, options)) return "prompt-field";
  if (isBatch(row)) return "openai-batch";
  if (isSet(row.messages) && !isEmptyList(row.messages)) return "messages";
  if (Array.isArray(row.prompt) || isColumns(row.prompt)) return "prompt-messages";
  if (isSet(row.conversations) && !isEmptyList(row.conversations)) return "conversations";
  if (isSet(row.prompt)) return "prompt";
  if (isSet(row.question)) return "question";
  if (isSet(row.instruction)) return "instruction";
  if (Array.isArray(row.conversation) || isColumns(row.conversation)) return "conversation";
  if (isSet(row.rejected) && holdsConversation(row.chosen)) return "chosen";
  // No other field contains a prompt, so the error must be about the empty list.
  if (isSet(row.messages)) return "messages";
  return isSet(row.conversations) ? "conversations" : missingPrompt(row, options.promptField);
}

export function hasPromptField(row: RowObject, { promptField }: PromptOptions): boolean {
  return promptField !== undefined && isSet(ownField(row, promptField));
}

function holdsConversation(value: unknown): boolean {
  return Array.isArray(value) || isColumns(value) ||
    (typeof value === "string" && turnsOfTranscript(value) !== undefined);
}

/** The fields that may contain a system message. `system_prompt` comes from OpenOrca. */
const SYSTEM_FIELDS = ["system", "system_prompt", "system_message"] as const;

/** Whether a row has one of `SYSTEM_FIELDS`. A loop over the fields would take ten times as
 * long. */
function hasSystem({ system, system_prompt: prompt, system_message: message }: RowObject): boolean {
  return system !== undefined || prompt !== undefined || message !== undefined;
}

const SYSTEM_AND_HISTORY: readonly string[] = [...SYSTEM_FIELDS, "history"];

/** Returns the fields that are read for the messages: texts, images, and the method and URL of a
 * batch. */
export function fieldsUsed(shape: Shape, options: PromptOptions): string[] {
  const batchFields = shape === "openai-batch" ? ["method", "url"] : [];
  return [...textFields(shape, options), ...batchFields, "images", "image"];
}

export function textFields(shape: Shape, { promptField, template }: PromptOptions): string[] {
  switch (shape) {
    case "template":
      return [...template?.fields ?? [], ...SYSTEM_FIELDS];
    case "prompt-field":
      return [promptField ?? "", ...SYSTEM_AND_HISTORY];
    case "openai-batch":
      return ["body"];
    case "prompt-messages":
      return ["prompt", ...SYSTEM_FIELDS];
    case "messages":
    case "conversations":
    case "conversation":
    case "chosen":
      return [shape, ...SYSTEM_FIELDS];
    case "instruction":
      return ["instruction", "input", "context", ...SYSTEM_AND_HISTORY];
    case "prompt":
    case "question":
      return [shape, ...SYSTEM_AND_HISTORY];
    case "message-array":
      return [];
  }
}

export function messagesOf(
  row: ParsedJson,
  options: PromptOptions,
  reading: Reading,
): Message[] | RowProblem {
  // A bare array has no fields, but its messages may contain images.
  const fields = row as RowObject;
  let messages = promptMessages(fields, options, reading);
  if (messages instanceof RowProblem) return messages;
  if (hasSystem(fields) && reading.shape !== "openai-batch") {
    messages = withRowSystem(messages, fields, reading);
    if (messages instanceof RowProblem) return messages;
  }
  if (mayHoldMedia(fields, messages)) messages = withImages(messages, fields, reading);
  return messages instanceof RowProblem ? messages : withSystem(messages, options.system);
}

function promptMessages(
  row: RowObject,
  options: PromptOptions,
  reading: Reading,
): Message[] | RowProblem {
  const { shape } = reading;
  switch (shape) {
    case "template": {
      const content = options.template!.render(row, reading.text);
      return content instanceof RowProblem ? content : [{ role: "user", content }];
    }
    case "prompt-field":
      return promptFieldMessages(row, options.promptField!, reading);
    case "openai-batch":
      return batchMessages(row, reading);
    case "messages":
    case "conversations":
    case "conversation":
    case "chosen":
      return conversationOf(row[shape], shape, reading);
    case "instruction":
      return withHistory(alpacaMessages(row, reading), row, reading);
    case "prompt-messages":
      return conversationOf(row.prompt, "prompt", reading);
    case "prompt":
    case "question":
      return withHistory(userMessage(row[shape], shape), row, reading);
    case "message-array":
      return conversationOf(row, "row", reading);
  }
}

function promptFieldMessages(
  row: RowObject,
  field: string,
  reading: Reading,
): Message[] | RowProblem {
  const value = row[field];
  if (Array.isArray(value) || isColumns(value) || (field === "chosen" && isSet(row.rejected))) {
    if (isSet(row.history)) reading.leaveOut("history");
    return conversationOf(value, field, reading);
  }
  return withHistory(userMessage(value, field), row, reading);
}

function userMessage(content: unknown, name: string): Message[] | RowProblem {
  if (typeof content !== "string") {
    return mustBe(name, "a string", content, () => nestedFieldHint(name, content));
  }
  if (isBlank(content)) return mustBe(name, "more than white space", content);
  return oldAnswerProblem(content, name) ?? turnsOfHelpSteer(content) ??
    [{ role: "user", content }];
}

const CHAT_PATH = "/chat/completions";

function batchMessages(row: RowObject, reading: Reading): Message[] | RowProblem {
  const { method, url } = row;
  if (isSet(method) && method !== "POST") return mustBe("method", '"POST"', method);
  if (isSet(url) && !(typeof url === "string" && url.endsWith(CHAT_PATH))) {
    return mustBe("url", `a path that ends in "${CHAT_PATH}"`, url);
  }
  const body = row.body as Record<string, unknown>;
  return conversationOf(body.messages, "body.messages", reading);
}

/** Returns instruction and input with an empty line between them. This is the template of Stanford
 * Alpaca (https://github.com/tatsu-lab/stanford_alpaca#data-release) without its headings. */
function alpacaMessages(row: RowObject, reading: Reading): Message[] | RowProblem {
  const { instruction } = row;
  if (typeof instruction !== "string") return mustBe("instruction", "a string", instruction);
  const input = alpacaInput(row, reading);
  if (input instanceof RowProblem) return input;
  const parts = [instruction, input].filter((part) => !isBlank(part));
  return userMessage(parts.join("\n\n"), "instruction");
}

/** Returns the input of an instruction, which Dolly calls `context`. */
function alpacaInput({ input, context }: RowObject, reading: Reading): string | RowProblem {
  if (isSet(input) && typeof input !== "string") return mustBe("input", "a string", input);
  const hasInput = typeof input === "string" && !isBlank(input);
  if (typeof context === "string" && !hasInput) return context;
  if (isSet(context) && context !== "") reading.leaveOut("context");
  return hasInput ? input : "";
}

/** Puts the history before the prompt. The history consists of pairs of question and answer
 * (LLaMA-Factory) or of messages. A `history` that is not a list means something else, and is not
 * sent. */
function withHistory(
  prompt: Message[] | RowProblem,
  { history }: RowObject,
  reading: Reading,
): Message[] | RowProblem {
  if (prompt instanceof RowProblem || !isSet(history)) return prompt;
  if (!Array.isArray(history)) {
    reading.leaveOut("history");
    return prompt;
  }
  if (isEmptyList(history)) return prompt;
  if (history.every(isPairOfTexts)) {
    return [...messagesOfPairs(history), ...prompt];
  }
  if (!history.every(isObject)) {
    return mustBe("history", "a list of pairs of question and answer, or of messages", history);
  }
  const keepsPrefill = true; // A history ends with an answer.
  const earlier = conversationOf(history, "history", reading, keepsPrefill);
  return earlier instanceof RowProblem ? earlier : [...earlier, ...prompt];
}

export function isPairOfTexts(value: unknown): value is [string, string] {
  return Array.isArray(value) && value.length === 2 &&
    value.every((text) => typeof text === "string");
}

export function messagesOfPairs(pairs: readonly (readonly [string, string])[]): Message[] {
  return pairs.flatMap(([question, answer]) => [
    { role: "user", content: question },
    { role: "assistant", content: answer },
  ]);
}

/** Puts the row's system field in front, unless the messages contain a system message. */
function withRowSystem(
  messages: Message[],
  row: RowObject,
  reading: Reading,
): Message[] | RowProblem {
  for (const field of SYSTEM_FIELDS) {
    const content = row[field];
    if (!isSet(content) || isEmptyList(content) || reading.templateFields.has(field)) continue;
    if (typeof content === "string" && isBlank(content)) continue;
    if (typeof content !== "string") {
      if (!Array.isArray(content)) return mustBe(field, "a string", content);
      const problem = partsProblem(content, field);
      if (problem !== undefined) return problem;
    }
    const systemMessage = messages.find(isSystem);
    if (systemMessage === undefined) messages = withSystem(messages, content);
    else if (systemMessage.content !== content) reading.leaveOut(field);
  }
  return messages;
}

/** Whether the row is a request of OpenAI Batch. A `body` alone is not enough, because it may be
 * anything, such as the text of an article. */
export function isBatch(row: RowObject): boolean {
  if (!isObject(row.body)) return false;
  return isSet(row.body.messages) ||
    (isSet(row.custom_id) && (isSet(row.url) || isSet(row.method)));
}
