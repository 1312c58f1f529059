/**
 * What a simulated teacher is told, as an object or as the text of `--simulate=…`.
 *
 * @module
 */

import { closestString, levenshteinDistance } from "../deps/std_text.ts";

/** How a simulated teacher behaves. Fractions are 0 to 1. */
export interface SimulateOptions {
  /** Milliseconds until an answer is complete. @default 500 */
  latency?: number;
  /** How far a latency may lie from `latency`, as a fraction of it. @default 0.2 */
  jitter?: number;
  /** Mean completion tokens without the reasoning; a prompt gets 0.5 to 1.5 times that. @default 300 */
  tokens?: number;
  /** Tokens of reasoning before each answer. @default 0 */
  reasoning?: number;
  /** Fraction of requests that get 500. @default 0 */
  errors?: number;
  /** Fraction of requests that get 200 without an answer in it. @default 0 */
  broken?: number;
  /** Fraction of requests whose answer is given up half-way (`finish_reason` `abort`). @default 0 */
  aborted?: number;
  /** Fraction of prompts that always get 400. @default 0 */
  refusals?: number;
  /** Fraction of prompts whose answer is cut (`finish_reason` `length`). @default 0 */
  truncated?: number;
  /** Requests per minute, shared out over the seconds; past that 429. 0 means no limit. @default 0 */
  rpm?: number;
  /** Requests in flight; past that 429. 0 means no limit. @default 0 */
  capacity?: number;
  /** A whole number; another one gives other answers and other failures. @default 1 */
  seed?: number;
}

/** The options with every default filled in. */
export type ResolvedSimulateOptions = Readonly<Required<SimulateOptions>>;

/** A teacher of about the speed of a small model that never fails. */
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

type Key = keyof SimulateOptions;

interface Rule {
  readonly what: string;
  readonly max: number;
  readonly whole: boolean;
}

const FRACTION: Rule = { what: "a fraction from 0 to 1", max: 1, whole: false };
const COUNT: Rule = {
  what: "a whole number, 0 or more",
  max: Number.MAX_SAFE_INTEGER,
  whole: true,
};

const RULES: Readonly<Record<Key, Rule>> = {
  // A timer cannot wait longer than 2^31 ms, jitter included.
  latency: { what: "milliseconds from 0 to 1000000000", max: 1e9, whole: false },
  jitter: FRACTION,
  tokens: { what: "a whole number of tokens from 0 to 1000000", max: 1e6, whole: true },
  reasoning: { what: "a whole number of tokens from 0 to 1000000", max: 1e6, whole: true },
  errors: FRACTION,
  broken: FRACTION,
  aborted: FRACTION,
  refusals: FRACTION,
  truncated: FRACTION,
  rpm: { what: "requests per minute, 0 or more", max: Number.MAX_SAFE_INTEGER, whole: false },
  capacity: COUNT,
  seed: { what: "a whole number from 0 to 4294967295", max: 4294967295, whole: true },
};

/** The names that `--simulate=…` and the flags of `simulate` may have. */
export const SIMULATE_KEYS: readonly Key[] = Object.keys(RULES) as Key[];

/**
 * Fills in the defaults and checks every value. Values may be text, as flags bring them.
 *
 * @throws {TypeError} A name is unknown (the nearest known one is given), or a value is no number.
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
 * Reads the text of `--simulate=latency=500,errors=0.01`; nothing at all means the defaults.
 *
 * @throws {TypeError} A part is not `name=value`, is given twice, or its name is unknown.
 * @throws {RangeError} A number is out of range.
 */
export function parseSimulateOptions(text: string): ResolvedSimulateOptions {
  const given: Record<string, string> = {};
  for (const part of text.split(",")) {
    if (part.trim() === "") continue;
    const equals = part.indexOf("=");
    const key = (equals < 0 ? part : part.slice(0, equals)).trim();
    if (!Object.hasOwn(RULES, key)) throw new TypeError(unknownKey(key));
    if (equals < 0) {
      throw new TypeError(`Cannot simulate with "${part.trim()}": ${mustBe(key as Key)}: no value`);
    }
    if (Object.hasOwn(given, key)) {
      throw new TypeError(`Cannot simulate with "${text}": "${key}" is given twice`);
    }
    given[key] = part.slice(equals + 1).trim();
  }
  return resolveSimulateOptions(given);
}

function toNumber(key: Key, value: unknown): number {
  // Number("") is 0; a user who types nothing does not mean 0.
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  const problem = `Cannot simulate with "${key}=${value}": ${mustBe(key)}`;
  if (typeof number !== "number" || Number.isNaN(number)) throw new TypeError(problem);
  const { max, whole } = RULES[key];
  if (!(number >= 0 && number <= max) || (whole && !Number.isInteger(number))) {
    throw new RangeError(problem);
  }
  return number;
}

function mustBe(key: Key): string {
  return `"${key}" must be ${RULES[key].what}`;
}

function unknownKey(key: string): string {
  const nearest = closestString(key, SIMULATE_KEYS);
  const near = levenshteinDistance(key, nearest) <= Math.max(2, nearest.length / 3);
  const hint = near ? `the nearest is "${nearest}"` : `known are ${SIMULATE_KEYS.join(", ")}`;
  return `Cannot simulate with "${key}": there is no such option: ${hint}`;
}
