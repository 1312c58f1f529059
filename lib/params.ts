/** Parameters of requests: their names, token limits, seeds and secrets. @module */

import { exactJson, isObject } from "./json.ts";
import { cut } from "./printable.ts";
import { suggestion } from "./similar_name.ts";
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

/** Returns the lowest of the token limits; undefined if none is set. */
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
 * Doubles each token limit, up to `cap`. If `params` set no limit, the teacher's own limit
 * truncated the answer. In this case, `max_tokens` becomes twice the length of that answer, up to
 * `cap`; without a cap, nothing changes.
 *
 * @param cap The highest limit, in tokens; undefined if there is no cap.
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

/** Raises limits below `tokens`, and sets `max_tokens` if there is no limit. Returns `params`
 * itself if nothing changes. */
export function withTokenLimit(params: Params, tokens: number): Params {
  const changed: Record<string, unknown> = {};
  for (const name of LIMIT_NAMES) {
    const limit = tokensOf(params, name);
    if (limit !== undefined && limit < tokens) changed[name] = tokens;
  }
  if (tokenLimitOf(params) === undefined) changed.max_tokens = tokens;
  return Object.keys(changed).length === 0 ? params : { ...params, ...changed };
}

/** Returns the value of a number, which may be a `JSON.rawJSON`; undefined for any other value. */
export function numberIn(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  return exactJson.isRawJSON(value) ? Number(value.rawJSON) : undefined;
}

/** Whether a request asks for several answers. vLLM reads the text "4" as 4, so it counts too. */
export function asksForSeveral({ n }: Params): boolean {
  return (typeof n === "string" ? Number(n) : numberIn(n) ?? 1) > 1;
}

/** Returns a limit; undefined if it is missing or invalid. A limit may be text, as in vLLM. */
function tokensOf(params: Params, name: string): number | undefined {
  const value = Object.hasOwn(params, name) ? params[name] : undefined;
  const tokens = typeof value === "string" ? Number(value) : numberIn(value) ?? NaN;
  return tokens > 0 && tokens < Infinity ? tokens : undefined;
}

/** The name that OpenAI and nearly all servers use, and Mistral's name. */
const SEED_NAMES: readonly string[] = ["seed", "random_seed"];
export const MAX_SAMPLES = 1_000;
const MAX_INT64 = 2n ** 63n - 1n;

/**
 * Changes the seed for an additional answer, because a teacher would otherwise repeat its answer.
 * An integer seed is raised by exactly `offset`, even a seed of 19 digits that is a `JSON.rawJSON`.
 * Servers read signed 64-bit integers, so the largest of them is followed by 0. Different offsets
 * give different seeds, also if several are applied one after another.
 *
 * @param offset 1 for the second answer.
 * @returns New parameters, or `params` itself if they contain no integer seed or `offset` is 0.
 */
export function reseeded(params: Params, offset: number): Params {
  if (offset === 0) return params;
  let changed: Record<string, unknown> | undefined;
  for (const name of SEED_NAMES) {
    // Rows may contain any name, so inherited properties must not count.
    if (!Object.hasOwn(params, name)) continue;
    const value = params[name], seed = integerOf(value);
    if (seed === undefined) continue;
    const shifted = shiftedSeed(seed, BigInt(offset));
    changed ??= { ...params };
    changed[name] = typeof value === "string" ? String(shifted) : exactNumber(shifted);
  }
  return changed ?? params;
}

/** Changes the seed after `times` rejected answers. A row has at most 1,000 samples with
 * consecutive seeds, so steps of 1,000 keep all seeds of the row different. */
export function resampled(params: Params, times = 1): Params {
  return reseeded(params, times * MAX_SAMPLES);
}

function shiftedSeed(seed: bigint, offset: bigint): bigint {
  const sum = seed + offset;
  return sum > MAX_INT64 && seed <= MAX_INT64 ? sum - MAX_INT64 - 1n : sum;
}

/** Returns the integer value of a seed. A seed may be text, which vLLM reads as a number. */
function integerOf(value: unknown): bigint | undefined {
  const text = exactJson.isRawJSON(value) ? value.rawJSON : value;
  if (typeof text === "string" && /^\s*-?\d+\s*$/.test(text)) return BigInt(text);
  // `1.0` and `1e3` are integers too.
  const number = numberIn(value);
  return Number.isInteger(number) ? BigInt(number!) : undefined;
}

function exactNumber(value: bigint): unknown {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : exactJson.rawJSON(String(value));
}

/** Matches the prefix of Portkey's headers, in which "key" is part of the product's name. Does not
 * match headers whose values, often JSON, may contain secrets. */
