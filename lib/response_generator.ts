/**
 * Where source, engine, teacher, sink and progress are put together.
 *
 * @module
 */

import { Engine } from "./engine/engine.ts";
import { checkConcurrency } from "./engine/lanes.ts";
import { RetryPolicy } from "./engine/retry_policy.ts";
import type { RunListener, RunState, Snapshot, Summary } from "./progress/events.ts";
import { Progress } from "./progress/progress.ts";
import { type GeneratedOutcome, Generation } from "./run/generation.ts";
import type { ResponseGeneratorOptions, RunOptions } from "./run/options.ts";
import { lineFormat, type Preview, type ResolvedOptions } from "./run/context.ts";
import { Run } from "./run/run.ts";
import { createRowParser } from "./source/parse_row.ts";
import { checkParams } from "./teacher/params.ts";

/** What is under way. */
interface Activity {
  readonly progress: Progress;
  /** Ends the preparation of a run. */
  readonly preparing: AbortController;
  engine: Engine | undefined;
  isPaused: boolean;
  run: Run | undefined;
}

const DEFAULTS = {
  params: {},
  concurrency: 20,
  onTruncated: "error",
  duplicates: "merge",
} satisfies Partial<ResponseGeneratorOptions>;

/**
 * Turns prompts into answers of a teacher.
 *
 * @example From a file to a file
 * ```ts
 * import { openaiCompatible, ResponseGenerator } from "../mod.ts";
 *
 * async function distil(): Promise<void> {
 *   const teacher = openaiCompatible({ baseUrl: "http://127.0.0.1:8000/v1", model: "qwen3" });
 *   const generator = new ResponseGenerator({ teacher, concurrency: 200 });
 *   const summary = await generator.run({ input: ["prompts.jsonl"], output: "out/" });
 *   console.log(summary.succeeded, summary.failed, summary.pending);
 *   await teacher.close();
 * }
 * ```
 */
export class ResponseGenerator {
  readonly #options: ResolvedOptions;
  readonly #listeners = new Set<RunListener>();
  readonly #notices: string[];
  #concurrency: number;
  #activity: Activity | undefined;

