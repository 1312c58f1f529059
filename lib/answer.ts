/**
 * Answers: how they end, how they become assistant messages of training data, and how their uids
 * relate to rows and samples.
 *
 * @module
 */

import { asText, isCutObject, isObject, parsedJson } from "./json.ts";
import { tokenLimitOf } from "./params.ts";
import type { Completion, Message, Params, Usage } from "./teacher/mod.ts";

/**
 * How an answer ended.
 *
 * - `whole`: the teacher finished the answer
 * - `limit`: the answer reached the token limit
 * - `context`: the answer filled the context window, so a higher token limit does not help
 * - `filter`: a filter withheld or truncated the answer
 * - `broken`: generation failed, was canceled or was interrupted
 * - `unknown`: the finish reason is unknown
 * - `none`: the finish reason is null or empty
 */
export type Ending = "whole" | "limit" | "context" | "filter" | "broken" | "unknown" | "none";

/** The word that stands for a null or empty finish reason in `acceptEndings`. */
export const NO_REASON = "none";

/**
 * Finish reasons by ending. Most servers use OpenAI's finish reasons. Gateways pass on those of
 * Anthropic, Gemini, Cohere, Mistral, Bedrock, watsonx, TGI, SGLang, vLLM, Ollama, LM Studio,
 * Zhipu, DeepSeek, Baidu, AI21 and OpenAI's Responses API.
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
  // Finish reasons that `FILTER_WORDS` matches are not listed.
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
 * Matches parts of the normalized finish reasons and error codes of content filters, such as
 * Gemini's `content_filter: RECITATION` and `IMAGE_SAFETY`, Bedrock's `guardrail_intervened` and
 * DashScope's `DataInspectionFailed`.
 */
const FILTER_WORDS =
  /content(?:filter|policy|blocked|violation)|policyviolation|moderation|sensitive|safety|recitation|blocklist|prohibitedcontent|spii|modelarmor|guardrail|toxic|inspectionfailed|flagged/;

export function isFilterWord(word: string): boolean {
  return FILTER_WORDS.test(normalized(word));
}

export class Endings {
  readonly #acceptedReasons: ReadonlySet<string>;

  /** @param acceptedReasons Additional finish reasons that mark an answer as complete. `none`
   * accepts answers without a finish reason. */
  constructor(acceptedReasons: readonly string[] = []) {
    this.#acceptedReasons = new Set(acceptedReasons.map(normalized));
  }

  endingFor(completion: Completion, params: Params): Ending {
    const ending = this.#acceptedEnding(completion.finishReason);
    const mayBeTruncated = ending === "whole" || ending === "unknown" || ending === "none";
    if (mayBeTruncated && hasReachedLimit(completion, params)) return "limit";
    return ending === "whole" && hasCutCall(completion) ? "limit" : ending;
  }

  /** Returns the ending that a finish reason means, or `whole` if the user accepts the reason. */
  #acceptedEnding(finishReason: string | null | undefined): Ending {
    // A custom teacher may omit the finish reason of a complete answer.
    if (finishReason === "stop" || finishReason === undefined) return "whole";
    const ending = endingOfReason(finishReason);
    // `acceptEndings` cannot turn a truncated or filtered answer into a complete one.
    const isAcceptable = ending === "unknown" || ending === "none" || ending === "broken";
    if (!isAcceptable || this.#acceptedReasons.size === 0) return ending;
    const key = ending === "none" ? NO_REASON : normalized(finishReason!);
    return this.#acceptedReasons.has(key) ? "whole" : ending;
  }
}

export function endingOfReason(finishReason: string | null): Ending {
  if (finishReason === "stop") return "whole";
  if (typeof finishReason !== "string") return "none";
  const key = normalized(finishReason);
  if (key === "") return "none";
  return ENDINGS.get(key) ?? (FILTER_WORDS.test(key) ? "filter" : "unknown");
}

/** @throws {RangeError} if a word is empty, or marks a truncated or filtered answer */
export function checkEndings(words: readonly string[]): void {
  for (const word of words) {
    const shown = JSON.stringify(word);
    if (normalized(word) === "") {
      throw new RangeError(
        `Cannot accept the ending ${shown} (--accept-ending): it must be a finish reason or "none"`,
      );
    }
    const ending = endingOfReason(word);
    if (ending === "limit" || ending === "context" || ending === "filter") {
      const flaw = ending === "filter" ? "filtered" : "truncated";
      throw new RangeError(
        `Cannot accept the ending ${shown} (--accept-ending): it marks a ${flaw} answer; ` +
          "--on-truncated keep keeps truncated and filtered answers",
      );
    }
  }
}

/** Whether the teacher reported token counts. Two counts of 0 mean that it did not. */
export function isCounted(usage: Usage | null | undefined): usage is Usage {
  return usage !== null && usage !== undefined && usage.promptTokens + usage.completionTokens > 0;
}

/** Whether the answer has exactly as many tokens as the limit. If so, it is truncated, even if the
 * finish reason says that it is complete. With more tokens, the teacher has ignored the limit. */
function hasReachedLimit({ usage }: Completion, params: Params): boolean {
  const tokens = usage?.completionTokens ?? 0;
  return tokens > 0 && tokenLimitOf(params)?.tokens === tokens;
}

/** Whether the arguments of a tool call break off, even if only the last brace is missing. vLLM
 * streams the finish reason `tool_calls` even for calls that an abort or a token limit has cut off.
 * The limit may be the server's own, and far below the limit of the request. */
