/**
 * Seeds for further answers to a prompt: with the same seed, a teacher would repeat its answer.
 *
 * @module
 */

import { exactJson } from "./json.ts";
import type { Params } from "./teacher/mod.ts";

/** OpenAI's name, which nearly all servers use, and Mistral's. */
const SEED_NAMES: readonly string[] = ["seed", "random_seed"];
/** The highest value of the option `samples`. */
export const MAX_SAMPLES = 1_000;
const MAX_INT64 = 2n ** 63n - 1n;

/**
 * Parameters for a further answer to the same prompt.
 *
 * An integer seed is raised by exactly `by`, even one of 19 digits that is held as `JSON.rawJSON`.
 * Servers read the seed as a signed 64-bit integer. If the result would overflow it, the seed is
 * lowered instead, so that different values of `by` always give different seeds.
 *
 * @param params The parameters of the first answer; not changed.
 * @param by How much to raise the seed, a whole number: 1 for the second answer.
 * @returns New parameters, or `params` itself if they hold no integer seed or `by` is 0.
 */
export function reseeded(params: Params, by: number): Params {
  if (by === 0) return params;
  let changed: Record<string, unknown> | undefined;
  for (const name of SEED_NAMES) {
    // Rows may hold any name: inherited properties must not count.
    if (!Object.hasOwn(params, name)) continue;
    const seed = integerOf(params[name]);
    if (seed === undefined) continue;
    changed ??= { ...params };
    changed[name] = exactNumber(raised(seed, BigInt(by)));
  }
  return changed ?? params;
}

/** Parameters for a new answer after `times` rejected ones: the seed is raised by 1,000 for each. A
 * row has at most 1,000 samples with consecutive seeds, so all its seeds differ. */
export function resampled(params: Params, times = 1): Params {
  return reseeded(params, times * MAX_SAMPLES);
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
