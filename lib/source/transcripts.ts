/**
 * Conversations that a dataset holds as one text. An old answer at the end must never be sent as
 * part of the prompt.
 *
 * @module
 */

import type { Message } from "../teacher/mod.ts";
import { isBlank } from "./json_values.ts";
import { RowProblem } from "./problem.ts";

/** The label before a turn. */
const SPEAKER = /(?:^|\n\n)(Human|Assistant):[ \n]?/;

/** The turns of a text such as `\n\nHuman: …\n\nAssistant: …` (HH-RLHF); undefined for others. */
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

/** HelpSteer's mark before a turn. */
const TURN_MARK = "<extra_id_1>";
const TURN_LABEL = /\n?<extra_id_1>(User|Assistant)\n/;

const SYSTEM_LABEL = /^<extra_id_0>System\n/;

/**
 * The messages of a HelpSteer prompt up to the user's last turn; undefined for any other text. The
 * first turn, the user's, has no mark. SteerLM begins with a system message or with a mark instead.
 */
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

/**
 * Chat templates and other formats: how their texts begin, the label before an answer, and the
 * label before a turn of the user.
 */
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

/** Matches if a text may begin as one of `FORMATS`. A quick check: most prompts do not. */
const MAY_HAVE_FORMAT =
  /^\s*(?:<|\[INST\]|### [HI]|Below is an i|Human:|User:|USER:|A chat b|The conversation b)/;
/** The token that begins a text in some templates. */
const FIRST_TOKEN = /^\s*(?:<s>|<bos>|<\|begin_of_text\|>|<｜begin▁of▁sentence｜>)?\s*/;
/** What may follow the last label if no answer does: an end token, or a template's `<think>`. */
const NO_ANSWER =
  /^\s*(?:<\|im_end\|>|<\|eot_id\|>|<\|end\|>|<\|endoftext\|>|<end_of_turn>|<｜end▁of▁sentence｜>|<\|END_OF_TURN_TOKEN\|>|<\/s>|<think>)?\s*$/;

/** The problem of a text in one of `FORMATS` that ends with an answer; undefined for other text. */
export function oldAnswerIn(text: string, field: string): RowProblem | undefined {
  if (!MAY_HAVE_FORMAT.test(text)) return undefined;
  const body = text.replace(FIRST_TOKEN, "");
  const format = FORMATS.find(([start]) => start.test(body));
  if (format === undefined) return undefined;
  const [, answer, turn] = format;
  const labelStart = lastLabel(body, answer);
  const textAfter = body.slice(labelStart + answer.length);
  if (labelStart < 0 || NO_ANSWER.test(textAfter) || textAfter.includes(turn)) return undefined;
  return new RowProblem(
    `"${field}" ends with an old answer: it follows ${JSON.stringify(answer)}`,
    () => `remove it, or send the text as it is with --template '{{${field}}}'`,
  );
}

/**
 * The index of the last label that begins an answer; -1 if there is none. A label that the text
 * only mentions, as a prompt about the format does, begins none.
 */
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

/** Labels that begin with a letter may be mentioned in text; others are marks of a template. */
const MAY_BE_MENTIONED = /^[A-Z]/;
/** The text before a mentioned label: an opening quote, or a word that does not end a turn. */
const BEFORE_MENTION =
  /(?:["'`“‘«「(]|\b(?:an?|the|and|or|of|with|does|is|are|like|as|than|says?|writes?|called|named|labels?|markers?|prefix(?:es)?|keywords?|strings?|tokens?|tags?|words?|terms?|texts?)\s+)$/i;
/** How many characters before a label are searched: enough for the longest word of
 * `BEFORE_MENTION`, which has eight letters, and white space. */
const MAX_CHARS_BEFORE = 16;
