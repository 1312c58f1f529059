/**
 * Decides whether what a teacher returns is an answer worth training on, and what follows if not.
 *
 * @module
 */

import type { AnswerCost, Check, Verdict } from "../../checks/mod.ts";
import { type Ending, endingOf, Endings } from "../../answer.ts";
import { escalated, resampled, tokenLimitOf, withTokenLimit } from "../../params.ts";
import { type FailureType, TeacherError } from "../../errors.ts";
import { asAmount, asCount, isObject } from "../../json.ts";
import type { Failure, NextAttempt, Row } from "../../row.ts";
import type { Completion, Params, Usage } from "../../teacher/mod.ts";

/**
 * What follows if a token limit, the end of the model's context or a filter truncated an answer.
 *
 * - `error`: the row fails
 * - `keep`: the answer is kept, unless it is only reasoning
 * - `escalate`: at the token limit, the row is sent again with twice the limit; otherwise it fails
 */
export type OnTruncated = "error" | "keep" | "escalate";

export interface Rejection {
  readonly failure: Failure;
  /** What follows for the row: it has failed, or is sent again for another answer (`resample`), a
   * longer one (`escalate`), or because the run ended before its answer was checked (`repeat`). */
  readonly follow: "fail" | "resample" | "escalate" | "repeat";
  /** The parameters of the next attempt; undefined if the row has failed. */
  readonly params: Params | undefined;
  readonly halt?: string;
}

export interface AnswerPolicyOptions {
  readonly onTruncated: OnTruncated;
  /** The highest limit that `escalate` sets. @default 8 times the row's first limit */
  readonly maxTokensCap?: number;
  /** How often a row is sent again after an empty or rejected answer or a refusal. @default 0 */
  readonly resample?: number;
  /** Additional finish reasons of complete answers; `none` stands for a missing one. @default [] */
  readonly acceptEndings?: readonly string[];
  /** Returns whether an answer is a refusal, which is rejected. @default none is detected */
  readonly isRefusal?: (response: string) => boolean;
  /** Run in this order; an answer is accepted if all accept it. */
  readonly checks: readonly Check[];
  /** The parameters of the run. Merged with those of a row, they hold its first token limit. */
  readonly params: Params;
}

export interface AnsweredRow extends AnswerCost {
  readonly row: Row;
  /** The parameters of the attempt. */
  readonly params: Params;
  /** How many further answers were requested for the row because one was not accepted. */
  readonly resamples: number;
}

/** Rejects an answer for the first of these reasons that applies: it is truncated or filtered, is
 * empty, is a refusal, or fails a check. A tool call counts as an answer. Truncated answers that
 * are kept (`keep`) must pass the checks too. */
export class AnswerPolicy {
  readonly #options: AnswerPolicyOptions;
  readonly #endings: Endings;

  constructor(options: AnswerPolicyOptions) {
    this.#options = options;
    this.#endings = new Endings(options.acceptEndings);
  }

  ending(completion: Completion, params: Params): Ending {
    return this.#endings.of(completion, params);
  }

  /** Why an answer is rejected; undefined if it is accepted. Returns a promise only if a check
   * takes time. */
  decide(
    completion: Completion,
    answered: AnsweredRow,
    ending: Ending = this.ending(completion, answered.params),
  ): Rejection | undefined | Promise<Rejection | undefined> {
    const hasAnswer = hasContent(completion);
    if (ending === "limit" || ending === "context" || ending === "filter") {
      const rejection = this.#rejectTruncated(ending, hasAnswer, completion, answered);
      if (rejection !== undefined) return rejection;
    }
    if (!hasAnswer) {
      const message = hasReasoning(completion) ? `${EMPTY}, only reasoning` : EMPTY;
      return this.#reject("empty", message, answered);
    }
    const { checks, isRefusal } = this.#options;
    if (isRefusal && (completion.isRefusal || isRefusal(completion.response ?? ""))) {
      return this.#reject("refused", "The model refused to answer", answered);
    }
    for (let index = 0; index < checks.length; index++) {
      const verdict = checks[index](completion, answered.row, answered);
      if (verdict === undefined) continue;
      if (!(verdict instanceof Promise)) return this.#rejection(verdict, answered);
      return this.#decideLater(verdict, checks.slice(index + 1), completion, answered);
    }
    return undefined;
  }

