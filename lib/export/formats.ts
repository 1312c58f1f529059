/**
 * The formats of a training set, as TRL, Axolotl and LLaMA-Factory read them.
 *
 * @module
 */

import type { Message } from "../teacher/mod.ts";
import { assistantMessage, type ThinkStyle } from "../think.ts";
import type { Example } from "./example.ts";
import { type ToolArguments, withArguments } from "./tool_arguments.ts";

/** A format of a training set. */
export type ExportFormat =
  /** `{"messages":[…]}`: OpenAI, TRL, Axolotl. */
  | "messages"
  /** `{"prompt":[messages],"completion":[message]}`: TRL. */
  | "prompt-completion"
  /** `{"conversations":[{"from","value"}]}`: LLaMA-Factory. */
  | "sharegpt"
  /** `{"instruction","input","output"}`: LLaMA-Factory, Axolotl. */
  | "alpaca"
  /** `{"prompt":[messages],"chosen":[message],"rejected":[message]}`: TRL's DPO. */
  | "preference"
  /** The results line, with every key that it has. */
  | "raw";

/** All formats. */
export const EXPORT_FORMATS: readonly ExportFormat[] = [
  "messages",
  "prompt-completion",
  "sharegpt",
  "alpaca",
  "preference",
  "raw",
];

/** One row of a training set. */
export type TrainingRow = Record<string, unknown>;

/** An example that a format has no place for. */
export class NoPlace {
  /** What there is no place for. */
  readonly problem: string;

  /** Makes it from the words. */
  constructor(problem: string) {
    this.problem = problem;
  }
}

/** What a column holds in the rows that have nothing for it; the columns of all rows are the same. */
export const OPTIONAL_COLUMNS: Readonly<Record<ExportFormat, TrainingRow>> = {
  // The text of a list: nulls and nested schemas break datasets, polars and pyarrow where tools appear
  // late. TRL and Axolotl parse it; Axolotl fails at "".
  "messages": { tools: "[]" },
  "prompt-completion": { tools: "[]" },
  "sharegpt": { tools: "[]" },
  "alpaca": { system: "", history: [], tools: "[]" },
  "preference": { tools: "[]" },
  "raw": {},
};

/** How rows are put into a format. */
export interface RowStyle {
  /** How reasoning stands in the answer. */
  readonly think: ThinkStyle;
  /** How the arguments of tool calls stand in messages. */
  readonly toolArguments: ToolArguments;
  /** Whether the content of every message is a list of parts, because one message has an image. */
  readonly parts: boolean;
}

/** Puts an example into a format. */
export function toTrainingRow(
  example: Example,
  format: Exclude<ExportFormat, "raw">,
  style: RowStyle,
): TrainingRow | NoPlace {
  const { prompt, answer } = turnsOf(example, style.think);
  const { tools } = example;
  const styled = (messages: readonly Message[]) => {
    const called = withArguments(messages, style.toolArguments);
    return style.parts ? called.map(withParts) : called;
  };
  switch (format) {
    case "messages":
      return withTools({ messages: styled([...prompt, answer]) }, tools);
    case "prompt-completion":
    case "preference": // Two of them are a pair.
      return withTools({ prompt: styled(prompt), completion: styled([answer]) }, tools);
    case "sharegpt":
      return toShareGpt([...prompt, answer], tools);
    case "alpaca":
      return toAlpaca(prompt, answer, tools);
  }
}

/** Whether a message of the row has content that is a list of parts. */
export function hasParts(example: Example): boolean {
  return example.messages.some(({ content }) => Array.isArray(content));
}

interface Turns {
  readonly prompt: readonly Message[];
  readonly answer: Message;
}

function turnsOf(example: Example, think: ThinkStyle): Turns {
  const { response, reasoning, toolCalls } = example;
  const answer = assistantMessage(response, reasoning, toolCalls, think);
  // In every row or in none, for Arrow; templates treat "" as none.
  if (think === "field") answer.reasoning_content ??= "";
  const last = example.messages.at(-1);
  if (last?.role !== "assistant") return { prompt: example.messages, answer };
  // A prefill: the teacher went on where it ends, so that the two are one turn.
  if (typeof last.content === "string") answer.content = last.content + answer.content;
  return { prompt: example.messages.slice(0, -1), answer };
}

