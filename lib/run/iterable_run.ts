/**
 * Sends rows of any iterable through the engine. Each lane of the engine takes its next row only
 * after the consumer has taken the outcome of the lane's previous row, so the engine does not run
 * ahead of the consumer.
 *
 * @module
 */

import { Engine } from "../engine/mod.ts";
import { HaltedError } from "../errors.ts";
import { IdTable } from "../index/mod.ts";
import { type FinishedRow, finishedRow, type GivenRow, type Outcome, type Row } from "../row.ts";
import type { RowImages, RowParser } from "../source/mod.ts";
import type { ResponseGeneratorOptions } from "./options.ts";
import { delay, MAX_TURN_MS } from "../timer.ts";
import { type ActiveRun, engineOptions } from "./active_run.ts";
import { fileProblem } from "./plan.ts";
import { type AdmissionOptions, admit } from "./preflight.ts";
import { sampleRow } from "./input_rows.ts";
import { teacherNotices } from "./notices.ts";
import { rowParserOf } from "./resolve_options.ts";
import { setImmediate as nextTurn } from "node:timers/promises";
import { GIVEN_SOURCE, Handoff, type Publisher } from "./outcomes.ts";

export interface StreamOptions<T> {
  /** The run in progress. The caller must call `activeRun.end()`. */
  readonly activeRun: ActiveRun;
  readonly publisher: Publisher<T>;
  readonly images: RowImages;
}

export function checkRows(rows: unknown): void {
  if (typeof rows === "string" || rows instanceof String) {
    throw new TypeError(
      "Cannot read rows from a string: it must be an iterable of rows, as in [prompt]. For a file, " +
        "call distillFiles()",
    );
  }
  const isIterable = typeof rows === "object" && rows !== null &&
    (Symbol.iterator in rows || Symbol.asyncIterator in rows);
  if (isIterable) return;
  if (rows instanceof Promise) {
    throw new TypeError("Cannot read rows from a promise: await it first");
  }
  const type = rows === null ? "null" : `a value of type ${typeof rows}`;
  throw new TypeError(`Cannot read rows from ${type}: it must be an iterable or async iterable`);
}

/**
 * Yields the outcomes of rows, in the order in which they finish.
 *
 * @throws {unknown} The reason of `options.signal`, once that is aborted.
 * @throws {HaltedError} If a teacher, a budget or a deadline ended the run.
 */
export async function* streamOutcomes<T>(
  rows: Iterable<unknown> | AsyncIterable<unknown>,
  { activeRun, publisher, images }: StreamOptions<T>,
): AsyncGenerator<T, void, undefined> {
  const { options, progress } = activeRun;
  options.signal?.throwIfAborted();
  const context = await activeRun.prepare();
  options.signal?.throwIfAborted();
  const run = new IterableRun({
    ...options,
    parser: rowParserOf(options),
    images,
    publisher,
    onSettled: (rows) => activeRun.settled(rows),
  });
  const engine = new Engine({
    ...engineOptions(context),
    source: run.rows(rows),
    // The caller may wait for the outcome of a rejected row before it provides the next one.
    holdsRejections: false,
    sink: run,
  });
  activeRun.attach(engine);
  progress.start({ total: null, skipped: 0 });
  for (const notice of teacherNotices(options)) progress.notice("warning", notice);
  yield* run.outcomes(engine);
  options.signal?.throwIfAborted();
  if (engine.haltReason !== undefined) throw new HaltedError(engine.haltReason);
}

/** Makes `return()`, `throw()` and `await using` call `abort` at once, not only after the outcome
 * that the generator awaits, which may take an hour. */
export function abortedByReturn<T>(
  generator: AsyncGenerator<T, void, undefined>,
  abort: () => void,
): AsyncGenerator<T, void, undefined> {
  const end = generator.return.bind(generator);
  const fail = generator.throw.bind(generator);
  return Object.assign(generator, {
    return(value?: void | PromiseLike<void>) {
      abort();
      return end(value);
    },
    throw(error: unknown) {
      abort();
      return fail(error);
    },
  });
}

export interface IterableRunOptions<T>
  extends Pick<ResponseGeneratorOptions, "promptField" | "samples" | "params"> {
  readonly parser: RowParser;
  /** Reads the images that rows name. */
  readonly images: RowImages;
  readonly duplicates: "merge" | "keep";
  readonly publisher: Publisher<T>;
  readonly onSettled: (rows: readonly FinishedRow[]) => void;
}

