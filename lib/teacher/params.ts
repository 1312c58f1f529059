/**
 * Checks parameters and options of a teacher before a run. Rejects what cannot be sent, and reports
 * what probably will not have the desired effect: most servers silently ignore `temprature` and use
 * their default.
 *
 * @module
 */

import { closestString, levenshteinDistance } from "../deps/std_text.ts";
import { secretParam } from "../params.ts";
import { FORMATS } from "./api_format.ts";
import { asObject } from "./json.ts";
import type { Params } from "./teacher.ts";
import type { ResolvedTeacherOptions } from "./teacher_options.ts";

export interface CheckedParams {
  readonly params: Params;
  /** The changes, one sentence each. */
  readonly notices: string[];
}

/**
 * Flattens `extra_body`, which belongs to the Python client and which servers ignore.
 *
 * @throws {RangeError} If `n` requests more than one answer.
 * @throws {TypeError} If Retort sets a parameter itself, one holds a credential (the message omits
 * it), or `extra_body` is not an object.
 */
export function checkParams(params: Params): CheckedParams {
  const notices: string[] = [];
  const secret = secretParam(params);
  if (secret !== undefined) {
    throw new TypeError(
      `Cannot send the parameter "${secret}": parameters are written to files, and it holds a ` +
        "credential. Put a key into OPENAI_API_KEY, --api-key-file or --header NAME=@env:VARIABLE",
    );
  }
  const flat = "extra_body" in params ? flatten(params, notices) : params;
  const n = numberOf(flat.n);
  if (n !== undefined && n > 1) {
    throw new RangeError(
      "Cannot ask for more than one answer a row: samples are rows of their own, " +
        `each with a uid of its own: current value of "n" is ${n}`,
    );
  }
  if ("stream" in flat) {
    throw new TypeError(
      'Cannot send the parameter "stream": use --stream, or the option "stream" of the teacher',
    );
  }
  if ("messages" in flat) {
    throw new TypeError('Cannot send the parameter "messages": they come from the rows');
  }
  return { params: flat, notices };
}

function flatten(params: Params, notices: string[]): Params {
  const { extra_body: extra, ...rest } = params;
  if (extra === null || extra === undefined) return rest;
  const fields = asObject(extra);
  if (fields === undefined) {
    throw new TypeError(
      `Cannot send the parameter "extra_body": it must be an object: current value is ${
        JSON.stringify(extra)
      }`,
    );
  }
  const names = Object.keys(fields).map((name) => `"${name}"`).join(", ");
  notices.push(
    `"extra_body" belongs to the Python client: its fields are sent as parameters (${names})`,
  );
  return { ...rest, ...fields };
}

/** Rows hold numbers that JavaScript would change as `JSON.rawJSON` objects. */
function numberOf(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  const raw = asObject(value)?.rawJSON;
  return typeof raw === "string" ? Number(raw) : undefined;
}

