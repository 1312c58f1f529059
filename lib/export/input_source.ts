/**
 * A source of examples that reads input files of any format.
 *
 * @module
 */

import { basename, dirname } from "../deps/std_path.ts";
import { SourceError } from "../errors.ts";
import { formatCountOf, sumOf } from "../figures.js";
import { makeFolder } from "../files.ts";
import {
  type ExactType,
  foreignTextError,
  type Input,
  openInput,
  placeOf,
} from "../formats/mod.ts";
import { sha256Hex } from "../hash.ts";
import { jsonOf } from "../json.ts";
import { codeSpan } from "../printable.ts";
import { type BadInput, BadLines, listBadLines, stampOf } from "../run/mod.ts";
import { LineSet } from "../sink/mod.ts";
import { parseRowJson, RowProblem } from "../source/mod.ts";
import { ConversationReader } from "./conversation.ts";
import type { Example, ExampleSource, NotRestored, Verdict } from "./example.ts";
import type { ResolvedExport } from "./export_options.ts";
import { FORMATS } from "./formats.ts";
import { RowSpool } from "./row_order.ts";
import { Unrepresentable } from "./turns.ts";

/** Maximum number of files named in the dataset card. */
const MAX_NAMED = 10;

/** Examples of several input files. For a shuffle, selected rows are copied to a temporary file. */
export class InputSource implements ExampleSource, AsyncDisposable {
  selectedCount = 0;
  rowCount = 0;
  readonly sources: ReadonlyMap<string, string>;
  readonly origin: readonly string[];
  exactTypes: Map<string, ExactType> | undefined;
  readonly #options: ResolvedExport;
  readonly #reader: ConversationReader;
  readonly #files: readonly string[];
  readonly #inputs: { file: string; input: Input; stamp: string }[] = [];
  /** Indexes of the selected rows among the rows of all files. */
  readonly #selectedRows = new LineSet();
  /** Files in JSON Lines or JSON, whose rows keep their text. */
  readonly #verbatimFiles = new Set<string>();
  readonly #isRaw: boolean;
  readonly #needsOnlyText: boolean;
  #spool: RowSpool | undefined;

  constructor(files: readonly string[], options: ResolvedExport) {
    this.#options = options;
    this.#reader = new ConversationReader(options);
    const { format, validation, dedupe } = options;
    this.#isRaw = FORMATS[format].rows === "as they are";
    this.#needsOnlyText = this.#isRaw && validation === 0 && !dedupe;
    this.#files = files;
    const names = files.slice(0, MAX_NAMED).map((path) => codeSpan(basename(path)));
    const more = files.length > MAX_NAMED ? ` and ${files.length - MAX_NAMED} more` : "";
    this.origin = [`Converted from ${names.join(", ")}${more}.`];
    this.sources = new Map(files.map((path) => [path, "an input of the conversion"]));
  }

