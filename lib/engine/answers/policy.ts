/**
 * Decides whether an answer is good enough to train on and, if not, what happens to its row.
 *
 * @module
 */

import type { AnswerCost, Check, Verdict } from "../../checks/mod.ts";
import { type Ending, endingOfReason, Endings, hasCutCall } from "../../answer.ts";
import { escalated, resampled, tokenLimitOf, withTokenLimit } from "../../params.ts";
import type { FailureType } from "../../errors.ts";
import type { Failure, NextAttempt, RejectedAnswer, Row } from "../../row.ts";
import type { Completion, Params } from "../../teacher/mod.ts";
import { EMPTY_ANSWER, hasContent, hasReasoning } from "./completion_check.ts";

/**
 * What to do with an answer that the token limit, the context window or a content filter truncated.
 *
 * - `error`: the row fails
 * - `keep`: the answer is kept, unless it is empty or only reasoning
 * - `escalate`: after a truncation by the token limit, the row is sent again with twice the limit,
 *   up to `maxTokensCap`; otherwise the row fails
 */
export type OnTruncated = "error" | "keep" | "escalate";

export interface Rejection {
  readonly failure: Failure;
  /**
   * - `fail`: the row has failed
   * - `resample`: request another answer
   * - `escalate`: request an answer with a higher token limit
   * - `repeat`: the answer was not checked; the row stays pending for the next run
   */
  readonly action: "fail" | "resample" | "escalate" | "repeat";
  /** The parameters of the next attempt; undefined if the row has failed. */
  readonly params: Params | undefined;
  /** Why the run is halted; undefined if it continues. */
  readonly halt?: string;
}

export interface AnswerPolicyOptions {
  readonly onTruncated: OnTruncated;
  /** The highest token limit that `escalate` sets. @default 8 times the row's first limit */
  readonly maxTokensCap?: number;
  /** How many more answers may be requested for a row whose answers were empty, rejected or
   * refusals.
   * @default 0 */
  readonly resample?: number;
  /** Additional finish reasons that count as complete. `none` stands for a null or empty finish
   * reason.
   * @default [] */
  readonly acceptEndings?: readonly string[];
  /** Returns whether an answer is a refusal and therefore rejected.
   * @default refusals are not detected */
  readonly isRefusal?: (response: string) => boolean;
  /** The checks, in the order in which they run. An answer is accepted only if every check accepts
   * it. */
  readonly checks: readonly Check[];
  /** The parameters of the run. A row's own parameters override them. The row's first token limit
   * is taken from the merged parameters. */
  readonly params: Params;
}

export interface AnsweredAttempt extends AnswerCost {
  readonly row: Row;
  readonly params: Params;
  readonly resamples: number;
  /** The latest answer to the row, before this one, that was not accepted. */
  readonly rejected?: RejectedAnswer;
}

/** Rejects an answer for the first of these reasons that applies: the answer is truncated or
 * filtered, is empty, is a refusal, or fails a check. An answer with a tool call is not empty.
 * Truncated answers that `keep` accepts must still pass the checks. */
export class AnswerPolicy {
  readonly #options: AnswerPolicyOptions;
  readonly #endings: Endings;

  constructor(options: AnswerPolicyOptions) {
    this.#options = options;
    this.#endings = new Endings(options.acceptEndings);
  }

  ending(completion: Completion, params: Params): Ending {
    return this.#endings.endingFor(completion, params);
  }

  /** Returns why an answer is rejected, or undefined if it is accepted. Returns a promise only if a
   * check is asynchronous. */
  decide(
    completion: Completion,
    attempt: AnsweredAttempt,
    ending: Ending = this.ending(completion, attempt.params),
  ): Rejection | undefined | Promise<Rejection | undefined> {
    const hasAnswer = hasContent(completion);
    if (ending === "limit" || ending === "context" || ending === "filter") {
      const rejection = this.#rejectTruncated(ending, hasAnswer, completion, attempt);
      if (rejection !== undefined) return rejection;
    }
    if (!hasAnswer) {
      const message = hasReasoning(completion) ? ONLY_REASONING : EMPTY_ANSWER;
      return this.#reject("empty", message, attempt);
    }
    const { checks, isRefusal } = this.#options;
    if (isRefusal && (completion.isRefusal || isRefusal(completion.response ?? ""))) {
      return this.#reject("refused", "The model refused to answer", attempt);
    }
    for (let index = 0; index < checks.length; index++) {
      const verdict = checks[index](completion, attempt.row, attempt);
      if (verdict === undefined) continue;
      if (!(verdict instanceof Promise)) return this.#rejection(verdict, attempt);
      return this.#decideLater(verdict, checks.slice(index + 1), completion, attempt);
    }
    return undefined;
  }

