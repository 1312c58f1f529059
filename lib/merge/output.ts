/**
 * The output files of a merge, each of which appears complete or not at all.
 *
 * @module
 */

import type { OutputFiles } from "../run/mod.ts";
import { modeMadeFrom, Replacement } from "../sink/mod.ts";
import type { LineSink } from "./run_lines.ts";

const BUFFER_BYTES = 1 << 20;

/** The path for answers to rows that share a uid: `all/x.duplicates.jsonl` for `all/x.jsonl`. */
export function duplicatesPathOf(results: string): string {
  return results.replace(/\.jsonl$/, ".duplicates.jsonl");
}

/** One output file, buffered. */
class MergedFile implements LineSink, AsyncDisposable {
  readonly #replacement: Replacement;
  #buffer = new Uint8Array(BUFFER_BYTES);
  #filled = 0;
  #isEmpty = true;

  private constructor(replacement: Replacement) {
    this.#replacement = replacement;
  }

  /** Creates the temporary file of a `Replacement`. */
  static async open(path: string, mode: number | undefined): Promise<MergedFile> {
    return new MergedFile(await Replacement.open(path, { mode, removesLeftovers: true }));
  }

  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  /** Buffers bytes, without limit, until `flush`. */
  add(bytes: Uint8Array): void {
    this.#isEmpty = false;
    if (this.#filled + bytes.length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(this.#buffer.length * 2, this.#filled + bytes.length));
      larger.set(this.#buffer.subarray(0, this.#filled));
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#filled);
    this.#filled += bytes.length;
  }

  /** Writes the buffer if it is half full, or always with `all`. */
  async flush({ all = false } = {}): Promise<void> {
    if (this.#filled === 0 || (!all && this.#filled < BUFFER_BYTES / 2)) return;
    await this.#replacement.write(this.#buffer.subarray(0, this.#filled));
    this.#filled = 0;
  }

  /** Writes the rest, and makes the file appear durably. */
  async commit(): Promise<void> {
    await this.flush({ all: true });
    await this.#replacement.commit();
  }

  /** Discards the file unless it was committed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#replacement[Symbol.asyncDispose]();
  }
}

/**
 * Creates the output of a merge.
 *
 * @param sources The results files to merge, whose permissions decide those of the output; some may
 * not exist.
 */
export async function openOutput(
  files: OutputFiles,
  sources: readonly string[],
): Promise<MergedOutput> {
  await using stack = new AsyncDisposableStack();
  const mode = await modeMadeFrom(sources);
  const results = stack.use(await MergedFile.open(files.results, mode));
  const failures = stack.use(await MergedFile.open(files.failures, mode));
  const duplicates = stack.use(await MergedFile.open(duplicatesPathOf(files.results), mode));
  return new MergedOutput(results, failures, duplicates, stack.move());
}

/** Made by `openOutput`. */
export class MergedOutput implements AsyncDisposable {
  readonly results: MergedFile;
  readonly failures: MergedFile;
  /** For answers to rows that share a uid with an earlier row of other content. */
  readonly duplicates: MergedFile;
  readonly #stack: AsyncDisposableStack;

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

  /** Writes the buffers that are half full. */
  async flush(): Promise<void> {
    await this.results.flush();
    await this.failures.flush();
    await this.duplicates.flush();
  }

  /** Discards the files that were not committed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
