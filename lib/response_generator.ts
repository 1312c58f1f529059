/**
 * `ResponseGenerator`, the class behind `distillFiles()`. It can also control the active run.
 *
 * @module
 */

import {
  abortedByReturn,
  ActiveRun,
  checkRows,
  type GeneratedOutcome,
  lineFormat,
  LineOutcomes,
  type OutcomeListener,
  type Preview,
  type ResolvedOptions,
  resolveOptions,
  type ResponseGeneratorOptions,
  Run,
  type RunOptions,
  streamOutcomes,
} from "./run/mod.ts";
import { checkConcurrency } from "./engine/mod.ts";
import { checkLimits } from "./engine/answers/mod.ts";
import {
  Listeners,
  resultOf,
  type RunEvent,
  type RunListener,
  type RunSnapshot,
  type RunState,
  type RunSummary,
} from "./progress/mod.ts";
import type { Outcome } from "./row.ts";
import { imagesIn } from "./source/mod.ts";

/**
 * Sends rows to teachers and collects the answers. There is one run at a time; it can be observed,
 * paused and stopped.
 *
 * @example From a file to a file
 * ```ts
 * import { openai, ResponseGenerator } from "../mod.ts";
 *
 * async function answerFile(): Promise<void> {
 *   await using teacher = openai({ baseUrl: "http://127.0.0.1:8000/v1", model: "qwen3" });
 *   const generator = new ResponseGenerator({ teacher, concurrency: 200 });
 *   const summary = await generator.run({ input: "prompts.jsonl", output: "out/" });
 *   console.log(summary.succeeded, summary.failed, summary.pending);
 * }
 * ```
 */
export class ResponseGenerator {
  /** The options. `setConcurrency()` and `setMaxCost()` change them, also for later runs. */
  #options: ResolvedOptions;
  readonly #listeners = new Listeners<RunEvent>();
  readonly #outcomeListeners = new Listeners<readonly Outcome[]>();
  #activeRun: ActiveRun | undefined;

  /**
   * Checks the options. Sends nothing.
   *
   * @throws {TypeError | RangeError} if an option is unknown, of the wrong type or out of range
   */
  constructor(options: ResponseGeneratorOptions) {
    this.#options = resolveOptions(options);
  }

  /** What the active run is doing. It is "preparing" until its first row can be sent, and "done" if
   * no run is active. */
  get state(): RunState {
    return this.#activeRun?.state ?? "done";
  }

  /** Maximum number of rows in flight. */
  get concurrency(): number {
    return this.#options.concurrency;
  }

  /** Calls `listener` with every event of all runs, until the returned function is called. */
  on(listener: RunListener): () => void {
    checkListener(listener);
    return this.#listeners.add(listener);
  }

  /** Calls `listener` with batches of outcomes once they are on disk or taken by the consumer,
   * until the returned function is called. Listeners should return at once, because all rows wait
   * for them. */
  onOutcomes(listener: OutcomeListener): () => void {
    checkListener(listener);
    return this.#outcomeListeners.add(listener);
  }

  /** Reports a notice to all listeners of the active run. If no run is active, the notice is
   * dropped. */
  notice(level: "info" | "warning", message: string): void {
    this.#activeRun?.progress.notice(level, message);
  }

  /** Returns the progress of the active run; undefined if no run is active. */
  snapshot(): RunSnapshot | undefined {
    const snapshot = this.#activeRun?.progress.snapshot();
    return snapshot && resultOf(snapshot);
  }

  /** Starts no attempts until `resume()`. Calls in flight continue. */
  pause(): void {
    this.#activeRun?.pause();
  }

  /** Continues after `pause()`. */
  resume(): void {
    this.#activeRun?.resume();
  }

  /** Changes the maximum number of rows in flight, from 1 to 100,000, also for later runs. */
  setConcurrency(concurrency: number): void {
    this.#options = { ...this.#options, concurrency: checkConcurrency(concurrency) };
    this.#activeRun?.setConcurrency(concurrency);
  }

