/**
 * Prompts that consist of a single text: a template such as `Translate {{text}}`, filled from the
 * fields of a row, or the transcript of a conversation. A row whose transcript ends with an old
 * answer is bad, because the answer must not be sent unless a template sends the text as it is.
 *
 * @module
 */

import { posixWord } from "../printable.ts";
import type { Message } from "../teacher/mod.ts";
import { holdsNumber, isBlank, isSet, ownField, parseLossless } from "./json_values.ts";
import { RowProblem } from "./parsed_row.ts";

export interface Template {
  /** The fields that the template names. For `a.b`, these are both `a` and `a.b`. */
  readonly fields: ReadonlySet<string>;
  /** @param text The JSON text of `row`, which shows numbers as they were written. */
  render(row: Readonly<Record<string, unknown>>, text: string): string | RowProblem;
}

interface Slot {
  readonly name: string;
  readonly path: readonly string[];
  readonly textAfter: string;
}

/**
 * Compiles a template. `{{field}}` stands for a field of the row, `{{a.b}}` for a field of an
 * object, and `{{turns.0}}` for an element of an array. A field named `a.b` takes precedence.
 * Strings are inserted unchanged, and other values are inserted as JSON. A row that lacks the
 * field, or has null there, is a bad row. Single braces, and a `}}` without `{{`, are plain text.
 *
 * @throws {RangeError} if the template has no `{{`, or if a `{{` is not closed or names no field
 */
export function compileTemplate(source: string): Template {
  const [start, ...pieces] = source.split("{{");
  if (pieces.length === 0) {
    const problem = 'it must name a field, as in "Solve: {{question}}", or all rows would be the ' +
      "same prompt";
    throw templateError(problem, source);
  }
  const slots = pieces.map((piece) => slotOf(piece, source));
  const fields = new Set(slots.flatMap(({ name, path }) => [name, path[0]]));
  return { fields, render: (row, text) => fill(start, slots, row, text) };
}

function templateError(problem: string, source: string): RangeError {
  const value = JSON.stringify(source);
  return new RangeError(`Cannot read the template: ${problem}: current value is ${value}`);
}

function slotOf(piece: string, source: string): Slot {
  const end = piece.indexOf("}}");
  if (end === -1) throw templateError('"{{" must be closed by "}}"', source);
  const name = piece.slice(0, end).trim();
  if (name === "") throw templateError('"{{" must be followed by a field', source);
  return { name, path: name.split("."), textAfter: piece.slice(end + 2) };
}

function fill(
  start: string,
  slots: readonly Slot[],
  row: Readonly<Record<string, unknown>>,
  text: string,
): string | RowProblem {
  let prompt = start;
  for (const slot of slots) {
    const value = valueAt(row, slot);
    if (!isSet(value)) {
      return new RowProblem(`template needs the field "${slot.name}": the row has none`);
    }
    if (typeof value === "string") prompt += value;
    else if (!holdsNumber(value)) prompt += JSON.stringify(value);
    else prompt += JSON.stringify(valueAt(parseLossless(text), slot));
    prompt += slot.textAfter;
  }
  if (isBlank(prompt)) return new RowProblem("template gives an empty prompt for this row");
  return prompt;
}

function valueAt(row: unknown, slot: Slot): unknown {
  const exact = ownField(row, slot.name);
  return exact !== undefined || slot.path.length === 1 ? exact : slot.path.reduce(ownField, row);
}

const SPEAKER = /(?:^|\n\n)(Human|Assistant):[ \n]?/;

/** Returns the turns of `\n\nHuman: …\n\nAssistant: …` (HH-RLHF); undefined for other texts. */
export function turnsOfTranscript(text: string): unknown[] | undefined {
  const [start, ...parts] = text.trimStart().split(SPEAKER);
  if (start !== "" || parts[0] !== "Human") return undefined;
  const turns: unknown[] = [];
  for (let i = 0; i < parts.length; i += 2) {
    const role = parts[i] === "Human" ? "user" : "assistant";
    turns.push({ role, content: parts[i + 1].trim() });
  }
  return turns;
}

const TURN_MARK = "<extra_id_1>";
const TURN_LABEL = /\n?<extra_id_1>(User|Assistant)\n/;

const SYSTEM_LABEL = /^<extra_id_0>System\n/;

/** Returns the messages of a HelpSteer prompt up to the user's last turn; undefined for other
 * texts. The user's first turn has no mark. SteerLM prompts begin with a system message or a mark
 * instead. */
