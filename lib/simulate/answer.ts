/**
 * What a simulated teacher says to a prompt. All of it follows from the seed and the prompt, so that
 * a run can be repeated and every result can be checked to answer its own row.
 *
 * @module
 */

import type { ResolvedSimulateOptions } from "./options.ts";

/** What a prompt gets, each time that it is asked. */
export interface Plan {
  /** 53 bits that stand for the prompt and the seed. */
  readonly hash: number;
  /** Whether it is always refused with 400. */
  readonly refused: boolean;
  /** Milliseconds until the answer is complete. */
  readonly latencyMs: number;
  /** Tokens of reasoning, of which `reasoning` is made. */
  readonly reasoningTokens: number;
  /** Tokens of the answer without the reasoning. */
  readonly answerTokens: number;
  /** `length` where the answer was cut. */
  readonly finishReason: "stop" | "length" | "abort";
  /** What it is asked, in tokens. */
  readonly promptTokens: number;
}

/** How many characters a token is counted as; the rule of thumb for English text. */
const CHARS_PER_TOKEN = 4;

/** The characters of the prompt that an answer quotes. */
const QUOTED_CHARS = 60;

/** A hash of a text, 53 bits, after bryc's cyrb53 (public domain); a nanosecond a character. */
export function hashText(text: string, seed: number): number {
  let high = 0xdeadbeef ^ seed, low = 0x41c6ce57 ^ seed;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    high = Math.imul(high ^ code, 2654435761);
    low = Math.imul(low ^ code, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return 4294967296 * (2097151 & low) + (high >>> 0);
}

/** A number in [0, 1) that follows from a hash; each purpose has its own `salt`. */
export function draw(hash: number, salt: number): number {
  let bits = (hash % 4294967296) ^ Math.imul(salt, 0x9e3779b9) ^ (hash / 4294967296);
  bits = Math.imul(bits ^ (bits >>> 16), 0x21f0aaad);
  bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97);
  return ((bits ^ (bits >>> 15)) >>> 0) / 4294967296;
}

/**
 * What a prompt gets. `prompt` is the text of all its messages (see `promptText`).
 *
 * @param maxTokens The request's `max_tokens`, or `Infinity`.
 */
export function planAnswer(
  prompt: string,
  options: ResolvedSimulateOptions,
  maxTokens: number,
): Plan {
  const hash = hashText(prompt, options.seed);
  const spread = 1 + options.jitter * (2 * draw(hash, 1) - 1);
  const wanted = Math.round(options.tokens * (0.5 + draw(hash, 2)));
  const cut = options.truncated > 0 && draw(hash, 3) < options.truncated;
  const reasoningTokens = Math.min(options.reasoning, maxTokens);
  const answerTokens = Math.min(cut ? wanted >> 1 : wanted, maxTokens - reasoningTokens);
  return {
    hash,
    refused: options.refusals > 0 && draw(hash, 4) < options.refusals,
    latencyMs: options.latency * spread,
    reasoningTokens,
    answerTokens,
    finishReason: cut || options.reasoning + wanted > maxTokens ? "length" : "stop",
    promptTokens: Math.ceil(prompt.length / CHARS_PER_TOKEN),
  };
}

/** The digest by which an answer names its prompt: 14 hex digits. */
export function digestOf(hash: number): string {
  return hash.toString(16).padStart(14, "0");
}

/** The text of an answer, `answerTokens` long: it names the prompt by its digest and quotes it. */
export function answerText(plan: Plan, lastUserText: string): string {
  const quoted = lastUserText.slice(0, QUOTED_CHARS).toWellFormed();
  return cutTo(`[${digestOf(plan.hash)}] You asked: "${quoted}". `, plan.answerTokens);
}

/** The text of the reasoning, `reasoningTokens` long. */
export function reasoningText(plan: Plan): string {
  return cutTo(`Thinking about [${digestOf(plan.hash)}]. `, plan.reasoningTokens);
}

const FILLER = "This is the answer of a simulated teacher, made to measure and to try things out. ";
let filler = FILLER.repeat(64);

/** Exactly as long as `tokens` say: the start, then filler from a text that is made once. */
function cutTo(start: string, tokens: number): string {
  const chars = tokens * CHARS_PER_TOKEN;
  if (chars <= start.length) return start.slice(0, chars).toWellFormed();
  while (filler.length < chars) filler += filler;
  return start + filler.slice(0, chars - start.length);
}
