/**
 * The seed for another answer to the same prompt: with the same seed, a teacher would give the same answer.
 *
 * @module
 */

import { exactJson } from "./json.ts";
import type { Params } from "./teacher/mod.ts";

/** Names of the seed: that of OpenAI, vLLM, SGLang and nearly all others, and that of Mistral. */
const NAMES: readonly string[] = ["seed", "random_seed"];
/** The most answers that a row may have. */
export const MOST_SAMPLES = 1_000;
const MAX_INT64 = 2n ** 63n - 1n;

/**
 * Parameters for another answer to the same prompt.
 *
 * An integer seed is raised by exactly `by`, also where it has 19 digits and is held as `JSON.rawJSON`. Where
 * that would exceed the 64 bits that servers read, it is lowered instead, so that different values of `by`
 * always give different seeds.
 *
 * @param params The parameters of the first answer; they stay as they are.
 * @param by The number of the further answer: a whole number, 1 for the second answer.
 * @returns New parameters, or `params` itself where they hold no integer seed or `by` is 0.
 */
export function reseeded(params: Params, by: number): Params {
  if (by === 0) return params;
  let changed: Record<string, unknown> | undefined;
  for (const name of NAMES) {
    // Parameters are read from rows, where every name is possible: only own ones count.
    if (!Object.hasOwn(params, name)) continue;
    const seed = integerOf(params[name]);
    if (seed === undefined) continue;
    changed ??= { ...params };
    changed[name] = exactNumber(raised(seed, BigInt(by)));
  }
  return changed ?? params;
}

/**
 * Parameters for another answer after one was rejected: `reseeded` by 1,000. A row has at most that many
 * samples, with consecutive seeds, so that no two of them ever have the same seed.
 */
export function resampled(params: Params): Params {
  return resampledTimes(params, 1);
}

/** The same after several rejected answers, that of `params` included. */
export function resampledTimes(params: Params, times: number): Params {
  return reseeded(params, times * MOST_SAMPLES);
}

function raised(seed: bigint, by: bigint): bigint {
  const sum = seed + by;
  return sum > MAX_INT64 && seed <= MAX_INT64 ? seed - by : sum;
}

function integerOf(value: unknown): bigint | undefined {
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : undefined;
  if (typeof value !== "object" || value === null) return undefined;
  const text = (value as { readonly rawJSON?: unknown }).rawJSON;
  if (typeof text !== "string") return undefined;
  // `1.0` and `1e3` are integers too.
  return /^-?\d+$/.test(text) ? BigInt(text) : integerOf(Number(text));
}

function exactNumber(value: bigint): unknown {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : exactJson.rawJSON(String(value));
}
