/**
 * A conversation as the input of `/responses`: instructions and items in place of messages.
 *
 * @module
 */

import { asObject, type JsonObject } from "./json.ts";
import { promptText } from "./prompt_text.ts";
import type { Message, Params } from "./teacher.ts";

/** The system messages that a conversation begins with are its instructions, the rest its input. */
export function promptOf(messages: readonly Message[]): JsonObject {
  const first = messages.findIndex((message) => !isInstruction(message));
  // There has to be an input.
  if (first < 1) return { input: messages.flatMap(itemsOf) };
  const instructions = messages.slice(0, first).map(({ content }) => promptText(content));
  return { instructions: instructions.join("\n\n"), input: messages.slice(first).flatMap(itemsOf) };
}

/** Why a request cannot be sent here. */
export function promptProblem(messages: readonly Message[], params: Params): string | undefined {
  for (const name of ["input", "instructions"]) {
    if (name in params) return `sets "${name}": it comes from the messages`;
  }
  if (params.background === true) return 'sets "background": answers are waited for';
  for (const { role, tool_call_id: id } of messages) {
    if (role === "function" || (role === "tool" && typeof id !== "string")) {
      return `has a message of the role "${role}" without "tool_call_id": ` +
        "the endpoint responses needs it";
    }
  }
  return undefined;
}

function isInstruction({ role, content, ...rest }: Message): boolean {
  const isPlain = typeof content === "string" || isAllText(content);
  return (role === "system" || role === "developer") && isPlain && Object.keys(rest).length === 0;
}

function isAllText(content: unknown): boolean {
  return Array.isArray(content) && content.every((part) => asObject(part)?.type === "text");
}

/** What a message is here: itself, a call or several, or the output of one. */
function itemsOf(message: Message): JsonObject[] {
  const { role, content, tool_calls: calls, tool_call_id: id, ...rest } = message;
  if (role === "tool") {
    return [{
      type: "function_call_output",
      call_id: id,
      output: contentOf(content, "input"),
      ...rest,
    }];
  }
  const isEmpty = content === null || content === undefined || content === "";
  const items = isEmpty && Array.isArray(calls) && calls.length > 0
    ? []
    : [{ role, content: contentOf(content, role === "assistant" ? "output" : "input"), ...rest }];
  return Array.isArray(calls) ? [...items, ...calls.map(callOf)] : items;
}

function callOf(call: unknown): JsonObject {
  const { id, function: called } = asObject(call) ?? {};
  const { name, arguments: args } = asObject(called) ?? {};
  return { type: "function_call", call_id: id, name, arguments: args };
}

function contentOf(content: unknown, side: "input" | "output"): unknown {
  return Array.isArray(content) ? content.map((part) => partOf(part, side)) : content ?? "";
}

function partOf(part: unknown, side: "input" | "output"): unknown {
  if (typeof part === "string") return { type: `${side}_text`, text: part };
  const { type, image_url: image, file, ...rest } = asObject(part) ?? {};
  if (type === "text") return { type: `${side}_text`, ...rest };
  if (type === "image_url") {
    const { url, ...options } = asObject(image) ?? { url: image };
    return { type: "input_image", image_url: url, ...options, ...rest };
  }
  if (type === "file" && asObject(file) !== undefined) {
    return { type: "input_file", ...asObject(file), ...rest };
  }
  return part;
}