/** Content is text or a list of parts: a file that mixes both is read by no loader. */
function withParts(message: Message): Message {
  return typeof message.content === "string"
    ? { ...message, content: [{ type: "text", text: message.content }] }
    : message;
}

/** Tools are the text of a JSON list, for every trainer: no two have the same schema. */
function withTools(row: TrainingRow, tools: readonly unknown[] | undefined): TrainingRow {
  return tools === undefined ? row : { ...row, tools: JSON.stringify(tools) };
}

const SPEAKERS: Readonly<Record<string, string>> = {
  system: "system",
  developer: "system",
  user: "human",
  assistant: "gpt",
  tool: "observation",
};

function toShareGpt(
  messages: readonly Message[],
  tools: readonly unknown[] | undefined,
): TrainingRow | NoPlace {
  const conversations: Record<string, unknown>[] = [];
  for (const message of messages) {
    const text = textOf(message);
    const from = Object.hasOwn(SPEAKERS, message.role) ? SPEAKERS[message.role] : undefined;
    if (from === undefined) return new NoPlace(`a message of the role "${message.role}"`);
    if (text === undefined) return new NoPlace("content that is not text");
    const calls = message.tool_calls;
    const turn: Record<string, unknown> = Array.isArray(calls) && calls.length > 0
      ? { from: "function_call", value: functionCall(text, calls) }
      : { from, value: text };
    const { reasoning_content: reasoning } = message;
    if (reasoning !== undefined) turn.reasoning_content = reasoning;
    conversations.push(turn);
  }
  return withTools({ conversations }, tools);
}

/** The calls as LLaMA-Factory reads them: a JSON array, after reasoning in its tags, if any. */
function functionCall(text: string, calls: readonly unknown[]): string {
  const plain = calls.map((call) => {
    const { name, arguments: args } = (call as { function?: Record<string, unknown> }).function ??
      {};
    return { name, arguments: typeof args === "string" ? parsed(args) : args };
  });
  const [thought = ""] = /^<think>\n.*<\/think>\n\n/s.exec(text) ?? [];
  return thought + JSON.stringify(plain);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function toAlpaca(
  prompt: readonly Message[],
  answer: Message,
  tools: readonly unknown[] | undefined,
): TrainingRow | NoPlace {
  if (answer.tool_calls !== undefined) return new NoPlace("a tool call");
  const system: string[] = [];
  const turns: { role: string; text: string }[] = [];
  for (const message of prompt) {
    const text = textOf(message);
    if (text === undefined) return new NoPlace("content that is not text");
    if (SPEAKERS[message.role] !== "system") turns.push({ role: message.role, text });
    else if (turns.length === 0) system.push(text);
    else return new NoPlace("a system message after the start");
  }
  const history: [string, string][] = [];
  for (let i = 0; i < turns.length; i++) {
    const expected = i % 2 === 0 ? "user" : "assistant";
    if (turns[i].role !== expected) return new NoPlace("turns other than user and assistant");
    if (i % 2 === 1) history.push([turns[i - 1].text, turns[i].text]);
  }
  if (turns.length % 2 === 0) return new NoPlace("a conversation that does not end with the user");
  const row: TrainingRow = {
    instruction: turns.at(-1)!.text,
    input: "",
    output: answer.content,
  };
  if (system.length > 0) row.system = system.join("\n\n");
  if (history.length > 0) row.history = history;
  return withTools(row, tools);
}

/** The text of a message, undefined when there is more to it, such as an image. */
function textOf({ content }: Message): string | undefined {
  if (typeof content === "string") return content;
  if (content === null || content === undefined) return "";
  if (!Array.isArray(content)) return undefined;
  if (!content.every((part) => part?.type === "text" && typeof part.text === "string")) {
    return undefined;
  }
  return content.map((part) => part.text).join("");
}
