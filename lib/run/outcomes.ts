/**
 * Outcomes as the library returns them, and the queue that hands them to the consumer. `distill()`
 * returns typed outcomes with the caller's value; `generate()` returns objects as in a results
 * file.
 *
 * @module
 */

import type { AnswerCost } from "../checks/mod.ts";
import type { FailureType } from "../errors.ts";
import type { Failure, GivenRow, Outcome, Row } from "../row.ts";
import { badRowLine, badRowUid, type LineFormat, outcomeLine } from "../sink/mod.ts";
import type { Completion, Usage } from "../teacher/mod.ts";
import { sampleUid } from "../answer.ts";

export interface Publisher<T> {
  /** Returns the outcome of a row that was answered or failed, or that stays pending after a paid
   * answer. */
  outcome(outcome: Outcome): T;
  /** Returns the outcomes of a value that cannot be sent: one, or one for each of its `samples`. */
  badRow(given: GivenRow, problem: string, samples: number): T[];
}

/** The file name in the source of a row from an iterable, as in `rows:7`. */
export const GIVEN_SOURCE = "rows";

/** The fields that all outcomes of {@linkcode distill} have. */
export interface OutcomeCommon<Row> {
  /** The value that was given, not a copy. */
  readonly input: Row;
  /** The position of the row among all given values, from 0. */
  readonly index: number;
  /** The row's id (from `uidField`, `uid`, `custom_id` or `id`) or a hash of the row; `bad_row:…`
   * for a value that cannot be sent. `~2`, `~3`, … follow the id of further rows with the same id;
   * `#1`, `#2`, … follow the id of further samples. */
  readonly uid: string;
  /** The number of the sample, from 0. */
  readonly sample: number;
  /** Attempts for this answer, each at most one POST; 0 for a bad row. */
  readonly attempts: number;
  /** Duration of the last attempt, in milliseconds. */
  readonly latencyMs: number;
  /** The cost of all attempts in US dollars; null if the price of a teacher is unknown, or an
   * attempt was answered without token counts. */
  readonly costUsd: number | null;
}

/** A row that has an answer. */
export interface Answer<Row = unknown> extends OutcomeCommon<Row> {
  /** Always true, unlike in a {@linkcode FailedRow}. */
  readonly ok: true;
  /** The text of the answer without the reasoning; "" if it has none. */
  readonly response: string;
  /** The reasoning; "" if the teacher sent none. */
  readonly reasoning: string;
  /** The finish reason as the teacher sent it: `stop`, `tool_calls`, …; "" if it sent none. */
  readonly finishReason: string;
  /** The tool calls in the OpenAI format; empty if there are none. */
  readonly toolCalls: readonly unknown[];
  /** Token counts, and the cost that the teacher reports. Values that it does not report are 0. */
  readonly usage: Required<Usage>;
  /** The model as the teacher names it; "" if the teacher does not name it. */
  readonly model: string;
}

/** A row that has no answer. */
export interface FailedRow<Row = unknown> extends OutcomeCommon<Row> {
  /** Always false, unlike in an {@linkcode Answer}. */
  readonly ok: false;
  /** The last answer that was paid for but not accepted, if there is one. */
  readonly partial?: Completion;
  /** Why there is no answer. */
  readonly error: {
    /** The kind of failure; `bad_row` for a value that cannot be sent. */
    readonly type: FailureType;
    /** What went wrong, for the user. */
    readonly message: string;
    /** The HTTP status; null if the failure has none. */
    readonly status: number | null;
  };
}

/** The outcome of a row, or of one of its samples. `ok` tells an answer from a failure. */
export type DistillOutcome<Row = unknown> = Answer<Row> | FailedRow<Row>;

export class RowOutcomes<Given> implements Publisher<DistillOutcome<Given>> {
  readonly #isPriced: () => boolean;

  /** @param isPriced Whether the price of every teacher is known; called for each outcome. */
  constructor(isPriced: () => boolean) {
    this.#isPriced = isPriced;
  }

