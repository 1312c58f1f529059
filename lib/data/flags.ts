/**
 * Marks answers that deserve a second look. Each flag is a heuristic on the form of an answer,
 * never on its meaning; its help text gives the rule.
 *
 * @module
 */

import { endingOf } from "../endings.ts";
import { isJson } from "../json.ts";
import { resemblesRefusal } from "../refusals.ts";
import { hasOpenBox } from "./final_answer.ts";
import { isOtherScript } from "./scripts.ts";

export interface Flag {
  /** For conditions: `flags contains "refusal"`. */
  readonly name: string;
  readonly title: string;
  /** The rule by which answers get the flag. */
  readonly help: string;
}

/** All flags. A flag's index is the position of its bit. */
export const FLAGS = [
  {
    name: "refusal",
    title: "Refusal",
    help:
      "The teacher marked the answer as a refusal, or its first 200 characters hold a phrase such " +
      'as "I can\'t help with" or "As an AI"',
  },
  {
    name: "empty",
    title: "Empty",
    help: "The answer has no text and no tool call",
  },
  {
    name: "short",
    title: "Very short",
    help: "The answer has 1 to 9 characters, no digit and no tool call",
  },
  {
    name: "loop",
    title: "Repetition loop",
    help: "The same text repeats four times or more in a row, over at least 120 characters",
  },
  {
    name: "cut_off",
    title: "Cut off",
    help:
      "The finish reason is the token limit or the context, a code block or \\boxed{ is not closed, or the last " +
      "sentence of a longer answer has no end",
  },
  {
    name: "think_leak",
    title: "Leaked think tags",
    help: "The answer holds a reasoning tag: <think>, </think>, <|channel|>, [THINK] and others",
  },
  {
    name: "script",
    title: "Other script",
    help:
      "The answer is written in another script than the prompt, or holds letters of a script that " +
      "the prompt has none of",
  },
  {
    name: "invalid_json",
    title: "Invalid JSON",
    help: "JSON was asked for, by response_format or in the prompt, and the answer is not JSON",
  },
  {
    name: "duplicate",
    title: "Duplicate",
    help:
      "An earlier row has the same answer, and the answer is longer than 64 characters or the " +
      "prompt is the same too. Samples of one row do not count",
  },
] as const satisfies readonly Flag[];

export type FlagName = typeof FLAGS[number]["name"];

/** For each flag, the number in which only its bit is set. */
export const FLAG_BIT = Object.fromEntries(
  FLAGS.map(({ name }, bit) => [name, 1 << bit]),
) as Readonly<Record<FlagName, number>>;

export function flagNames(bits: number): FlagName[] {
  return FLAGS.flatMap(({ name }, bit) => (bits & (1 << bit)) === 0 ? [] : [name]);
}

/** What flags are computed from. */
export interface FlaggedAnswer {
  /** The answer, without the reasoning. */
  readonly response: string;
  readonly prompt: string;
  /** "" if unknown. */
  readonly finishReason: string;
  readonly hasToolCalls: boolean;
  /** Whether the teacher marked the answer as a refusal. */
  readonly isRefusal: boolean;
  /** Whether `response_format` asked for JSON. */
  readonly asksForJson: boolean;
}

/** The flags of an answer as bits, except `duplicate`, which depends on the other answers. */
export function flagsOf(answer: FlaggedAnswer): number {
  const { response, prompt, finishReason, hasToolCalls } = answer;
  const ending = endingOf(finishReason);
  const isCut = ending === "limit" || ending === "context";
  const text = response.trim();
  if (text === "") {
    return (hasToolCalls ? 0 : FLAG_BIT.empty) | (isCut ? FLAG_BIT.cut_off : 0) |
      (answer.isRefusal ? FLAG_BIT.refusal : 0);
  }
  let bits = 0;
  if (answer.isRefusal || resemblesRefusal(text)) bits |= FLAG_BIT.refusal;
  if (text.length < SHORT_CHARS && !hasToolCalls && !/\d/.test(text)) bits |= FLAG_BIT.short;
  if (holdsLoop(text)) bits |= FLAG_BIT.loop;
  if (isCut || looksCutOff(text)) bits |= FLAG_BIT.cut_off;
  if (holdsThinkTag(text)) bits |= FLAG_BIT.think_leak;
  if (isOtherScript(text, prompt)) bits |= FLAG_BIT.script;
  if ((answer.asksForJson || asksForJson(prompt)) && !hasToolCalls && !isJson(unfenced(text))) {
    bits |= FLAG_BIT.invalid_json;
  }
  return bits;
}

/** In UTF-16 units: longer answers that are equal are duplicates, whatever their prompts. */
export const LONG_ANSWER_CHARS = 64;

/** In UTF-16 units: a shorter answer is very short. */
const SHORT_CHARS = 10;

/** Minimum length of a loop, all rounds together. */
const MIN_LOOP_CHARS = 120;
/** Minimum number of rounds: how often the same text occurs in a row. */
const MIN_ROUNDS = 4;
/** Maximum length of a round. */
const MAX_ROUND_CHARS = 400;
/** Length of a probe: a piece of the text that is searched for in the characters before it. */
const PROBE_CHARS = 24;
/** Minimum number of probes in a text. */
const MIN_PROBES = 5;
/** Maximum distance between the starts of two probes, in characters. */
const MAX_PROBE_DISTANCE = 300;

