/**
 * The options of a simulated teacher, from an object or the text of `--simulate=…`, and the answer
 * that is planned for each prompt.
 *
 * @module
 */

import {
  amount,
  checkOptions,
  number,
  type OptionRule,
  type OptionRules,
  wholeNumberFrom,
} from "../options.ts";

/** How a simulated teacher behaves. Fractions are from 0 to 1. */
export interface SimulateOptions {
  /** The time until an answer is complete, in milliseconds. @default 500 */
  latency?: number;
  /** The largest deviation from `latency`, as a fraction of `latency`. @default 0.2 */
  jitter?: number;
  /** The mean number of completion tokens without reasoning. Each prompt gets between half and one
   * and a half times this number. @default 300 */
  tokens?: number;
  /** The number of tokens of reasoning before each answer. @default 0 */
  reasoning?: number;
  /** The fraction of requests that get status 500. @default 0 */
  errors?: number;
  /** The fraction of requests that get status 200 without an answer. @default 0 */
  broken?: number;
  /** The fraction of requests whose answer is aborted halfway (`finish_reason` `abort`).
   * @default 0 */
  aborted?: number;
  /** The fraction of prompts that always get status 400. @default 0 */
  refusals?: number;
  /** The fraction of prompts whose answer is truncated (`finish_reason` `length`). @default 0 */
  truncated?: number;
  /** The limit on requests per minute, which is enforced each second. Further requests get 429. 0
   * means no limit. @default 0 */
  rpm?: number;
  /** The limit on requests in flight. Further requests get 429. 0 means no limit. @default 0 */
  capacity?: number;
  /** A whole number. With another seed, answers and failures are different. @default 1 */
  seed?: number;
}

export type ResolvedSimulateOptions = Readonly<Required<SimulateOptions>>;

/** The default is a teacher that is as fast as a small model and never fails. */
export const SIMULATE_DEFAULTS: ResolvedSimulateOptions = {
  latency: 500,
  jitter: 0.2,
  tokens: 300,
  reasoning: 0,
  errors: 0,
  broken: 0,
  aborted: 0,
  refusals: 0,
  truncated: 0,
  rpm: 0,
  capacity: 0,
  seed: 1,
};

const FRACTION = upTo(1, "a fraction from 0 to 1");

export const SIMULATE_RULES: OptionRules<SimulateOptions> = {
  // Timers accept up to 2^31 ms, and jitter may double the latency.
  latency: upTo(1e9, "a number of milliseconds from 0 to 1000000000"),
  jitter: FRACTION,
  tokens: wholeNumberFrom(0, 1e6),
  reasoning: wholeNumberFrom(0, 1e6),
  errors: FRACTION,
  broken: FRACTION,
  aborted: FRACTION,
  refusals: FRACTION,
  truncated: FRACTION,
  rpm: amount,
  capacity: wholeNumberFrom(0),
  seed: wholeNumberFrom(0, 4294967295),
};

function upTo(max: number, expected: string): OptionRule {
  return { ...number, expected, isInRange: (value: number) => value >= 0 && value <= max };
}

/**
 * Checks the options, and fills in the defaults. A value may be a number or the text of a number,
 * as in a flag.
 *
 * @param place Where the options are, for messages. @default at the top level
 * @param rules The rules of all options. Callers may add rules, such as one for `port`.
 * @throws {TypeError} if a name is unknown or a value is not a number
 * @throws {RangeError} if a number is out of range
 */
export function resolveSimulateOptions(
  options: object,
  place?: string,
  rules: Readonly<Record<string, OptionRule>> = SIMULATE_RULES,
): ResolvedSimulateOptions {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  const values = Object.fromEntries(entries.map(([name, value]) => [name, numberOf(value)]));
  checkOptions(values, rules, place);
  return { ...SIMULATE_DEFAULTS, ...values };
}

/** Returns the number that a text stands for, or the value itself. */
function numberOf(value: unknown): unknown {
  // `Number("")` would be 0.
  const parsed = typeof value === "string" && value.trim() !== "" ? Number(value) : NaN;
  return Number.isNaN(parsed) ? value : parsed;
}

/**
 * Parses a text such as `latency=500,errors=0.01`. The empty text selects the defaults.
 *
 * @throws {TypeError} if a name is unknown or is given twice, or a value is not a number
 * @throws {RangeError} if a number is out of range
 */
