/**
 * One run over an iterable, from its preparation to its last outcome.
 *
 * @module
 */

import { Engine } from "../engine/mod.ts";
import { HaltedError } from "../errors.ts";
import { ImageFolder } from "../source/mod.ts";
import type { ActiveRun } from "./active_run.ts";
import { engineOptions } from "./context.ts";
import { Generation, type Publisher } from "./generation.ts";
import { type ResolvedOptions, rowParserOf } from "./resolve_options.ts";
import { teacherNotices } from "./start_notices.ts";

/** What a run over an iterable is made with. */
export interface StreamOptions<T> {
  /** The generator's options. */
  readonly generator: ResolvedOptions;
  /** What is under way. The caller ends it. */
  readonly activity: ActiveRun;
  /** The number of lanes. */
  readonly concurrency: number;
  /** Makes what the consumer is given. */
  readonly publisher: Publisher<T>;
}

/**
 * Sends the rows and gives each outcome as it comes.
 *
 * @throws the reason of the generator's signal, when it is aborted
 * @throws {HaltedError} If a teacher, a budget or a deadline has ended the run.
 */
export async function* streamOutcomes<T>(
  rows: Iterable<unknown> | AsyncIterable<unknown>,
  { generator, activity, concurrency, publisher }: StreamOptions<T>,
): AsyncGenerator<T, void, undefined> {
  const prepared = await activity.prepare();
  generator.signal?.throwIfAborted();
  const { progress } = activity;
  const generation = new Generation({
    parser: rowParserOf(generator),
    promptField: generator.promptField,
    images: new ImageFolder(generator.imagesRoot),
    duplicates: generator.duplicates,
    samples: generator.samples,
    params: generator.params,
    publisher,
    onSettled: (outcomes) => activity.settled(outcomes),
  });
  const engine = new Engine({
    ...engineOptions({ generator, prepared, progress }),
    concurrency,
    source: generation.rows(rows),
    // The caller may wait for the last outcome before it gives the next row.
    holdsSuspects: false,
    sink: generation,
  });
  activity.attach(engine);
  progress.start({ total: null, skipped: 0 });
  for (const notice of teacherNotices(generator)) progress.notice("warning", notice);
  yield* generation.outcomes(engine);
  generator.signal?.throwIfAborted();
  if (engine.haltReason !== undefined) throw new HaltedError(engine.haltReason);
}

/**
 * Makes `return()` and `throw()`, and so `await using`, call `abort` at once. A plain generator hears of
 * them only after the outcome that it is waiting for, which may take an hour.
 */
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
