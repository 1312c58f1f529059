/**
 * How a simulated teacher behaves: its options, from an object or the text of `--simulate=…`, and
 * the answer that they plan for each prompt.
 *
 * @module
 */

import { suggestion } from "../similar_name.ts";

/** How a simulated teacher behaves. Fractions are 0 to 1. */
export interface SimulateOptions {
  /** Time until an answer is complete, in milliseconds. @default 500 */
  latency?: number;
  /** The largest deviation from `latency`, as a fraction of it. @default 0.2 */
  jitter?: number;
  /** Mean completion tokens without reasoning. Each prompt gets half to one and a half times as
   * many. @default 300 */
  tokens?: number;
  /** Tokens of reasoning before each answer. @default 0 */
  reasoning?: number;
  /** Fraction of requests that get status 500. @default 0 */
  errors?: number;
  /** Fraction of requests that get status 200 without an answer. @default 0 */
  broken?: number;
  /** Fraction of requests whose answer ends half-way (`finish_reason` `abort`). @default 0 */
  aborted?: number;
  /** Fraction of prompts that always get status 400. @default 0 */
  refusals?: number;
  /** Fraction of prompts whose answer is truncated (`finish_reason` `length`). @default 0 */
  truncated?: number;
  /** Requests per minute, enforced each second; more get 429. 0 means no limit. @default 0 */
  rpm?: number;
  /** Requests in flight at once; more get 429. 0 means no limit. @default 0 */
  capacity?: number;
  /** A whole number. Another seed gives other answers and failures. @default 1 */
  seed?: number;
}

export type ResolvedSimulateOptions = Readonly<Required<SimulateOptions>>;

type Key = keyof SimulateOptions;

interface Rule {
  readonly default: number;
  /** What the value must be, for messages. */
  readonly expected: string;
  readonly max: number;
  readonly isWhole?: boolean;
}

const MAX = Number.MAX_SAFE_INTEGER;
const FRACTION: Rule = { default: 0, expected: "a fraction from 0 to 1", max: 1 };
const TOKENS: Rule = {
  default: 0,
  expected: "a whole number of tokens from 0 to 1000000",
  max: 1e6,
  isWhole: true,
};

/** By default, a teacher that is as fast as a small model and never fails. */
const RULES: Readonly<Record<Key, Rule>> = {
  // Timers allow 2^31 ms, and jitter may double the latency.
  latency: { default: 500, expected: "milliseconds from 0 to 1000000000", max: 1e9 },
  jitter: { ...FRACTION, default: 0.2 },
  tokens: { ...TOKENS, default: 300 },
  reasoning: TOKENS,
  errors: FRACTION,
  broken: FRACTION,
  aborted: FRACTION,
  refusals: FRACTION,
  truncated: FRACTION,
  rpm: { default: 0, expected: "requests per minute, 0 or more", max: MAX },
  capacity: { default: 0, expected: "a whole number, 0 or more", max: MAX, isWhole: true },
  seed: {
    default: 1,
    expected: "a whole number from 0 to 4294967295",
    max: 4294967295,
    isWhole: true,
  },
};

export const SIMULATE_DEFAULTS = Object.fromEntries(
  Object.entries(RULES).map(([key, rule]) => [key, rule.default]),
) as ResolvedSimulateOptions;

/** The names in `--simulate=…`, and flags of `simulate`. */
export const SIMULATE_KEYS: readonly Key[] = Object.keys(RULES) as Key[];

/**
 * Checks options, and fills in the defaults. A value may be a number or its text, as in a flag.
 *
 * @throws {TypeError} A name is unknown, or a value is not a number.
 * @throws {RangeError} A number is out of range.
 */
export function resolveSimulateOptions(
  options: Readonly<Record<string, unknown>>,
): ResolvedSimulateOptions {
  const resolved: Record<Key, number> = { ...SIMULATE_DEFAULTS };
  for (const [key, value] of Object.entries(options)) {
    if (!Object.hasOwn(RULES, key)) throw new TypeError(unknownKey(key));
    if (value !== undefined) resolved[key as Key] = toNumber(key as Key, value);
  }
  return resolved;
}

/**
 * Parses `latency=500,errors=0.01`; "" selects the defaults.
 *
 * @throws {TypeError} A part is not `name=value`, a name is unknown or given twice, or a value is
 * not a number.
 * @throws {RangeError} A number is out of range.
 */
export function parseSimulateOptions(text: string): ResolvedSimulateOptions {
  const values: Record<string, string> = {};
  for (const part of text.split(",")) {
    if (part.trim() === "") continue;
    const equals = part.indexOf("=");
    const key = (equals < 0 ? part : part.slice(0, equals)).trim();
    if (!Object.hasOwn(RULES, key)) throw new TypeError(unknownKey(key));
    if (equals < 0) {
      throw new TypeError(
        `Cannot simulate with "${key}" without a value: ${mustBe(key as Key)}`,
      );
    }
    if (Object.hasOwn(values, key)) {
      throw new TypeError(`Cannot simulate with "${text}": "${key}" is given twice`);
    }
    values[key] = part.slice(equals + 1).trim();
  }
  return resolveSimulateOptions(values);
}

