/**
 * Results of runs as a source of examples.
 *
 * @module
 */

import { failuresOf, requireJsonLines } from "../data/mod.ts";
import { basename } from "../deps/std_path.ts";
import { DamagedFileError, UsageError } from "../errors.ts";
import { formatCount, formatUsd } from "../figures.js";
import { readFullySync, realPathOf, stemOf } from "../files.ts";
import { HAS_FAILURE, IdTable } from "../index/mod.ts";
import { isJson, isObject, parsedJson } from "../json.ts";
import { isBlankLine, linesIn, linesOf, readLineBlocks } from "../line_blocks.ts";
import { codeSpan, printableJson } from "../printable.ts";
import { readRunFile, type RowOptions, type RunFile } from "../run/mod.ts";
import { isPendingLine } from "../sink/mod.ts";
import {
  type Example,
  ExampleReader,
  type ExampleSource,
  NotRestored,
  UnrestoredRows,
  type Verdict,
} from "./example.ts";
import type { ResolvedExport } from "./export_options.ts";
import { RowOrder, shuffleIn } from "./row_order.ts";
import { Unrepresentable } from "./turns.ts";

/** The examples of several results files: one file after another, each in the order of its input,
 * or all shuffled. */
export class ResultsSource implements ExampleSource, Disposable {
  selectedCount = 0;
  rowCount = 0;
  /** The number of rows that have failed and have no result. Known after the scan. */
  failedRowCount = 0;
  /**
   * The number of exported lines that repeat the uid of an earlier line of their file. Known after
   * the export.
   */
  repeatedRowCount = 0;
  readonly sources = new Map<string, string>();
  readonly origin: string[] = [];
  readonly #files: readonly ResultsFile[];
  readonly #options: ResolvedExport;
  readonly #unrestoredRows: UnrestoredRows;

  private constructor(files: readonly ResultsFile[], options: ResolvedExport) {
    this.#files = files;
    this.#options = options;
    this.#unrestoredRows = new UnrestoredRows(options.where);
  }

  static async open(options: ResolvedExport): Promise<ResultsSource> {
    const { paths } = options;
    const files = await Promise.all(paths.map(async (path) => {
      // If the path is a link, the run file may be next to its target.
      const run = await readRunFile(runFileOf(path)) ??
        await readRunFile(runFileOf(realPathOf(path)));
      return new ResultsFile(path, run, options);
    }));
    const source = new ResultsSource(files, options);
    for (const { path, run } of files) {
      source.sources.set(path, "a results file that is exported");
      if (run === undefined) continue;
      source.sources.set(run.input, inputDescription(path));
      source.origin.push(...runDescription(run));
    }
    return source;
  }

  async scan(verdictOf: (example: Example) => Verdict): Promise<void> {
    for (const file of this.#files) {
      const description = inputDescription(file.path);
      const counts = await file.index((example, place) => {
        this.sources.set(example.input, description);
        return this.#admit(example, place, verdictOf(example));
      }).catch(async (error) => {
        if (error instanceof DamagedFileError) await requireJsonLines(file.path);
        throw error;
      });
      this.selectedCount += counts.rows;
      this.rowCount += counts.lines;
      this.failedRowCount += counts.failedRows;
    }
    this.#unrestoredRows.throwIfAny();
  }

  /** Returns whether the example is written. Throws if the format has no place for it. */
  #admit(example: Example, place: string, verdict: Verdict): boolean {
    if (verdict instanceof Unrepresentable) {
      throw new UsageError(
        `Cannot export ${place} as ${this.#options.format}: the format has no place for ${verdict.message}. ` +
          "Use --format messages",
      );
    }
    if (verdict instanceof NotRestored) {
      this.#unrestoredRows.add(example, place, verdict.message);
      return false;
    }
    if (verdict) this.#unrestoredRows.addRestored(example);
    return verdict;
  }

  async *batches(): AsyncGenerator<Iterable<Example>> {
    const { shuffle } = this.#options;
    // There is only one batch, because lines are read on demand.
    yield shuffle === undefined ? this.#inInputOrder() : this.#shuffled(shuffle);
  }

  [Symbol.dispose](): void {
    for (const file of this.#files) file[Symbol.dispose]();
  }

  *#inInputOrder(): Generator<Example> {
    for (const file of this.#files) {
      for (const index of this.#orderOf(file)) yield file.exampleAt(index);
    }
  }

  #orderOf(file: ResultsFile): Uint32Array {
    const order = file.order.inInputOrder();
    for (let i = 1; i < order.length; i++) {
      if (file.haveSameUid(order[i - 1], order[i])) this.repeatedRowCount++;
    }
    return order;
  }

  /** Shuffles the selected lines of all files, numbered consecutively. Assumes that the numbers fit
   * into 32 bits. */
  *#shuffled(seed: number): Generator<Example> {
    const files = this.#files;
    const indexes = new Uint32Array(this.selectedCount);
    const starts: number[] = [];
    let next = 0;
    for (const file of files) {
      const start = next;
      starts.push(start);
      for (const index of this.#orderOf(file)) indexes[next++] = start + index;
    }
    shuffleIn(indexes, seed);
    for (const index of indexes) {
      const file = starts.findLastIndex((start) => start <= index);
      yield files[file].exampleAt(index - starts[file]);
    }
  }
}

