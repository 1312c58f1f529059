/**
 * What the rows of several formats share: tools, tool calls, and where an answer comes from.
 *
 * OpenAI sends the arguments of tool calls as JSON text. Chat templates expect an object: given
 * text, they encode it twice (Qwen2.5, Llama 3.1, gpt-oss) or fail (Qwen3.5, Nemotron 3). Parquet
 * needs the text, because each of its columns has one type.
 *
 * @module
 */

import { isObject } from "../json.ts";
import type { Message } from "../teacher/mod.ts";
import type { Example } from "./example.ts";
import { parseLossless } from "../source/mod.ts";

/** A row of a training set, by column. */
export type TrainingRow = Record<string, unknown>;

/** Why an example cannot be written in a format. */
export class Unrepresentable {
  /** A noun phrase, to follow "has no place for" in the message. */
  readonly problem: string;

  constructor(problem: string) {
    this.problem = problem;
  }
}

/** Adds the tools as JSON text: their schemas differ, and a dataset's column has one type. */
export function withTools(row: TrainingRow, tools: readonly unknown[] | undefined): TrainingRow {
  return tools === undefined ? row : { ...row, tools: JSON.stringify(tools) };
}

/** Returns the text of a message; undefined if it holds anything else, such as an image. */
export function textOf({ content }: Message): string | undefined {
  if (typeof content === "string") return content;
  if (content === null || content === undefined) return "";
  if (!Array.isArray(content)) return undefined;
  if (!content.every((part) => part?.type === "text" && typeof part.text === "string")) {
    return undefined;
  }
  return content.map((part) => part.text).join("");
}

/** Fields of `distill` that become columns. */
const PROVENANCE_FIELDS = [
  "model",
  "finish_reason",
  "prompt_tokens",
  "completion_tokens",
  "reasoning_tokens",
];

/**
 * Returns the uid of an answer, its model, finish reason and tokens; `{}` for a row that is not a
 * result of Retort.
 */
export function provenanceOf({ result }: Example): Record<string, unknown> {
  const { uid, distill } = result;
  if (typeof uid !== "string" || !isObject(distill)) return {};
  const names = PROVENANCE_FIELDS.filter((name) => Object.hasOwn(distill, name));
  return { uid, ...Object.fromEntries(names.map((name) => [name, distill[name]])) };
}

/** How the arguments of tool calls are written in messages. */
export type ToolArguments = "object" | "string";

/** Writes the arguments of tool calls in one style. Messages without tool calls stay unchanged. */
export function withArguments(messages: readonly Message[], style: ToolArguments): Message[] {
  return messages.map((message) => {
    const { tool_calls: calls } = message;
    if (!Array.isArray(calls) || calls.length === 0) return message;
    // Templates would print null as text.
    const content = message.content ?? "";
    return { ...message, content, tool_calls: calls.map((call) => callWith(call, style)) };
  });
}

/**
 * Returns the arguments of a tool call as an object, with numbers as they were written; undefined
 * if they are not an object.
 */
export function argumentsOf(call: unknown): Record<string, unknown> | undefined {
  const { function: called } = call as { function?: { arguments?: unknown } };
  const value = typeof called?.arguments === "string"
    ? parsedArguments(called.arguments)
    : called?.arguments;
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Record<string, unknown>
    : undefined;
}

function callWith(call: unknown, style: ToolArguments): unknown {
  const { function: called } = call as { function?: { arguments?: unknown } };
  const value = called?.arguments;
  if (called === undefined || value === undefined) return call;
  if (style === "string") {
    if (typeof value === "string") return call;
    return { ...call as object, function: { ...called, arguments: JSON.stringify(value) } };
  }
  const object = argumentsOf(call);
  // The arguments may be invalid JSON: then only their text can be trained on.
  return object === undefined
    ? call
    : { ...call as object, function: { ...called, arguments: object } };
}

function parsedArguments(text: string): unknown {
  try {
    // Some models write an empty text for a call without arguments.
    return text.trim() === "" ? {} : parseLossless(text);
  } catch {
    return undefined;
  }
}

/**
 * Returns the row of a results line, with every digit of its numbers. Lines of earlier versions get
 * the fields and types that lines have now, such as -1 for an unknown cost.
 *
 * @param isTyped Whether times become timestamps instead of text.
 */
export function rawRow(line: string, isTyped: boolean): TrainingRow {
  const row = parseLossless(line) as TrainingRow;
  row.tool_calls = asJsonText(row.tool_calls ?? []);
  const distill = row.distill as TrainingRow;
  distill.cost_usd ??= -1;
  distill.refusal ??= false;
  distill.kept = asJsonText(distill.kept ?? {});
  distill.replaced = asJsonText(distill.replaced ?? {});
  if (isTyped && typeof distill.created === "string") distill.created = new Date(distill.created);
  return row;
}

function asJsonText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
