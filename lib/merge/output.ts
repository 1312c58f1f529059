/**
 * The output of a merge: new versions of all files, which appear together or not at all.
 *
 * @module
 */

import { modeMadeFrom, Replacement } from "../sink/mod.ts";
import type { LineSink } from "./run_lines.ts";

const BUFFER_BYTES = 1 << 20;

/** A file that is written line by line and appears complete. */
class MergedFile implements LineSink, AsyncDisposable {
  readonly #replacement: Replacement;
  #buffer = new Uint8Array(BUFFER_BYTES);
  #filled = 0;
  #lines = 0;

  private constructor(replacement: Replacement) {
    this.#replacement = replacement;
  }

  /** Starts the file. */
  static async open(path: string, mode: number | undefined): Promise<MergedFile> {
    return new MergedFile(await Replacement.open(path, { mode, removesLeftovers: true }));
  }

  /** The number of bytes that are not written yet. */
  get waiting(): number {
    return this.#filled;
  }

  /** Whether nothing was added. */
  get isEmpty(): boolean {
    return this.#lines === 0;
  }

  /** Adds bytes; they are written by `flush`. */
  add(bytes: Uint8Array): void {
    this.#lines++;
    if (this.#filled + bytes.length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(this.#buffer.length * 2, this.#filled + bytes.length));
      larger.set(this.#buffer.subarray(0, this.#filled));
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#filled);
    this.#filled += bytes.length;
  }

  /** Writes what is buffered once it is half full. */
  async flush({ all = false } = {}): Promise<void> {
    if (this.#filled === 0 || (!all && this.#filled < BUFFER_BYTES / 2)) return;
    await this.#replacement.write(this.#buffer.subarray(0, this.#filled));
    this.#filled = 0;
  }

  /** Makes the file appear. */
  async commit(): Promise<void> {
    await this.flush({ all: true });
    await this.#replacement.commit();
  }

  /** Discards the file unless it was committed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#replacement[Symbol.asyncDispose]();
  }
}

/** Opens the results, the failures and the duplicates of a merge. */
export async function openOutput(
  paths: { results: string; failures: string; duplicates: string },
  madeFrom: readonly string[],
): Promise<MergedOutput> {
  await using stack = new AsyncDisposableStack();
  const mode = await modeMadeFrom(madeFrom);
  const results = stack.use(await MergedFile.open(paths.results, mode));
  const failures = stack.use(await MergedFile.open(paths.failures, mode));
  const duplicates = stack.use(await MergedFile.open(paths.duplicates, mode));
  return new MergedOutput(results, failures, duplicates, stack.move());
}

/** The files of a merge. */
export class MergedOutput implements AsyncDisposable {
  readonly results: MergedFile;
  readonly failures: MergedFile;
  readonly duplicates: MergedFile;
  readonly #stack: AsyncDisposableStack;

  /** Made by `openOutput`. */
  constructor(
    results: MergedFile,
    failures: MergedFile,
    duplicates: MergedFile,
    stack: AsyncDisposableStack,
  ) {
    this.results = results;
    this.failures = failures;
    this.duplicates = duplicates;
    this.#stack = stack;
  }

  /** Writes what is buffered once it is half full. */
  async flush(): Promise<void> {
    await this.results.flush();
    await this.failures.flush();
    await this.duplicates.flush();
  }

  /** Closes the files, and discards those that were not committed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