function runFileOf(results: string): string {
  return `${stemOf(results)}.run.json`;
}

/** Describes a run for the dataset card, without the address of the teacher and the input path. */
function runDescription({ input, params, retort, summary }: RunFile): string[] {
  const sets = Object.values(params).map((set) => codeSpan(printableJson(JSON.stringify(set))));
  const cost = summary?.cost_usd;
  return [
    `Prompts: ${codeSpan(basename(input))}, answered with Retort ${codeSpan(String(retort))}.`,
    `Parameters: ${sets.join(", ") || "those of the teacher"}.`,
    ...summary === null ? [] : [
      `Rows of the run: ${formatCount(summary.total)}; ` +
      `${formatCount(summary.failures_on_disk)} failed, ${formatCount(summary.pending)} pending.`,
      `Cost since the run was last started: ${
        typeof cost === "number" ? formatUsd(cost) : "not known"
      }.`,
    ],
  ];
}

function inputDescription(results: string): string {
  return `the input that "${results}" was made from`;
}

/**
 * Returns the rows that have failed permanently. Some may have a result, because they were retried.
 * Skips pending, damaged and incomplete lines.
 */
async function failedRowsOf(results: string): Promise<IdTable> {
  const path = failuresOf(results), table = new IdTable();
  if (path === undefined) return table;
  try {
    for await (const { text } of linesIn(path)) {
      const line = parsedJson(text);
      if (!isObject(line) || typeof line.uid !== "string" || !isObject(line.error)) continue;
      if (!isPendingLine(line)) table.set(table.insert(line.uid), HAS_FAILURE);
    }
  } catch {
    // A failures file that cannot be read must not fail the export of the results.
  }
  return table;
}

/** Reads a file twice: to select, order and check examples, then to return them. */
class ResultsFile implements Disposable {
  readonly path: string;
  readonly run: RunFile | undefined;
  readonly #reader: ExampleReader;
  readonly order = new RowOrder();
  // A byte order mark within the file is damage, and must not be dropped silently.
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #file: Deno.FsFile | undefined;
  #buffer = new Uint8Array(64 * 1024);

  constructor(path: string, run: RunFile | undefined, options: RowOptions) {
    this.path = path;
    this.run = run;
    this.#reader = new ExampleReader(options, run);
  }

  /** Records the positions of the lines that are selected. Returns the counts of the file. */
  async index(isSelected: (example: Example, place: string) => boolean) {
    using failedRows = await failedRowsOf(this.path);
    let number = 0, lines = 0;
    for await (const block of readLineBlocks(this.path)) {
      let { offset } = block;
      for (const bytes of linesOf(block)) {
        const start = offset;
        offset += bytes.length + 1;
        number++;
        if (isBlankLine(bytes)) continue;
        lines++;
        const place = `"${this.path}" line ${number}`;
        const example = this.#read(bytes, place, block.isTail);
        const slot = failedRows.find(example.result.uid as string);
        if (slot !== -1) failedRows.clear(slot, HAS_FAILURE);
        if (isSelected(example, place)) this.order.add(start, bytes.length, example);
      }
    }
    const failedCount = failedRows.count({ all: HAS_FAILURE });
    return { rows: this.order.length, lines, failedRows: failedCount };
  }

  /** Whether two lines have the same origin and uid. If the row at an origin was edited, its answers
   * may have different uids. */
  haveSameUid(one: number, other: number): boolean {
    return this.order.haveSameOrigin(one, other) &&
      this.exampleAt(one).result.uid === this.exampleAt(other).result.uid;
  }

  exampleAt(index: number): Example {
    const { offset, byteLength } = this.order.position(index);
    if (this.#buffer.length < byteLength) this.#buffer = new Uint8Array(byteLength * 2);
    const bytes = this.#buffer.subarray(0, byteLength);
    const file = this.#file ??= Deno.openSync(this.path);
    if (readFullySync(file, bytes, offset) < byteLength) {
      throw this.#damage(`"${this.path}"`, "the file was truncated while it was read");
    }
    return this.#read(bytes, `a line of "${this.path}"`, false);
  }

  [Symbol.dispose](): void {
    this.#file?.close();
  }

  #read(bytes: Uint8Array, place: string, isTail: boolean): Example {
    let text: string;
    try {
      text = this.#decoder.decode(bytes);
    } catch {
      const mayBeCompressed = place.endsWith(" line 1");
      const hint = mayBeCompressed ? '. If the file is compressed, use "convert"' : "";
      throw this.#damage(place, `invalid UTF-8${hint}`);
    }
    const example = this.#reader.read(text);
    if (typeof example !== "string") return example;
    const hint = isTail && !isJson(text)
      ? ". The line is truncated: rerun the command that wrote the file to repair it"
      : "";
    throw this.#damage(place, example + hint);
  }

  #damage(place: string, problem: string): DamagedFileError {
    return new DamagedFileError(`Cannot export ${place}: ${problem}`, { path: this.path });
  }
}
