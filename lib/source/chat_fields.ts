/**
 * The fields of a chat completions request: they distinguish a raw request body from a row of a
 * dataset. Also the parameters that a row sets.
 *
 * @module
 */

import { isObject } from "../json.ts";
import { secretParam } from "../params.ts";
import type { Params } from "../teacher/mod.ts";
import { isSet, setField, toolsWithoutNulls } from "./json_values.ts";
import { currentValue, mustBe, RowProblem } from "./parsed_row.ts";
import type { ParsedJson, RowObject, Shape } from "./shape.ts";
import { toolsOf } from "./tool_calls.ts";

/** The type that a value must have to count as a parameter. Names that datasets also use for
 * columns (`provider`, `plugins`) need a type other than "any". */
type FieldType = "any" | "object" | "array" | "boolean";

function fieldsOfType(type: FieldType, names: string): [string, FieldType][] {
  return names.split(/\s+/).filter((name) => name !== "").map((name) => [name, type]);
}

/** Fields of OpenAI's API, and extensions of compatible servers, without names that are more
 * likely columns of a dataset (`documents`, `grammar`, `json_schema`, `options`, `priority`,
 * `usage`, …). */
const REQUEST_FIELDS: ReadonlyMap<string, FieldType> = new Map([
  // https://platform.openai.com/docs/api-reference/chat/create
  ...fieldsOfType(
    "any",
    `messages model frequency_penalty function_call functions logit_bias logprobs
     max_completion_tokens max_tokens modalities n parallel_tool_calls presence_penalty
     prompt_cache_key prompt_cache_retention reasoning_effort response_format safety_identifier seed
     service_tier stop store stream stream_options temperature tool_choice tools top_logprobs top_p
     user verbosity web_search_options`,
  ),
  ...fieldsOfType("object", "prediction extra_body"),
  // vLLM and SGLang
  ...fieldsOfType(
    "any",
    `add_generation_prompt add_special_tokens allowed_token_ids bad_words best_of cache_salt
     chat_template continue_final_message custom_logit_processor ebnf guided_choice
     guided_decoding_backend guided_grammar guided_json guided_regex guided_whitespace_pattern
     ignore_eos include_reasoning include_stop_str_in_output length_penalty logits_processors lora_path
     min_p min_tokens no_stop_trim prompt_logprobs repetition_penalty return_token_ids
     return_tokens_as_token_ids separate_reasoning skip_special_tokens
     spaces_between_special_tokens stop_regex stop_token_ids stream_reasoning structural_tag top_k
     truncate_prompt_tokens use_beam_search`,
  ),
  ...fieldsOfType(
    "object",
    `chat_template_kwargs custom_params kv_transfer_params mm_processor_kwargs structured_outputs
     vllm_xargs`,
  ),
  // llama.cpp and Ollama
  ...fieldsOfType(
    "any",
    `cache_prompt dry_allowed_length dry_base dry_multiplier dry_penalty_last_n dynatemp_exponent
     dynatemp_range id_slot keep_alive mirostat mirostat_eta mirostat_tau n_predict n_probs
     parse_tool_calls reasoning_budget reasoning_format repeat_last_n repeat_penalty samplers tfs_z
     thinking_forced_open typical_p xtc_probability xtc_threshold`,
  ),
  ...fieldsOfType("boolean", "think"),
  // OpenRouter, DeepSeek, DashScope, Mistral, Groq, Fireworks, Together, MiniMax, Zhipu, xAI,
  // Perplexity
  ...fieldsOfType(
    "any",
    `citation_options context_length_exceeded_behavior do_sample enable_search enable_thinking
     include_thoughts mask_sensitive_info prompt_mode prompt_truncate_len random_seed reasoning_split
     return_citations return_images return_related_questions safe_prompt safety_model
     search_domain_filter search_recency_filter thinking_budget top_a transforms`,
  ),
  ...fieldsOfType(
    "object",
    "provider reasoning search_options search_parameters search_settings thinking",
  ),
  ...fieldsOfType("array", "models plugins"),
]);

/** Fields of a raw request body that are not sent. OpenAI accepts the parameter `metadata` only
 * together with `store`. */
const ROW_FIELDS: ReadonlySet<string> = new Set(["uid", "custom_id", "id", "metadata"]);

/** Returns the parameters of a raw request body, undefined if it has none; `false` if a field of
 * the row is not a field of requests. Rows of LMSYS and WildChat have a `model` too (the one that
 * answered), but also columns that no request has. */
export function requestParams(row: RowObject): Record<string, unknown> | undefined | false {
  let params: Record<string, unknown> | undefined;
  for (const name in row) {
    if (name === "messages" || ROW_FIELDS.has(name)) continue;
    const type = REQUEST_FIELDS.get(name);
    if (type === undefined) return false;
    const value = row[name];
    if (value === null) continue;
    if (type !== "any" && !isOfType(value, type)) return false;
    setField(params ??= {}, name, value);
  }
  if (sendsMetadata(row)) setField(params ??= {}, "metadata", row.metadata);
  return params;
}

