/**
 * Whether a completion is an answer worth training on, and what follows where it is not.
 *
 * @module
 */

import type { AnswerCost, Check, Verdict } from "../../checks/mod.ts";
import { type FailureType, TeacherError } from "../../errors.ts";
import type { Failure, NextAttempt, Row } from "../../row.ts";
import { resampled, resampledTimes } from "../../seed.ts";
import type { Completion, Params } from "../../teacher/mod.ts";
import {
  type Ending,
  endingOf,
  Endings,
  escalated,
  isRefusal,
  tokenLimitOf,
  withTokenLimit,
} from "./endings.ts";

/** What becomes of an answer that hit the token limit or a filter: a failure, an answer, or (at the token
 * limit) another attempt with twice the limit. */
export type OnTruncated = "error" | "keep" | "escalate";

/** Why an answer is not kept, and what follows. */
export interface Rejection {
  /** Why. */
  readonly failure: Failure;
  /** The row has failed, or is sent again: for another answer, for a longer one, or (`repeat`) because the run
   * had to end before its answer was checked. */
  readonly follow: "fail" | "resample" | "escalate" | "repeat";
  /** The parameters of the next attempt; undefined if the row has failed. */
  readonly params: Params | undefined;
  /** Why the run must not continue; undefined while it may. */
  readonly halt?: string;
}

/** Settings of `AnswerPolicy`. */
export interface AnswerPolicyOptions {
  /** What becomes of an answer that hit the token limit or a filter. */
  readonly onTruncated: OnTruncated;
  /** The highest token limit that `escalate` sets. @default 8 times the row's first one */
  readonly maxTokensCap?: number;
  /** How often a row is sent again because its answer was empty, refused or rejected by a check.
   * @default 0 */
  readonly resample?: number;
  /** Further finish reasons of complete answers; `none`: no finish reason. */
  readonly acceptEndings?: readonly string[];
  /** Whether answers that refuse are failures. @default false */
  readonly rejectRefusals?: boolean;
  /** The checks that an answer has to pass to be kept, in this order. */
  readonly checks: readonly Check[];
  /** The run's parameters. With a row's own merged over them, they hold its first token limit. */
  readonly params: Params;
}

/** Whether a teacher returned a completion at all. A custom teacher without types may return anything, and may
 * leave the text out. */
export function isCompletion(value: unknown): value is Completion {
  if (typeof value !== "object" || value === null) return false;
  const { response } = value as { response?: unknown };
  return response === undefined || response === null || typeof response === "string";
}

/**
 * Judges completions in this order: did the answer end, was it cut off, is it empty, does it refuse, does it
 * pass the checks. The first reason rejects it. A tool call is an answer. Answers that were cut off and are
 * kept (`keep`) have to pass the checks like all others.
 */
export class AnswerPolicy {
  readonly #options: AnswerPolicyOptions;
  readonly #endings: Endings;

  /** The options are already validated. */
  constructor(options: AnswerPolicyOptions) {
    this.#options = options;
    this.#endings = new Endings(options.acceptEndings);
  }

  /** How an answer ended that was asked for with `params`. */
  ending(completion: Completion, params: Params): Ending {
    return this.#endings.of(completion, params);
  }

