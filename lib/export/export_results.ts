/**
 * A training set from results: only columns that are trained on, in input order, the answers to one row
 * behind each other.
 *
 * @module
 */

import { DamagedFileError, UsageError } from "../errors.ts";
import { isBlankLine, linesOf, readLineBlocks } from "../line_blocks.ts";
import { readRunFile, type RowOptions } from "../run/mod.ts";
import { jsonOf, modeMadeFrom } from "../sink/mod.ts";
import { systemReason } from "../system_error.ts";
import type { ThinkStyle } from "../think.ts";
import { DamagedLine, type Example, ExampleReader } from "./example.ts";
import {
  EXPORT_FORMATS,
  type ExportFormat,
  hasParts,
  NoPlace,
  OPTIONAL_COLUMNS,
  type RowStyle,
  toTrainingRow,
  type TrainingRow,
} from "./formats.ts";
import { type LoaderHint, loaderHints } from "./loaders.ts";
import { openOutput } from "./output.ts";
import { checkOutput } from "./output_guard.ts";
import { RowOrder } from "./row_order.ts";
import type { ToolArguments } from "./tool_arguments.ts";
import { TrainerNotes } from "./trainer_notes.ts";

export type { ExportFormat } from "./formats.ts";

/** What is exported. Row options that are not given are those that `run.json` remembers. */
export interface ExportOptions extends RowOptions {
  /** The results file, or several: their rows follow one another. */
  results: string | readonly string[];
  /** The file to write, or a stream, which is closed at the end. */
  output: string | WritableStream<Uint8Array>;
  /** The format of the training set. */
  format: ExportFormat;
  /** How reasoning stands in the answer; `alpaca` has no place for `field`. @default "wrap" */
  think?: ThinkStyle;
  /** How the arguments of tool calls stand in `messages` and `prompt-completion`: as an object, which
   * chat templates read, or as JSON text. @default "object" */
  toolArguments?: ToolArguments;
  /** Replaces an output file that holds something; never one that a run reads or has written.
   * @default false */
  replace?: boolean;
  /** Takes results files without a result. @default false */
  allowEmpty?: boolean;
}

/** What was exported. */
export interface ExportReport {
  /** How many rows the training set holds. */
  readonly rows: number;
  /** The columns of each of its rows. */
  readonly columns: readonly string[];
  /** What a trainer may make of the rows that is not what they say. */
  readonly notes: readonly string[];
  /** What trainers have to be told to read the file. */
  readonly hints: readonly LoaderHint[];
}

/**
 * Writes the training set of one or more results files.
 *
 * Everything is read and checked before anything is written, and an output file is replaced only once
 * the new one is whole. A row needs 24 bytes of memory.
 *
 * @throws {UsageError} A file is missing, an option is wrong, the format has no place for a row, or
 * what was sent cannot be made again from the row.
 * @throws {DamagedFileError} A line is no results line of Retort's.
 * @throws {SinkError} The output cannot be written.
 */
export async function exportResults(options: ExportOptions): Promise<ExportReport> {
  checkOptions(options);
  const { output, format } = options;
  const paths = typeof options.results === "string" ? [options.results] : options.results;
  await checkPaths(paths);
  const sources = await sourcesOf(paths);
  const guard = { replace: options.replace, sources };
  if (typeof output === "string") await checkOutput(output, guard);
  const optional = new Set<string>();
  const style = new Style(options);
  const files: ResultsFile[] = [];
  for (const path of paths) {
    const file = await ResultsFile.open(path, options, style);
    await file.index(optional);
    for (const input of file.inputs) sources.set(input, inputOf(path));
    files.push(file);
  }
  if (!options.allowEmpty && files.every(({ rowCount }) => rowCount === 0)) {
    throw new UsageError(
      `Cannot export "${
        paths.join('", "')
      }": there is no result. Add --allow-empty if that is meant`,
    );
  }
  const added = Object.entries(OPTIONAL_COLUMNS[format]).filter(([name]) => optional.has(name));
  await using target = await openOutput(output, guard, await modeMadeFrom(paths));
  let rows = 0, columns: string[] = [];
  for (const file of files) {
    for (const row of file.rows()) {
      const whole = withColumns(row, added);
      if (rows++ === 0) columns = Object.keys(whole);
      await target.write(`${jsonOf(whole)}\n`);
    }
  }
  await target.finish();
  const isFile = typeof output === "string" && /\.\w+$/.test(output);
  const hints = isFile ? loaderHints(format, output, columns) : [];
  return { rows, columns, notes: style.notes.notes(), hints };
}

/** What is the same for all rows, and known once all were read. */
class Style implements RowStyle {
  readonly think: ThinkStyle;
  readonly toolArguments: ToolArguments;
  readonly notes: TrainerNotes;
  parts = false;

  constructor({ format, think = "wrap", toolArguments = "object" }: ExportOptions) {
    this.think = think;
    this.toolArguments = toolArguments;
    this.notes = new TrainerNotes(format, think, toolArguments);
  }

  add(example: Example): void {
    this.notes.add(example);
    if (!this.parts && hasParts(example)) this.parts = true;
  }
}

/** Every row gets the columns that any has: Arrow takes those of the first rows for those of all. */
function withColumns(row: TrainingRow, added: readonly [string, unknown][]): TrainingRow {
  for (const [name, value] of added) row[name] ??= value;
  return row;
}