export function turnsOfHelpSteer(text: string): Message[] | undefined {
  if (!text.includes(TURN_MARK)) return undefined;
  const [first, ...parts] = text.split(TURN_LABEL);
  if (parts.length === 0) return undefined;
  const content = first.replace(SYSTEM_LABEL, "");
  const role = content === first ? "user" : "system";
  const turns: Message[] = isBlank(content) ? [] : [{ role, content }];
  for (let i = 0; i < parts.length; i += 2) {
    turns.push({ role: parts[i].toLowerCase(), content: parts[i + 1] });
  }
  while (turns.at(-1)?.role === "assistant") turns.pop();
  return turns.some(({ role }) => role === "user") ? turns : undefined;
}

/** Chat templates and other formats that store a conversation in one text. `answer` is the label
 * before an answer, and `turn` is a label before any later turn. */
const FORMATS: readonly (readonly [start: RegExp, answer: string, turn: string])[] = [
  [/^<\|im_start\|>/, "<|im_start|>assistant", "<|im_start|>"],
  [
    /^<\|start_header_id\|>/,
    "<|start_header_id|>assistant<|end_header_id|>",
    "<|start_header_id|>",
  ],
  [/^<start_of_turn>/, "<start_of_turn>model", "<start_of_turn>"],
  [/^\[INST\]/, "[/INST]", "[INST]"],
  [/^### Human:/, "### Assistant:", "### Human:"],
  [/^Below is an instruction/, "### Response:", "### Instruction:"],
  [/^### Instruction:/, "### Response:", "### Instruction:"],
  [/^<\|(?:user|system)\|>/, "<|assistant|>", "<|user|>"],
  [/^<\|prompter\|>/, "<|assistant|>", "<|prompter|>"],
  [/^<｜User｜>/, "<｜Assistant｜>", "<｜User｜>"],
  [/^<\|START_OF_TURN_TOKEN\|>/, "<|CHATBOT_TOKEN|>", "<|USER_TOKEN|>"],
  [/^Human:/, "\n\nAssistant:", "\n\nHuman:"],
  [/^User:/, "\nAssistant:", "\nUser:"],
  [/^(?:USER:|A chat between a )/, "ASSISTANT:", "USER:"],
  [/^The conversation between human and AI assistant/, "[|AI|]", "[|Human|]"],
];

const FIRST_TOKEN = /^\s*(?:(?:<s>|<bos>|<\|begin_of_text\|>|<｜begin▁of▁sentence｜>)\s*)?/;
/** Matches the start of any format. One search replaces a search for each format, because most
 * prompts have none of these formats. */
const ANY_START = new RegExp(
  `${FIRST_TOKEN.source}(?:${FORMATS.map(([start]) => start.source.slice(1)).join("|")})`,
);
/** Matches what may follow the last label if there is no answer: nothing, an end token, or
 * `<think>`. */
const NO_ANSWER =
  /^(?:<\|im_end\|>|<\|eot_id\|>|<\|end\|>|<\|endoftext\|>|<end_of_turn>|<｜end▁of▁sentence｜>|<\|END_OF_TURN_TOKEN\|>|<\/s>|<think>)?$/;

export function oldAnswerProblem(text: string, field: string): RowProblem | undefined {
  if (!ANY_START.test(text)) return undefined;
  const body = text.replace(FIRST_TOKEN, "");
  const [, answer, turn] = FORMATS.find(([start]) => start.test(body))!;
  const labelStart = lastLabel(body, answer);
  const textAfter = body.slice(labelStart + answer.length);
  if (labelStart < 0 || NO_ANSWER.test(textAfter.trim()) || textAfter.includes(turn)) {
    return undefined;
  }
  return new RowProblem(
    `"${field}" ends with an old answer: it follows ${JSON.stringify(answer)}`,
    () => `remove it, or send the text as it is with --template ${posixWord(`{{${field}}}`)}`,
  );
}

/** Returns the position of the last label that begins an answer. Skips labels that are only
 * mentioned, as in a prompt about the format. */
function lastLabel(text: string, label: string): number {
  let start = text.lastIndexOf(label);
  while (
    start > 0 && MAY_BE_MENTIONED.test(label) &&
    BEFORE_MENTION.test(text.slice(Math.max(0, start - MAX_CHARS_BEFORE), start))
  ) {
    start = text.lastIndexOf(label, start - 1);
  }
  return start;
}

/** Matches labels that begin with a letter, which may therefore occur within a sentence. */
const MAY_BE_MENTIONED = /^[A-Z]/;
/** Matches an opening quote, or a word that does not end a turn. */
const BEFORE_MENTION =
  /(?:["'`“‘«「(]|\b(?:an?|the|and|or|of|with|does|is|are|like|as|than|says?|writes?|called|named|labels?|markers?|prefix(?:es)?|keywords?|strings?|tokens?|tags?|words?|terms?|texts?)\s+)$/i;
/** The number of characters before a label that are searched. This is enough for white space and
 * the longest word of `BEFORE_MENTION`, which has eight letters. */
const MAX_CHARS_BEFORE = 16;