export function isSentInRequest(name: string, row: RowObject): boolean {
  if (name === "metadata") return sendsMetadata(row);
  return !ROW_FIELDS.has(name) && !isIgnored(name, row[name]);
}

/** Ignored in rows: the run decides whether answers are streamed. */
const STREAM_PARAMS = ["stream", "stream_options"];

/** Whether a parameter with an effect is ignored. `false`, the default, has no effect. */
function isIgnored(name: string, value: unknown): boolean {
  return STREAM_PARAMS.includes(name) && isSet(value) && value !== false;
}

/** Paths of streaming parameters in the row, such as `body.stream`. */
export function unsentParams(shape: Shape, row: RowObject): readonly string[] {
  const holder = shape === "openai-batch" ? "body" : "params";
  const params = row[holder];
  if (!isObject(params)) return [];
  const extra = isObject(params.extra_body) ? params.extra_body : {};
  return [
    ...STREAM_PARAMS.filter((name) => isIgnored(name, params[name]))
      .map((name) => `${holder}.${name}`),
    ...STREAM_PARAMS.filter((name) => isIgnored(name, extra[name]))
      .map((name) => `${holder}.extra_body.${name}`),
  ];
}

function sendsMetadata(row: RowObject): boolean {
  return row.store === true && isSet(row.metadata);
}

/** The fields of a message. Turns of conversation logs also hold metadata. */
export const MESSAGE_FIELDS: ReadonlySet<string> = new Set([
  "role",
  "content",
  "name",
  "tool_calls",
  "tool_call_id",
  "function_call",
  "refusal",
  "reasoning",
  "reasoning_content",
]);

function isOfType(value: unknown, type: FieldType): boolean {
  if (type === "array") return Array.isArray(value);
  return typeof value === type && !Array.isArray(value);
}

/** Returns the parameters of a row: in an OpenAI Batch row, `body` without the messages; in a
 * raw request body, all fields but messages and ids; otherwise `params` and `tools`. Members of
 * `extra_body` count as parameters. */
export function rowParams(shape: Shape, row: ParsedJson): Params | undefined | RowProblem {
  if (shape === "message-array") return undefined;
  const object = row as RowObject;
  if (shape === "openai-batch") {
    const { messages: _messages, ...rest } = object.body as Record<string, unknown>;
    return checkedParams(rest, "body");
  }
  const direct = shape === "messages" && requestParams(object);
  if (direct !== false) return direct === undefined ? undefined : checkedParams(direct, "");
  const params = object.params ?? undefined;
  const tools = object.tools ?? undefined;
  if (params === undefined && tools === undefined) return undefined;
  if (params !== undefined && !isObject(params)) return mustBe("params", "an object", params);
  return checkedParams(tools === undefined ? { ...params } : { ...params, tools }, "params");
}

/** @param holder The field with the parameters; "" for the row itself. */
function checkedParams(
  fields: Record<string, unknown>,
  holder: string,
): Params | undefined | RowProblem {
  const { extra_body: extra, ...direct } = fields;
  const prefix = holder === "" ? "" : `${holder}.`;
  if (extra !== undefined && extra !== null && !isObject(extra)) {
    return mustBe(`${prefix}extra_body`, "an object", extra);
  }
  // As in OpenAI's own client, `extra_body` overrides the rest.
  const { stream: _stream, stream_options: _options, ...params } = { ...direct, ...extra };
  const secret = secretParam(params);
  if (secret !== undefined) {
    return new RowProblem(`"${prefix}${secret}" must not be in a row: it holds a credential`);
  }
  if (Object.hasOwn(params, "messages")) {
    const field = holder === "" ? "extra_body" : holder;
    return new RowProblem(`"${field}" must not hold "messages": they belong in the row itself`);
  }
  // A string counts, too: vLLM reads "4" as 4.
  if ((typeof params.n === "number" || typeof params.n === "string") && Number(params.n) > 1) {
    return new RowProblem(
      `"${prefix}n" must be 1 (use --samples for several answers): ${currentValue(params.n)}`,
    );
  }
  const withTools = isSet(params.tools) ? withParsedTools(params, holder) : params;
  if (withTools instanceof RowProblem) return withTools;
  const result = withoutNulls(withTools);
  return Object.keys(result).length === 0 ? undefined : result;
}

/** Files made from tables have every column in every row: null stands for an unset parameter. */
function withoutNulls(params: Record<string, unknown>): Record<string, unknown> {
  if (!Object.values(params).includes(null)) return params;
  return Object.fromEntries(Object.entries(params).filter(([, value]) => value !== null));
}

function withParsedTools(params: Record<string, unknown>, holder: string): Params | RowProblem {
  const tools = toolsOf(params.tools, holder === "body" ? "body.tools" : "tools");
  if (tools instanceof RowProblem) return tools;
  if (tools !== undefined) return { ...params, tools: toolsWithoutNulls(tools) };
  const { tools: _none, ...rest } = params;
  return rest;
}