/** One results file, read twice: to find, order and check its rows, and to give them out. */
class ResultsFile {
  readonly #path: string;
  readonly #options: ExportOptions;
  readonly #reader: ExampleReader;
  readonly #style: Style;
  readonly #order = new RowOrder();
  // `ignoreBOM`: a byte order mark that is not that of the file is damage that is seen.
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  private constructor(path: string, options: ExportOptions, reader: ExampleReader, style: Style) {
    this.#path = path;
    this.#style = style;
    this.#options = options;
    this.#reader = reader;
  }

  /** The inputs of its rows, known once it was indexed. */
  readonly inputs = new Set<string>();

  /** How many rows it holds, known once it was indexed. */
  get rowCount(): number {
    return this.#order.length;
  }

  static async open(path: string, options: ExportOptions, style: Style): Promise<ResultsFile> {
    const run = await readRunFile(runFileOf(path));
    return new ResultsFile(path, options, new ExampleReader(options, run), style);
  }

  /** Reads every line, and notes the optional columns that are needed. */
  async index(optional: Set<string>): Promise<void> {
    const names = Object.keys(OPTIONAL_COLUMNS[this.#options.format]);
    let number = 0;
    for await (const block of readLineBlocks(this.#path)) {
      let { offset } = block;
      for (const bytes of linesOf(block)) {
        number++;
        if (isBlankLine(bytes)) {
          offset += bytes.length + 1;
          continue;
        }
        const example = this.#read(bytes, number, block.isTail);
        const row = this.#trainingRow(example, number);
        this.#style.add(example);
        for (const name of names) if (row[name] !== undefined) optional.add(name);
        this.#order.add(offset, bytes.length, example);
        this.inputs.add(example.input);
        offset += bytes.length + 1;
      }
    }
  }

  /** The rows in input order. */
  *rows(): Generator<TrainingRow> {
    using file = Deno.openSync(this.#path);
    let buffer = new Uint8Array(64 * 1024);
    for (const { offset, byteLength } of this.#order.inInputOrder()) {
      if (buffer.length < byteLength) buffer = new Uint8Array(byteLength * 2);
      const bytes = buffer.subarray(0, byteLength);
      // Synchronous: rows are small and in the page cache, and a promise for each would cost more
      // than the read.
      file.seekSync(offset, Deno.SeekMode.Start);
      for (let done = 0; done < byteLength;) {
        const count = file.readSync(bytes.subarray(done));
        if (count === null) throw this.#damage("a line", "the file was cut while it was read");
        done += count;
      }
      yield this.#trainingRow(this.#read(bytes, undefined, false), undefined);
    }
  }

  #read(bytes: Uint8Array, number: number | undefined, isTail: boolean): Example {
    const place = number === undefined ? "a line" : `line ${number}`;
    let text: string;
    try {
      text = this.#decoder.decode(bytes);
    } catch {
      throw this.#damage(place, "invalid UTF-8");
    }
    let example: Example | DamagedLine;
    try {
      example = this.#reader.read(text);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      throw new UsageError(`Cannot export "${this.#path}" ${place}: ${error.message}`);
    }
    if (!(example instanceof DamagedLine)) return example;
    const hint = isTail ? ". It was cut off: run the same command again to repair it" : "";
    throw this.#damage(place, example.problem + hint);
  }

  #trainingRow(example: Example, number: number | undefined): TrainingRow {
    const { format } = this.#options;
    const row = toTrainingRow(example, format, this.#style);
    if (!(row instanceof NoPlace)) return row;
    throw new UsageError(
      `Cannot export "${this.#path}" line ${number} as ${format}: the format has no place for ` +
        `${row.problem}. Use the format messages`,
    );
  }

  #damage(place: string, problem: string): DamagedFileError {
    const path = this.#path;
    return new DamagedFileError(`Cannot export "${path}" ${place}: ${problem}`, { path });
  }
}

function checkOptions(
  { results, format, think = "wrap", toolArguments = "object" }: ExportOptions,
): void {
  if (!EXPORT_FORMATS.includes(format)) {
    throw new UsageError(
      `Cannot export as "${format}": the formats are ${EXPORT_FORMATS.join(", ")}`,
    );
  }
  if (!["wrap", "field", "drop"].includes(think)) {
    throw new UsageError(`Cannot export with think "${think}": it must be wrap, field or drop`);
  }
  if (!["object", "string"].includes(toolArguments)) {
    throw new UsageError(
      `Cannot export with toolArguments "${toolArguments}": it must be object or string`,
    );
  }
  if (format === "alpaca" && think === "field") {
    throw new UsageError("Cannot export reasoning as a field of alpaca: use think wrap or drop");
  }
  if (results.length === 0) throw new UsageError("Cannot export without a results file: name one");
}

/** What an export must not replace. */
async function sourcesOf(paths: readonly string[]): Promise<Map<string, string>> {
  const sources = new Map<string, string>();
  for (const path of paths) {
    sources.set(path, "a results file that is exported");
    const run = await readRunFile(runFileOf(path));
    if (run?.input !== undefined) sources.set(run.input, inputOf(path));
  }
  return sources;
}

function inputOf(results: string): string {
  return `the input that "${results}" was made from`;
}

function runFileOf(results: string): string {
  return results.replace(/\.(jsonl|ndjson)$/, "") + ".run.json";
}

async function checkPaths(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const info = await statOf(path);
    const problem = info === undefined
      ? "no such file"
      : info.isDirectory
      ? "it is a folder: name a results file in it"
      : undefined;
    if (problem !== undefined) throw new UsageError(`Cannot export "${path}": ${problem}`);
  }
}

async function statOf(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new UsageError(`Cannot read "${path}": ${systemReason(error)}`, { cause: error });
  }
}
