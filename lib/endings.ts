/**
 * Decides how an answer ended (complete, at a limit, filtered) from the finish reasons of known
 * servers, its length and what the user accepts; reads and raises token limits.
 *
 * @module
 */

import type { Completion, Params } from "./teacher/mod.ts";

/**
 * How an answer ended.
 *
 * - `whole`: the teacher finished it
 * - `limit`: at the token limit
 * - `context`: at the end of the model's context, where a higher token limit does not help
 * - `filter`: a filter withheld or truncated it
 * - `broken`: the teacher broke it off
 * - `unknown`: the finish reason is unknown
 * - `none`: there is no finish reason
 */
export type Ending = "whole" | "limit" | "context" | "filter" | "broken" | "unknown" | "none";

/** The word for answers without a finish reason, in `acceptEndings`. */
export const NO_REASON = "none";

/**
 * Finish reasons by meaning. Most servers use OpenAI's. The others are those of Anthropic, Gemini,
 * Cohere, Mistral, Bedrock, watsonx, TGI, SGLang, vLLM, Ollama, LM Studio, Zhipu, DeepSeek, Baidu,
 * AI21 and OpenAI's Responses API, which gateways pass on.
 */
const FINISH_REASONS: Readonly<Record<Exclude<Ending, "unknown" | "none">, string>> = {
  whole: `stop stopped tool_calls tool_call tool_use function_call function_calls end_turn end
    stop_sequence stop_sequence_reached stop_string_found stop_token stop_token_reached eos eos_token
    eos_found end_of_text endoftext end_of_sequence complete completed completion finish finished done
    normal success`,
  limit:
    `length max_tokens max_token max_length max_new_tokens max_completion_tokens max_output_tokens
    maximum_tokens length_limit token_limit token_limit_reached max_tokens_reached max_predicted_tokens_reached
    limit`,
  context: `model_length model_context_window_exceeded context_length context_length_reached
    context_length_exceeded context_window_exceeded context error_limit`,
  // Words that `FILTER_WORDS` matches are not listed.
  filter: `refusal language blocked`,
  broken: `abort aborted error errored failed failure timeout timed_out time_limit cancel canceled
    cancelled cancellation user_cancel user_cancelled user_stopped interrupted incomplete not_finished
    unfinished repetition network_error insufficient_system_resource engine_overloaded overloaded other
    image_other no_image malformed_function_call malformed_tool_use malformed_model_output
    malformed_response unexpected_tool_call too_many_tool_calls missing_thought_signature pause_turn load
    unload model_unloaded preempted evicted disconnect disconnected server_error
    internal_error model_error exception`,
};

const ENDINGS: ReadonlyMap<string, Ending> = new Map(
  Object.entries(FINISH_REASONS).flatMap(([ending, words]) =>
    words.split(/\s+/).map((word) => [normalized(word), ending as Ending] as const)
  ),
);

/**
 * Parts of normalized finish reasons and error codes of filters: `content_filter: RECITATION` and
 * `IMAGE_SAFETY` of Gemini, `guardrail_intervened` of Bedrock, `DataInspectionFailed` of DashScope.
 */
const FILTER_WORDS =
  /content(?:filter|policy|blocked|violation)|policyviolation|moderation|sensitive|safety|recitation|blocklist|prohibitedcontent|spii|modelarmor|guardrail|toxic|inspectionfailed|flagged/;

/** Whether a finish reason or an error code is that of a filter. */
export function isFilterWord(word: string): boolean {
  return FILTER_WORDS.test(normalized(word));
}

/** Tells how answers ended, given the finish reasons that the user accepts. */
export class Endings {
  readonly #accepted: ReadonlySet<string>;

  /** @param accepted Additional finish reasons of complete answers; `none` stands for a missing
   * reason. */
  constructor(accepted: readonly string[] = []) {
    this.#accepted = new Set(accepted.map(normalized));
  }

  /** How an answer to a request with `params` ended. */
  of(completion: Completion, params: Params): Ending {
    const ending = this.#ofReason(completion.finishReason);
    const mayBeTruncated = ending === "whole" || ending === "unknown" || ending === "none";
    return mayBeTruncated && hasReachedLimit(completion, params) ? "limit" : ending;
  }

