/**
 * Rows of any iterable in, typed outcomes out.
 *
 * @module
 */

import { verdictCheck } from "./checks/mod.ts";
import { checkOptions } from "./options.ts";
import { Listeners } from "./progress/mod.ts";
import {
  abortedByReturn,
  ActiveRun,
  type Answer,
  checkRows,
  type DistillOutcome,
  GENERATOR_RULES,
  type ResolvedOptions,
  resolveOptions,
  RowOutcomes,
  type SharedOptions,
  streamOutcomes,
} from "./run/mod.ts";
import { imagesIn, type RowImages } from "./source/mod.ts";

/** Options of {@linkcode distill}: those of a `ResponseGenerator`, with a `validate` that gets the typed
 * answer, and with `duplicates` set to `keep` by default. */
export type DistillOptions<Row = unknown> = SharedOptions & {
  /** Keeps only answers for which this gives `true` or nothing; a text is the reason for rejecting. */
  validate?: (a: Answer<Row>) => boolean | string | void | Promise<boolean | string | void>;
};

/**
 * Sends each row to the teacher and yields the outcomes as they come, in no particular order.
 *
 * A string is one user message; any other row is read as a row of a file is (`prompt`, `messages`, …).
 * Every row yields `samples` outcomes, also if it equals another row. A row that cannot be sent yields
 * failures of the type `bad_row`. Rows are read no faster than outcomes are taken: at most `concurrency` are
 * in flight.
 *
 * An early `break`, `return()` or `await using` aborts the calls in flight. The teacher stays open.
 *
 * @typeParam Row The type of a row; the `input` of each outcome is the same value that was given.
 * @param rows The rows.
 * @param options The teacher, and settings of the run.
 * @returns The outcomes. Iterating throws the reason of `signal` when it is aborted, a `HaltedError` when a
 * teacher, a budget or a deadline ends the run, and what `rows` throws.
 * @throws {TypeError} If `rows` is a string or not iterable, or an option is unknown or of a wrong type.
 * @throws {RangeError} If an option is out of range.
 *
 * @example
 * ```ts
 * import { distill, openai } from "../mod.ts";
 *
 * async function answers(rows: Iterable<{ id: string; prompt: string }>): Promise<void> {
 *   await using teacher = openai({ baseUrl: "http://127.0.0.1:8000/v1", model: "qwen3" });
 *   for await (const a of distill(rows, { teacher, concurrency: 200 })) {
 *     if (a.ok) console.log(a.input.id, a.response, a.usage.completionTokens);
 *     else console.warn(a.uid, a.error.message);
 *   }
 * }
 * ```
 */
export function distill<Row>(
  rows: (Iterable<Row> & object) | AsyncIterable<Row>,
  options: NoInfer<DistillOptions<Row>>,
): AsyncGenerator<DistillOutcome<Row>, void, undefined> {
  return distillation(rows, options, { imagesIn });
}

/** What differs between the runtimes. */
export interface Surroundings {
  /** Reads the images of a folder, if one is named. */
  readonly imagesIn: (root: string | undefined) => RowImages;
  /** Checks patterns and schemas in this thread. @default in a worker */
  readonly isWithoutWorker?: boolean;
}

/** Checks everything that can be checked at the call, and creates the generator of outcomes. */
export function distillation<Row>(
  rows: Iterable<Row> | AsyncIterable<Row>,
  options: DistillOptions<Row>,
  { imagesIn, isWithoutWorker }: Surroundings,
): AsyncGenerator<DistillOutcome<Row>, void, undefined> {
  checkRows(rows);
  checkOptions(options, GENERATOR_RULES);
  const { validate, ...rest } = options;
  const resolved = resolveOptions({ ...rest, duplicates: rest.duplicates ?? "keep" });
  const images = imagesIn(resolved.imagesRoot);
  return new Distillation<Row>({ ...resolved, isWithoutWorker }, validate, images).outcomes(rows);
}

/** One `distill()`. */
class Distillation<Row> {
  readonly #generator: ResolvedOptions;
  readonly #publisher: RowOutcomes<Row>;
  readonly #images: RowImages;
  #activity: ActiveRun | undefined;

  constructor(
    options: ResolvedOptions,
    validate: DistillOptions<Row>["validate"],
    images: RowImages,
  ) {
    const publisher = new RowOutcomes<Row>(() => this.#activity?.isPriced ?? false);
    const check = validate === undefined
      ? undefined
      : verdictCheck((completion, row, cost) => validate(publisher.answer(completion, row, cost)));
    this.#publisher = publisher;
    this.#generator = { ...options, check };
    this.#images = images;
  }

  outcomes(rows: Iterable<Row> | AsyncIterable<Row>): AsyncGenerator<DistillOutcome<Row>, void> {
    return abortedByReturn(this.#outcomes(rows), () => this.#activity?.abort());
  }

  async *#outcomes(
    rows: Iterable<Row> | AsyncIterable<Row>,
  ): AsyncGenerator<DistillOutcome<Row>, void, undefined> {
    const generator = this.#generator;
    const { signal, concurrency } = generator;
    const activity = this.#activity = new ActiveRun(generator, {
      concurrency,
      maxCostUsd: generator.maxCostUsd ?? null,
      listeners: [],
      outcomeListeners: new Listeners(),
    });
    const onAbort = () => activity.abort(signal?.reason);
    signal?.addEventListener("abort", onAbort);
    try {
      signal?.throwIfAborted();
      yield* streamOutcomes(rows, {
        generator,
        activity,
        concurrency,
        publisher: this.#publisher,
        images: this.#images,
      });
    } finally {
      signal?.removeEventListener("abort", onAbort);
      activity.end();
    }
  }
}