  /** Changes the cost limit in US dollars, also for later runs. Null removes the limit. Halts the
   * active run if it has already cost this much. */
  setMaxCost(usd: number | null): void {
    checkLimits({ maxCostUsd: usd ?? undefined });
    this.#activeRun?.setMaxCost(usd);
    this.#options = { ...this.#options, maxCostUsd: usd ?? undefined };
  }

  /** Finishes the calls in flight and starts no others. The remaining rows stay pending. */
  stop(): void {
    this.#activeRun?.stop();
  }

  /** Stops the run and aborts the calls in flight. Their rows stay pending. */
  abort(reason?: unknown): void {
    this.#activeRun?.abort(reason);
  }

  /**
   * Continues an earlier run, sends the rows that are pending (with `retry`, those that have
   * failed), and resolves when everything is on disk. The `state` of the summary is `interrupted`
   * if the run was stopped or aborted, and `halted` if something else ended it, such as a teacher,
   * a budget or a deadline.
   *
   * @throws {UsageError} If these options cannot start a run. Nothing was sent.
   * @throws {SourceError} If the input cannot be read or contains rows that cannot be sent, in
   * which case nothing was sent; or if it was changed during the run, in which case answers
   * received until then are on disk.
   * @throws {LockedError} If another run or a merge is writing to the same output.
   * @throws {SinkError} If the output cannot be written.
   */
  async run(options: RunOptions): Promise<RunSummary> {
    return await this.#during(async (activeRun) => {
      activeRun.run = new Run(await activeRun.prepare(), options);
      return resultOf(await activeRun.run.execute());
    });
  }

  /** Returns what `run()` would send, and what that would cost. Makes no call and writes
   * nothing. */
  async preview(options: RunOptions): Promise<Preview> {
    return await this.#during(async (activeRun) =>
      new Run(await activeRun.prepare(), options).preview()
    );
  }

  /**
   * Sends rows of any shape to the teacher and yields outcomes as they arrive. Reads at most
   * `concurrency` rows ahead of the consumer. An early `break` aborts the calls in flight. An error
   * thrown by `rows` is thrown again after the outcomes of the calls in flight. After `stop()` or
   * `abort()`, even from the page of a monitor, the outcomes end without an error, as they do after
   * the last row.
   *
   * @throws The reason of `signal` once it is aborted.
   * @throws {HaltedError} If a teacher, a budget or a deadline ended the run.
   * @throws {TypeError} At the call, if `rows` is a string or not iterable.
   */
  generate(
    rows: Iterable<unknown> | AsyncIterable<unknown>,
  ): AsyncGenerator<GeneratedOutcome, void, undefined> {
    checkRows(rows);
    let activeRun: ActiveRun | undefined;
    const generate = async function* (this: ResponseGenerator) {
      activeRun = this.#begin();
      try {
        yield* streamOutcomes(rows, {
          activeRun,
          publisher: new LineOutcomes({
            ...lineFormat(this.#options, {}),
            // Prices are loaded only after the run has begun.
            get isPriced() {
              return activeRun?.isPriced ?? false;
            },
          }),
          images: imagesIn(this.#options.imagesRoot),
        });
      } finally {
        this.#end(activeRun);
      }
    };
    return abortedByReturn(generate.call(this), () => activeRun?.abort());
  }

  async #during<T>(work: (activeRun: ActiveRun) => Promise<T>): Promise<T> {
    const activeRun = this.#begin();
    try {
      return await work(activeRun);
    } finally {
      this.#end(activeRun);
    }
  }

  #begin(): ActiveRun {
    if (this.#activeRun !== undefined) {
      throw new TypeError("Cannot start: this generator is already running. Create another one");
    }
    return this.#activeRun = new ActiveRun(this.#options, this.#listeners, this.#outcomeListeners);
  }

  #end(activeRun: ActiveRun): void {
    activeRun.end();
    this.#activeRun = undefined;
  }
}

function checkListener(listener: unknown): void {
  if (typeof listener === "function") return;
  throw new TypeError(
    `Cannot listen with a value of type ${typeof listener}: it must be a function`,
  );
}