  async scan(verdictOf: (example: Example) => Verdict): Promise<void> {
    const { shuffle, output } = this.#options;
    // Inputs can only be read from start to end, so a shuffle reads a copy.
    if (shuffle !== undefined) {
      const folder = typeof output === "string" ? dirname(output) : undefined;
      if (folder !== undefined) await makeFolder(folder);
      this.#spool = await RowSpool.open(folder);
    }
    const badInputs: BadInput[] = [];
    for (const file of this.#files) badInputs.push(await this.#scanFile(file, verdictOf));
    throwIfBad(badInputs);
  }

  /**
   * Checks the rows of a file, and records which are selected. Returns the rows that cannot be
   * converted.
   */
  async #scanFile(file: string, verdictOf: (example: Example) => Verdict): Promise<BadInput> {
    const stamp = await stampOf(file);
    const input = await openInput(file, file, this.#options);
    this.#inputs.push({ file, input, stamp });
    if (input.format === "jsonl" || input.format === "json") this.#verbatimFiles.add(file);
    await this.#addExactTypes(input);
    const badLines = new BadLines();
    let rowsInFile = 0;
    for await (const lines of input.rows()) {
      for (const { text, problem, number } of lines) {
        const example = text === undefined
          ? new RowProblem(problem ?? "unreadable")
          : this.#read(text, file, number);
        const verdict = example instanceof RowProblem ? example : verdictOf(example);
        if (verdict === true) {
          this.selectedCount++;
          this.#selectedRows.add(this.rowCount);
          this.#spool?.add(text!, file, number);
        } else if (verdict !== false) {
          const rowProblem = this.#problemOf(verdict, file);
          badLines.add(number, rowProblem.problem, rowProblem.hint);
        }
        rowsInFile++;
        this.rowCount++;
      }
      await this.#spool?.flush();
    }
    // If no row can be read, the file may have another format.
    const foreign = rowsInFile > 0 && badLines.count === rowsInFile && input.format === "jsonl" &&
      await foreignTextError(file, file, rowsInFile === 1);
    if (foreign) throw foreign;
    return { input: file, bad: badLines, placeOf: (line) => placeOf(file, input.format, line) };
  }

  async *batches(): AsyncGenerator<Iterable<Example>> {
    const { shuffle } = this.#options;
    if (this.#spool !== undefined && shuffle !== undefined) {
      yield this.#spool.shuffled(shuffle, (text, file, line) => this.#readAgain(text, file, line));
      return;
    }
    let index = 0;
    for (const { file, input, stamp } of this.#inputs) {
      await this.#checkUnchanged(file, stamp);
      for await (const lines of input.rows()) {
        const examples: Example[] = [];
        for (const { text, number } of lines) {
          if (!this.#selectedRows.has(index++)) continue;
          examples.push(this.#readAgain(text, file, number));
        }
        if (examples.length > 0) yield examples;
      }
      await this.#checkUnchanged(file, stamp);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#spool?.[Symbol.asyncDispose]();
  }

  async #addExactTypes({ exactTypes }: Input): Promise<void> {
    const types = await exactTypes?.() ?? new Map<string, ExactType>();
    this.exactTypes ??= new Map(types);
    for (const [name, type] of this.exactTypes) {
      if (jsonOf(types.get(name) ?? null) !== jsonOf(type)) this.exactTypes.delete(name);
    }
  }

  #problemOf(verdict: RowProblem | Unrepresentable | NotRestored, file: string): RowProblem {
    if (verdict instanceof RowProblem) return verdict;
    if (verdict instanceof Unrepresentable) {
      const { format } = this.#options;
      return new RowProblem(`${format} has no place for ${verdict.message}`, () => "");
    }
    const hint = this.#verbatimFiles.has(file) ? RESTORE_HINT : TABLE_HINT;
    return new RowProblem(verdict.message, () => hint);
  }

  #read(text: string, file: string, line: number): Example | RowProblem {
    if (!this.#needsOnlyText) {
      const isVerbatim = this.#verbatimFiles.has(file);
      const conversation = this.#reader.read(text, { file, line, isVerbatim });
      if (!this.#isRaw || !(conversation instanceof RowProblem)) return conversation;
    }
    const value = parseRowJson(text);
    return value instanceof RowProblem ? value : new TextExample(text, file, line, value);
  }

  #readAgain(text: string | undefined, file: string, line: number): Example {
    if (text === undefined) throw changedError(file);
    if (this.#needsOnlyText) return new TextExample(text, file, line);
    const example = this.#read(text, file, line);
    if (example instanceof RowProblem) throw changedError(file);
    return example;
  }

  async #checkUnchanged(file: string, stamp: string): Promise<void> {
    if (await stampOf(file) !== stamp) throw changedError(file);
  }
}

const RESTORE_HINT =
  "repeat the --system, --template and --prompt-field of the run that wrote the answers, " +
  "or use the command export";
/**
 * The hint for rows of tables. A template may insert values that Parquet changes: `1.0` becomes
 * `1`, and objects get nulls.
 */
const TABLE_HINT =
  "repeat the --system, --template and --prompt-field of the run that wrote the answers. If they are the " +
  "same, the table has changed a number or an object in the prompt: convert the run's results " +
  "file (.jsonl) instead";

/** A row that is copied as it is, or a list that becomes `{"messages"}`. Its conversation is not read:
 * the text alone decides whether the row is for validation, or a duplicate. */
class TextExample implements Example {
  readonly text: string;
  readonly messages = [];
  readonly tools = undefined;
  readonly response: string;
  readonly reasoning = "";
  readonly toolCalls = undefined;
  readonly answer = null;
  readonly file: string;
  readonly input: string;
  readonly line: number;
  readonly sample = 0;
  #value: unknown;

  constructor(text: string, file: string, line: number, value?: unknown) {
    const isList = /^\s*\[/.test(text);
    this.response = text;
    this.text = isList ? `{"messages":${text}}` : text;
    this.#value = isList && value !== undefined ? { messages: value } : value;
    this.file = this.input = file;
    this.line = line;
  }

  get rowUid(): string {
    return sha256Hex(this.response);
  }

  get result(): Record<string, unknown> {
    this.#value ??= JSON.parse(this.text);
    return this.#value as Record<string, unknown>;
  }
}

function changedError(file: string): SourceError {
  return new SourceError(
    `Cannot convert "${file}": it changed while it was read. Run the same command again`,
    { path: file },
  );
}

function throwIfBad(badInputs: readonly BadInput[]): void {
  const count = sumOf(badInputs, ({ bad }) => bad.count);
  if (count === 0) return;
  const files = badInputs.filter(({ bad }) => bad.count > 0);
  throw new SourceError(
    `Cannot convert ${formatCountOf(count, "row")} of the input; nothing was written\n` +
      listBadLines(files, "row").join("\n"),
  );
}
