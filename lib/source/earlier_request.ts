/**
 * Determines how an earlier version read a row, and what is sent differently today. The code that
 * reads the row is frozen, with everything that it imports. Results of that version contain the
 * hash of what it sent, and a row must not look edited only because it is read differently today.
 *
 * @module
 */

import { isObject } from "../json.ts";
import type { Message, Params } from "../teacher/mod.ts";
import { holdsNumber, isBlank, isSet, messagesWithoutNulls, parseLossless } from "./json_values.ts";
import { isSystem, withSystem } from "./messages.ts";
import type { RowRequest } from "./parsed_row.ts";
import {
  hasPromptField,
  isBatch,
  isPairOfTexts,
  messagesOfPairs,
  type PromptOptions,
  type RowObject,
} from "./shape.ts";

export interface EarlierOptions extends PromptOptions {
  readonly keepsPrefill: boolean;
}

/**
 * Returns what the earlier version sent for a row; undefined if it could not read the row.
 *
 * @param text The JSON text of the row. A bare array must be wrapped in `{"messages":[…]}`.
 */
export function earlierRequest(text: string, options: EarlierOptions): RowRequest | undefined {
  try {
    const request = requestOf(JSON.parse(text), text, options);
    const hasNumber = holdsNumber(request?.messages) || holdsNumber(request?.params);
    return !hasNumber ? request : requestOf(parseLossless(text) as RowObject, text, options);
  } catch {
    // The frozen code throws on rows that the earlier version rejected.
    return undefined;
  }
}

/** Returns a phrase for what is sent differently today; "" if the only difference is that keys with
 * null are omitted. */
export function differenceOf(before: RowRequest, now: RowRequest): string {
  const oldMessages = messagesWithoutNulls(before.messages);
  if (
    textOf(oldMessages) === textOf(now.messages) && isSameWithoutNulls(before.params, now.params)
  ) {
    return "";
  }
  const sentNow = Object.keys(now.params ?? {})
    .filter((name) => textOf(now.params?.[name]) !== textOf(before.params?.[name]))
    .map((name) => JSON.stringify(name));
  const differences: string[] = [];
  if (sentNow.length > 0) {
    differences.push(`${sentNow.join(", ")} ${sentNow.length === 1 ? "is" : "are"} sent`);
  }
  if (systemTextOf(now.messages) !== systemTextOf(oldMessages)) {
    differences.push("the system message is sent");
  }
  if (now.messages.some(({ content }) => holdsImage(content))) {
    differences.push("images are sent");
  }
  if (now.messages.some(hasCalls)) {
    if (!oldMessages.some(hasCalls)) differences.push("calls are sent as tool calls");
    else if (textBesideCalls(now.messages) !== textBesideCalls(oldMessages)) {
      differences.push("the text and reasoning of tool calls are sent");
    }
  }
  if (oldMessages.length > now.messages.length) differences.push("the old answer is not sent");
  if (isLonger(oldMessages, now.messages)) differences.push("the context is sent");
  return differences.length > 0 ? differences.join(", ") : "messages are sent in another form";
}

function isSameWithoutNulls(before: Params | undefined, now: Params | undefined): boolean {
  return textOf(messagesWithoutNulls([before ?? {}])) === textOf(messagesWithoutNulls([now ?? {}]));
}

function textOf(value: unknown): string {
  return JSON.stringify(value) ?? "";
}

function hasCalls({ tool_calls: calls }: Message): boolean {
  return isSet(calls);
}

function textBesideCalls(messages: readonly Message[]): string {
  return textOf(messages.filter(hasCalls).map((message) => ({ ...message, tool_calls: null })));
}

function systemTextOf(messages: readonly Message[]): string {
  return textOf(messages.find(isSystem)?.content);
}

/** Whether the prompt sent today adds text to the earlier prompt, such as Dolly's `context`. */
function isLonger(before: readonly Message[], now: readonly Message[]): boolean {
  const oldText = before.at(-1)?.content, newText = now.at(-1)?.content;
  return typeof oldText === "string" && typeof newText === "string" &&
    newText.startsWith(`${oldText}\n\n`);
}

