/**
 * Outcomes as the library returns them: typed and with the caller's value for `distill()`, as the objects that a
 * results file would hold for `generate()`; and how they are handed over.
 *
 * @module
 */

import type { AnswerCost } from "../checks/mod.ts";
import type { FailureType } from "../errors.ts";
import type { Failure, GivenRow, Outcome, Row } from "../row.ts";
import { badRowLine, badRowUid, type LineFormat, outcomeLine } from "../sink/mod.ts";
import type { Completion, Usage } from "../teacher/mod.ts";
import { sampleUid } from "./admission.ts";

/** Makes what the consumer of an iterable is given. */
export interface Publisher<T> {
  /** Makes it of an outcome of the engine. */
  outcome(outcome: Outcome): T;
  /** Makes it of a value that is no row: one for each, or one for each `sample` that it would have had. */
  badRow(given: GivenRow, problem: string, sample: number): T;
  /** Whether each bad row has as many outcomes as the others. */
  readonly repeatsBadRows: boolean;
}

/** The name that rows of an iterable have instead of a file's. */
export const GIVEN_SOURCE = "rows";

/** What every outcome of {@linkcode distill} says. */
export interface OutcomeCommon<Row> {
  /** The very value that was given, not a copy. */
  readonly input: Row;
  /** Its place among all rows that were given, from 0. */
  readonly index: number;
  /** The identity: the row's own (`uid`, `custom_id`, `id`, `uidField`) or a hash of it, with `~2`, … for
   * further rows of one id and `#1`, … for further samples. */
  readonly uid: string;
  /** Which of the `samples` answers to its row it is, from 0. */
  readonly sample: number;
  /** Attempts made, one POST each at most; 0 for a bad row. */
  readonly attempts: number;
  /** How long the last attempt took, in milliseconds. */
  readonly latencyMs: number;
  /** What all attempts have cost in US dollars, or null where the price of a teacher is unknown. */
  readonly costUsd: number | null;
}

/** A row that has an answer. */
export interface Answer<Row = unknown> extends OutcomeCommon<Row> {
  /** Always true: tells it from a {@linkcode FailedRow}. */
  readonly ok: true;
  /** The answer, without the reasoning. */
  readonly response: string;
  /** The reasoning, or "". */
  readonly reasoning: string;
  /** Why the answer ended, in the teacher's own word: `stop`, `tool_calls`, … */
  readonly finishReason: string;
  /** Tool calls in the OpenAI form; empty where there are none. */
  readonly toolCalls: readonly unknown[];
  /** Tokens, and dollars that the teacher says it bills. Counts that it does not report are 0. */
  readonly usage: Required<Usage>;
  /** The model that answered, as the teacher names it. */
  readonly model: string;
}

/** A row that has no answer. */
export interface FailedRow<Row = unknown> extends OutcomeCommon<Row> {
  /** Always false: tells it from an {@linkcode Answer}. */
  readonly ok: false;
  /** The last answer that was paid for and not accepted, where there is one. */
  readonly partial?: Completion;
  /** Why there is no answer. */
  readonly error: {
    /** What kind of failure it is; `bad_row` for a value that cannot be sent. */
    readonly type: FailureType;
    /** What happened, in words. */
    readonly message: string;
    /** The HTTP status, or null. */
    readonly status: number | null;
  };
}

/** What became of one row, or of one of the answers to it: `ok` tells which. */
export type DistillOutcome<Row = unknown> = Answer<Row> | FailedRow<Row>;

/** Makes outcomes that hold the caller's value. */
export class RowOutcomes<Given> implements Publisher<DistillOutcome<Given>> {
  readonly repeatsBadRows = true;
  readonly #isPriced: () => boolean;

  /** `isPriced`: whether the price of every teacher is known; asked for each outcome. */
  constructor(isPriced: () => boolean) {
    this.#isPriced = isPriced;
  }