/** The engine's source and sink for one run over an iterable. */
export class IterableRun<T> {
  readonly #options: IterableRunOptions<T>;
  readonly #handoff = new Handoff<T>();
  readonly #admission: AdmissionOptions;
  /** Aborted once the caller's iterator is closed. Before an iterator is opened, it is already
   * aborted. */
  #valuesClosed: AbortSignal = AbortSignal.abort();

  constructor(options: IterableRunOptions<T>) {
    const { duplicates, samples = 1 } = options;
    this.#options = options;
    this.#admission = { table: new IdTable(), duplicates, samples };
  }

  /** Resolves once the consumer has taken the outcome, or has left. */
  async put(outcome: Outcome): Promise<void> {
    const isTaken = await this.#handoff.put(this.#options.publisher.outcome(outcome));
    // A pending row is not finished.
    if (isTaken && outcome.next === undefined) {
      this.#options.onSettled([finishedRow(outcome, true)]);
    }
  }

  /** Reads a row only when a lane needs one. If a value cannot be sent, the consumer gets an
   * outcome at once. */
  async *rows(values: Iterable<unknown> | AsyncIterable<unknown>): AsyncGenerator<Row[]> {
    const { params = {} } = this.#options, { samples } = this.#admission;
    const closed = new AbortController();
    this.#valuesClosed = closed.signal;
    using _reading = { [Symbol.dispose]: () => closed.abort() };
    let index = 0;
    let turnDueAt = performance.now() + MAX_TURN_MS;
    for await (const value of values) {
      // Values that are ready at once would otherwise hold up timers and sockets.
      if (performance.now() >= turnDueAt) {
        await nextTurn();
        turnDueAt = performance.now() + MAX_TURN_MS;
      }
      if (this.#handoff.isClosed) return;
      const given = { value, index: index++ };
      const row = this.#rowOf(given);
      if (row === undefined) continue;
      if ("problem" in row) {
        const outcomes = this.#options.publisher.badRow(given, row.problem, samples);
        for (const outcome of outcomes) await this.#handoff.put(outcome);
        continue;
      }
      for (let sample = 0; sample < samples; sample++) {
        if (this.#handoff.isClosed) return;
        yield [sampleRow(row, sample, params)];
      }
    }
  }

  /** Yields outcomes. If the consumer leaves early, aborts the calls and waits up to a second for
   * them. At the end, waits up to a second for the caller's iterator to close. */
  async *outcomes(engine: Engine): AsyncGenerator<T> {
    const endLimit = limitAbort(engine);
    const finished = engine.run().finally(() => {
      endLimit();
      this.#handoff.end();
    });
    // `await finished` throws the error at the end. Until then, it would be unhandled.
    finished.catch(() => {});
    try {
      while (true) {
        const outcome = await this.#handoff.take();
        if (outcome === undefined) break;
        yield outcome;
      }
    } finally {
      engine.abort();
      this.#handoff.abandon();
      await finished.catch(() => {});
      // Waits only briefly for the caller's iterator, whose next value may never come.
      await delay(ABORT_TIMEOUT_MS, this.#valuesClosed);
    }
    await finished;
  }

  /** Returns the row, or the problem of a value that cannot be sent; undefined for a duplicate. */
  #rowOf(given: GivenRow): Row | { problem: string } | undefined {
    const { images, promptField = "prompt" } = this.#options;
    const { value, index } = given;
    let text: string;
    try {
      // `JSON.stringify` returns undefined for undefined, functions and symbols. The parser rejects
      // their text.
      text = JSON.stringify(typeof value === "string" ? { [promptField]: value } : value) ??
        String(value);
    } catch (error) {
      return { problem: `not JSON: ${(error as Error | undefined)?.message}` };
    }
    const parsed = this.#options.parser.parse(text);
    if ("problem" in parsed) return parsed;
    const problem = fileProblem(parsed, images);
    if (problem !== undefined) return { problem };
    const uidOrProblem = admit(parsed, this.#admission);
    if (typeof uidOrProblem !== "string") return uidOrProblem;
    const source = `${GIVEN_SOURCE}:${index + 1}`;
    return parsed.toRow({ uid: uidOrProblem, input: 0, source, given }, images);
  }
}

const ABORT_TIMEOUT_MS = 1_000;

/** Limits the wait for aborted calls, because a teacher may ignore the signal. Returns the function
 * that removes the limit. */
function limitAbort(engine: Engine): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const onAbort = () => {
    timer = setTimeout(() => engine.leave(), ABORT_TIMEOUT_MS);
  };
  engine.callsSignal.addEventListener("abort", onAbort, { once: true });
  return () => {
    engine.callsSignal.removeEventListener("abort", onAbort);
    clearTimeout(timer);
  };
}