function holdsImage(content: unknown): boolean {
  return Array.isArray(content) &&
    content.some((part) => isObject(part) && part.type === "image_url");
}

function requestOf(row: RowObject, text: string, options: EarlierOptions): RowRequest | undefined {
  const params = paramsOf(row, options);
  const prefill = params?.continue_final_message ?? undefined;
  const keepsPrefill = prefill === undefined ? options.keepsPrefill : prefill === true;
  const messages = promptMessages(row, text, { ...options, keepsPrefill });
  return messages && { messages: withSystem(messages, options.system), params };
}

function paramsOf(row: RowObject, options: PromptOptions): Params | undefined {
  let fields: Record<string, unknown>;
  if (isBatch(row) && options.template === undefined && !hasPromptField(row, options)) {
    const { messages: _messages, ...rest } = row.body as Record<string, unknown>;
    fields = rest;
  } else {
    const tools = row.tools as unknown[] | null | undefined;
    fields = { ...row.params as object, ...(tools?.length ? { tools } : {}) };
  }
  const { extra_body: extra, ...direct } = fields;
  const { stream: _stream, stream_options: _options, ...params } = {
    ...direct,
    ...extra as object | null | undefined,
  };
  return Object.keys(params).length === 0 ? undefined : params;
}

function promptMessages(
  row: RowObject,
  text: string,
  options: EarlierOptions,
): Message[] | undefined {
  const { template, promptField, keepsPrefill } = options;
  if (template !== undefined) return userMessages(template.render(row, text));
  if (hasPromptField(row, options)) return userMessages(row[promptField!]);
  if (isBatch(row)) {
    return withoutAnswers((row.body as Record<string, unknown>).messages, keepsPrefill);
  }
  if (isSet(row.messages)) return withoutAnswers(row.messages, keepsPrefill);
  if (Array.isArray(row.prompt)) return withoutAnswers(row.prompt, keepsPrefill);
  if (isSet(row.conversations)) {
    const turns = (row.conversations as Record<string, unknown>[]).map(messageOfShareGpt);
    const messages = withoutAnswers(turns, keepsPrefill);
    return messages && withSystem(messages, systemOf(row));
  }
  if (isSet(row.prompt)) return userMessages(row.prompt);
  if (isSet(row.question)) return userMessages(row.question);
  return isSet(row.instruction) ? alpacaMessages(row) : undefined;
}

function withoutAnswers(value: unknown, keepsPrefill: boolean): Message[] | undefined {
  const turns = value as Message[];
  let end = turns.length;
  while (!keepsPrefill && end > 0 && turns[end - 1].role === "assistant") end--;
  return end === 0 ? undefined : turns.slice(0, end);
}

function userMessages(content: unknown): Message[] | undefined {
  return typeof content === "string" ? [{ role: "user", content }] : undefined;
}

const SPEAKERS: Readonly<Record<string, string>> = {
  system: "system",
  human: "user",
  user: "user",
  gpt: "assistant",
  assistant: "assistant",
  chatgpt: "assistant",
  bing: "assistant",
  model: "assistant",
  function_call: "assistant",
  "function-call": "assistant",
  tool: "tool",
  observation: "tool",
  function: "tool",
  function_response: "tool",
  "function-response": "tool",
};

function messageOfShareGpt(turn: Record<string, unknown>): Record<string, unknown> {
  if (!isSet(turn.from)) return turn;
  return { role: SPEAKERS[(turn.from as string).toLowerCase()], content: turn.value };
}

function alpacaMessages(row: RowObject): Message[] | undefined {
  const parts = [row.instruction as string, (row.input ?? "") as string];
  const prompt = userMessages(parts.filter((part) => !isBlank(part)).join("\n\n"));
  if (prompt === undefined) return undefined;
  const { history } = row;
  const pairs = Array.isArray(history) && history.every(isPairOfTexts) ? history : [];
  return withSystem([...messagesOfPairs(pairs), ...prompt], systemOf(row));
}

function systemOf({ system }: RowObject): string | undefined {
  return typeof system === "string" && !isBlank(system) ? system : undefined;
}
