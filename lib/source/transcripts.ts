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

/** Chat templates and the like: how their texts begin, and what stands before an answer. */
const FORMATS: readonly (readonly [begins: RegExp, answer: string])[] = [
  [/^<\|im_start\|>/, "<|im_start|>assistant"],
  [/^<\|start_header_id\|>/, "<|start_header_id|>assistant<|end_header_id|>"],
  [/^<start_of_turn>/, "<start_of_turn>model"],
  [/^\[INST\]/, "[/INST]"],
  [/^### Human:/, "### Assistant:"],
  [/^Below is an instruction/, "### Response:"],
  [/^Human:/, "\n\nAssistant:"],
  [/^USER:/i, "ASSISTANT:"],
];

/** The first letters of all of them: most prompts begin otherwise. */
const MAY_BEGIN = /^\s*(?:<|\[INST\]|### H|Below is an i|Human:|USER:)/i;
const FIRST_TOKEN = /^\s*(?:<s>|<bos>|<\|begin_of_text\|>)?\s*/;
const END_TOKEN = /^\s*(?:<\|im_end\|>|<\|eot_id\|>|<end_of_turn>|<\/s>)?\s*$/;

/** The problem of a text that holds a whole conversation, with an answer at its end; undefined for any other. */
export function oldAnswerIn(text: string, field: string): RowProblem | undefined {
  if (!MAY_BEGIN.test(text)) return undefined;
  const own = text.replace(FIRST_TOKEN, "");
  const answer = FORMATS.find(([begins]) => begins.test(own))?.[1];
  const at = answer === undefined ? -1 : own.lastIndexOf(answer);
  if (answer === undefined || at < 0 || END_TOKEN.test(own.slice(at + answer.length))) {
    return undefined;
  }
  return new RowProblem(
    `"${field}" ends with an old answer: it follows ${JSON.stringify(answer)}`,
    () => `remove it, or send the text as it is with --template '{{${field}}}'`,
  );
}