  #ofReason(finishReason: string | null | undefined): Ending {
    // A custom teacher without types that never names a reason is trusted.
    if (finishReason === "stop" || finishReason === undefined) return "whole";
    const ending = endingOf(finishReason);
    // The user cannot accept answers that a filter or a token limit truncated.
    const isAcceptable = ending === "unknown" || ending === "none" || ending === "broken";
    if (!isAcceptable || this.#accepted.size === 0) return ending;
    const key = ending === "none" ? NO_REASON : normalized(finishReason!);
    return this.#accepted.has(key) ? "whole" : ending;
  }
}

/** How an answer ended, by its finish reason alone. */
export function endingOf(finishReason: string | null): Ending {
  if (finishReason === "stop") return "whole";
  if (typeof finishReason !== "string") return "none";
  const key = normalized(finishReason);
  if (key === "") return "none";
  return ENDINGS.get(key) ?? (FILTER_WORDS.test(key) ? "filter" : "unknown");
}

/**
 * Checks the finish reasons of `acceptEndings`.
 *
 * @throws {TypeError} if they are not a list
 * @throws {RangeError} if one is not a finish reason, or marks a truncated or filtered answer
 */
export function checkEndings(words: readonly string[]): void {
  if (!Array.isArray(words)) {
    throw new TypeError(
      `Cannot use acceptEndings ${JSON.stringify(words)}: it must be a list of finish reasons`,
    );
  }
  for (const word of words) {
    const shown = JSON.stringify(word);
    if (typeof word !== "string" || normalized(word) === "") {
      throw new RangeError(
        `Cannot accept the ending ${shown} (--accept-ending): it must be a finish reason, or none`,
      );
    }
    const ending = endingOf(word);
    if (ending === "limit" || ending === "context" || ending === "filter") {
      const flaw = ending === "filter" ? "filtered" : "truncated";
      throw new RangeError(
        `Cannot accept the ending ${shown} (--accept-ending): it marks a ${flaw} answer; ` +
          "--on-truncated keep keeps those",
      );
    }
  }
}

/** Whether an answer has as many tokens as its limit allows, and so was truncated, whatever its
 * finish reason. */
function hasReachedLimit({ usage }: Completion, params: Params): boolean {
  const tokens = usage?.completionTokens ?? 0;
  return tokens > 0 && tokenLimitOf(params)?.tokens === tokens;
}

/** Normalizes a finish reason or an error code for comparison: `MAX_TOKENS`, `max-tokens` and
 * `FinishReason.MAX_TOKENS` become equal. */
function normalized(word: string): string {
  return word.toLowerCase().replace(/^\s*finish_?reason[._]/, "").replace(/[^\p{L}\p{N}]/gu, "");
}

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

/** The lowest limit that the parameters set; undefined if they set none. */
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
 * Parameters for an answer of up to twice the length. Doubles each limit among them, up to `cap`.
 * If they set none, the teacher's own limit truncated the answer: if there is a cap, `max_tokens`
 * is then set to twice the length of that answer, up to `cap`.
 *
 * @param params The parameters of the truncated attempt; not changed.
 * @param cap The highest limit, in tokens; undefined for none.
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

/** Parameters whose token limit is at least `tokens`: raises lower limits, and sets `max_tokens` if
 * there is none. Returns `params` itself if nothing changes. */
export function withTokenLimit(params: Params, tokens: number): Params {
  const changed: Record<string, unknown> = {};
  for (const name of LIMIT_NAMES) {
    const limit = tokensOf(params, name);
    if (limit !== undefined && limit < tokens) changed[name] = tokens;
  }
  if (tokenLimitOf(params) === undefined) changed.max_tokens = tokens;
  return Object.keys(changed).length === 0 ? params : { ...params, ...changed };
}

/** A limit given as a number, as `JSON.rawJSON` or as text, which vLLM accepts too; undefined if it
 * is not a valid limit. */
function tokensOf(params: Params, name: string): number | undefined {
  const value = Object.hasOwn(params, name) ? params[name] : undefined;
  const raw = (value as { readonly rawJSON?: unknown } | null | undefined)?.rawJSON;
  const tokens = typeof raw === "string" || typeof value === "string"
    ? Number(raw ?? value)
    : value;
  return typeof tokens === "number" && tokens > 0 && Number.isFinite(tokens) ? tokens : undefined;
}
