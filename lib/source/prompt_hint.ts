/**
 * Which field of a row is likely to hold its prompt, where none has a name that is known.
 *
 * @module
 */

import { closestString, levenshteinDistance } from "../deps/std_text.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Names that are read by themselves; a field that is nearly called so is mistyped. */
const KNOWN = ["prompt", "question", "instruction", "messages", "conversations"];

/** What data sets call their prompts, the most telling first. */
const USUAL = [
  "user_prompt",
  "prompt_text",
  "input_text",
  "user",
  "human",
  "query",
  "problem",
  "task",
  "request",
  "user_input",
  "user_message",
  "inputs",
  "input",
  "text",
  "content",
  "message",
  "sentence",
  "document",
  "article",
  "passage",
  "code",
  "source",
  "context",
  "body",
  "title",
];

/** What stands beside prompts: answers, names and notes. */
const UNLIKELY =
  /(^|_)(id|uuid|uid|url|label|category|class|lang|language|split|answer|response|output|completion|solution|target|model|date|time|hash|name|type|difficulty|score|rating)s?$/i;

/** The way out for a row without a prompt, or "" where no field looks like one. */
export function promptHint(row: Fields): string {
  const lists = Object.entries(row).filter(([, value]) => isListOfObjects(value));
  if (lists.length === 1 && Object.keys(row).length <= 3 && !isConversation(lists[0][1])) {
    const [name] = lists[0];
    return `the rows stand in "${name}": take them out with jq -c '.["${name}"][]'`;
  }
  const field = likelyPromptField(row);
  return field === undefined ? "" : `use --prompt-field ${word(field)}`;
}

/** The field that is most likely the prompt; undefined where none is. */
export function likelyPromptField(row: Fields): string | undefined {
  const names = Object.keys(row).filter((name) => isPrompt(row[name]));
  const mistyped = names.find((name) => isNearly(name, KNOWN));
  if (mistyped !== undefined) return mistyped;
  for (const usual of USUAL) {
    const found = names.find((name) => name.toLowerCase() === usual);
    if (found !== undefined) return found;
  }
  const [only, ...others] = names.filter((name) => !UNLIKELY.test(name));
  return others.length === 0 ? only : undefined;
}

function isPrompt(value: unknown): boolean {
  return typeof value === "string" ? /\S/.test(value) : isConversation(value);
}

function isConversation(value: unknown): boolean {
  return isListOfObjects(value) && ("role" in value[0] || "from" in value[0]);
}

function isListOfObjects(value: unknown): value is [object, ...object[]] {
  return Array.isArray(value) && typeof value[0] === "object" && value[0] !== null;
}

function isNearly(name: string, words: readonly string[]): boolean {
  const lower = name.toLowerCase();
  return levenshteinDistance(lower, closestString(lower, words)) <= 2;
}

/** As a POSIX shell reads it back. */
function word(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