  /** The parameters for a row that an earlier run left pending, from those of its first attempt.
   * A raised token limit is kept only if this run escalates too, and up to this run's cap. */
  resumedParams(row: Row, params: Params, { resample, maxTokens }: NextAttempt): Params {
    const seeded = resampled(params, resample);
    if (this.#options.onTruncated !== "escalate" || maxTokens === undefined) return seeded;
    return withTokenLimit(seeded, Math.min(maxTokens, this.#capOf(row) ?? Infinity));
  }

  async #decideLater(
    firstVerdict: Promise<Verdict>,
    others: readonly Check[],
    completion: Completion,
    answered: AnsweredRow,
  ): Promise<Rejection | undefined> {
    let verdict = await firstVerdict;
    for (const check of others) verdict ??= await check(completion, answered.row, answered);
    return this.#rejection(verdict, answered);
  }

  #rejection(verdict: Verdict, answered: AnsweredRow): Rejection | undefined {
    if (verdict === undefined) return undefined;
    if (typeof verdict === "string") return this.#reject("rejected", verdict, answered);
    const { unchecked, isFinal, halt } = verdict;
    const failure = failureOf("rejected", unchecked);
    // Another answer may be as hard to check, so none is paid for.
    if (isFinal) return { ...failed(failure), halt };
    return { failure, follow: "repeat", params: answered.params, halt };
  }

  /** Rejects an answer for a reason that another answer may not have. */
  #reject(type: FailureType, message: string, { params, resamples }: AnsweredRow): Rejection {
    const failure = failureOf(type, message);
    if (resamples >= (this.#options.resample ?? 0)) return failed(failure);
    return { failure, follow: "resample", params: resampled(params) };
  }

  /** Rejects a truncated or filtered answer; undefined if it is kept. */
  #rejectTruncated(
    ending: TruncatedEnding,
    hasAnswer: boolean,
    completion: Completion,
    { row, params }: AnsweredRow,
  ): Rejection | undefined {
    const { onTruncated } = this.#options;
    const isOnlyReasoning = !hasAnswer && hasReasoning(completion);
    // An answer that had not begun cannot be kept.
    if (onTruncated === "keep" && (ending === "filter" || !isOnlyReasoning)) return undefined;
    if (ending === "filter") {
      return failed(failureOf("filtered", "The answer was stopped by a content filter"));
    }
    const isContext = ending === "context", cap = this.#capOf(row);
    const limit = isContext ? "the model's context" : describeLimit(params, completion);
    const advice = isContext ? "" : `: ${adviceFor(onTruncated, cap)}`;
    const failure = failureOf(
      "truncated",
      isOnlyReasoning
        ? `The reasoning used up ${limit} before the answer began${advice}`
        : isContext
        ? `The answer stopped at the end of ${limit}`
        : endingOf(completion.finishReason) === "limit"
        ? `The answer stopped at ${limit}${onTruncated === "escalate" && !cap ? advice : ""}`
        : `The answer has as many tokens as ${limit} allows, whatever its finish reason says`,
    );
    if (isContext || onTruncated !== "escalate") return failed(failure);
    const longer = escalated(params, cap, completion.usage?.completionTokens);
    if (longer === undefined) return failed(failure);
    return { failure, follow: "escalate", params: longer };
  }

  /** The highest token limit of a row; undefined if it has no limit and there is no cap. */
  #capOf(row: Row): number | undefined {
    const firstLimit = tokenLimitOf({ ...this.#options.params, ...row.params });
    return this.#options.maxTokensCap ??
      (firstLimit === undefined ? undefined : DEFAULT_CAP_FACTOR * firstLimit.tokens);
  }
}

const DEFAULT_CAP_FACTOR = 8;
const EMPTY = "The answer holds neither text nor a tool call";

type TruncatedEnding = "limit" | "context" | "filter";

/** The error of an answer that the teacher did not finish, did not mark as complete, or did not
 * begin: its row is sent again. Undefined for other answers. */
export function unfinished(completion: Completion, ending: Ending): TeacherError | undefined {
  if (ending === "whole" && isEmptyAndUncounted(completion)) {
    return new TeacherError(`${EMPTY}, and the teacher counted no tokens for it`, {
      type: "empty",
      partial: completion,
    });
  }
  if (ending !== "broken" && ending !== "unknown" && ending !== "none") return undefined;
  return new TeacherError(describeUnfinished(ending, completion), {
    type: "unfinished",
    code: ending === "broken" ? "broken_off" : "unproven_ending",
    partial: completion,
  });
}

function describeUnfinished(ending: Ending, { finishReason, doubt }: Completion): string {
  if (ending === "none") {
    const what = "The answer ended without a finish reason";
    return doubt === undefined ? what : `${what}: ${doubt}`;
  }
  const word = JSON.stringify(finishReason);
  return ending === "broken"
    ? `The teacher broke the answer off (finish reason ${word})`
    : `The answer ended with an unknown finish reason (${word})`;
}

function hasContent({ response, toolCalls }: Completion): boolean {
  // Stops at the first visible character; trim() would search from both ends and may copy the rest.
  return /\S/.test(response ?? "") || (toolCalls?.length ?? 0) > 0;
}

/** Gateways send an empty answer without tokens if their upstream has failed (Ollama's cloud,
 * LiteLLM). Gemini sends one sometimes. */
function isEmptyAndUncounted(completion: Completion): boolean {
  const { usage } = completion;
  return (usage === null || usage?.completionTokens === 0) && !hasContent(completion) &&
    !hasReasoning(completion);
}

/** Reasoning may be present without its text: some teachers report only its token count. */
function hasReasoning({ reasoning, usage }: Completion): boolean {
  return /\S/.test(reasoning ?? "") || (usage?.reasoningTokens ?? 0) > 0;
}

function describeLimit(params: Params, { usage }: Completion): string {
  const limit = tokenLimitOf(params);
  if (limit !== undefined) return `the token limit (${limit.name} ${limit.tokens})`;
  const tokens = usage?.completionTokens ?? 0;
  return tokens > 0 ? `the teacher's own token limit (after ${tokens} tokens)` : "the token limit";
}

/** Without a cap, `escalate` would change nothing. */
function adviceFor(onTruncated: OnTruncated, cap: number | undefined): string {
  const flag = "--max-tokens-cap (maxTokensCap)";
  if (onTruncated === "escalate") return cap === undefined ? `add ${flag}` : `raise ${flag}`;
  return cap === undefined
    ? "set a higher max_tokens (--max-tokens)"
    : "raise max_tokens, or add --on-truncated escalate (onTruncated)";
}

function failed(failure: Failure): Rejection {
  return { failure, follow: "fail", params: undefined };
}

function failureOf(type: FailureType, message: string): Failure {
  return { type, message, status: null };
}

/** The value as a completion, which may lack the text. Undefined if the value is not one: a custom
 * teacher without types may return anything. */
export function asCompletion(value: unknown): Completion | undefined {
  if (!isObject(value)) return undefined;
  const { response } = value;
  const isText = response === undefined || response === null || typeof response === "string";
  return isText ? withSoundUsage(value as unknown as Completion) : undefined;
}

/** Corrects counts that cannot be summed: one NaN would make the tokens of the whole run NaN, and a
 * negative count would raise its budget. Usage without the tokens of the answer becomes null, other
 * missing counts 0. */
function withSoundUsage(completion: Completion): Completion {
  const { usage } = completion;
  if (!usage || isSound(usage)) return completion;
  const promptTokens = asCount(usage.promptTokens);
  const completionTokens = asCount(usage.completionTokens);
  // An answer of 0 tokens would be free, and no limit to the cost would ever be reached.
  if (completionTokens === undefined) return { ...completion, usage: null };
  return {
    ...completion,
    usage: {
      promptTokens: promptTokens ?? 0,
      completionTokens,
      reasoningTokens: asCount(usage.reasoningTokens),
      cachedTokens: asCount(usage.cachedTokens),
      cacheWriteTokens: asCount(usage.cacheWriteTokens),
      costUsd: asAmount(usage.costUsd),
    },
  };
}

/** On the hot path: most usage is sound, and not copied. Only the first two counts are required. */
function isSound(usage: Usage): boolean {
  const { promptTokens = -1, completionTokens = -1, costUsd } = usage;
  const { reasoningTokens = 0, cachedTokens = 0, cacheWriteTokens = 0 } = usage;
  return asCount(promptTokens) === promptTokens && asCount(completionTokens) === completionTokens &&
    asCount(reasoningTokens) === reasoningTokens && asCount(cachedTokens) === cachedTokens &&
    asCount(cacheWriteTokens) === cacheWriteTokens && asAmount(costUsd) === costUsd;
}