  /** Returns the parameters of the next attempt at a row that an earlier run left pending. A token
   * limit that the earlier run raised applies only if this run escalates too, and at most up to
   * this run's cap.
   *
   * @param params The parameters of a first attempt in this run. */
  resumedParams(row: Row, params: Params, { resample, maxTokens }: NextAttempt): Params {
    const seeded = resampled(params, resample);
    if (this.#options.onTruncated !== "escalate" || maxTokens === undefined) return seeded;
    return withTokenLimit(seeded, Math.min(maxTokens, this.#capOf(row) ?? Infinity));
  }

  async #decideLater(
    firstVerdict: Promise<Verdict>,
    others: readonly Check[],
    completion: Completion,
    attempt: AnsweredAttempt,
  ): Promise<Rejection | undefined> {
    let verdict = await firstVerdict;
    for (const check of others) verdict ??= await check(completion, attempt.row, attempt);
    return this.#rejection(verdict, attempt);
  }

  #rejection(verdict: Verdict, attempt: AnsweredAttempt): Rejection | undefined {
    if (verdict === undefined) return undefined;
    if (typeof verdict === "string") return this.#reject("rejected", verdict, attempt);
    const { unchecked, isFinal, halt } = verdict;
    const failure = failureOf("rejected", unchecked);
    // `isFinal` means that the check timed out or crashed. The same could happen with another
    // answer, which would cost money.
    if (isFinal) return { ...failed(failure), halt };
    return { failure, action: "repeat", params: attempt.params, halt };
  }

  /** Rejects an answer for a reason that may not apply to another answer. */
  #reject(type: FailureType, message: string, { params, resamples }: AnsweredAttempt): Rejection {
    const failure = failureOf(type, message);
    if (resamples >= (this.#options.resample ?? 0)) return failed(failure);
    return { failure, action: "resample", params: resampled(params) };
  }

  /** Rejects a truncated or filtered answer. Returns undefined if the answer is kept. */
  #rejectTruncated(
    ending: TruncatedEnding,
    hasAnswer: boolean,
    completion: Completion,
    { row, params, rejected }: AnsweredAttempt,
  ): Rejection | undefined {
    const { onTruncated } = this.#options;
    const isOnlyReasoning = !hasAnswer && hasReasoning(completion);
    if (onTruncated === "keep") {
      // `decide` rejects a filtered answer as empty if it has neither text nor a tool call.
      if (ending === "filter") return undefined;
      // Truncated reasoning alone is not kept.
      if (!isOnlyReasoning) return undefined;
    }
    if (ending === "filter") {
      return failed(failureOf("filtered", "The answer was stopped by a content filter"));
    }
    const endedBelowLimit = ending === "limit" && isBelowLimit(completion, params);
    const mayHaveFilledContext = ending === "context" || endedBelowLimit;
    const cap = this.#capOf(row);
    const limit = mayHaveFilledContext
      ? describeContext(endedBelowLimit, completion)
      : describeLimit(params, completion);
    const advice = mayHaveFilledContext ? "" : `: ${adviceFor(onTruncated, cap)}`;
    const needsCap = onTruncated === "escalate" && cap === undefined;
    const message = isOnlyReasoning
      ? `The reasoning used up ${limit} before the answer began${advice}`
      : describeTruncation(limit, mayHaveFilledContext, completion) + (needsCap ? advice : "");
    const failure = failureOf("truncated", message);
    const mayEscalate = onTruncated === "escalate" && ending === "limit" &&
      !(endedBelowLimit && wasAsLongBefore(completion, rejected));
    if (!mayEscalate) return failed(failure);
    const longer = escalated(params, cap, completion.usage?.completionTokens);
    if (longer === undefined) return failed(failure);
    return { failure, action: "escalate", params: longer };
  }

  /** Returns the highest token limit that `escalate` may set for a row, or undefined if the row has
   * no limit and the user has set no cap. */
  #capOf(row: Row): number | undefined {
    const firstLimit = tokenLimitOf({ ...this.#options.params, ...row.params });
    return this.#options.maxTokensCap ??
      (firstLimit === undefined ? undefined : DEFAULT_CAP_FACTOR * firstLimit.tokens);
  }
}

const DEFAULT_CAP_FACTOR = 8;

/** The message for answers that contain only reasoning. If `</think>` is missing, for example,
 * vLLM's parsers treat the whole answer as reasoning. */
const ONLY_REASONING =
  `${EMPTY_ANSWER}, only reasoning: if every row ends like this, the server's reasoning parser may ` +
  "not fit the model";

type TruncatedEnding = "limit" | "context" | "filter";

/** An answer with at least this share of the limit counts as having reached it. Gateways that
 * estimate token counts may report too few. */
const REACHED_SHARE = 0.8;

/** Whether the answer has far fewer tokens than the limit that was sent. If prompt and answer fill
 * the context window, vLLM and llama.cpp end the answer with `length`, even below the limit. But
 * the limit may have been reached after all, because some servers do not count reasoning. */
function isBelowLimit({ usage }: Completion, params: Params): boolean {
  const tokens = usage?.completionTokens ?? 0, limit = tokenLimitOf(params)?.tokens ?? 0;
  return tokens > 0 && tokens < REACHED_SHARE * limit;
}

/** Whether the row's earlier answer, which had a lower limit, was at least as long. If so, a higher
 * limit does not help. */
function wasAsLongBefore({ usage }: Completion, earlier: RejectedAnswer | undefined): boolean {
  if (earlier?.failure.type !== "truncated") return false;
  return (usage?.completionTokens ?? 0) <= (earlier.completion.usage?.completionTokens ?? 0);
}

function describeContext(endedBelowLimit: boolean, { usage }: Completion): string {
  if (!endedBelowLimit) return "the model's context window";
  const tokens = usage?.completionTokens;
  return `the model's context window, or the teacher's own token limit (after ${tokens} tokens)`;
}

function describeTruncation(
  limit: string,
  mayHaveFilledContext: boolean,
  completion: Completion,
): string {
  const ending = endingOfReason(completion.finishReason);
  if (ending !== "limit" && ending !== "context" && hasCutCall(completion)) {
    return "The arguments of a tool call break off, whatever the finish reason says";
  }
  if (mayHaveFilledContext) return `The answer used up ${limit}`;
  if (ending === "limit") return `The answer stopped at ${limit}`;
  return `The answer has as many tokens as ${limit} allows, whatever its finish reason says`;
}

function describeLimit(params: Params, { usage }: Completion): string {
  const limit = tokenLimitOf(params);
  if (limit !== undefined) return `the token limit (${limit.name} ${limit.tokens})`;
  const tokens = usage?.completionTokens ?? 0;
  return tokens > 0 ? `the teacher's own token limit (after ${tokens} tokens)` : "the token limit";
}

/** Returns what the user can do about truncated answers. A row without a cap has no token limit
 * either, so `escalate` would have nothing to raise. */
function adviceFor(onTruncated: OnTruncated, cap: number | undefined): string {
  const flag = "--max-tokens-cap (maxTokensCap)";
  if (onTruncated === "escalate") return cap === undefined ? `add ${flag}` : `raise ${flag}`;
  return cap === undefined
    ? "set a higher max_tokens (--max-tokens)"
    : "raise max_tokens, or use --on-truncated escalate (onTruncated)";
}

/** Rejects an answer whose check was interrupted by the end of the run. */
export function uncheckedRejection({ kept }: Completion, params: Params): Rejection {
  // Earlier versions recognize an unchecked answer by the words "answer was", so that wording must
  // not change. For an answer with raw fields (the option `keep`), the wording is different on
  // purpose. Earlier versions then request the answer again, because a failures line lacks its raw
  // fields.
  const what = kept === undefined ? "answer was" : "answer and its fields were";
  const message = `The run was ended before the ${what} checked`;
  return { failure: failureOf("rejected", message), action: "repeat", params };
}

function failed(failure: Failure): Rejection {
  return { failure, action: "fail", params: undefined };
}

function failureOf(type: FailureType, message: string): Failure {
  return { type, message, status: null };
}
