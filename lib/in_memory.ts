/**
 * `distill()` for Node 24, Bun and Deno: the engine and the teacher without files and without
 * `Deno`. A bundle of this module (`deno bundle --platform deno lib/in_memory.ts -o retort.mjs`) is
 * all that a program on Node needs.
 *
 * A `rejectPattern` or `jsonSchema` is checked on the calling thread, where nothing can stop a
 * pattern that takes exponential time, such as `(a+)+$`.
 *
 * @example
 * ```ts
 * import { distill, openai } from "./in_memory.ts";
 *
 * async function answers(prompts: string[]): Promise<void> {
 *   await using teacher = openai({ baseUrl: "http://127.0.0.1:8000/v1", model: "qwen3" });
 *   for await (const a of distill(prompts, { teacher, concurrency: 200 })) {
 *     console.log(a.ok ? a.response : a.error.message);
 *   }
 * }
 * ```
 *
 * @module
 */

import { type DistillOptions, distillWith } from "./distill.ts";
import type { DistillOutcome } from "./run/mod.ts";
import { type RowImages, withoutImages } from "./source/mod.ts";

export type { DistillOptions } from "./distill.ts";
export type {
  Answer,
  DistillOutcome,
  FailedRow,
  OneOrMany,
  OutcomeCommon,
  SharedOptions,
  TeacherPlace,
} from "./run/mod.ts";
export {
  type Completion,
  disposable,
  type Message,
  openai,
  type OpenAICompatibleOptions,
  type OpenAITeacher,
  type Params,
  type Teacher,
  type TeacherRequest,
  type Usage,
} from "./teacher/mod.ts";
export {
  type FailureType,
  HaltedError,
  RetortError,
  TeacherError,
  type TeacherErrorOptions,
  UsageError,
} from "./errors.ts";
export { VERSION } from "./version.ts";

/**
 * Sends each row to the teacher and yields outcomes, without access to files. Rows name images by
 * `https:` or `data:` URLs.
 *
 * @typeParam Row The type of a row. The `input` of each outcome is the same value that was given.
 * @param rows Prompts, or objects as in an input file.
 * @param options `teacher` or `teachers` is required. `imagesRoot` is rejected.
 * @returns The outcomes as they arrive, in no particular order.
 * @throws {TypeError} If `rows` is a string or not iterable, or an option is unknown or of the
 * wrong type.
 * @throws {RangeError} If an option is out of range.
 */
export function distill<Row>(
  rows: (Iterable<Row> & object) | AsyncIterable<Row>,
  options: NoInfer<DistillOptions<Row>>,
): AsyncGenerator<DistillOutcome<Row>, void, undefined> {
  return distillWith(rows, options, { imagesIn: imagesByUrl, checksOnThisThread: true });
}

function imagesByUrl(root: string | undefined): RowImages {
  if (root === undefined) return withoutImages("give it as an https: or data: URL");
  throw new TypeError("Cannot use imagesRoot: this module reads no files. Give images as URLs");
}
