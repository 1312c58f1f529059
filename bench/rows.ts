/** Deterministic rows, answers and in-process teachers of realistic size. @module */

import { writeAll } from "../lib/files.ts";
import type { Outcome, Row } from "../lib/row.ts";
import type { Completion, Message, Teacher } from "../lib/teacher/teacher.ts";

const WORDS = (
  "a baker sells loaves at the market on each day of the week and every third one is made of rye " +
  "while she pays for flour salt yeast and the rent of her stand how much is left when twelve " +
  "friends share what remains after two hours if the price rises by one tenth"
).split(" ");

/** Number of different questions, and of different answers. */
const VARIANTS = 1_000;

const LINES_PER_WRITE = 1_000;

const OPENINGS = Array.from({ length: VARIANTS }, (_, i) => sentence(i, 45));
const ENDINGS = Array.from({ length: VARIANTS }, (_, i) => sentence(i + VARIANTS, 25));

/** Returns a question of about 230 characters, which begins with `index`. */
export function questionOf(index: number): string {
  return `${index}: ${OPENINGS[index % VARIANTS]}?`;
}

/**
 * Returns the JSON text of a row of about 400 bytes, with the fields of GSM8K.
 *
 * @param moreFields JSON text of further fields, which come first: `"level":3,`.
 */
export function rowText(index: number, moreFields = ""): string {
  const answer = `${ENDINGS[(index * 7) % VARIANTS]} #### ${index % 997}`;
  return `{${moreFields}"question":"${questionOf(index)}","answer":"${answer}","split":"train"}`;
}

export function messagesOf(index: number): Message[] {
  return [{ role: "user", content: questionOf(index) }];
}

export async function writeRows(path: string, count: number, moreFields = ""): Promise<void> {
  await writeLines(path, count, (index) => rowText(index, moreFields));
}

export async function writeLines(
  path: string,
  count: number,
  lineAt: (index: number) => string,
): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true, truncate: true });
  for (let from = 0; from < count; from += LINES_PER_WRITE) {
    let text = "";
    for (let i = from; i < Math.min(count, from + LINES_PER_WRITE); i++) text += lineAt(i) + "\n";
    await writeText(file, text);
  }
}

const ENCODER = new TextEncoder();

export async function writeText(file: Deno.FsFile, text: string): Promise<void> {
  await writeAll(file, ENCODER.encode(text));
}

/** An answer of about 1,100 characters, like short reasoning. */
export const COMPLETION: Completion = {
  response: sentence(11, 220),
  reasoning: "",
  finishReason: "stop",
  usage: { promptTokens: 71, completionTokens: 262, reasoningTokens: 0, cachedTokens: 0 },
  model: "zero-2026-01-01",
  id: "chatcmpl-A1b2C3d4E5f6G7h8I9j0K1l2M3n4O",
};

export const COMPLETION_BODY: string = JSON.stringify({
  id: COMPLETION.id,
  object: "chat.completion",
  created: 1767225600,
  model: COMPLETION.model,
  choices: [{
    index: 0,
    message: { role: "assistant", content: COMPLETION.response, refusal: null, annotations: [] },
    logprobs: null,
    finish_reason: COMPLETION.finishReason,
  }],
  usage: {
    prompt_tokens: 71,
    completion_tokens: 262,
    total_tokens: 333,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
  },
  service_tier: "default",
  system_fingerprint: "fp_0a1b2c3d4e",
});

/**
 * Returns pseudorandom words, from a linear congruential generator with the constants of Numerical
 * Recipes.
 */
function sentence(seed: number, words: number): string {
  let state = seed * 2654435761 >>> 0;
  return Array.from({ length: words }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return WORDS[(state >>> 16) % WORDS.length];
  }).join(" ");
}

export function rowOf(index: number): Row {
  return {
    uid: `row-${index}`,
    promptHash: "0123456789abcdef",
    messages: messagesOf(index),
    params: undefined,
    text: rowText(index),
    clashes: [],
    input: 0,
    source: `rows.jsonl:${index + 1}`,
    sample: 0,
  };
}

export function answeredOutcome(index: number): Outcome {
  return {
    row: rowOf(index),
    sequence: index,
    attempts: 1,
    busyMs: 500,
    latencyMs: 500,
    firstFailedAt: undefined,
    settledAt: 1767225600000,
    completion: COMPLETION,
    failure: undefined,
    teacher: undefined,
    costUsd: 0,
  };
}

const ANSWERED: Promise<Completion> = Promise.resolve(COMPLETION);

export function instantTeacher(): Teacher {
  return { model: "zero", complete: () => ANSWERED };
}

export function slowTeacher(latencyMs: number): Teacher {
  return {
    model: "zero",
    complete: () => new Promise((resolve) => setTimeout(() => resolve(COMPLETION), latencyMs)),
  };
}