  /** A row that was answered, has failed, or is pending at the end with an answer that was paid for. */
  outcome(outcome: Outcome): DistillOutcome<Given> {
    const { row, completion, failure } = outcome;
    if (failure === undefined) return this.answer(completion!, row, outcome);
    const { type, message, status } = failure;
    const failed = { ...this.#common(row, outcome), error: { type, message, status } };
    return completion === undefined
      ? { ok: false, ...failed }
      : { ok: false, ...failed, partial: completion };
  }

  /** An answer, accepted or about to be checked. */
  answer(completion: Completion, row: Row, cost: AnswerCost): Answer<Given> {
    return {
      ok: true,
      ...this.#common(row, cost),
      response: completion.response ?? "",
      reasoning: completion.reasoning ?? "",
      finishReason: completion.finishReason ?? "",
      toolCalls: completion.toolCalls ?? [],
      usage: usageOf(completion.usage),
      model: completion.model ?? "",
    };
  }

  /** A value that cannot be sent. */
  badRow({ value, index }: GivenRow, problem: string, sample: number): FailedRow<Given> {
    return {
      ok: false,
      input: value as Given,
      index,
      uid: sampleUid(badRowUid(GIVEN_SOURCE, index + 1), sample),
      sample,
      attempts: 0,
      latencyMs: 0,
      costUsd: this.#isPriced() ? 0 : null,
      error: { type: "bad_row", message: problem, status: null },
    };
  }

  #common(row: Row, { attempts, latencyMs, costUsd }: AnswerCost): OutcomeCommon<Given> {
    const { value, index } = row.given as GivenRow;
    return {
      input: value as Given,
      index,
      uid: row.uid,
      sample: row.sample,
      attempts,
      latencyMs,
      costUsd: this.#isPriced() ? costUsd : null,
    };
  }
}

function usageOf(usage: Usage | null | undefined): Required<Usage> {
  return {
    promptTokens: usage?.promptTokens ?? 0,
    completionTokens: usage?.completionTokens ?? 0,
    reasoningTokens: usage?.reasoningTokens ?? 0,
    cachedTokens: usage?.cachedTokens ?? 0,
    cacheWriteTokens: usage?.cacheWriteTokens ?? 0,
    costUsd: usage?.costUsd ?? 0,
  };
}

/** A row of a results or failures file as an object: the row's own fields and Retort's. */
export type OutputRow = Record<string, unknown>;

/** What became of one row, or of one of the answers to it. */
export type GeneratedOutcome =
  | {
    /** The row has an answer. */
    readonly ok: true;
    /** Its identity. */
    readonly uid: string;
    /** What its line in a results file would hold. */
    readonly row: OutputRow & { response: string; reasoning: string };
  }
  | {
    /** The row has failed, or the run ended while it was to be asked again after an answer that was paid
     * for: `error.final` of `row` tells which. */
    readonly ok: false;
    /** Its identity; `bad_row:…` where the row has none. */
    readonly uid: string;
    /** What its line in a failures file would hold. */
    readonly row: OutputRow;
    /** Why. */
    readonly error: Failure & { readonly attempts: number };
  };

/** Makes outcomes of lines. */
export class LineOutcomes implements Publisher<GeneratedOutcome> {
  readonly repeatsBadRows = false;
  readonly #format: LineFormat;

  /** `format`: how a line is put together. */
  constructor(format: LineFormat) {
    this.#format = format;
  }

  /** What a results or failures line would hold. */
  outcome(settled: Outcome): GeneratedOutcome {
    const { outcome, line } = outcomeLine(settled, this.#format);
    const { row: { uid }, failure, attempts } = outcome;
    const row = JSON.parse(line);
    if (failure === undefined) return { ok: true, uid, row };
    return { ok: false, uid, row, error: { ...failure, attempts } };
  }

  /** What the failures line of a bad row would hold. */
  badRow({ value, index }: GivenRow, problem: string): GeneratedOutcome {
    const line = index + 1;
    const written = badRowLine({ file: GIVEN_SOURCE, line, problem, text: textOf(value) });
    const error = { type: "bad_row", message: problem, status: null, attempts: 0 } as const;
    return { ok: false, uid: badRowUid(GIVEN_SOURCE, line), row: JSON.parse(written), error };
  }
}

function textOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

/** Hands items from lanes to one consumer, in the order in which they come. */
export class Handoff<T> {
  readonly #offered: { readonly item: T; readonly taken: () => void }[] = [];
  readonly #takers: ((item: T | undefined) => void)[] = [];
  #closed = false;

  /** Whether nothing more will be taken over. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Offers an item; resolves when it was taken, or when no one will take it any more. */
  put(item: T): Promise<void> {
    if (this.#closed) return Promise.resolve();
    const taker = this.#takers.shift();
    if (taker !== undefined) {
      taker(item);
      return Promise.resolve();
    }
    return new Promise((taken) => this.#offered.push({ item, taken }));
  }

  /** Takes the next item; undefined when there will be none. */
  take(): Promise<T | undefined> {
    const offer = this.#offered.shift();
    if (offer !== undefined) {
      offer.taken();
      return Promise.resolve(offer.item);
    }
    if (this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  /** Nothing more will come; what was offered can still be taken. */
  end(): void {
    this.#closed = true;
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }

  /** No one takes anything any more: lanes that wait are let go. */
  abandon(): void {
    for (const { taken } of this.#offered.splice(0)) taken();
    this.end();
  }
}
