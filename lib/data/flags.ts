/**
 * Heuristics on the form of answers, never on their meaning.
 *
 * @module
 */

import { endingOfReason } from "../answer.ts";
import { isJson } from "../json.ts";
import { resemblesRefusal } from "../refusals.ts";
import { hasOpenBox } from "./comparison.ts";
import { type LineFacts, requestsJson } from "./line_facts.ts";

/**
 * The index of a flag in this list is the position of its bit. `name` is used in conditions, as in
 * `flags contains "refusal"`; `help` is the rule.
 */
export const FLAGS = [
  {
    name: "refusal",
    title: "Refusal",
    help:
      "The teacher marked the answer as a refusal, or its first 200 characters contain a phrase such " +
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
      "The finish reason is the token limit or the context window, a code block or \\boxed{ is not " +
      "closed, or an answer of 200 or more characters ends within a sentence",
  },
  {
    name: "think_leak",
    title: "Leaked think tags",
    help: "The answer contains a reasoning tag: <think>, </think>, <|channel|>, [THINK] and others",
  },
  {
    name: "script",
    title: "Other script",
    help:
      "Most letters of the answer are of a script that the prompt hardly uses, or over 5 % are of one " +
      "that it does not use (not Latin or Greek)",
  },
  {
    name: "invalid_json",
    title: "Invalid JSON",
    help: "response_format or the prompt asks for JSON, and the answer is not JSON",
  },
  {
    name: "duplicate",
    title: "Duplicate",
    help:
      "An earlier row has the same answer, and the answer is longer than 64 characters or the " +
      "prompt is the same too. Samples of one row are not duplicates",
  },
] as const;

type FlagName = typeof FLAGS[number]["name"];

export const FLAG_BIT = Object.fromEntries(
  FLAGS.map(({ name }, bit) => [name, 1 << bit]),
) as Readonly<Record<FlagName, number>>;

export function flagNames(bits: number): FlagName[] {
  return FLAGS.flatMap(({ name }, bit) => (bits & (1 << bit)) === 0 ? [] : [name]);
}

type Answer = Pick<
  LineFacts,
  "response" | "finishReason" | "hasToolCalls" | "isRefusal" | "params"
>;

/** Returns the flags as bits, without `duplicate`, which needs the other answers. */
export function flagsOf(answer: Answer, prompt: string): number {
  const { response, finishReason, hasToolCalls } = answer;
  const ending = endingOfReason(finishReason);
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
  const asksForJson = requestsJson(answer.params) ||
    (prompt.includes("JSON") && JSON_REQUEST.test(prompt));
  if (asksForJson && !hasToolCalls && !isJson(textInFence(text))) bits |= FLAG_BIT.invalid_json;
  return bits;
}

/** Equal answers longer than this, in UTF-16 units, are duplicates even if their prompts differ. */
export const LONG_ANSWER_CHARS = 64;

const SHORT_CHARS = 10;

/** Minimum length of all repetitions in a loop together, in UTF-16 units. */
const MIN_LOOP_CHARS = 120;
const MIN_REPETITIONS = 4;
const MAX_PERIOD_CHARS = 400;
/** Length of a probe: a piece of the text that is searched for in the characters before it. */
const PROBE_CHARS = 24;
const MIN_PROBES = 5;
const MAX_PROBE_DISTANCE = 300;

/** Whether the text repeats itself. Takes probes at regular distances. If the text of a probe also
 * occurs shortly before it, checks how far the text around the probe repeats itself. */
function holdsLoop(text: string): boolean {
  if (text.length < MIN_LOOP_CHARS) return false;
  const probeCount = Math.max(MIN_PROBES, Math.ceil(text.length / MAX_PROBE_DISTANCE));
  for (let probe = 1; probe <= probeCount; probe++) {
    const start = Math.floor((text.length - PROBE_CHARS) * probe / probeCount);
    const pattern = text.slice(start, start + PROBE_CHARS);
    const first = text.indexOf(pattern, Math.max(0, start - MAX_PERIOD_CHARS));
    if (first >= start) continue;
    // If the period is short, the first occurrence is several periods before the probe. So try the
    // distance between the first two occurrences. If the repeated text contains the pattern twice,
    // this is less than a period. So also try the distance from the first occurrence to the probe.
    const period = text.indexOf(pattern, first + 1) - first;
    if (
      repeatsAround(text, start, period) ||
      (first + period < start && repeatsAround(text, start, start - first))
    ) {
      return true;
    }
  }
  return false;
}