export function hasCutCall({ toolCalls }: Pick<Completion, "toolCalls">): boolean {
  return toolCalls?.some((call) => {
    const callee = isObject(call) && isObject(call.function) ? call.function : {};
    return isCutObject(asText(callee.arguments));
  }) ?? false;
}

/** Converts `MAX_TOKENS`, `max-tokens` and `FinishReason.MAX_TOKENS` to the same form. */
function normalized(word: string): string {
  return word.toLowerCase().replace(/^\s*finish_?reason[._]/, "").replace(/[^\p{L}\p{N}]/gu, "");
}

/** Where reasoning is written: before the answer in `<think>` tags (`wrap`), to `reasoning_content`
 * (`field`), or nowhere (`drop`). */
export type ThinkStyle = "wrap" | "field" | "drop";

export function wrapThink(response: string, reasoning: string): string {
  return reasoning === "" ? response : `<think>\n${reasoning}\n</think>\n\n${response}`;
}

/** Builds the assistant message of a training example. Chat templates read `reasoning_content`.
 * They print a null `content` as text, so `content` is a string even if there are tool calls. */
export function assistantMessage(
  response: string,
  reasoning: string,
  toolCalls: readonly unknown[] | undefined,
  style: ThinkStyle,
): Message {
  const content = style === "wrap" ? wrapThink(response, reasoning) : response;
  const message: Message = { role: "assistant", content };
  if (style === "field" && reasoning !== "") message.reasoning_content = reasoning;
  if (toolCalls !== undefined && toolCalls.length > 0) message.tool_calls = toolCalls;
  return message;
}

export interface UidOrigin {
  /** The row's id in the input, which several rows may share. */
  readonly inputUid: string;
  /** The row's id in the run. This is `inputUid`, followed by `~2`, `~3` … for later rows with the
   * same id. */
  readonly rowUid: string;
  readonly sample: number;
}

/** Matches the suffixes that a run appends to an id: `~2` for a later row with the same id, then
 * `#1` for a further sample. */
const SUFFIX = /^(~[1-9]\d*)?(?:#([1-9]\d{0,2}))?$/;
/** Matches the id of a row that has no id of its own: 32 hex digits of its hash. */
const DERIVED = /^([\da-f]{32})(?:[~#]|$)/;

/**
 * Splits the id of a line into the row's own id and the suffix that the run appended. A user's own
 * id may also end like `x#1`, so the id alone is not enough. If the run changed an id, the line
 * also contains the original.
 *
 * @param line A line of results or failures, with a `uid`.
 * @param uidFields The fields that `--uid-field` names. @default none
 */
export function originOf(
  line: Readonly<Record<string, unknown>>,
  uidFields: readonly string[] = [],
): UidOrigin {
  const uid = String(line.uid);
  if (!/[~#]\d+$/.test(uid)) return { inputUid: uid, rowUid: uid, sample: 0 };
  const distill = isObject(line.distill) ? line.distill : {};
  // The first versions did not write `distill.replaced`, so only the id can decide.
  if (distill.replaced === undefined) {
    return originIn(uid, uid.replace(/(?:~\d+)?(?:#\d{1,3})?$/, ""));
  }
  const replaced = replacedFields(distill.replaced);
  const candidates = [
    // `line.uid` is not a candidate, because it is the id that the run created.
    ...uidFields.map((field) => replaced[field] ?? (field === "uid" ? undefined : line[field])),
    replaced.uid,
    line.custom_id,
    line.id,
    DERIVED.exec(uid)?.[1],
  ];
  for (const candidate of candidates) {
    const inputUid = inputUidIn(uid, candidate);
    if (inputUid !== undefined) return originIn(uid, inputUid);
  }
  return originIn(uid, uid);
}

function originIn(uid: string, inputUid: string): UidOrigin {
  const [, suffix = "", sample = "0"] = SUFFIX.exec(uid.slice(inputUid.length)) ?? [];
  return { inputUid, rowUid: inputUid + suffix, sample: Number(sample) };
}

/** Returns the id in a row's field as it is written in `uid`; undefined if `uid` does not come from
 * this id. */
function inputUidIn(uid: string, candidate: unknown): string | undefined {
  // JavaScript changes numbers such as `1.0` and integers of 19 digits.
  const isNumber = typeof candidate === "number";
  const inputUid = isNumber ? uid.split(/[~#]/, 1)[0] : candidate;
  if (typeof inputUid !== "string" || inputUid === "") return undefined;
  const isSame = isNumber ? Number(inputUid) === candidate : uid.startsWith(inputUid);
  return isSame && SUFFIX.test(uid.slice(inputUid.length)) ? inputUid : undefined;
}

/** Returns the row's own fields that Retort replaced. Some earlier versions wrote an object instead
 * of JSON text. */
function replacedFields(replaced: unknown): Readonly<Record<string, unknown>> {
  const fields = typeof replaced === "string" ? parsedJson(replaced) : replaced;
  return isObject(fields) ? fields : {};
}

/** Returns the id of a sample: the row's own id for the first sample (0), then `<uid>#1`,
 * `<uid>#2`, … */
export function sampleUid(uid: string, sample: number): string {
  return sample === 0 ? uid : `${uid}#${sample}`;
}

/**
 * Splits an id such as `<uid>#1`. Returns undefined for other ids. A user's own id may also have
 * this form, so use `originOf` if the whole line is known.
 */
export function parseSampleUid(uid: string): { uid: string; sample: number } | undefined {
  const [, rowUid, sample] = /^(.+)#([1-9]\d{0,2})$/s.exec(uid) ?? [];
  return rowUid === undefined ? undefined : { uid: rowUid, sample: Number(sample) };
}
