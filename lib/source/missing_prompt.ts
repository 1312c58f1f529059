/**
 * Advice for a row without a prompt: guesses which field contains the prompt, or how to extract the
 * prompt.
 *
 * @module
 */

import { holdsPrompt, holdsQuestion, jqElements, jqPath, objectLists } from "../jq_filters.ts";
import { posixWord } from "../printable.ts";
import { similarName } from "../similar_name.ts";
import { ownField } from "./json_values.ts";
import { ALTERNATING_FIELDS } from "./messages.ts";
import { RowProblem } from "./parsed_row.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Fields that are read without a flag. A name that is nearly one of these is probably a typo. */
const DEFAULT_NAMES = ["messages", "prompt", "conversations", "question", "instruction"];

/** A field with one of these names is suggested only if it contains more than one word. */
const OFTEN_METADATA = ["source", "context", "body", "title"];

/** Names that other datasets use for prompts, starting with the least ambiguous. */
const COMMON_NAMES = [
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
  ...OFTEN_METADATA,
];

const NON_PROMPT_NAMES =
  /(^|_)(id|uuid|uid|url|label|category|class|lang|language|split|answer|response|output|completion|solution|target|model|date|time|hash|name|type|difficulty|score|rating)s?$/i;

/** @param promptField The field of `--prompt-field`, which the row does not have. */
export function missingPrompt(row: Fields, promptField?: string): RowProblem {
  const fields = new Set(
    promptField === undefined ? DEFAULT_NAMES : [promptField, ...DEFAULT_NAMES],
  );
  const names = Array.from(fields, (name) => JSON.stringify(name)), last = names.pop();
  return new RowProblem(
    `no prompt found: expected ${names.join(", ")} or ${last}, or a template: ${
      describeFields(row)
    }`,
    () => pathHint(row, promptField) ?? promptHint(row),
  );
}

/** Returns advice if the value of `--prompt-field` is a path, such as `meta.question`. */
function pathHint(row: Fields, promptField: string | undefined): string | undefined {
  const value = promptField?.split(".").reduce<unknown>(ownField, row);
  return typeof value === "string"
    ? `use --template ${posixWord(`{{${promptField}}}`)}, which takes nested fields`
    : undefined;
}

const MAX_SHOWN_FIELDS = 10;

function describeFields(row: Fields): string {
  const names = Object.keys(row);
  if (names.length === 0) return "the row is empty";
  const shown = names.slice(0, MAX_SHOWN_FIELDS).map((name) => JSON.stringify(name)).join(", ");
  return `the row has the fields ${shown}${names.length > MAX_SHOWN_FIELDS ? ", …" : ""}`;
}

function promptHint(row: Fields): string {
  return nestedHint(row) ?? batchHint(row) ?? rowsHint(row) ?? fieldHint(row);
}

function fieldHint(row: Fields): string {
  const field = likelyPromptField(row);
  const flag = field === undefined ? "" : `use --prompt-field ${posixWord(field)}`;
  if (isMessage(row) && flag !== "") {
    return `${MESSAGE_HINT}; if each row is a prompt, ${flag}`;
  }
  if (!Object.keys(row).some(looksLikeValue)) return flag;
  const header =
    "if the first row is data, add a row of column names such as prompt,answer above it";
  return flag === "" ? header : `${flag}; ${header}`;
}

/** Whether a row is a single message of a conversation. */
function isMessage({ role, from, content, value }: Fields): boolean {
  const text = content ?? value;
  return typeof text === "string" &&
    /^(?:system|user|human|assistant|gpt)$/.test(`${role ?? from}`);
}

/** The command in this advice accepts a list of messages or one message per line. */
const MESSAGE_HINT = "if the file is one conversation, make a row of it with " +
  "jq -sc '{messages: flatten(1)}'";

/** Returns advice for an object that contains the rows. Returns "" if no command extracts the rows,
 * and undefined for other objects. */
function rowsHint(row: Fields): string | undefined {
  const lists = objectLists(row);
  // Other lists, such as a list of columns, may come before the list of rows.
  const withPrompts = lists.filter(({ items: [first] }) => holdsPrompt(first));
  const holdsPrompts = withPrompts.length > 0;
  const isSmall = Object.keys(row).length <= 3;
  if (!holdsPrompts && (!isSmall || lists.length !== 1 || isConversation(lists[0].items))) {
    return undefined;
  }
  const rowLists = holdsPrompts ? withPrompts : lists;
  const { path, items: [first] } = rowLists[0];
  // A row with a prompt under another name may also contain lists, such as `meta.entities`.
  const mayBeRow = !isSmall || (!holdsPrompts && (path.length > 1 || holdsQuestion(row)));
  if (mayBeRow && likelyPromptField(row) !== undefined) return undefined;
  // Axolotl's `segments` (`[{"label","text"}]`) are not rows but parts of one text, including
  // answers.
  if ("label" in first && "text" in first) return "";
  return extractionAdvice(rowLists);
}

/** Returns advice that names all lists of rows, such as the splits of a dataset. The user may leave
 * out some of them. */
function extractionAdvice(lists: readonly { readonly path: readonly string[] }[]): string {
  const names = lists.map(({ path }) => `"${path.join(".")}"`).join(" and ");
  return `the rows are in ${names}: extract them with jq -c ${jqElements(lists)}`;
}

/** Whether a name looks like a value, as in a table without a header. It does if it is a sentence
 * or has at least six words. The split is limited because such a name may be as long as a
 * document. */
