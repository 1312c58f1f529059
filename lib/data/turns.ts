/**
 * The prompt of a line, as turns and as text. `lib/source/` reads a row as its run did. Every row
 * needs the text, so this file reads the simplest shapes itself, in 1 µs instead of 3.
 *
 * @module
 */

import { asText, filledList } from "../json.ts";
import { isSet, parsedLossless, ParsedRow, RowParser } from "../source/mod.ts";
import { type JsonObject, objectOf, ownFields, type RunHints } from "./line_facts.ts";

export interface Turn {
  /** The role: `system`, `user`, `assistant`, `tool`, or another one in the row. */
  readonly role: string;
  /** Parts that are not text appear as their type, such as `[image_url]`. */
  readonly text: string;
  readonly toolCalls?: string;
}

/**
 * Returns the prompt as turns: `final_messages` without the answer at its end, or else the messages
 * that the run read from the row. A bad row becomes one turn with its text.
 */
export function turnsOf(line: JsonObject, hints: RunHints): Turn[] {
  if (Array.isArray(line.final_messages)) return messageTurns(line.final_messages.slice(0, -1));
  const text = jsonText(rowOf(line, hints));
  const row = parserOf(line, hints)?.parse(text, ANY_UID);
  if (row instanceof ParsedRow) return messageTurns(row.messages);
  if (typeof line.raw === "string") return [{ role: "user", text: line.raw }];
  return text === "{}" ? [] : [{ role: "user", text }];
}

/** Returns the text of the user's and the tools' turns, joined by line feeds. */
export function promptOf(line: JsonObject, hints: RunHints): string {
  const text = plainPrompt(line, hints);
  if (text !== undefined) return text;
  const turns = plainMessages(line, hints) ?? turnsOf(line, hints);
  return turns.filter(({ role }) => role === "user" || role === "tool").map(({ text }) => text)
    .join("\n");
}

/** Fields that may give a row another shape, or change its prompt. */
const UNUSUAL_FIELDS = [
  ...["body", "conversations", "conversation", "history", "images", "image", "context"],
  ...["system", "system_prompt", "system_message", "chosen", "choices", "options"],
];
/** Separates turns in HelpSteer's prompts. */
const TURN_MARK = "<extra_id_1>";
const PLAIN_ROLES: ReadonlySet<unknown> = new Set(["system", "user", "assistant", "tool"]);

/** All fields that `plainPrompt` reads. */
export const PROMPT_FIELDS: ReadonlySet<string> = new Set([
  ...UNUSUAL_FIELDS,
  ...["final_messages", "messages", "prompt", "question", "instruction", "input"],
]);

/**
 * Returns the prompt of a row that is a plain prompt, question or instruction; otherwise undefined.
 */
export function plainPrompt(line: JsonObject, hints: RunHints): string | undefined {
  if (line.final_messages !== undefined) return undefined;
  if (!isPlain(line, hints) || isSet(line.messages)) return undefined;
  const prompt = line.prompt ?? line.question;
  const text = !isSet(line.instruction)
    ? prompt
    : isSet(prompt)
    ? undefined
    : plainInstruction(line);
  return typeof text === "string" && text !== "" && !text.includes(TURN_MARK) ? text : undefined;
}

function plainInstruction({ instruction, input = "" }: JsonObject): string | undefined {
  if (typeof instruction !== "string" || typeof input !== "string") return undefined;
  if (instruction.trim() === "") return undefined;
  return input.trim() === "" ? instruction : `${instruction}\n\n${input}`;
}

/** Whether the row has a simple shape, and its run had no option that changes prompts. */
function isPlain(line: JsonObject, { template, promptField }: RunHints): boolean {
  return template === undefined && promptField === undefined && !hasUnusualField(line);
}

function hasUnusualField(line: JsonObject): boolean {
  for (const name of UNUSUAL_FIELDS) if (isSet(line[name])) return true;
  return false;
}

/**
 * Returns the messages of a row as turns; undefined if a message has more than text, the last
 * message is not the user's, or the row has another shape.
 */
function plainMessages(line: JsonObject, hints: RunHints): Turn[] | undefined {
  const { messages } = line;
  if (!Array.isArray(messages) || messages.length === 0) return undefined;
  if (line.final_messages !== undefined || !isPlain(line, hints)) return undefined;
  const turns: Turn[] = [];
  for (const message of messages) {
    const { role, content, tool_calls: calls } = objectOf(message);
    if (!PLAIN_ROLES.has(role) || typeof content !== "string" || isSet(calls)) return undefined;
    turns.push({ role: role as string, text: content });
  }
  return turns.at(-1)!.role === "user" ? turns : undefined;
}

/** Parsers of runs, by whether `continue_final_message` is set. A parser is undefined if the run's
 * template is invalid in this version. */
const parsers = new WeakMap<RunHints, Map<boolean, RowParser | undefined>>();

function parserOf(line: JsonObject, hints: RunHints): RowParser | undefined {
  const { template, promptField, system, params } = hints;
  const runParams = params?.[asText(objectOf(line.distill).params)] ?? {};
  const isContinued = runParams.continue_final_message === true;
  let runParsers = parsers.get(hints);
  if (runParsers === undefined) parsers.set(hints, runParsers = new Map());
  if (!runParsers.has(isContinued)) {
    let parser: RowParser | undefined;
    try {
      parser = new RowParser({ template, promptField, system, runParams });
    } catch {
      parser = undefined;
    }
    runParsers.set(isContinued, parser);
  }
  return runParsers.get(isContinued);
}

/**
 * A placeholder, because no code reads the uid. Without it, the parser would derive one, and take
 * three times as long.
 */
const ANY_UID = "";

/** Returns the names of the fields that turns show in full; none for a bad row. */
export function textFieldsOf(line: JsonObject, hints: RunHints): string[] {
  const parser = parserOf(line, hints);
  const row = parser?.parse(jsonText(rowOf(line, hints)), ANY_UID);
  return row instanceof ParsedRow ? parser!.textFieldsOf(row) : [];
}

/** Returns the row as it was in the input. */
function rowOf(line: JsonObject, { template }: RunHints): JsonObject {
  const { replaced } = objectOf(line.distill);
  const replacedFields = typeof replaced === "string" ? parsedLossless(replaced) : replaced;
  return {
    // A template may use the row's `uid`, which is also the line's.
    ...(template === undefined ? {} : { uid: line.uid }),
    ...Object.fromEntries(ownFields(line).map((name) => [name, line[name]])),
    ...objectOf(replacedFields),
  };
}

function messageTurns(messages: readonly unknown[]): Turn[] {
  return messages.map((message) => {
    const { role, content, tool_calls: calls } = objectOf(message);
    const turn = { role: asText(role) || "user", text: contentText(content) };
    return filledList(calls) ? { ...turn, toolCalls: jsonText(calls, 2) } : turn;
  });
}

function contentText(content: unknown): string {
  if (typeof content === "string") return content;
  if (!isSet(content)) return "";
  if (!Array.isArray(content)) return jsonText(content);
  return content.map((part) => {
    if (typeof part === "string") return part;
    const { type, text } = objectOf(part);
    return typeof text === "string" ? text : `[${asText(type) || "part"}]`;
  }).join("\n");
}

/**
 * Like `JSON.stringify`, but returns a note if the value is nested too deeply for it. `JSON.parse`
 * has no such limit.
 */
export function jsonText(value: unknown, indent?: number): string {
  try {
    return JSON.stringify(value, null, indent);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return "(nested too deeply to be shown)";
  }
}
