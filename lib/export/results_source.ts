/**
 * Results files as a source of examples.
 *
 * @module
 */

import { basename } from "../deps/std_path.ts";
import { UsageError } from "../errors.ts";
import { formatCount } from "../figures.ts";
import { readRunFile, type RunFile } from "../run/mod.ts";
import type { Example, ExampleSource } from "./example.ts";
import type { ResolvedExport } from "./export_options.ts";
import { NoPlace } from "./training_row.ts";
import { ResultsFile, runFileOf } from "./results_file.ts";
import { randomOf, shuffleIn } from "./row_sequence.ts";

/** One or more results files, one after the other. */
export class ResultsSource implements ExampleSource, Disposable {
  /** What an export must not replace. */
  readonly sources = new Map<string, string>();
  readonly origin: string[] = [];
  readonly #files: readonly ResultsFile[];

  readonly #format: string;

  private constructor(files: readonly ResultsFile[], format: string) {
    this.#files = files;
    this.#format = format;
  }

  /** Opens the files of these paths. */
  static async open(options: ResolvedExport): Promise<ResultsSource> {
    const { paths, format } = options;
    const files = await Promise.all(paths.map((path) => ResultsFile.open(path, options)));
    const source = new ResultsSource(files, format);
    for (const path of paths) {
      source.sources.set(path, "a results file that is exported");
      const run = await readRunFile(runFileOf(path));
      if (run === undefined) continue;
      source.sources.set(run.input, inputOf(path));
      source.origin.push(...originOf(run));
    }
    return source;
  }

  get rowCount(): number {
    return this.#files.reduce((sum, { rowCount }) => sum + rowCount, 0);
  }

  get lineCount(): number {
    return this.#files.reduce((sum, { lineCount }) => sum + lineCount, 0);
  }

  async scan(takes: (example: Example) => boolean | NoPlace): Promise<void> {
    for (const file of this.#files) {
      await file.index((example, place) => {
        const verdict = takes(example);
        if (verdict instanceof NoPlace) throw noPlaceError(this.#format, place, verdict);
        return verdict;
      });
      for (const input of file.inputs) this.sources.set(input, inputOf(file.path));
    }
  }

  async *batches(shuffle: number | undefined): AsyncGenerator<Iterable<Example>> {
    // One batch: lines are read one by one, as they are asked for.
    yield shuffle === undefined ? this.#inInputOrder() : this.#shuffled(shuffle);
  }

  [Symbol.dispose](): void {
    for (const file of this.#files) file[Symbol.dispose]();
  }

  *#inInputOrder(): Generator<Example> {
    for (const file of this.#files) {
      for (const index of file.inInputOrder()) yield file.at(index);
    }
  }

  /** Below 2^32 lines in all, a file and a place in it fit into one number. */
  *#shuffled(seed: number): Generator<Example> {
    const files = this.#files;
    const places = new Uint32Array(this.rowCount);
    const starts: number[] = [];
    let next = 0;
    for (const file of files) {
      const start = next;
      starts.push(start);
      for (const index of file.inInputOrder()) places[next++] = start + index;
    }
    shuffleIn(places, randomOf(seed));
    for (const place of places) {
      const file = starts.findLastIndex((start) => start <= place);
      yield files[file].at(place - starts[file]);
    }
  }
}

/** How a run has made its results. Neither the teacher's address nor the path of the input is for readers. */
function originOf({ input, params, retort, summary }: RunFile): string[] {
  const sets = Object.values(params).map((one) => `\`${JSON.stringify(one)}\``);
  const cost = summary?.cost_usd;
  return [
    `Prompts: \`${basename(input)}\`, answered with Retort ${retort}.`,
    `Parameters: ${sets.join(", ") || "those of the teacher"}.`,
    ...summary === null ? [] : [
      `Rows of the run: ${count(summary.total)}; ${count(summary.failures_on_disk)} failed, ` +
      `${count(summary.pending)} pending.`,
      `Cost of its last part: ${typeof cost === "number" ? `$${cost.toFixed(2)}` : "not known"}.`,
    ],
  ];
}

function count(value: number): string {
  return formatCount(value);
}

function noPlaceError(format: string, place: string, { problem }: NoPlace): UsageError {
  return new UsageError(
    `Cannot export ${place} as ${format}: the format has no place for ${problem}. ` +
      "Use the format messages",
  );
}

function inputOf(results: string): string {
  return `the input that "${results}" was made from`;
}