/**
 * Whether the text repeats itself. Takes probes at regular distances: if the same characters occur
 * shortly before a probe, checks how far the text repeats itself around it.
 */
function holdsLoop(text: string): boolean {
  if (text.length < MIN_LOOP_CHARS) return false;
  const probeCount = Math.max(MIN_PROBES, Math.ceil(text.length / MAX_PROBE_DISTANCE));
  for (let probe = 1; probe <= probeCount; probe++) {
    const start = Math.floor((text.length - PROBE_CHARS) * probe / probeCount);
    const pattern = text.slice(start, start + PROBE_CHARS);
    const first = text.indexOf(pattern, Math.max(0, start - MAX_ROUND_CHARS));
    if (first >= start) continue;
    // The first occurrence may be several rounds back, farther than a short loop reaches. So the
    // distance between the first two occurrences is tried before that to the first one.
    const round = text.indexOf(pattern, first + 1) - first;
    if (
      repeatsAround(text, start, round) ||
      (first + round < start && repeatsAround(text, start, start - first))
    ) {
      return true;
    }
  }
  return false;
}

/** Whether the text around an index repeats itself in rounds of `round` characters. */
function repeatsAround(text: string, index: number, round: number): boolean {
  const needed = Math.max(MIN_LOOP_CHARS, round * MIN_ROUNDS) - round;
  if (needed + round > text.length) return false;
  const half = Math.ceil(needed / 2);
  // At least half of a loop is on one side of the index. Most texts without a loop fail this test.
  if (!equalsBefore(text, index, half, round) && !equalsBefore(text, index - half, half, round)) {
    return false;
  }
  let start = index, end = index;
  while (start > round && text.charCodeAt(start - 1) === text.charCodeAt(start - 1 - round)) {
    if (end - --start >= needed) return true;
  }
  while (end < text.length && text.charCodeAt(end) === text.charCodeAt(end - round)) {
    if (++end - start >= needed) return true;
  }
  return false;
}

/** Whether the `length` characters from an index equal those `distance` characters earlier. */
function equalsBefore(text: string, from: number, length: number, distance: number): boolean {
  const to = from + length;
  return from >= distance && to <= text.length &&
    text.slice(from, to) === text.slice(from - distance, to - distance);
}

/** In UTF-16 units: shorter answers often end without a full stop. */
const MIN_PROSE_LENGTH = 200;
/** In UTF-16 units: a shorter last line may end without a full stop. */
const MIN_LAST_LINE_LENGTH = 60;

/** Whether an answer seems to be cut off. */
function looksCutOff(text: string): boolean {
  if (hasOpenFence(text)) return true;
  if (hasOpenBox(text)) return true;
  if (text.length < MIN_PROSE_LENGTH) return false;
  if (!isLetter(text.charCodeAt(text.length - 1)) && !",;:([{-–—、，（".includes(text.at(-1)!)) {
    return false;
  }
  const line = text.slice(text.lastIndexOf("\n") + 1);
  // Headings, table cells and list items end without a full stop. Prose ends with one if earlier
  // sentences do.
  return line.length >= MIN_LAST_LINE_LENGTH && !/^\s*(?:[-*+•|#]|\d+[.)])/.test(line) &&
    /[.!?…。！？](?:\s|["'”’)])/.test(text);
}

/** Whether the last code fence is not closed: the number of fences is odd. */
function hasOpenFence(text: string): boolean {
  let count = 0;
  for (let i = text.indexOf("```"); i !== -1; i = text.indexOf("```", i + 3)) count++;
  return count % 2 === 1;
}

/** Whether a character is a letter, except those of Chinese, Japanese and Korean. */
function isLetter(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) ||
    (code >= 0xc0 && code < 0x3000 && /[\p{L}\p{M}]/u.test(String.fromCharCode(code)));
}

const THINK_TAG =
  /<\/?(?:think|thinking|thought|reasoning|reflection|scratchpad)>|<\|(?:channel|start|message|end|begin_of_thought|end_of_thought|im_start|im_end)\|>|\[\/?THINK\]|◁\/?think▷/i;

function holdsThinkTag(text: string): boolean {
  // Few answers hold one of these characters, with which every tag begins.
  if (!text.includes("<") && !text.includes("[") && !text.includes("◁")) return false;
  return THINK_TAG.test(text);
}

const JSON_REQUEST =
  /\b(?:answer|respond|reply|return|output|responses?|format(?:ted)?|provide|give|produce)\b[^.\n]{0,60}\bJSON\b(?! ?(?:schema|web|file|parser|library))/i;

function asksForJson(prompt: string): boolean {
  return prompt.includes("JSON") && JSON_REQUEST.test(prompt);
}

/** Returns the content of a text that is one code block; any other text as it is. */
function unfenced(text: string): string {
  return /^```(?:json)?\s*\n([\s\S]*?)\n?```$/i.exec(text)?.[1] ?? text;
}