/** Whether the text around an index repeats itself every `period` characters. */
function repeatsAround(text: string, index: number, period: number): boolean {
  // The first repetition does not count, because nothing equal precedes it.
  const minEqual = Math.max(MIN_LOOP_CHARS, period * MIN_REPETITIONS) - period;
  if (minEqual + period > text.length) return false;
  const half = Math.ceil(minEqual / 2);
  // At least half of a loop is on one side of the index. Most texts fail this test.
  if (
    !equalsEarlier(text, index, half, period) && !equalsEarlier(text, index - half, half, period)
  ) {
    return false;
  }
  let start = index, end = index;
  while (start > period && text.charCodeAt(start - 1) === text.charCodeAt(start - 1 - period)) {
    if (end - --start >= minEqual) return true;
  }
  while (end < text.length && text.charCodeAt(end) === text.charCodeAt(end - period)) {
    if (++end - start >= minEqual) return true;
  }
  return false;
}

/** Whether `length` characters from `from` equal those that begin `distance` characters earlier. */
function equalsEarlier(text: string, from: number, length: number, distance: number): boolean {
  const to = from + length;
  return from >= distance && to <= text.length &&
    text.slice(from, to) === text.slice(from - distance, to - distance);
}

/** Minimum length, in UTF-16 units, of an answer that is expected to end with a full stop. */
const MIN_PROSE_LENGTH = 200;
/** Minimum length, in UTF-16 units, of a last line that is expected to end with a full stop. */
const MIN_LAST_LINE_LENGTH = 60;