/** Known parameters by server. A name that several servers share is usually listed only once. */
const NAMES = {
  "OpenAI, chat completions": `audio frequency_penalty function_call functions logit_bias logprobs
    max_completion_tokens max_tokens metadata modalities model moderation n parallel_tool_calls
    prediction presence_penalty prompt_cache_key prompt_cache_options prompt_cache_retention
    reasoning_effort response_format safety_identifier seed service_tier stop store stream
    stream_options temperature tool_choice tools top_logprobs top_p user verbosity
    web_search_options`,
  "OpenAI, completions and responses": `background best_of conversation echo include input
    instructions max_output_tokens max_tool_calls previous_response_id reasoning suffix text
    truncation`,
  vLLM: `add_generation_prompt add_special_tokens allowed_token_ids bad_words cache_salt
    chat_template chat_template_kwargs continue_final_message documents early_stopping
    guided_choice guided_decoding_backend guided_grammar guided_json guided_regex
    guided_whitespace_pattern ignore_eos include_reasoning include_stop_str_in_output
    kv_transfer_params length_penalty logits_processors min_p min_tokens mm_processor_kwargs
    priority prompt_logprobs repetition_detection repetition_penalty request_id
    return_token_ids return_tokens_as_token_ids skip_special_tokens spaces_between_special_tokens
    stop_token_ids structural_tag structured_outputs thinking_token_budget top_k
    truncate_prompt_tokens use_beam_search vllm_xargs`,
  SGLang: `custom_logit_processor custom_params ebnf json_schema lora_path max_new_tokens
    min_new_tokens no_stop_trim regex return_hidden_states return_routed_experts rid
    separate_reasoning session_params stop_regex stream_reasoning`,
  "llama.cpp": `cache_prompt dry_allowed_length dry_base dry_multiplier dry_penalty_last_n
    dry_sequence_breakers dynatemp_exponent dynatemp_range grammar id_slot lora min_keep mirostat
    mirostat_eta mirostat_tau n_keep n_predict n_probs parse_tool_calls penalize_nl
    post_sampling_probs reasoning_format reasoning_budget repeat_last_n repeat_penalty
    return_progress return_tokens samplers t_max_predict_ms tfs_z thinking_forced_open
    timings_per_token top_n_sigma typical_p xtc_probability xtc_threshold`,
  "Ollama, LM Studio, TGI, TensorRT-LLM": `details do_sample draft_model format keep_alive num_ctx
    num_predict nvext options think top_n_tokens ttl watermark`,
  "OpenRouter and other gateways": `cache caching drop_params fallbacks guardrails models plugins
    provider route session_id tags top_a trace transforms usage`,
  "DeepSeek, Qwen, GLM, Kimi, MiniMax": `enable_search enable_thinking incremental_output
    mask_sensitive_info preserve_thinking reasoning_split result_format search_options thinking
    thinking_budget tool_stream translation_options user_id vl_high_resolution_images`,
  "Mistral, Cohere, Anthropic, Gemini, xAI": `cached_content citation_options deferred extra_body
    google k output_config p prompt_mode random_seed safe_prompt safety_mode safety_settings
    search_parameters speed stop_sequences system thinking_config`,
  "Groq, Fireworks, Together, Perplexity, Azure": `citation_options compliance
    context_length_exceeded_behavior data_sources disable_search disable_tool_validation
    enable_search_classifier last_updated_after_filter perf_metrics_in_response
    prompt_truncate_len raw_output reasoning_history return_images return_related_questions
    safety_model search_after_date_filter search_before_date_filter search_domain_filter
    search_mode search_recency_filter speculation user_security_context`,
};

const KNOWN_NAMES: ReadonlySet<string> = new Set(
  Object.values(NAMES).flatMap((names) => names.split(/\s+/)),
);

export function unknownParamNotices(names: readonly string[]): string[] {
  return names.filter((name) => !KNOWN_NAMES.has(name)).map((name) => {
    const meant = nearestParam(name);
    const hint = meant === undefined ? "" : `. Did you mean "${meant}"?`;
    return `The parameter "${name}" is not one that servers are known to have, ` +
      `and is sent as it is${hint}`;
  });
}

/** Finds what `maxTokens`, `max-tokens` or `temprature` probably mean. */
function nearestParam(name: string): string | undefined {
  const words = [...KNOWN_NAMES];
  const plain = plainOf(name);
  const same = words.find((word) => plainOf(word) === plain);
  if (same !== undefined) return same;
  const nearest = closestString(name.toLowerCase(), words);
  const maxDistance = Math.min(3, Math.floor(name.length / 3));
  return levenshteinDistance(name.toLowerCase(), nearest) <= maxDistance ? nearest : undefined;
}

function plainOf(name: string): string {
  return name.toLowerCase().replace(/[-_.\s]/g, "");
}

export function noticesOf(
  { endpoint, ca, clientCert, insecureTls, keep }: ResolvedTeacherOptions,
  address: string,
  params: Params,
): string[] {
  const format = FORMATS[endpoint];
  const notices = [
    ...format.notices?.(params) ?? [],
    ...unknownParamNotices(Object.keys(params)),
  ];
  const isPlain = address.startsWith("http:");
  if (isPlain && (ca !== undefined || clientCert !== undefined || insecureTls === true)) {
    notices.push(`${address} is called without TLS (http://): certificates have no effect there`);
  } else if (insecureTls === true) {
    notices.push(
      `The certificate of ${address} is not checked (--insecure-tls): ` +
        "anyone in between can read the prompts, the answers and the key",
    );
  }
  if (keep.includes("logprobs") && !asksForLogprobs(params)) {
    notices.push(
      "--keep logprobs keeps what the teacher sends, and no parameter asks it for logprobs: " +
        `add -p ${format.logprobsExample}`,
    );
  }
  return notices;
}

function asksForLogprobs({ logprobs, include }: Params): boolean {
  if (Array.isArray(include) && include.some((item) => /logprobs/.test(String(item)))) return true;
  return logprobs !== undefined && logprobs !== null && logprobs !== false;
}
