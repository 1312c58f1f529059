/**
 * The parameters that OpenAI-compatible servers know, so that a mistyped one is noticed: most servers take
 * `temprature` without a word and answer at their own temperature.
 *
 * @module
 */

import { closestString, levenshteinDistance } from "../deps/std_text.ts";

/** By who has them; a name that several have stands at the first. */
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

const KNOWN: ReadonlySet<string> = new Set(
  Object.values(NAMES).flatMap((names) => names.split(/\s+/)),
);

/** Whether some server has a parameter of this name. */
export function isKnownParam(name: string): boolean {
  return KNOWN.has(name);
}

/** What there is to say of parameters that no server is known to have, a sentence each. */
export function unknownParamNotices(names: readonly string[]): string[] {
  return names.filter((name) => !isKnownParam(name)).map((name) => {
    const meant = nearestParam(name);
    const hint = meant === undefined ? "" : `. Did you mean "${meant}"?`;
    return `The parameter "${name}" is not one that servers are known to have, ` +
      `and is sent as it is${hint}`;
  });
}

/** The known parameter that was probably meant: `maxTokens`, `max-tokens`, `temprature`. */
function nearestParam(name: string): string | undefined {
  const words = [...KNOWN];
  const plain = plainOf(name);
  const same = words.find((word) => plainOf(word) === plain);
  if (same !== undefined) return same;
  const nearest = closestString(name.toLowerCase(), words);
  const most = Math.min(3, Math.floor(name.length / 3));
  return levenshteinDistance(name.toLowerCase(), nearest) <= most ? nearest : undefined;
}

function plainOf(name: string): string {
  return name.toLowerCase().replace(/[-_.\s]/g, "");
}