function toNumber(key: Key, value: unknown): number {
  // `Number("")` would be 0: empty text is rejected below.
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  const problem = `Cannot simulate with "${key}=${value}": ${mustBe(key)}`;
  if (typeof number !== "number" || Number.isNaN(number)) throw new TypeError(problem);
  const { max, isWhole } = RULES[key];
  if (!(number >= 0 && number <= max) || isWhole && !Number.isInteger(number)) {
    throw new RangeError(problem);
  }
  return number;
}

function mustBe(key: Key): string {
  return `"${key}" must be ${RULES[key].expected}`;
}

function unknownKey(key: string): string {
  const hint = suggestion(key, SIMULATE_KEYS) || `. The options are ${SIMULATE_KEYS.join(", ")}`;
  return `Cannot simulate with "${key}": there is no such option${hint}`;
}

/** What a prompt gets each time it is sent, unless the request hits a fault or limit. */
export interface Plan {
  /** A hash of the prompt and both seeds, 53 bits. */
  readonly hash: number;
  /** Whether this prompt always gets status 400. */
  readonly isRejected: boolean;
  readonly latencyMs: number;
  readonly reasoningTokens: number;
  readonly answerTokens: number;
  /** How the answer ends; `abort` if it ends half-way. */
  readonly finishReason: "stop" | "length" | "abort";
  readonly promptTokens: number;
}

/** Characters per token, as an estimate for English text. */
export const CHARS_PER_TOKEN = 4;

/** After bryc's cyrb53 (public domain): 53 bits, a nanosecond per character. */
export function hashText(text: string, seed: number): number {
  let high = 0xdeadbeef ^ seed, low = 0x41c6ce57 ^ seed;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    high = Math.imul(high ^ code, 2654435761);
    low = Math.imul(low ^ code, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  // 21 bits of `low`, then the 32 bits of `high`.
  return 4294967296 * (2097151 & low) + (high >>> 0);
}

/** A pseudo-random number in [0, 1) from a hash. Each purpose has its own `salt`. */
export function draw(hash: number, salt: number): number {
  let bits = (hash % 4294967296) ^ Math.imul(salt, 0x9e3779b9) ^ (hash / 4294967296);
  bits = Math.imul(bits ^ (bits >>> 16), 0x21f0aaad);
  bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97);
  return ((bits ^ (bits >>> 15)) >>> 0) / 4294967296;
}

/** Plans the answer to a prompt. Another `seed` of the request gives another answer. */
export function planAnswer(
  prompt: string,
  options: ResolvedSimulateOptions,
  maxTokens: number,
  seed = "",
): Plan {
  const promptHash = hashText(prompt, options.seed);
  const hash = seed === "" ? promptHash : hashText(`${seed}\n${prompt}`, options.seed);
  const spread = 1 + options.jitter * (2 * draw(hash, 1) - 1);
  const fullTokens = Math.round(options.tokens * (0.5 + draw(hash, 2)));
  const isTruncated = options.truncated > 0 && draw(promptHash, 3) < options.truncated;
  const reasoningTokens = Math.min(options.reasoning, maxTokens);
  const tokens = isTruncated ? Math.floor(fullTokens / 2) : fullTokens;
  return {
    hash,
    isRejected: options.refusals > 0 && draw(promptHash, 4) < options.refusals,
    latencyMs: options.latency * spread,
    reasoningTokens,
    answerTokens: Math.min(tokens, maxTokens - reasoningTokens),
    finishReason: isTruncated || options.reasoning + fullTokens > maxTokens ? "length" : "stop",
    promptTokens: Math.ceil(prompt.length / CHARS_PER_TOKEN),
  };
}

/** `broken`: status 200 without an answer. `aborted`: the answer ends half-way. */
export type Fault = "error" | "broken" | "aborted";

/** Salts above this one draw the faults, one for each attempt at a prompt. */
const FAULT_SALT = 99;

/** Draws the fault of each request. */
export class Faults {
  readonly #options: ResolvedSimulateOptions;
  readonly #attempts = new AttemptCounter();

  constructor(options: ResolvedSimulateOptions) {
    this.#options = options;
  }

  next({ hash }: Plan): Fault | undefined {
    const { errors, broken, aborted } = this.#options;
    if (errors === 0 && broken === 0 && aborted === 0) return undefined;
    const random = draw(hash, FAULT_SALT + this.#attempts.count(hash));
    if (random < errors) return "error";
    if (random < errors + broken) return "broken";
    return random < errors + broken + aborted ? "aborted" : undefined;
  }
}

const GENERATION_SIZE = 65_536;

/** Counts how often each prompt was sent. Memory is bounded: when the younger of two generations
 * of prompts is full, the older one is forgotten. */
export class AttemptCounter {
  readonly #size: number;
  #young = new Map<number, number>();
  #old = new Map<number, number>();

  constructor(size: number = GENERATION_SIZE) {
    this.#size = size;
  }

  count(hash: number): number {
    const count = (this.#young.get(hash) ?? this.#old.get(hash) ?? 0) + 1;
    this.#young.set(hash, count);
    if (this.#young.size >= this.#size) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    return count;
  }
}
