/**
 * Parameters of requests: token limits and how they are raised, seeds for further answers, and
 * secrets.
 *
 * @module
 */

import { exactJson } from "./json.ts";
import type { Params } from "./teacher/mod.ts";

const LIMIT_NAMES = [
  // OpenAI's older models, and nearly all other servers
  "max_tokens",
  // OpenAI's newer models
  "max_completion_tokens",
  // OpenAI's Responses API
  "max_output_tokens",
  // llama.cpp and SGLang, in addition to the names above
  "n_predict",
  "max_new_tokens",
] as const;

interface TokenLimit {
  readonly name: typeof LIMIT_NAMES[number];
  readonly tokens: number;
}

/** The lowest of the token limits; undefined if none is set. */
export function tokenLimitOf(params: Params): TokenLimit | undefined {
  let lowest: TokenLimit | undefined;
  for (const name of LIMIT_NAMES) {
    const tokens = tokensOf(params, name);
    if (tokens === undefined || (lowest !== undefined && lowest.tokens <= tokens)) continue;
    lowest = { name, tokens };
  }
  return lowest;
}

/**
 * Doubles each token limit, up to `cap`. If `params` set none, the teacher's own limit truncated
 * the answer: `max_tokens` becomes twice the length of that answer, up to `cap`; without a cap,
 * nothing changes.
 *
 * @param cap In tokens; undefined for none.
 * @param completionTokens The length of the truncated answer; 0 if unknown.
 * @returns New parameters, or undefined if no limit can be raised.
 */
export function escalated(
  params: Params,
  cap: number | undefined,
  completionTokens: number = 0,
): Params | undefined {
  let changed: Record<string, unknown> | undefined;
  let isLimited = false;
  for (const name of LIMIT_NAMES) {
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

/** Raises limits below `tokens`, and sets `max_tokens` if there is none. Returns `params` itself if
 * nothing changes. */
export function withTokenLimit(params: Params, tokens: number): Params {
  const changed: Record<string, unknown> = {};
  for (const name of LIMIT_NAMES) {
    const limit = tokensOf(params, name);
    if (limit !== undefined && limit < tokens) changed[name] = tokens;
  }
  if (tokenLimitOf(params) === undefined) changed.max_tokens = tokens;
  return Object.keys(changed).length === 0 ? params : { ...params, ...changed };
}

/** A number, `JSON.rawJSON`, or text, which vLLM accepts too; undefined for an invalid limit. */
function tokensOf(params: Params, name: string): number | undefined {
  const value = Object.hasOwn(params, name) ? params[name] : undefined;
  const raw = (value as { readonly rawJSON?: unknown } | null | undefined)?.rawJSON;
  const tokens = typeof raw === "string" || typeof value === "string"
    ? Number(raw ?? value)
    : value;
  return typeof tokens === "number" && tokens > 0 && Number.isFinite(tokens) ? tokens : undefined;
}

/** OpenAI's name, which nearly all servers use, and Mistral's. */
const SEED_NAMES: readonly string[] = ["seed", "random_seed"];
export const MAX_SAMPLES = 1_000;
const MAX_INT64 = 2n ** 63n - 1n;

/**
 * Changes the seed for a further answer, because a teacher would repeat its answer. Raises an
 * integer seed by exactly `offset`, even a seed of 19 digits held as `JSON.rawJSON`. Servers read
 * signed 64-bit integers, so a seed that would overflow is lowered: different offsets always give
 * different seeds.
 *
 * @param offset 1 for the second answer.
 * @returns New parameters, or `params` itself if they hold no integer seed or `offset` is 0.
 */
export function reseeded(params: Params, offset: number): Params {
  if (offset === 0) return params;
  let changed: Record<string, unknown> | undefined;
  for (const name of SEED_NAMES) {
    // Rows may hold any name: inherited properties must not count.
    if (!Object.hasOwn(params, name)) continue;
    const seed = integerOf(params[name]);
    if (seed === undefined) continue;
    changed ??= { ...params };
    changed[name] = exactNumber(shiftedSeed(seed, BigInt(offset)));
  }
  return changed ?? params;
}

/** Parameters after `times` rejected answers. A row has at most 1,000 samples, whose seeds are
 * consecutive: steps of 1,000 keep all seeds of the row different. */
export function resampled(params: Params, times = 1): Params {
  return reseeded(params, times * MAX_SAMPLES);
}

function shiftedSeed(seed: bigint, offset: bigint): bigint {
  const sum = seed + offset;
  return sum > MAX_INT64 && seed <= MAX_INT64 ? seed - offset : sum;
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

/** Whether a header's value is hidden. Some hidden headers contain no secret. */
export function isSecretHeader(name: string): boolean {
  return /auth|key|token|secret|cookie|pass|cred/i.test(name);
}

/** Matches `api_key`, `OPENAI_API_KEY`, `access-token`, not `max_tokens` or `prompt_cache_key`. */
const SECRET_PARAM = new RegExp(
  "^(?:(?:\\w+[_-])?api[_-]?key|key|(?:proxy[_-])?authorization|bearer|" +
    "(?:(?:access|api|auth|bearer|id|refresh|secret|session)[_-]?)?token|" +
    "(?:(?:api|client)[_-]?)?secret(?:[_-](?:access[_-])?key)?|" +
    "password|passwd|credentials?|cookie)$",
  "i",
);

/** Matches `extra_headers`, `default_query`: arguments of OpenAI's Python client, which no server
 * reads from a body. */
const HEADER_BLOCK = /^(?:(?:extra|default)[_-])?(?:headers|query)$/i;

/**
 * Returns the path of a parameter that holds a credential and must not be written to files.
 * Searches `extra_body` and blocks of headers, but not schemas of tools: any property may be called
 * `password`.
 */
export function secretParam(params: Readonly<Record<string, unknown>>): string | undefined {
  for (const name in params) {
    if (SECRET_PARAM.test(name)) return name;
    if (HEADER_BLOCK.test(name)) {
      const field = Object.keys(blockAt(params, name)).find(isSecretHeader);
      if (field !== undefined) return `${name}.${field}`;
    } else if (name === "extra_body") {
      const inner = secretParam(blockAt(params, name));
      if (inner !== undefined) return `${name}.${inner}`;
    }
  }
  return undefined;
}

function blockAt(
  params: Readonly<Record<string, unknown>>,
  name: string,
): Readonly<Record<string, unknown>> {
  const value = params[name];
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}
