/**
 * Conversations as one text, which datasets hold in place of messages. An old answer at their end must never be sent.
 *
 * @module
 */

import { RowProblem } from "./problem.ts";

const SPEAKER = /(?:^|\n\n)(Human|Assistant):[ \n]?/;

/** The turns of a text such as `\n\nHuman: …\n\nAssistant: …`, as HH-RLHF has them; undefined for any other text. */
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

/** Chat templates and the like: how their texts begin, what stands before an answer, and before another turn. */
const FORMATS: readonly (readonly [begins: RegExp, answer: string, turn: string])[] = [
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
  [/^Human:/, "\n\nAssistant:", "\n\nHuman:"],
  [/^USER:/i, "ASSISTANT:", "USER:"],
];

/** The first letters of all of them: most prompts begin otherwise. */
const MAY_BEGIN = /^\s*(?:<|\[INST\]|### H|Below is an i|Human:|USER:)/i;
const FIRST_TOKEN = /^\s*(?:<s>|<bos>|<\|begin_of_text\|>)?\s*/;
/** What may follow without an answer: an end token, or the tag with which templates begin a reasoning. */
const NO_ANSWER = /^\s*(?:<\|im_end\|>|<\|eot_id\|>|<end_of_turn>|<\/s>|<think>)?\s*$/;

/** The problem of a text that holds a whole conversation, with an answer at its end; undefined for any other. */
export function oldAnswerIn(text: string, field: string): RowProblem | undefined {
  if (!MAY_BEGIN.test(text)) return undefined;
  const own = text.replace(FIRST_TOKEN, "");
  const format = FORMATS.find(([begins]) => begins.test(own));
  if (format === undefined) return undefined;
  const [, answer, turn] = format;
  const at = own.lastIndexOf(answer);
  const rest = own.slice(at + answer.length);
  if (at < 0 || NO_ANSWER.test(rest) || rest.includes(turn)) return undefined;
  return new RowProblem(
    `"${field}" ends with an old answer: it follows ${JSON.stringify(answer)}`,
    () => `remove it, or send the text as it is with --template '{{${field}}}'`,
  );
}