  /**
   * Checks the options; nothing is sent.
   *
   * @throws {TypeError | RangeError} when an option is out of range
   */
  constructor(options: ResponseGeneratorOptions) {
    if (typeof options?.teacher?.complete !== "function") {
      throw new TypeError('Cannot make a generator without a teacher: "teacher" has no complete()');
    }
    const checked = checkParams(options.params ?? DEFAULTS.params);
    this.#notices = checked.notices;
    this.#options = {
      ...DEFAULTS,
      ...withoutUndefined(options),
      params: checked.params,
      retryPolicy: new RetryPolicy(options),
    };
    this.#concurrency = this.#options.concurrency;
    checkConcurrency(this.#concurrency);
    createRowParser({ ...this.#options, runParams: this.#options.params });
  }

  /** What is going on: "preparing" before the first row can be sent, "done" when nothing runs. */
  get state(): RunState {
    if (this.#activity === undefined) return "done";
    return this.#activity.engine?.state ?? "preparing";
  }

  /** The target number of lanes. */
  get concurrency(): number {
    return this.#concurrency;
  }

  /** Calls `listener` with every event of this generator's runs, until the function that it gives
   * back is called. */
  on(listener: RunListener): () => void {
    this.#listeners.add(listener);
    const leave = this.#activity?.progress.on(listener);
    return () => {
      this.#listeners.delete(listener);
      leave?.();
    };
  }

  /** The state of what is under way, or undefined when nothing is. */
  snapshot(): Snapshot | undefined {
    return this.#activity?.progress.snapshot();
  }

  /** Starts no attempt until `resume()`; calls in flight go on. */
  pause(): void {
    if (this.#activity === undefined) return;
    this.#activity.isPaused = true;
    this.#activity.engine?.closeGate("pause");
  }

  /** Goes on after `pause()`. */
  resume(): void {
    if (this.#activity === undefined) return;
    this.#activity.isPaused = false;
    this.#activity.engine?.openGate("pause");
  }

  /** Lets more or fewer rows be asked at once, from now on: 1 to 100,000. */
  setConcurrency(concurrency: number): void {
    checkConcurrency(concurrency);
    this.#concurrency = concurrency;
    const { run, engine, progress } = this.#activity ?? {};
    if (run !== undefined) run.setConcurrency(concurrency);
    else engine?.setConcurrency(concurrency);
    progress?.stateChanged();
  }

  /** Finishes what is in flight and starts nothing more; the rest stays pending. */
  stop(): void {
    this.#activity?.preparing.abort();
    this.#activity?.engine?.stop();
  }

  /** Stops, and aborts the calls in flight; their rows stay pending. */
  abort(reason?: unknown): void {
    const activity = this.#activity;
    if (activity === undefined) return;
    activity.preparing.abort(reason);
    activity.engine?.abort(reason);
    activity.run?.giveUp();
  }

  /**
   * Runs files to files: resumes what is there, asks what is pending, and resolves when everything is
   * on disk. A run that was stopped or aborted resolves too, with `state: "interrupted"`.
   *
   * @throws {UsageError | SourceError} before the first call, when the run cannot be made as asked
   * @throws {LockedError} when another run writes to the same output
   * @throws {SinkError} when the output cannot be kept
   */
  async run(options: RunOptions): Promise<Summary> {
    return await this.#during(async (activity) => {
      const run = this.#runOf(activity, options);
      activity.run = run;
      return await run.execute();
    });
  }

  /** What `run()` would do and what it would send first. Makes no call and writes nothing. */
  async preview(options: RunOptions): Promise<Preview> {
    return await this.#during((activity) => this.#runOf(activity, options).preview());
  }

  /**
   * Asks the teacher about rows of any shape and gives each outcome as it comes. Never runs ahead of
   * its consumer by more than the concurrency. An early `break` aborts the calls in flight and
   * leaves nothing running. An error in `rows` is thrown here, after the outcomes of the calls that
   * were in flight.
   *
   * @throws the reason of `signal` when it is aborted
   */
  async *generate(
    rows: Iterable<unknown> | AsyncIterable<unknown>,
  ): AsyncGenerator<GeneratedOutcome, void, undefined> {
    const activity = this.#begin();
    try {
      const { progress } = activity;
      const options = this.#options;
      options.signal?.throwIfAborted();
      const generation = new Generation({
        parser: createRowParser({ ...options, runParams: options.params }),
        duplicates: options.duplicates,
        format: lineFormat(options, {}),
        onSettled: (outcomes) => progress.settled(outcomes),
      });
      const engine = new Engine({
        ...options,
        concurrency: this.#concurrency,
        source: generation.rows(rows),
        sink: generation,
        listener: progress,
      });
      attach(engine, activity);
      progress.start({ total: null, skipped: 0 });
      yield* generation.outcomes(engine);
      options.signal?.throwIfAborted();
    } finally {
      this.#end(activity);
    }
  }

  #runOf(activity: Activity, options: RunOptions): Run {
    return new Run({
      generator: { ...this.#options, concurrency: this.#concurrency },
      notices: this.#notices,
      progress: activity.progress,
      signal: activity.preparing.signal,
      onEngine: (engine) => attach(engine, activity),
    }, options);
  }

  async #during<T>(work: (activity: Activity) => Promise<T>): Promise<T> {
    const activity = this.#begin();
    try {
      return await work(activity);
    } finally {
      this.#end(activity);
    }
  }

  #begin(): Activity {
    if (this.#activity !== undefined) {
      throw new TypeError("Cannot start: this generator is at work already. Make another one");
    }
    const activity: Activity = {
      progress: new Progress({
        concurrency: this.#concurrency,
        updateInterval: this.#options.updateInterval,
        gauges: () => ({
          state: activity.engine?.state ?? "preparing",
          inFlight: activity.engine?.inFlight ?? 0,
          waiting: activity.engine?.waiting ?? 0,
          concurrency: this.#concurrency,
        }),
      }),
      preparing: new AbortController(),
      engine: undefined,
      isPaused: false,
      run: undefined,
    };
    for (const listener of this.#listeners) activity.progress.on(listener);
    this.#activity = activity;
    this.#options.signal?.addEventListener("abort", this.#onAbort);
    if (this.#options.signal?.aborted) this.#onAbort();
    return activity;
  }

  #end(activity: Activity): void {
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    activity.progress.stop();
    this.#activity = undefined;
  }

  readonly #onAbort = (): void => this.abort(this.#options.signal?.reason);
}

/** What was asked for while there was no engine yet counts all the same. */
function attach(engine: Engine, activity: Activity): void {
  activity.engine = engine;
  if (activity.isPaused) engine.closeGate("pause");
  if (activity.preparing.signal.aborted) engine.stop();
}

/** An option that is there but undefined means its default. */
function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as T;
}
