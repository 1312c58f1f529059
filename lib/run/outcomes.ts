/**
 * Outcomes as the library returns them: typed, with the caller's value, for `distill()`; objects as in a
 * results file for `generate()`. Also how they are handed over.
 *
 * @module
 */

import type { AnswerCost } from "../checks/mod.ts";
import type { FailureType } from "../errors.ts";
import type { Failure, GivenRow, Outcome, Row } from "../row.ts";
import { badRowLine, badRowUid, type LineFormat, outcomeLine } from "../sink/mod.ts";
import type { Completion, Usage } from "../teacher/mod.ts";
import { sampleUid } from "./admission.ts";

/** Creates the objects for the consumer of an iterable. */
export interface Publisher<T> {
  /** Creates one from an outcome of the engine. */
  outcome(outcome: Outcome): T;
  /** Creates one from a value that is not a row: one for the value, or one for each `sample` that it would have
   * had. */
  badRow(given: GivenRow, problem: string, sample: number): T;
  /** Whether a bad row has as many outcomes as others. */
  readonly repeatsBadRows: boolean;
}

/** The name of an iterable in the place of a file name. */
export const GIVEN_SOURCE = "rows";

/** The fields that all outcomes of {@linkcode distill} have. */
export interface OutcomeCommon<Row> {
  /** The same value that was given, not a copy. */
  readonly input: Row;
  /** The number of the row among all given rows, from 0. */
  readonly index: number;
  /** The identity: the row's own (`uid`, `custom_id`, `id`, `uidField`) or a hash of it, with `~2`, … for
   * further rows of one id and `#1`, … for further samples. */
  readonly uid: string;
  /** The number of the answer among the `samples` of its row, from 0. */
  readonly sample: number;
  /** Attempts made, one POST each at most; 0 for a bad row. */
  readonly attempts: number;
  /** How long the last attempt took, in milliseconds. */
  readonly latencyMs: number;
  /** The cost of all attempts in US dollars, or null if the price of a teacher is unknown. */
  readonly costUsd: number | null;
}

/** A row that has an answer. */
export interface Answer<Row = unknown> extends OutcomeCommon<Row> {
  /** Always true: distinguishes it from a {@linkcode FailedRow}. */
  readonly ok: true;
  /** The answer, without the reasoning. */
  readonly response: string;
  /** The reasoning, or "". */
  readonly reasoning: string;
  /** The finish reason, as the teacher sent it: `stop`, `tool_calls`, … */
  readonly finishReason: string;
  /** Tool calls in the OpenAI form; empty if there are none. */
  readonly toolCalls: readonly unknown[];
  /** Token counts, and the price that the teacher states. What it does not report is 0. */
  readonly usage: Required<Usage>;
  /** The model that answered, as the teacher names it. */
  readonly model: string;
}

/** A row that has no answer. */
export interface FailedRow<Row = unknown> extends OutcomeCommon<Row> {
  /** Always false: distinguishes it from an {@linkcode Answer}. */
  readonly ok: false;
  /** The last answer that was paid for but not accepted, if there is one. */
  readonly partial?: Completion;
  /** Why there is no answer. */
  readonly error: {
    /** The kind of failure; `bad_row` for a value that cannot be sent. */
    readonly type: FailureType;
    /** The message for the user. */
    readonly message: string;
    /** The HTTP status, or null. */
    readonly status: number | null;
  };
}

/** The outcome of a row, or of one of its samples: `ok` distinguishes the two. */
export type DistillOutcome<Row = unknown> = Answer<Row> | FailedRow<Row>;

/** Creates outcomes with the caller's value. */
export class RowOutcomes<Given> implements Publisher<DistillOutcome<Given>> {
  readonly repeatsBadRows = true;
  readonly #isPriced: () => boolean;

  /** `isPriced`: whether the price of every teacher is known; called for each outcome. */
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

/** The outcome of a row, or of one of its samples. */
export type GeneratedOutcome =
  | {
    /** The row has an answer. */
    readonly ok: true;
    /** Its identity. */
    readonly uid: string;
    /** The row and its answer, as in a results file. */
    readonly row: OutputRow & { response: string; reasoning: string };
  }
  | {
    /** The row has failed, or the run ended before it was sent again after an answer that was paid for:
     * `error.final` of `row` says which. */
    readonly ok: false;
    /** Its identity; `bad_row:…` where the row has none. */
    readonly uid: string;
    /** The row and its failure, as in a failures file. */
    readonly row: OutputRow;
    /** Why. */
    readonly error: Failure & { readonly attempts: number };
  };

/** Creates outcomes from lines. */
export class LineOutcomes implements Publisher<GeneratedOutcome> {
  readonly repeatsBadRows = false;
  readonly #format: LineFormat;

  /** `format`: the format of the lines. */
  constructor(format: LineFormat) {
    this.#format = format;
  }

  /** An outcome as in a results or failures file. */
  outcome(settled: Outcome): GeneratedOutcome {
    const { outcome, line } = outcomeLine(settled, this.#format);
    const { row: { uid }, failure, attempts } = outcome;
    const row = JSON.parse(line);
    if (failure === undefined) return { ok: true, uid, row };
    return { ok: false, uid, row, error: { ...failure, attempts } };
  }

  /** A bad row as in a failures file. */
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

/** Hands items from lanes to one consumer, in the order of their arrival. */
export class Handoff<T> {
  readonly #offered: { readonly item: T; readonly taken: () => void }[] = [];
  readonly #takers: ((item: T | undefined) => void)[] = [];
  #closed = false;

  /** Whether nothing more will be taken. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Offers an item; resolves when it was taken, or when it never will be. */
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

  /** Nothing more will be taken: lanes that wait continue. */
  abandon(): void {
    for (const { taken } of this.#offered.splice(0)) taken();
    this.end();
  }
}