function looksCutOff(text: string): boolean {
  if (hasOpenFence(text) || hasOpenBox(text)) return true;
  if (text.length < MIN_PROSE_LENGTH) return false;
  if (
    !isLetterOutsideCjk(text.charCodeAt(text.length - 1)) &&
    !",;:([{-–—、，（".includes(text.at(-1)!)
  ) {
    return false;
  }
  const line = text.slice(text.lastIndexOf("\n") + 1);
  // Headings, table cells and list items end without a full stop. In a text without any full stop,
  // such as a poem, a missing one means nothing.
  return line.length >= MIN_LAST_LINE_LENGTH && !/^\s*(?:[-*+•|#]|\d+[.)])/.test(line) &&
    /[.!?…。！？](?:\s|["'”’)])/.test(text);
}

function hasOpenFence(text: string): boolean {
  let count = 0;
  // `split` would take 20 % of the time of all flags.
  for (let i = text.indexOf("```"); i !== -1; i = text.indexOf("```", i + 3)) count++;
  return count % 2 === 1;
}

/** Whether a character is a letter of a script other than Chinese, Japanese and Korean. */
function isLetterOutsideCjk(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) ||
    (code >= 0xc0 && code < 0x3000 && /[\p{L}\p{M}]/u.test(String.fromCharCode(code)));
}

const THINK_TAG =
  /<\/?(?:think|thinking|thought|reasoning|reflection|scratchpad)>|<\|(?:channel|start|message|end|begin_of_thought|end_of_thought|im_start|im_end)\|>|\[\/?THINK\]|◁\/?think▷/i;

function holdsThinkTag(text: string): boolean {
  // A quick check: every tag begins with one of these characters, and few answers contain any.
  if (!text.includes("<") && !text.includes("[") && !text.includes("◁")) return false;
  return THINK_TAG.test(text);
}

const JSON_REQUEST =
  /\b(?:answer|respond|reply|return|output|responses?|format(?:ted)?|provide|give|produce)\b[^.\n]{0,60}\bJSON\b(?! ?(?:schema|web|file|parser|library))/i;

function textInFence(text: string): string {
  return /^```(?:json)?[^\S\n]*\n([\s\S]*?)\n?```$/i.exec(text)?.[1] ?? text;
}

/** Numbers of scripts; 0 stands for all other characters. */
const LATIN = 1, CYRILLIC = 2, GREEK = 3, HEBREW = 4, ARABIC = 5, INDIC = 6, THAI = 7;
const HAN_AND_KANA = 8, HANGUL = 9, SCRIPT_COUNT = HANGUL;
/** Minimum number of characters sampled from a longer text, at equal distances. */
const SAMPLE_CHARS = 96;
/** Minimum number of letters in a sample that allows a decision. */
const MIN_LETTERS = 12;

const promptCounts = new Uint16Array(SCRIPT_COUNT + 1);
const answerCounts = new Uint16Array(SCRIPT_COUNT + 1);

/** Letters of scripts other than Latin. V8 skips this search in strings of one-byte characters. */
const OTHER_LETTER = /[\u0370-\u0e7f\u3040-\u9fff\uac00-\ud7af\ufb50-\ufdff]/;

/**
 * Whether over half of the answer's letters (for Latin and Greek, over 80 %) are of a script that
 * has under 20 % of the prompt's letters. If the prompt lacks the script, and it is neither Latin
 * nor Greek, over 5 % suffice. Compares samples of both texts; false if either has few letters.
 */
function isOtherScript(text: string, prompt: string): boolean {
  if (!OTHER_LETTER.test(text) && !OTHER_LETTER.test(prompt)) return false;
  const answerLetters = countScripts(text, answerCounts);
  if (answerLetters < MIN_LETTERS) return false;
  const promptLetters = countScripts(prompt, promptCounts);
  if (promptLetters < MIN_LETTERS) return false;
  const main = promptCounts.indexOf(Math.max(...promptCounts.subarray(1)), 1);
  for (let script = 1; script <= SCRIPT_COUNT; script++) {
    if (script === main) continue;
    const share = answerCounts[script] / answerLetters;
    const isNew = promptCounts[script] === 0;
    // Latin (code, names, terms) and Greek (formulas) occur in texts of every language.
    if (script === LATIN || script === GREEK) {
      if (share > 0.8 && promptCounts[script] / promptLetters < 0.2) return true;
    } else if (share > 0.5 ? promptCounts[script] / promptLetters < 0.2 : isNew && share > 0.05) {
      return true;
    }
  }
  return false;
}

/** Counts the letters of each script in a sample of the text. Returns the number of all letters. */
function countScripts(text: string, counts: Uint16Array): number {
  counts.fill(0);
  const step = Math.max(1, Math.floor(text.length / SAMPLE_CHARS));
  let sum = 0;
  for (let i = 0; i < text.length; i += step) {
    const script = SCRIPTS[text.charCodeAt(i)];
    counts[script]++;
    if (script !== 0) sum++;
  }
  return sum;
}

/** Ranges of UTF-16 code units: the first unit, the first unit after the range, and the script. */
const RANGES = [
  [0x41, 0x5b, LATIN],
  [0x61, 0x7b, LATIN],
  [0xc0, 0x250, LATIN],
  [0x370, 0x400, GREEK],
  [0x400, 0x530, CYRILLIC],
  [0x590, 0x600, HEBREW],
  [0x600, 0x780, ARABIC],
  [0x900, 0xe00, INDIC],
  [0xe00, 0xe80, THAI],
  [0x3040, 0x3100, HAN_AND_KANA],
  [0x3400, 0xa000, HAN_AND_KANA],
  [0xac00, 0xd7b0, HANGUL],
  [0xfb50, 0xfdff, ARABIC],
] as const;

/** The script of each code unit. Searching `RANGES` would double the time for a row. */
const SCRIPTS = new Uint8Array(0x1_0000);
for (const [start, end, script] of RANGES) SCRIPTS.fill(script, start, end);