  outcome(outcome: Outcome): DistillOutcome<Given> {
    const { row, completion, failure } = outcome;
    if (failure === undefined) return this.answer(completion!, row, outcome);
    const { type, message, status } = failure;
    const error = { type, message, status };
    const partial = completion && { partial: completion };
    return { ok: false, ...this.#common(row, outcome), error, ...partial };
  }

  /** Returns the outcome that a row has if its answer is accepted. `validate` gets this outcome,
   * and decides whether to accept the answer. */
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

  badRow(given: GivenRow, problem: string, samples: number): FailedRow<Given>[] {
    const uid = badRowUid(GIVEN_SOURCE, given.index + 1);
    return Array.from({ length: samples }, (_, sample) => ({
      ok: false,
      ...this.#common({ given, uid: sampleUid(uid, sample), sample }, NO_ATTEMPT),
      error: { type: "bad_row", message: problem, status: null },
    }));
  }

  #common(
    { given, uid, sample }: Pick<Row, "given" | "uid" | "sample">,
    { attempts, latencyMs, costUsd }: AnswerCost,
  ): OutcomeCommon<Given> {
    const { value, index } = given!;
    return {
      input: value as Given,
      index,
      uid,
      sample,
      attempts,
      latencyMs,
      costUsd: this.#isPriced() ? costUsd : null,
    };
  }
}

const NO_ATTEMPT: AnswerCost = { attempts: 0, latencyMs: 0, costUsd: 0 };

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
    /** The id of the answer. */
    readonly uid: string;
    /** Row and answer, as in a results file. */
    readonly row: OutputRow & { response: string; reasoning: string };
  }
  | {
    /** The row has failed, or the run ended before the row was sent again after a paid answer:
     * `error.final` in `row` tells which. */
    readonly ok: false;
    /** The id of the answer; `bad_row:…` for a value that cannot be sent. */
    readonly uid: string;
    /** Row and failure, as in a failures file. */
    readonly row: OutputRow;
    /** Why there is no answer. */
    readonly error: Failure & { readonly attempts: number };
  };

export class LineOutcomes implements Publisher<GeneratedOutcome> {
  readonly #format: LineFormat;

  constructor(format: LineFormat) {
    this.#format = format;
  }

  outcome(given: Outcome): GeneratedOutcome {
    // The outcome is a failure if its answer cannot be written as JSON.
    const { outcome, line } = outcomeLine(given, this.#format);
    const { row: { uid }, failure, attempts } = outcome;
    const row = JSON.parse(line);
    if (failure === undefined) return { ok: true, uid, row };
    return { ok: false, uid, row, error: { ...failure, attempts } };
  }

  badRow({ value, index }: GivenRow, problem: string): GeneratedOutcome[] {
    const line = index + 1;
    const lineText = badRowLine({ file: GIVEN_SOURCE, line, problem, text: textOf(value) });
    const error = { type: "bad_row", message: problem, status: null, attempts: 0 } as const;
    return [{ ok: false, uid: badRowUid(GIVEN_SOURCE, line), row: JSON.parse(lineText), error }];
  }
}

function textOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    // `String()` throws for rows without a prototype, such as those of SQLite.
    return typeof value === "object" ? "[object Object]" : String(value);
  }
}

/** A queue in which each producer waits until its item was taken. */
export class Handoff<T> {
  readonly #offers: { readonly item: T; readonly end: (isTaken: boolean) => void }[] = [];
  readonly #takers: ((item: T | undefined) => void)[] = [];
  #isClosed = false;

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Offers an item. Resolves to true once the item was taken, and to false if it will never be
   * taken. */
  put(item: T): Promise<boolean> {
    if (this.#isClosed) return Promise.resolve(false);
    const taker = this.#takers.shift();
    if (taker !== undefined) {
      taker(item);
      return Promise.resolve(true);
    }
    return new Promise((end) => this.#offers.push({ item, end }));
  }

  /** Resolves with the next item, or with undefined once the queue is closed and empty. */
  take(): Promise<T | undefined> {
    const offer = this.#offers.shift();
    if (offer !== undefined) {
      offer.end(true);
      return Promise.resolve(offer.item);
    }
    if (this.#isClosed) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  /** Closes the queue. Offered items can still be taken. */
  end(): void {
    this.#isClosed = true;
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }

  /** Closes the queue, drops the offered items, and resolves their `put`. */
  abandon(): void {
    for (const { end } of this.#offers.splice(0)) end(false);
    this.end();
  }
}