function looksLikeValue(name: string): boolean {
  const words = name.trim().split(/\s+/, 6);
  return words.length === 6 || (words.length > 1 && /[.?!]["')]*$/.test(words.at(-1)!));
}

/** Returns advice for messages in an object, a list of texts, a pair of translations, a MOSS
 * dialogue, or a single message of a tree. */
function nestedHint(row: Fields): string | undefined {
  for (const [name, value] of Object.entries(row)) {
    if (/^(?:params|request|modelInput)$/.test(name)) continue;
    if (isConversation(ownField(value, "messages"))) {
      return `the messages are in "${name}": extract them with jq -c ${posixWord(jqPath(name))}`;
    }
  }
  const [texts, ...others] = Object.keys(row).filter((name) => isListOfTexts(row[name]));
  if (texts !== undefined && others.length === 0 && likelyPromptField(row) === undefined) {
    return ALTERNATING_FIELDS.test(texts)
      ? `use --prompt-field ${posixWord(texts)}`
      : `use --template ${posixWord(`{{${texts}.0}}`)} for the first text of the list`;
  }
  if (typeof ownField(ownField(row.chat, "turn_1"), "Human") === "string") return MOSS_HINT;
  const [from, to] = Object.keys(row.translation ?? {}).filter((name) => /^[a-z]{2,3}$/.test(name));
  if (to !== undefined) {
    const template = `Translate from ${from} to ${to}: {{translation.${from}}}`;
    return `use --template ${posixWord(template)}`;
  }
  if (typeof row.text === "string" && "parent_id" in row && typeof row.role === "string") {
    return "it is one message of a tree: keep the first of each tree with " +
      "jq -c 'select(.parent_id == null) | {prompt: .text}'";
  }
}

const MOSS_HINT = "it is a dialogue of MOSS: send its first turn with " +
  'jq -c \'{system: .meta_instruction, prompt: (.chat.turn_1.Human | ltrimstr("<|Human|>: ") | ' +
  'rtrimstr("\\n") | rtrimstr("<eoh>"))}\'';

/** Returns advice for a request for an API other than chat completions. */
function batchHint(
  { params, request, modelInput, contents, input, instructions }: Fields,
): string | undefined {
  const hint = (what: string, filter: string) => `it is ${what}: extract it with jq -c '${filter}'`;
  if (isConversation(ownField(params, "messages"))) {
    const filter = "{custom_id, system: .params.system, messages: .params.messages}";
    return hint("a line of an Anthropic batch", filter);
  }
  if (Array.isArray(ownField(request, "contents"))) {
    const filter = "{id: .key, prompt: .request.contents[-1].parts[0].text}";
    return hint("a line of a Gemini batch", filter);
  }
  if (Array.isArray(contents) && ownField(contents[0], "parts") !== undefined) {
    return hint("a request of Gemini's API", "{prompt: .contents[-1].parts[0].text}");
  }
  if (typeof instructions === "string" && input !== undefined) {
    const filter = "{system: .instructions, prompt: .input}";
    return hint("a request of OpenAI's responses API", filter);
  }
  if (isConversation(ownField(modelInput, "messages"))) {
    const filter = "{id: .recordId, system: .modelInput.system, messages: .modelInput.messages}";
    return hint("a line of a Bedrock batch", filter);
  }
}

/** Returns advice for an object or a list in place of a prompt, as in OpenAssistant's trees,
 * PRM800K and BFCL. */
export function nestedFieldHint(name: string, value: unknown): string {
  if (typeof value !== "object" || value === null) return "";
  if (Array.isArray(value)) {
    if (isConversation(value)) return `use --prompt-field ${posixWord(name)}`;
    if (!isConversation(value[0])) return "";
    return "it contains a list of messages for each turn: send the first one with " +
      `jq -c ${posixWord(`{id, messages: ${jqPath(name)}[0], tools: .function}`)}`;
  }
  const texts = Object.entries(value).filter(([, text]) => typeof text === "string");
  const field = likelyPromptField(Object.fromEntries(texts));
  return field === undefined ? "" : `use --template ${posixWord(`{{${name}.${field}}}`)}`;
}

function likelyPromptField(row: Fields): string | undefined {
  const names = Object.keys(row).filter((name) => mayBePrompt(row[name]));
  const mistyped = names.find((name) => similarName(name, DEFAULT_NAMES) !== undefined);
  if (mistyped !== undefined) return mistyped;
  const chats = names.filter((name) => isConversation(row[name]) && !ANSWER_NAMES.test(name));
  if (chats.length === 1) return chats[0];
  for (const commonName of COMMON_NAMES) {
    const name = names.find((name) => name.toLowerCase() === commonName);
    if (name === undefined) continue;
    if (!OFTEN_METADATA.includes(commonName) || mayBeSentence(row[name])) return name;
  }
  const [candidate, ...others] = names
    .filter((name) => !NON_PROMPT_NAMES.test(name) && mayBeSentence(row[name]));
  return others.length === 0 ? candidate : undefined;
}

const ANSWER_NAMES = /output|completion|response|answer|repl(?:y|ies)|chosen|rejected|prefer/i;

function mayBePrompt(value: unknown): boolean {
  return typeof value === "string" ? /\S/.test(value) : isConversation(value);
}

/** Whether a text has more than one word. True for values that are not text. */
function mayBeSentence(value: unknown): boolean {
  return typeof value !== "string" || /\S\s+\S/.test(value);
}

function isConversation(value: unknown): boolean {
  if (!isListOfObjects(value)) return false;
  const [first] = value;
  return "role" in first || "from" in first || ("user" in first && "assistant" in first);
}

function isListOfTexts(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 &&
    value.every((text) => typeof text === "string" && mayBeSentence(text));
}

function isListOfObjects(value: unknown): value is [object, ...object[]] {
  return Array.isArray(value) && typeof value[0] === "object" && value[0] !== null;
}
