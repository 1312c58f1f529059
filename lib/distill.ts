/**
 * `distill()` takes rows from any iterable and yields typed outcomes. `distillFiles()` turns files
 * of rows into files of results.
 *
 * @module
 */

import { verdictCheck } from "./checks/mod.ts";
import { HaltedError } from "./errors.ts";
import type { PathLike } from "./files.ts";
import { checkOptions } from "./options.ts";
import type { RunSummary } from "./progress/mod.ts";
import { ResponseGenerator } from "./response_generator.ts";
import {
  abortedByReturn,
  ActiveRun,
  type Answer,
  checkGeneratorOptions,
  checkRows,
  type DistillOutcome,
  GENERATOR_RULES,
  resolveOptions,
  type ResponseGeneratorOptions,
  RowOutcomes,
  RUN_RULES,
  type RunOptions,
  type SharedOptions,
  streamOutcomes,
} from "./run/mod.ts";
import { imagesIn, type RowImages } from "./source/mod.ts";

/** Options of {@linkcode distill}. They are the options of a `ResponseGenerator`, except that
 * `validate` receives the typed answer and `duplicates` is `keep` by default. */
export type DistillOptions<Row = unknown> = SharedOptions & {
  /** Decides whether to keep an answer. If it returns `true` or nothing, the answer is kept. If it
   * returns a string, the answer is rejected for that reason. If it throws an error, the answer is
   * rejected with the message of the error. If it returns `false`, the answer is rejected without a
   * reason. */
  validate?: (answer: Answer<Row>) => boolean | string | void | Promise<boolean | string | void>;
};

/**
 * Sends each row to the teacher and yields outcomes as they arrive, in no particular order.
 *
 * A string is sent as one user message. Any other row is read like a row of a file (`prompt`,
 * `messages`, …). Every row yields `samples` outcomes, even if it equals another row, unless
 * `duplicates` is `merge`. A row that cannot be sent yields failures of the type `bad_row`. Rows
 * are read only as fast as outcomes are taken, and at most `concurrency` are in flight.
 *
 * An early `break`, `return()` or `await using` aborts the calls in flight. The teacher stays open.
 *
 * @typeParam Row The type of a row. The `input` of each outcome is the same value that was given.
 * @param rows Prompts, or objects as in an input file.
 * @param options `teacher` or `teachers` is required.
 * @returns The outcomes. Iterating throws the reason of `signal` when it is aborted, a
 * `HaltedError` when a teacher, a budget or a deadline ends the run, and any error that `rows`
 * throws.
 * @throws {TypeError} If `rows` is a string or not iterable, or an option is unknown or of the
 * wrong type.
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
  return distillWith(rows, options, { imagesIn });
}

/** The differences between Deno and other runtimes. */
export interface RuntimeAdapter {
  /** Creates a reader for the images that rows name. It reads files below `root`, or no files if
   * `root` is undefined. Throws if `root` is set but the runtime cannot read files. */
  readonly imagesIn: (root: string | undefined) => RowImages;
  /** Whether patterns and schemas are checked on this thread. @default false: they are checked
   * in a worker */
  readonly checksOnThisThread?: boolean;
}

/** Implements `distill` for any runtime. Invalid options throw here, before the first iteration. */
export function distillWith<Row>(
  rows: Iterable<Row> | AsyncIterable<Row>,
  options: DistillOptions<Row>,
  { imagesIn, checksOnThisThread }: RuntimeAdapter,
): AsyncGenerator<DistillOutcome<Row>, void, undefined> {
  checkRows(rows);
  checkGeneratorOptions(options);
  const { validate, ...rest } = options;
  const resolved = resolveOptions({ ...rest, duplicates: rest.duplicates ?? "keep" });
  const images = imagesIn(resolved.imagesRoot);
  const publisher: RowOutcomes<Row> = new RowOutcomes(() => activeRun.isPriced);
  const check = validate &&
    verdictCheck((completion, row, cost) => validate(publisher.answer(completion, row, cost)));
  const activeRun = new ActiveRun({ ...resolved, checksOnThisThread, check });
  const outcomes = async function* () {
    try {
      yield* streamOutcomes(rows, { activeRun, publisher, images });
    } finally {
      activeRun.end();
    }
  };
  return abortedByReturn(outcomes(), () => activeRun.abort());
}

/** The options of a `ResponseGenerator` and of its `run()`, without `validate`. */
export type DistillFilesOptions = SharedOptions & Omit<RunOptions, "input" | "output">;

const { input: _input, output: _output, ...RUN_ONLY_RULES } = RUN_RULES;
const { validate: _validate, ...SHARED_RULES } = GENERATOR_RULES;
const RULES = { ...SHARED_RULES, ...RUN_ONLY_RULES };

/**
 * Turns files of rows into files of results. Continues an earlier run, sends the rows that are
 * pending (with `retry`, those that have failed), and resolves when everything is on disk. Does not
 * close the teacher.
 *
 * @param input Files, folders or patterns, as paths or `file:` URLs.
 * @param output A folder, or one results file (`.jsonl` or `.ndjson`) for one input. Several inputs
 * can have one results file only if a merge has written it.
 * @param options `teacher` or `teachers` is required.
 * @returns The summary of the run. Failed rows are counted, not thrown.
 * @throws The reason of `signal` once it is aborted. Answers received until then are on disk.
 * @throws {HaltedError} If a teacher, a budget or a deadline ended the run. Answers received until
 * then are on disk.
 * @throws {TypeError} If an option is unknown or of the wrong type.
 * @throws {RangeError} If an option is out of range.
 * @throws {UsageError} If the run cannot start with these options. Nothing was sent.
 * @throws {SourceError} If the input cannot be read or contains rows that cannot be sent, in which
 * case nothing was sent; or if it was changed during the run, in which case answers received until
 * then are on disk.
 * @throws {LockedError} If another run or a merge is writing to the same output.
 * @throws {SinkError} If the output cannot be written.
 *
 * @example
 * ```ts
 * import { distillFiles, openai } from "../mod.ts";
 *
 * async function answerFile(): Promise<void> {
 *   await using teacher = openai({ baseUrl: "http://127.0.0.1:8000/v1", model: "qwen3" });
 *   const summary = await distillFiles("prompts.jsonl", "out/", { teacher });
 *   console.log(summary.succeeded, summary.failed);
 * }
 * ```
 */
export async function distillFiles(
  input: PathLike | readonly PathLike[],
  output: PathLike,
  options: DistillFilesOptions,
): Promise<RunSummary> {
  checkGeneratorOptions(options, RULES);
  checkOptions({ input, output }, RUN_RULES);
  const shared = pick(options, SHARED_RULES), runOnly = pick(options, RUN_ONLY_RULES);
  const generator = new ResponseGenerator(shared as ResponseGeneratorOptions);
  shared.signal?.throwIfAborted();
  const summary = await generator.run({ ...runOnly, input, output });
  if (summary.state === "halted") throw new HaltedError(summary.reason ?? "The run was halted");
  if (summary.state === "interrupted") shared.signal?.throwIfAborted();
  return summary;
}

function pick<T extends object>(options: T, rules: object): T {
  return Object.fromEntries(
    Object.entries(options).filter(([name]) => Object.hasOwn(rules, name)),
  ) as T;
}
