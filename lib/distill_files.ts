/** `distillFiles()`: turns files of rows into files of results in one call. @module */

import { HaltedError } from "./errors.ts";
import { checkOptions } from "./options.ts";
import type { PathLike } from "./files.ts";
import type { RunSummary } from "./progress/mod.ts";
import { ResponseGenerator } from "./response_generator.ts";
import {
  checkGeneratorOptions,
  GENERATOR_RULES,
  type ResponseGeneratorOptions,
  RUN_RULES,
  type RunOptions,
  type SharedOptions,
} from "./run/mod.ts";

/** The options of a `ResponseGenerator` and its `run()`, without `validate`. */
export type DistillFilesOptions = SharedOptions & Omit<RunOptions, "input" | "output">;

const { input: _input, output: _output, ...RUN_ONLY_RULES } = RUN_RULES;
const { validate: _validate, ...SHARED_RULES } = GENERATOR_RULES;
const RULES = { ...SHARED_RULES, ...RUN_ONLY_RULES };

/**
 * Turns files of rows into files of results: continues an earlier run, sends the rows that are
 * pending (with `retry`, those that have failed), and resolves when everything is on disk. Does not
 * close the teacher.
 *
 * @param input Files, folders or patterns, as paths or `file:` URLs.
 * @param output A folder, or one results file (`.jsonl` or `.ndjson`) for one input. Several inputs
 * can have one results file only if a merge has written it.
 * @param options `teacher` or `teachers` is required.
 * @returns The summary of the run. Failed rows are counted, not thrown.
 * @throws The reason of `signal` once it is aborted; answers received until then are on disk.
 * @throws {HaltedError} If a teacher, a budget or a deadline ended the run; answers received until
 * then are on disk.
 * @throws {TypeError} If an option is unknown or of a wrong type.
 * @throws {RangeError} If an option is out of range.
 * @throws {UsageError | SourceError} If the run cannot start with these options; nothing was sent.
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
