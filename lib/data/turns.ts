/**
 * Restores the prompt from a line, as turns and as text.
 *
 * @module
 */

import { isFilled, type JsonObject, objectOf, type RunHints, textOf } from "./line_facts.ts";

/** One turn of a conversation. */
export interface Turn {
  /** `system`, `user`, `assistant`, `tool` or whatever the row says. */
  readonly role: string;
  /** Its text; parts that are not text are named in brackets. */
  readonly text: string;
  /** Its tool calls, as JSON, where it has some. */
  readonly toolCalls?: string;
}

/** The prompt as turns, by the row's shape and the options of the run. */
export function turnsOf(line: JsonObject, hints: RunHints): Turn[] {
  if (Array.isArray(line.final_messages)) return turns(line.final_messages.slice(0, -1));
  const own = ownTurns(line, hints);
  const system = line.system ?? line.system_prompt ?? line.system_message ?? hints.system;
  if (system === undefined || system === null || system === "") return own;
  return own.some(({ role }) => role === "system" || role === "developer")
    ? own
    : [{ role: "system", text: contentText(system) }, ...own];
}

function ownTurns(line: JsonObject, { template, promptField }: RunHints): Turn[] {
  if (template !== undefined) return [user(filled(template, line))];
  for (const name of promptField === undefined ? PROMPTS : [promptField, ...PROMPTS]) {
    const value = line[name];
    if (value === undefined || value === null) continue;
    if (Array.isArray(value)) return turns(value);
    if (name === "instruction") {
      const input = textOf(line.input) || textOf(line.context);
      return [
        ...history(line),
        user(input === "" ? textOf(value) : `${textOf(value)}\n\n${input}`),
      ];
    }
    if (name === "body") {
      const { messages } = objectOf(value);
      if (Array.isArray(messages)) return turns(messages);
      continue;
    }
    return [...history(line), user(contentText(value))];
  }
  return typeof line.raw === "string" ? [user(line.raw)] : [];
}

/** The fields that may hold the prompt, in order of precedence. */
const PROMPTS = [
  "body",
  "messages",
  "conversations",
  "prompt",
  "question",
  "instruction",
  "conversation",
];

function history({ history }: JsonObject): Turn[] {
  if (!Array.isArray(history)) return [];
  return history.flatMap((one) =>
    Array.isArray(one)
      ? [user(contentText(one[0])), { role: "assistant", text: contentText(one[1]) }]
      : turns([one])
  );
}

function user(text: string): Turn {
  return { role: "user", text };
}

/** Roles of ShareGPT. */
const ROLES: Readonly<Record<string, string>> = {
  human: "user",
  gpt: "assistant",
  function_call: "assistant",
  observation: "tool",
};

function turns(messages: readonly unknown[]): Turn[] {
  return messages.map((message) => {
    const { role, from, content, value, tool_calls: calls } = objectOf(message);
    const name = textOf(role ?? from) || "user";
    const text = contentText(content ?? value);
    const turn = { role: ROLES[name] ?? name, text };
    return isFilled(calls) ? { ...turn, toolCalls: jsonText(calls, 2) } : turn;
  });
}

function contentText(content: unknown): string {
  if (typeof content === "string") return content;
  if (content === undefined || content === null) return "";
  if (!Array.isArray(content)) return jsonText(content);
  return content.map((part) => {
    if (typeof part === "string") return part;
    const { type, text } = objectOf(part);
    return typeof text === "string" ? text : `[${textOf(type) || "part"}]`;
  }).join("\n");
}

function filled(template: string, line: JsonObject): string {
  return template.replaceAll(/\{\{([^}]*)\}\}/g, (_, slot: string) => {
    const name = slot.trim();
    const value = line[name] ??
      name.split(".").reduce<unknown>((at, key) => objectOf(at)[key], line);
    return typeof value === "string" ? value : jsonText(value ?? null);
  });
}

/** The prompt as one text: the turns of users and tools. */
export function promptOf(line: JsonObject, hints: RunHints): string {
  const { prompt, question } = line;
  // A fast path for the shapes of most rows.
  if (hints.template === undefined && hints.promptField === undefined) {
    if (typeof prompt === "string" && line.messages === undefined && line.body === undefined) {
      return prompt;
    }
    if (typeof question === "string" && prompt === undefined && line.messages === undefined) {
      return question;
    }
  }
  return turnsOf(line, hints).filter(({ role }) => role === "user" || role === "tool")
    .map(({ text }) => text).join("\n");
}

/** A value as JSON. V8 can parse values that are too deep for its `stringify`. */
export function jsonText(value: unknown, indent?: number): string {
  try {
    return JSON.stringify(value, null, indent);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return "(nested too deeply to be shown)";
  }
}
