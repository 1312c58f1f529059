/**
 * Marks answers that deserve a second look. Each flag is a heuristic on the form of an answer,
 * never on its meaning; its help text gives the rule.
 *
 * @module
 */

import { endingOf } from "../endings.ts";
import { resemblesRefusal } from "../refusals.ts";
import { isOtherScript } from "./scripts.ts";

export interface Flag {
  /** For conditions: `flags contains "refusal"`. */
  readonly name: string;
  readonly title: string;
  /** The rule by which answers get the flag. */
  readonly help: string;
}

/** All flags. The index of a flag is the number of its bit. */
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
    help: "The same text follows itself four times or more over at least 120 characters",
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

/** By name, a number with only the bit of that flag set. */
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
  if (text.length < SHORT && !hasToolCalls && !/\d/.test(text)) bits |= FLAG_BIT.short;
  const isLoop = holdsLoop(text);
  if (isLoop) bits |= FLAG_BIT.loop;
  if (isCut || endsOpen(text)) bits |= FLAG_BIT.cut_off;
  if (holdsThinkTag(text)) bits |= FLAG_BIT.think_leak;
  if (isOtherScript(text, prompt)) bits |= FLAG_BIT.script;
  if ((answer.asksForJson || asksForJson(prompt)) && !hasToolCalls && !isJson(text)) {
    bits |= FLAG_BIT.invalid_json;
  }
  return bits;
}

/** In UTF-16 units: equal answers that are longer are duplicates whatever their prompts. */
export const LONG_ANSWER = 64;

const SHORT = 10;

/** The fewest characters of a loop. */
const LOOP_CHARS = 120;
/** The fewest rounds of a loop: times that the same text follows itself. */
const LOOP_ROUNDS = 4;
/** The most characters of a round. */
const LONGEST_ROUND = 400;
/** The characters of a probe. */
const PROBE = 24;
/** The fewest probes of a text. */
const PROBES = 5;
/** The most characters from one probe to the next. */
const PROBE_EVERY = 300;

/**
 * Whether the text repeats itself. Takes probes at regular distances: if the same characters occur
 * shortly before a probe, checks how far the text repeats itself around it.
 */
function holdsLoop(text: string): boolean {
  if (text.length < LOOP_CHARS) return false;
  const probes = Math.max(PROBES, Math.ceil(text.length / PROBE_EVERY));
  for (let probe = 1; probe <= probes; probe++) {
    const at = Math.floor((text.length - PROBE) * probe / probes);
    const pattern = text.slice(at, at + PROBE);
    const first = text.indexOf(pattern, Math.max(0, at - LONGEST_ROUND));
    if (first >= at) continue;
    // The first occurrence may be several rounds back. A short loop does not fill that distance, so
    // the distance between the first two occurrences is tried before it.
    const round = text.indexOf(pattern, first + 1) - first;
    if (repeats(text, at, round) || (first + round < at && repeats(text, at, at - first))) {
      return true;
    }
  }
  return false;
}

/** Whether the text around `at` repeats itself in rounds of `round` characters. */
function repeats(text: string, at: number, round: number): boolean {
  const needed = Math.max(LOOP_CHARS, round * LOOP_ROUNDS) - round;
  if (needed + round > text.length) return false;
  const half = Math.ceil(needed / 2);
  // At least half of a loop is on one side of `at`: most texts that are none end here.
  if (!repeatsAll(text, at, half, round) && !repeatsAll(text, at - half, half, round)) return false;
  let start = at, end = at;
  while (start > round && text.charCodeAt(start - 1) === text.charCodeAt(start - 1 - round)) {
    if (end - --start >= needed) return true;
  }
  while (end < text.length && text.charCodeAt(end) === text.charCodeAt(end - round)) {
    if (++end - start >= needed) return true;
  }
  return false;
}

/** Whether `length` characters equal those that precede them by `round`. */
function repeatsAll(text: string, from: number, length: number, round: number): boolean {
  const to = from + length;
  return from >= round && to <= text.length &&
    text.slice(from, to) === text.slice(from - round, to - round);
}

/** In UTF-16 units: shorter answers often end without a full stop. */
const LONG_ENOUGH = 200;
/** In UTF-16 units: a shorter last line may end without a full stop. */
const LONG_LINE = 60;

/** Whether an answer seems to be cut off. */
function endsOpen(text: string): boolean {
  if (holdsOddFences(text)) return true;
  if (text.includes("\\boxed{") && !closes(text, text.lastIndexOf("\\boxed{") + 7)) return true;
  if (text.length < LONG_ENOUGH) return false;
  const last = text.charCodeAt(text.length - 1);
  if (!isLetter(last) && !",;:([{-–—、，（".includes(text[text.length - 1])) return false;
  const line = text.slice(text.lastIndexOf("\n") + 1);
  // Headings, table cells and list items end without a full stop. Prose ends with one if it has
  // others before.
  return line.length >= LONG_LINE && !/^\s*(?:[-*+•|#]|\d+[.)])/.test(line) &&
    /[.!?…。！？](?:\s|["'”’)])/.test(text);
}

function holdsOddFences(text: string): boolean {
  let count = 0;
  for (let at = text.indexOf("```"); at !== -1; at = text.indexOf("```", at + 3)) count++;
  return count % 2 === 1;
}

function closes(text: string, from: number): boolean {
  let depth = 1;
  for (let i = from; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char === 123) depth++;
    else if (char === 125 && --depth === 0) return true;
  }
  return false;
}

function isLetter(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) ||
    (code >= 0xc0 && code < 0x3000);
}

const THINK_TAG =
  /<\/?(?:think|thinking|thought|reasoning|reflection|scratchpad)>|<\|(?:channel|start|message|end|begin_of_thought|end_of_thought|im_start|im_end)\|>|\[\/?THINK\]|◁\/?think▷/i;

function holdsThinkTag(text: string): boolean {
  // A quick check: few answers hold one of these characters.
  if (!text.includes("<") && !text.includes("[") && !text.includes("◁")) return false;
  return THINK_TAG.test(text);
}

const JSON_ASKED =
  /\b(?:answer|respond|reply|return|output|responses?|format(?:ted)?|provide|give|produce)\b[^.\n]{0,60}\bJSON\b(?! ?(?:schema|web|file|parser|library))/i;

function asksForJson(prompt: string): boolean {
  return prompt.includes("JSON") && JSON_ASKED.test(prompt);
}

function isJson(text: string): boolean {
  const fenced = /^```(?:json)?\s*\n([\s\S]*?)\n?```$/i.exec(text);
  try {
    JSON.parse(fenced?.[1] ?? text);
    return true;
  } catch {
    return false;
  }
}
