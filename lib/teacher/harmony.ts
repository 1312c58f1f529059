/**
 * The channels of gpt-oss ("harmony"), where a server leaves them in the text:
 * `<|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…<|return|>`.
 * `analysis` is reasoning, `final` the answer, `commentary` a tool call or words before one.
 *
 * @module
 */

import { type Thought, trimLines } from "./think_tags.ts";

/** What the channels hold. */
export interface HarmonyAnswer extends Thought {
  /** Tool calls in the OpenAI form. */
  readonly toolCalls: readonly unknown[];
}

interface HarmonyMessage {
  /** Role, channel, recipient and content type, as far as they are there. */
  readonly header: string;
  readonly body: string;
}

const MARK = /<\|(start|channel|constrain|message|end|return|call)\|>/;
/** The prompt ends with `<|start|>assistant`, so that answers begin with a channel. Where the prompt
 * opens the first channel too, they begin with its text. */
const BEGINS = /^\s*(?:<\|start\|>|<\|channel\|>|(?:analysis|commentary|final)<\|message\|>)/;
const CONTINUES = /<\|end\|>\s*(?:<\|start\|>\s*assistant\s*)?<\|channel\|>/;
/** What is left where a server drops the special tokens and keeps the names: `analysis…assistantfinal…`. */
const BARE = /^analysis(?=\S)([^]*?)assistantfinal([^]*)$/;

/** Takes the channels of a content apart, or returns undefined where it has none. */
export function splitHarmony(content: string): HarmonyAnswer | undefined {
  if (content.startsWith("analysis") && !content.startsWith("analysis<|")) {
    const [, reasoning, response] = BARE.exec(content) ?? [];
    if (reasoning === undefined) return undefined;
    const whole = reasoning.replaceAll("assistantanalysis", "\n\n");
    return { reasoning: trimLines(whole), response: trimLines(response), toolCalls: [] };
  }
  // The first search is a tenth of the time of the others, and nearly every answer ends here.
  if (!content.includes("|>") || !(BEGINS.test(content) || CONTINUES.test(content))) {
    return undefined;
  }
  const reasoning: string[] = [], response: string[] = [], toolCalls: unknown[] = [];
  for (const { header, body } of messagesOf(content)) {
    const recipient = /\bto=(?:functions\.)?([\w.-]+)/.exec(header)?.[1];
    if (/\banalysis\b/.test(header)) reasoning.push(trimLines(body));
    else if (recipient === undefined) response.push(trimLines(body));
    else toolCalls.push(toolCall(recipient, body, toolCalls.length));
  }
  return { reasoning: reasoning.join("\n\n"), response: response.join("\n\n"), toolCalls };
}

function* messagesOf(content: string): Iterable<HarmonyMessage> {
  const [before, ...rest] = content.split(MARK);
  let header = "";
  if (rest[0] === "message") header = before;
  else if (before.trim() !== "") yield { header: "analysis", body: before };
  for (let i = 0; i < rest.length; i += 2) {
    const mark = rest[i], text = rest[i + 1];
    if (mark === "message") {
      yield { header, body: text };
      header = "";
    } else if (mark === "start" || mark === "channel" || mark === "constrain") {
      header += ` ${text}`;
    } else if (text.trim() !== "") {
      // llama.cpp with `--reasoning-format none` leaves the marks of the final channel out.
      yield { header: "final", body: text };
    }
  }
}

function toolCall(name: string, body: string, index: number): unknown {
  const args = body.trim();
  return {
    id: `call_${index}`,
    type: "function",
    function: { name, arguments: args === "" ? "{}" : args },
  };
}