export function parseSimulateOptions(text: string): ResolvedSimulateOptions {
  const values = new Map<string, string>();
  for (const part of text.split(",")) {
    const [name, ...value] = part.split("=").map((word) => word.trim());
    if (name === "" && value.length === 0) continue;
    if (values.has(name)) {
      throw new TypeError(`Cannot simulate with "${text}": "${name}" is given twice`);
    }
    values.set(name, value.join("="));
  }
  return resolveSimulateOptions(Object.fromEntries(values), "simulate");
}

/** The response to each request with this prompt, seed and token limit, unless a fault or a rate
 * limit prevents it. */
export interface Plan {
  /** A hash (53 bits) of the prompt and of the seeds of the request and the teacher. */
  readonly hash: number;
  /** Whether this prompt always gets status 400. */
  readonly isRejected: boolean;
  readonly latencyMs: number;
  readonly reasoningTokens: number;
  readonly answerTokens: number;
  /** How the answer ends. `abort` means that it ends halfway. */
  readonly finishReason: "stop" | "length" | "abort";
  readonly promptTokens: number;
}

/** The number of characters per token, estimated for English text. */
export const CHARS_PER_TOKEN = 4;

/** Returns a hash of 53 bits, using bryc's cyrb53 (public domain). It takes a nanosecond per
 * character. */
export function hashText(text: string, seed: number): number {
  let high = 0xdeadbeef ^ seed, low = 0x41c6ce57 ^ seed;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    high = Math.imul(high ^ code, 2654435761);
    low = Math.imul(low ^ code, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  // The result consists of 21 bits of `low`, followed by the 32 bits of `high`.
  return 4294967296 * (2097151 & low) + (high >>> 0);
}

/** Returns a pseudo-random number in [0, 1) from a hash. Each purpose has its own `salt`. */
export function draw(hash: number, salt: number): number {
  let bits = (hash % 4294967296) ^ Math.imul(salt, 0x9e3779b9) ^ (hash / 4294967296);
  bits = Math.imul(bits ^ (bits >>> 16), 0x21f0aaad);
  bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97);
  return ((bits ^ (bits >>> 15)) >>> 0) / 4294967296;
}

/**
 * Returns the plan for a request.
 *
 * @param seed The seed of the request. With another seed, the answer is different.
 */
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
  const isTruncated = draw(promptHash, 3) < options.truncated;
  const reasoningTokens = Math.min(options.reasoning, maxTokens);
  const tokens = isTruncated ? Math.floor(fullTokens / 2) : fullTokens;
  return {
    hash,
    isRejected: draw(promptHash, 4) < options.refusals,
    latencyMs: options.latency * spread,
    reasoningTokens,
    answerTokens: Math.min(tokens, maxTokens - reasoningTokens),
    finishReason: isTruncated || options.reasoning + fullTokens > maxTokens ? "length" : "stop",
    promptTokens: Math.ceil(prompt.length / CHARS_PER_TOKEN),
  };
}

/** A fault of the simulated teacher. `broken` means status 200 without an answer, and `aborted`
 * means that the answer ends halfway. */
export type Fault = "error" | "broken" | "aborted";

/** The salt of a fault is the sum of this number and the number of the attempt at the prompt. */
const FAULT_SALT = 99;

export class Faults {
  readonly #options: ResolvedSimulateOptions;
  readonly #attempts = new AttemptCounter();

  constructor(options: ResolvedSimulateOptions) {
    this.#options = options;
  }

  /** Returns the fault of the next request for this plan; undefined if there is none. */
  next({ hash }: Plan): Fault | undefined {
    const { errors, broken, aborted } = this.#options;
    if (errors === 0 && broken === 0 && aborted === 0) return undefined;
    const random = draw(hash, FAULT_SALT + this.#attempts.count(hash));
    if (random < errors) return "error";
    if (random < errors + broken) return "broken";
    return random < errors + broken + aborted ? "aborted" : undefined;
  }
}

export const GENERATION_SIZE = 65_536;

/** Counts how often each prompt was sent with the same seed. To bound memory, the counts are kept
 * in two generations: when the younger one is full, the older one is forgotten. */
export class AttemptCounter {
  #young = new Map<number, number>();
  #old = new Map<number, number>();

  /** Counts an attempt. Returns the number of attempts at this prompt so far. */
  count(hash: number): number {
    const count = (this.#young.get(hash) ?? this.#old.get(hash) ?? 0) + 1;
    this.#young.set(hash, count);
    if (this.#young.size >= GENERATION_SIZE) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    return count;
  }
}