const PORTKEY = /^x-portkey-(?!config|metadata|.*(?:guardrails|account))/i;

/** Whether a header's value is hidden. Some hidden headers do not contain a secret. */
export function isSecretHeader(name: string, value = ""): boolean {
  const ownName = name.replace(PORTKEY, "");
  // The host behind Portkey may take a key in its query. A query in a `Referer` is not secret.
  const secretUrl = ownName === name ? /:\/\/[^/]*@/ : /:\/\/(?:[^/]*@|.*\?)/;
  return /auth|key|token|secret|cookie|pass|cred/i.test(ownName) || secretUrl.test(value);
}

/** Matches `api_key`, `OPENAI_API_KEY` and `access-token`, but not `max_tokens` or
 * `prompt_cache_key`. */
const SECRET_PARAM = new RegExp(
  "^(?:(?:\\w+[_-])?api[_-]?key|key|(?:proxy[_-])?authorization|bearer|" +
    "(?:(?:access|api|auth|bearer|id|refresh|secret|session)[_-]?)?token|" +
    "(?:(?:api|client)[_-]?)?secret(?:[_-](?:access[_-])?key)?|" +
    "password|passwd|credentials?|cookie)$",
  "i",
);

/** Matches `extra_headers` and `default_query`. These are arguments of OpenAI's Python client,
 * which no server reads from a body. */
const HEADER_BLOCK = /^(?:(?:extra|default)[_-])?(?:headers|query)$/i;

/**
 * Returns the path of a parameter that contains a credential and must not be written to files.
 * Searches `extra_body` and blocks of headers, but not the schemas of tools, in which any property
 * may be called `password`.
 */
export function secretParam(params: Readonly<Record<string, unknown>>): string | undefined {
  for (const name in params) {
    if (SECRET_PARAM.test(name)) return name;
    const isHeaders = HEADER_BLOCK.test(name), block = params[name];
    if (!(isHeaders || name === "extra_body") || !isObject(block)) continue;
    const inner = isHeaders
      ? Object.keys(block).find((key) => isSecretHeader(key))
      : secretParam(block);
    if (inner !== undefined) return `${name}.${inner}`;
  }
  return undefined;
}

/** The type that a value must have to count as a parameter. */
type ParamType = "object" | "array" | "boolean";

/** Known parameters, each listed under one server. If datasets also use the name for a column, a
 * type follows the name: `provider` is a parameter only if it is an object. */
const PARAMS = {
  OpenAI: `best_of frequency_penalty function_call functions logit_bias logprobs
    max_completion_tokens max_tokens modalities model n parallel_tool_calls prediction:object
    presence_penalty prompt_cache_key prompt_cache_retention reasoning:object reasoning_effort
    response_format safety_identifier seed service_tier stop store stream stream_options temperature
    tool_choice tools top_logprobs top_p user verbosity web_search_options`,
  vLLM: `add_generation_prompt add_special_tokens allowed_token_ids bad_words cache_salt
    chat_template chat_template_kwargs:object continue_final_message guided_choice
    guided_decoding_backend guided_grammar guided_json guided_regex guided_whitespace_pattern
    ignore_eos include_reasoning include_stop_str_in_output kv_transfer_params:object length_penalty
    logits_processors min_p min_tokens mm_processor_kwargs:object prompt_logprobs repetition_penalty
    return_token_ids return_tokens_as_token_ids skip_special_tokens spaces_between_special_tokens
    stop_token_ids structural_tag structured_outputs:object top_k truncate_prompt_tokens
    use_beam_search vllm_xargs:object`,
  SGLang: `custom_logit_processor custom_params:object ebnf lora_path no_stop_trim
    separate_reasoning stop_regex stream_reasoning`,
  "llama.cpp": `cache_prompt dry_allowed_length dry_base dry_multiplier dry_penalty_last_n
    dynatemp_exponent dynatemp_range id_slot mirostat mirostat_eta mirostat_tau n_predict n_probs
    parse_tool_calls reasoning_budget reasoning_format repeat_last_n repeat_penalty samplers tfs_z
    thinking_forced_open typical_p xtc_probability xtc_threshold`,
  "Ollama, LM Studio, TGI, TensorRT-LLM": `do_sample keep_alive think:boolean`,
  "OpenRouter and other gateways": `models:array plugins:array provider:object top_a transforms`,
  "DeepSeek, Qwen, GLM, Kimi, MiniMax": `enable_search enable_thinking mask_sensitive_info
    reasoning_split search_options:object thinking:object thinking_budget`,
  "Mistral, Cohere, Anthropic, Gemini, xAI": `citation_options extra_body:object include_thoughts
    prompt_mode random_seed safe_prompt search_parameters:object search_settings:object`,
  "Groq, Fireworks, Together, Perplexity, Azure": `context_length_exceeded_behavior
    prompt_truncate_len return_citations return_images return_related_questions safety_model
    search_domain_filter search_recency_filter`,
};

