/**
 * How many tokens an answer may have, as its parameters say.
 *
 * @module
 */

import type { Params } from "../../teacher/mod.ts";

/** The name of OpenAI's older models and of nearly all other servers, that of OpenAI's newer ones, that of the
 * endpoint `/responses`, and those that llama.cpp and SGLang take as well. */
const NAMES = [
  "max_tokens",
  "max_completion_tokens",
  "max_output_tokens",
  "n_predict",
  "max_new_tokens",
] as const;

/** A token limit among parameters. */
export interface TokenLimit {
  /** The parameter. */
  readonly name: typeof NAMES[number];
  /** Tokens. */
  readonly tokens: number;
}

/** The limit that parameters set, the lower one where there are two; undefined where there is none. */
export function tokenLimitOf(params: Params): TokenLimit | undefined {
  let lowest: TokenLimit | undefined;
  for (const name of NAMES) {
    const tokens = tokensOf(params, name);
    if (tokens === undefined || (lowest !== undefined && lowest.tokens <= tokens)) continue;
    lowest = { name, tokens };
  }
  return lowest;
}

/**
 * Parameters for an answer that may be twice as long. Each limit among them is doubled, to `cap` at
 * most. Where there is none, the teacher's own has cut the answer: with a cap, `max_tokens` is set to
 * twice the length of that answer.
 *
 * @param params The parameters of the attempt that was cut off; they stay as they are.
 * @param cap The highest limit, in tokens; undefined where there is none.
 * @param completionTokens The length of the answer that was cut off, 0 where that is not known.
 * @returns New parameters, or undefined where no limit can be raised.
 */
export function escalated(
  params: Params,
  cap: number | undefined,
  completionTokens: number = 0,
): Params | undefined {
  let changed: Record<string, unknown> | undefined;
  let isLimited = false;
  for (const name of NAMES) {
    const tokens = tokensOf(params, name);
    if (tokens === undefined) continue;
    isLimited = true;
    const raised = Math.min(Math.floor(2 * tokens), cap ?? Infinity);
    if (raised > tokens) (changed ??= { ...params })[name] = raised;
  }
  if (isLimited || cap === undefined || completionTokens <= 0) return changed;
  const raised = Math.min(2 * completionTokens, cap);
  return raised > completionTokens ? { ...params, max_tokens: raised } : undefined;
}

/** Parameters whose token limit is `tokens` at least: lower ones are raised, and `max_tokens` is set where
 * there is none. `params` itself where nothing changes. */
export function withTokenLimit(params: Params, tokens: number): Params {
  const changed: Record<string, unknown> = {};
  for (const name of NAMES) {
    const limit = tokensOf(params, name);
    if (limit !== undefined && limit < tokens) changed[name] = tokens;
  }
  if (tokenLimitOf(params) === undefined) changed.max_tokens = tokens;
  return Object.keys(changed).length === 0 ? params : { ...params, ...changed };
}

/** A number as JavaScript or `JSON.rawJSON` holds it, or as text, which vLLM reads as well, where it can be a
 * limit. */
function tokensOf(params: Params, name: string): number | undefined {
  const value = Object.hasOwn(params, name) ? params[name] : undefined;
  const raw = (value as { readonly rawJSON?: unknown } | null | undefined)?.rawJSON;
  const tokens = typeof raw === "string" || typeof value === "string"
    ? Number(raw ?? value)
    : value;
  return typeof tokens === "number" && tokens > 0 && Number.isFinite(tokens) ? tokens : undefined;
}