  /**
   * Decides whether an answer is kept (undefined). Returns a promise only if a check takes time.
   *
   * @param completion The answer.
   * @param row The row that was sent.
   * @param params The parameters of the attempt.
   * @param resamples How often another answer was requested already because one was not kept.
   * @param ending How it ended.
   * @param cost What it took, for the checks.
   */
  decide(
    completion: Completion,
    row: Row,
    params: Params,
    resamples: number,
    ending: Ending = this.ending(completion, params),
    cost?: AnswerCost,
  ): Rejection | undefined | Promise<Rejection | undefined> {
    const hasAnswer = hasContent(completion);
    if (ending === "limit" || ending === "context" || ending === "filter") {
      const rejection = this.#cutOff(ending, hasAnswer, completion, row, params);
      if (rejection !== undefined) return rejection;
    }
    if (!hasAnswer) {
      const message = hasReasoning(completion) ? `${EMPTY}, only reasoning` : EMPTY;
      return this.#unfit("empty", message, params, resamples);
    }
    const { checks, rejectRefusals = false } = this.#options;
    if (rejectRefusals && (completion.isRefusal || isRefusal(completion.response ?? ""))) {
      return this.#unfit("refused", "The model refused to answer", params, resamples);
    }
    for (let index = 0; index < checks.length; index++) {
      const verdict = checks[index](completion, row, cost);
      if (verdict === undefined) continue;
      if (!(verdict instanceof Promise)) return this.#rejection(verdict, params, resamples);
      return this.#checked(verdict, index + 1, completion, row, cost)
        .then((verdict) => this.#rejection(verdict, params, resamples));
    }
    return undefined;
  }

  /**
   * The parameters of a row that an earlier run left pending, within the settings of this run: the token limit
   * is raised only if answers are escalated, up to the highest limit.
   *
   * @param row The row.
   * @param params The parameters of its first attempt.
   * @param next Where it was left.
   */
  continued(row: Row, params: Params, { resample, maxTokens }: NextAttempt): Params {
    const seeded = resampledTimes(params, resample);
    if (this.#options.onTruncated !== "escalate" || maxTokens === undefined) return seeded;
    return withTokenLimit(seeded, Math.min(maxTokens, this.#capOf(row) ?? Infinity));
  }

  /** The first verdict of the checks from `next` on, after a check that takes time. */
  async #checked(
    waiting: Promise<Verdict>,
    next: number,
    completion: Completion,
    row: Row,
    cost: AnswerCost | undefined,
  ): Promise<Verdict> {
    let verdict = await waiting;
    for (const check of this.#options.checks.slice(next)) {
      if (verdict !== undefined) break;
      verdict = await check(completion, row, cost);
    }
    return verdict;
  }

  #rejection(verdict: Verdict, params: Params, resamples: number): Rejection | undefined {
    if (verdict === undefined) return undefined;
    if (typeof verdict === "string") return this.#unfit("rejected", verdict, params, resamples);
    const { unchecked, isFinal, halt } = verdict;
    const failure = failureOf("rejected", unchecked);
    // Another answer may be as hard to check, so none is paid for.
    if (isFinal) return { ...failed(failure), halt };
    return { failure, follow: "repeat", params, halt };
  }

  /** Rejects an answer that is empty, refuses, or failed a check: another one may be better. */
  #unfit(type: FailureType, message: string, params: Params, resamples: number): Rejection {
    const failure = failureOf(type, message);
    if (resamples >= (this.#options.resample ?? 0)) return failed(failure);
    return { failure, follow: "resample", params: resampled(params) };
  }

  /** Rejects an answer that was cut off; undefined if it is kept anyway. */
  #cutOff(
    ending: CutOff,
    hasAnswer: boolean,
    completion: Completion,
    row: Row,
    params: Params,
  ): Rejection | undefined {
    const { onTruncated } = this.#options;
    const isOnlyReasoning = !hasAnswer && hasReasoning(completion);
    // If the answer had not begun, there is nothing to keep.
    if (onTruncated === "keep" && (ending === "filter" || !isOnlyReasoning)) return undefined;
    if (ending === "filter") {
      return failed(failureOf("filtered", "The answer was stopped by a content filter"));
    }
    if (ending === "context") {
      return failed(failureOf(
        "truncated",
        isOnlyReasoning
          ? "The reasoning used up the model's context before the answer began"
          : "The answer stopped at the end of the model's context",
      ));
    }
    const limit = limitInWords(params, completion);
    const failure = failureOf(
      "truncated",
      isOnlyReasoning
        ? `The reasoning used up ${limit} before the answer began: ${wayOut(onTruncated)}`
        : endingOf(completion.finishReason) === "limit"
        ? `The answer stopped at ${limit}`
        : `The answer has as many tokens as ${limit} allows, whatever its finish reason says`,
    );
    const longer = onTruncated === "escalate" ? this.#longer(completion, row, params) : undefined;
    if (longer === undefined) return failed(failure);
    return { failure, follow: "escalate", params: longer };
  }

  #longer(completion: Completion, row: Row, params: Params): Params | undefined {
    return escalated(params, this.#capOf(row), completion.usage?.completionTokens);
  }

  /** The highest token limit of a row. */
  #capOf(row: Row): number | undefined {
    const first = tokenLimitOf({ ...this.#options.params, ...row.params });
    return this.#options.maxTokensCap ??
      (first === undefined ? undefined : DEFAULT_CAP_FACTOR * first.tokens);
  }
}

const DEFAULT_CAP_FACTOR = 8;

const EMPTY = "The answer holds neither text nor a tool call";

/** How an answer ended that is cut off for a known reason. */
type CutOff = "limit" | "context" | "filter";

/**
 * The error of an attempt whose answer the teacher did not finish, did not mark as complete, or did not begin:
 * its row is sent again. Undefined for all other answers.
 */
export function unfinished(completion: Completion, ending: Ending): TeacherError | undefined {
  if (ending === "whole" && isNothing(completion)) {
    return new TeacherError(`${EMPTY}, and the teacher counted no token of it`, {
      type: "empty",
      partial: completion,
    });
  }
  if (ending !== "broken" && ending !== "unknown" && ending !== "none") return undefined;
  return new TeacherError(unfinishedInWords(ending, completion), {
    type: "unfinished",
    code: ending === "broken" ? "broken_off" : "unproven_ending",
    partial: completion,
  });
}

/** The message for such an answer. */
function unfinishedInWords(ending: Ending, { finishReason, doubt }: Completion): string {
  if (ending === "none") {
    const what = "The answer ended without a finish reason";
    return doubt === undefined ? what : `${what}: ${doubt}`;
  }
  const word = JSON.stringify(finishReason);
  return ending === "broken"
    ? `The teacher broke the answer off (finish reason ${word})`
    : `The answer ended with a finish reason that is not known (${word})`;
}

function hasContent({ response, toolCalls }: Completion): boolean {
  // Searches up to the first letter only; trim() would search from both ends and may copy the rest.
  return /\S/.test(response ?? "") || (toolCalls?.length ?? 0) > 0;
}

/** Whether the answer is empty and no token was counted: from gateways whose upstream has failed (Ollama's
 * cloud, LiteLLM, which counts nothing in such a stream), and sometimes from Gemini. */
function isNothing(completion: Completion): boolean {
  const { usage } = completion;
  return (usage === null || usage?.completionTokens === 0) && !hasContent(completion) &&
    !hasReasoning(completion);
}

/** Whether the model reasoned; some teachers only say for how many tokens. */
function hasReasoning({ reasoning, usage }: Completion): boolean {
  return /\S/.test(reasoning ?? "") || (usage?.reasoningTokens ?? 0) > 0;
}

function limitInWords(params: Params, { usage }: Completion): string {
  const limit = tokenLimitOf(params);
  if (limit !== undefined) return `the token limit (${limit.name} ${limit.tokens})`;
  const tokens = usage?.completionTokens ?? 0;
  return tokens > 0 ? `the teacher's own token limit (after ${tokens})` : "the token limit";
}

function wayOut(onTruncated: OnTruncated): string {
  return onTruncated === "escalate"
    ? "raise --max-tokens-cap (maxTokensCap)"
    : "raise max_tokens, or add --on-truncated escalate (onTruncated)";
}

function failed(failure: Failure): Rejection {
  return { failure, follow: "fail", params: undefined };
}

function failureOf(type: FailureType, message: string): Failure {
  return { type, message, status: null };
}