/** Known parameters that are more likely to be columns if a row has them in addition to `messages`
 * (`documents`, `options`, `tags`), or that rows rarely have. */
const OTHER_NAMES =
  `audio background cache cached_content caching compliance conversation data_sources deferred
  details disable_search disable_tool_validation documents draft_model drop_params
  dry_sequence_breakers early_stopping echo enable_search_classifier fallbacks format google grammar
  guardrails include incremental_output input instructions json_schema k last_updated_after_filter
  lora max_new_tokens max_output_tokens max_tool_calls metadata min_keep min_new_tokens moderation
  n_keep num_ctx num_predict nvext options output_config p penalize_nl perf_metrics_in_response
  post_sampling_probs preserve_thinking previous_response_id priority prompt_cache_options
  raw_output reasoning_history regex repetition_detection request_id result_format
  return_hidden_states return_progress return_routed_experts return_tokens rid route safety_mode
  safety_settings search_after_date_filter search_before_date_filter search_mode session_id
  session_params speculation speed stop_sequences suffix system t_max_predict_ms tags text
  thinking_config thinking_token_budget timings_per_token tool_stream top_n_sigma top_n_tokens trace
  translation_options truncation ttl usage user_id user_security_context vl_high_resolution_images
  watermark`.split(/\s+/);

/** The parameters that a row may have next to `messages`. Such a row is the body of a request. */
export const BODY_PARAMS: ReadonlyMap<string, ParamType | undefined> = new Map(
  Object.values(PARAMS).flatMap((names) =>
    names.split(/\s+/).map((name) => name.split(":") as [string, ParamType | undefined])
  ),
);

const KNOWN_NAMES: ReadonlySet<string> = new Set([...BODY_PARAMS.keys(), ...OTHER_NAMES]);

export function unknownParamNotices(names: readonly string[]): string[] {
  return names.filter((name) => !KNOWN_NAMES.has(name)).map((name) => {
    const hint = suggestion(name, KNOWN_NAMES);
    return `Retort does not know the parameter "${name}", and sends it as it is${hint}`;
  });
}

const NUMBERS: ReadonlySet<string> = new Set(
  `frequency_penalty max_completion_tokens max_new_tokens max_output_tokens max_tokens min_p
  min_tokens num_ctx num_predict presence_penalty repetition_penalty seed temperature
  thinking_budget top_a top_k top_logprobs top_p`.split(/\s+/),
);
/** Parameters whose text begins with a bracket only by mistake, unlike stop texts and templates. */
const STRUCTURES: ReadonlySet<string> = new Set(
  `allowed_token_ids bad_words chat_template_kwargs extra_body logit_bias metadata
  plugins provider reasoning response_format stop_token_ids stream_options structured_outputs
  thinking tools`.split(/\s+/),
);

const MAX_SHOWN_CHARS = 60;

/** Returns notices about values that are text by mistake, such as `0,7`, JSON in quotes, or the `no`
 * of a YAML file. Servers may ignore such values, and templates treat any text as true. */
export function textParamNotices(params: Readonly<Record<string, unknown>>): string[] {
  const notices: string[] = [];
  const kwargs = Object.entries(params.chat_template_kwargs ?? {})
    .map(([name, value]) => [`chat_template_kwargs.${name}`, value] as const);
  for (const [name, value] of [...Object.entries(params), ...kwargs]) {
    const expected = typeof value === "string" ? expectedInstead(name, value) : undefined;
    if (expected === undefined) continue;
    const shown = JSON.stringify(cut(String(value), MAX_SHOWN_CHARS));
    notices.push(`The parameter "${name}" is sent as the text ${shown}: expected ${expected}`);
  }
  return notices;
}

function expectedInstead(name: string, text: string): string | undefined {
  if (NUMBERS.has(name)) return "a number";
  const isSwitch = name === "enable_thinking" || name.startsWith("chat_template_kwargs.");
  // A template may take a language, and `no` stands for Norwegian.
  const words = /think/.test(name) ? /^(?:true|false|yes|no)$/i : /^(?:true|false)$/i;
  if (isSwitch && words.test(text)) return "true or false";
  const mayBeJson = name === "stop" ? /^\s*\[\s*"/ : /^\s*[[{]/;
  const takesJson = name === "stop" || STRUCTURES.has(name);
  return takesJson && mayBeJson.test(text) ? "a list or an object" : undefined;
}
