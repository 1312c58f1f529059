/**
 * Makes rows from examples, and collects what depends on all rows: columns, notes, and values for
 * columns that a row lacks.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { isObject, jsonOf } from "../json.ts";
import { parseLossless } from "../source/mod.ts";
import { acceptsText, cellOf, type ColumnType, isTyped, Schema } from "../tables/mod.ts";
import type { Example } from "./example.ts";
import type { ResolvedExport } from "./export_options.ts";
import { type FormatDefinition, FORMATS, toTrainingRow } from "./formats.ts";
import { isForValidation } from "./row_order.ts";
import { type Pair, Pairs } from "./selection.ts";
import { TrainerNotes } from "./trainers.ts";
import { hasParts, type TrainingRow } from "./turns.ts";

export interface MadeRow {
  /** The example of the row; for a pair, the chosen one. */
  readonly example: Example;
  readonly row: TrainingRow | string;
  readonly isValidation: boolean;
}

/** Makes rows in two passes: `add` takes all examples, so that `rowsOf` knows the columns. */
export class RowMaker {
  readonly schema = new Schema();
  readonly #options: ResolvedExport;
  readonly #format: FormatDefinition;
  readonly #trainerNotes: TrainerNotes;
  readonly #pairs: Pairs | undefined;
  readonly #isVerbatim: boolean;
  /** Values of optional columns for rows that lack them. Known after the first pass. */
  #fillers: [string, unknown][] = [];
  #hasParts = false;
  /** Columns that have an uneven message (see `UnevenStart`). */
  readonly #unevenColumns = new Set<string>();
  #unevenStart: UnevenStart | undefined;

  constructor(options: ResolvedExport) {
    const { prefer, format, isFromResults, columns, fileType } = options;
    this.#options = options;
    this.#format = FORMATS[format];
    this.#isVerbatim = this.#format.rows === "as they are" && !isFromResults &&
      columns === undefined && acceptsText(fileType);
    this.#pairs = prefer === undefined ? undefined : new Pairs(prefer);
    this.#trainerNotes = new TrainerNotes(options, this.#format.turns);
  }

  /**
   * Records the columns of a row.
   *
   * @throws {Unrepresentable} If the format has no place for a part of the row.
   */
  add(example: Example): void {
    const { rows, messageColumns } = this.#format;
    // Rows that stay as they are keep text as text, even if other rows have lists of parts.
    if (rows !== "as they are" && !this.#hasParts && hasParts(example)) {
      this.#hasParts = true;
      for (const name of messageColumns) allowPartsIn(this.schema.columns.get(name));
    }
    if (this.#isVerbatim) return;
    const row = this.#rowOf(example);
    this.#trainerNotes.add(example, row);
    this.schema.add(row);
    for (const name of messageColumns) if (isUneven(row[name])) this.#unevenColumns.add(name);
  }

  /** Ends the first pass. Returns the names of the columns.
   *
   * @throws {UsageError} If no row has a requested column. */
  complete(): string[] {
    const { columns: requestedNames, fileType, validation } = this.#options;
    const { columns } = this.schema;
    this.#fillers = Object.entries(this.#format.fillers)
      .filter(([name]) => columns.has(name));
    if (this.#pairs !== undefined) this.#makeColumnsOfPairs();
    if (acceptsText(fileType) && this.#unevenColumns.size > 0) {
      this.#unevenStart = new UnevenStart(this.#unevenColumns, validation > 0);
    }
    if (requestedNames === undefined || columns.size === 0) return [...columns.keys()];
    const missing = requestedNames.find((name) => !columns.has(name));
    if (missing !== undefined) {
      throw new UsageError(
        `Cannot write the column "${missing}": the columns are ${[...columns.keys()].join(", ")}`,
      );
    }
    const types = requestedNames.map((name) => [name, columns.get(name)!] as const);
    columns.clear();
    for (const [name, type] of types) columns.set(name, type);
    return [...columns.keys()];
  }

  *rowsOf(examples: Iterable<Example>): Generator<MadeRow> {
    for (const example of examples) {
      if (this.#pairs !== undefined) yield* this.#rowsOfPairs(this.#pairs.add(example));
      else if (this.#isVerbatim) yield this.#madeRow(example, example.text);
      else yield* this.#rowsToWrite(example, this.#rowOf(example));
    }
  }

  /** Yields the rows that waited for later examples. */
  *lastRows(): Generator<MadeRow> {
    yield* this.#rowsOfPairs(this.#pairs?.end() ?? []);
    if (this.#unevenStart !== undefined) yield* this.#unevenStart.end();
  }

  notes(): string[] {
    return [
      ...this.#trainerNotes.notes(),
      ...this.#unevenStart?.isMarked ? [MARK_NOTE] : [],
      ...this.#pairs?.notes() ?? [],
    ];
  }

  /** Replaces `completion`, which each answer had in the first pass, with the columns of a pair. */
  #makeColumnsOfPairs(): void {
    const { columns } = this.schema;
    const completion = columns.get("completion");
    if (completion === undefined) return;
    columns.delete("completion");
    columns.set("chosen", completion).set("rejected", completion);
    if (this.#unevenColumns.delete("completion")) this.#unevenColumns.add("chosen").add("rejected");
  }

  *#rowsOfPairs(pairs: readonly Pair[]): Generator<MadeRow> {
    for (const pair of pairs) {
      const [chosen, rejected] = pair.map((example) => this.#rowOf(example));
      const { completion, tools, ...rest } = chosen;
      if (jsonOf(completion) === jsonOf(rejected.completion)) {
        this.#pairs!.equalRows++;
        continue;
      }
      const row: TrainingRow = { ...rest, chosen: completion, rejected: rejected.completion };
      if (tools !== undefined) row.tools = tools;
      yield* this.#rowsToWrite(pair[0], row);
    }
  }

  #rowsToWrite(example: Example, row: TrainingRow): Iterable<MadeRow> {
    const madeRow = this.#madeRow(example, this.#withAllColumns(row));
    return this.#unevenStart === undefined ? [madeRow] : this.#unevenStart.push(madeRow);
  }

  #madeRow(example: Example, row: TrainingRow | string): MadeRow {
    return { example, row, isValidation: isForValidation(example, this.#options.validation) };
  }

  #withAllColumns(row: TrainingRow): TrainingRow {
    for (const [name, value] of this.#fillers) row[name] ??= value;
    const { columns } = this.#options;
    return columns === undefined
      ? row
      : Object.fromEntries(columns.map((name) => [name, cellOf(row, name)]));
  }

  #rowOf(example: Example): TrainingRow {
    const { think, reasoningField, toolArguments, fileType, isFromResults } = this.#options;
    if (this.#format.rows === "as they are") {
      return isFromResults
        ? rawRow(example.text, isTyped(fileType))
        : parseLossless(example.text) as TrainingRow;
    }
    const style = { think, reasoningField, toolArguments, hasParts: this.#hasParts };
    return toTrainingRow(example, this.#format, style);
  }
}

/**
 * Returns a results line as a row, with the exact digits of its numbers. Lines of earlier versions
 * get today's fields and types, such as -1 for an unknown cost.
 *
 * @param isTyped Whether times become timestamps instead of text.
 */
function rawRow(line: string, isTyped: boolean): TrainingRow {
  const row = parseLossless(line) as TrainingRow;
  row.tool_calls = asJsonText(row.tool_calls ?? []);
  const distill = row.distill as TrainingRow;
  distill.cost_usd ??= -1;
  distill.refusal ??= false;
  distill.kept = asJsonText(distill.kept ?? {});
  distill.replaced = asJsonText(distill.replaced ?? {});
  if (isTyped && typeof distill.created === "string") distill.created = new Date(distill.created);
  return row;
}

function asJsonText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Changes the type of `content` in a column of messages from text to a list of parts. */
function allowPartsIn(type: ColumnType | undefined): void {
  if (type?.kind !== "list" || type.of.kind !== "struct") return;
  const { fields } = type.of;
  if (fields.get("content")?.kind !== "string") return;
  const text = { kind: "string" } as const;
  const part = { kind: "struct", fields: new Map([["type", text], ["text", text]]) } as const;
  fields.set("content", { kind: "list", of: part });
}

const MARK_NOTE =
  'Added "weight": 1 to the last message of the first row with messages: otherwise the Hugging ' +
  'Face library "datasets" cannot load later messages with other keys, such as tool calls. ' +
  "No template reads this key";

/**
 * Maximum size of the rows that are held back. As a UTF-16 unit takes up to 3 bytes in UTF-8, they
 * stay within 9 MiB of the 10 MiB that `datasets` reads first.
 */
const START_CHARS = 3 << 20;
const COMMON_KEYS: ReadonlySet<string> = new Set(["role", "content"]);

function isUneven(messages: unknown): boolean {
  return Array.isArray(messages) &&
    messages.some((message) =>
      isObject(message) && Object.keys(message).some((key) => !COMMON_KEYS.has(key))
    );
}

/**
 * Works around a bug in Hugging Face `datasets` 4.8: if all messages in the first 10 MiB of a text
 * file have the same keys, loading fails with a TypeError at a later tool call. One message with
 * more keys than role and content (called uneven here) avoids that.
 *
 * Holds back the first rows until each column has had an uneven message, in the file of training
 * rows and in that of validation rows. If a column has none within `START_CHARS`, adds a key to its
 * last message in the first row with messages.
 */
class UnevenStart {
  isMarked = false;
  /** Columns without an uneven message so far. */
  readonly #pendingColumns: { readonly training: Set<string>; readonly validation: Set<string> };
  #heldRows: MadeRow[] | undefined = [];
  #chars = 0;

  constructor(columns: ReadonlySet<string>, hasValidation: boolean) {
    const validation = new Set(hasValidation ? columns : []);
    this.#pendingColumns = { training: new Set(columns), validation };
  }

  /** Adds a row. Returns the rows that can be written now. */
  push(madeRow: MadeRow): readonly MadeRow[] {
    const row = madeRow.row as TrainingRow, pending = this.#pendingIn(madeRow);
    for (const name of pending) if (isUneven(row[name])) pending.delete(name);
    const heldRows = this.#heldRows;
    if (heldRows === undefined) return [this.#marked(madeRow)];
    heldRows.push(madeRow);
    const { training, validation } = this.#pendingColumns;
    if (training.size + validation.size > 0) {
      this.#chars += jsonOf(row).length;
      if (this.#chars < START_CHARS) return [];
    }
    this.#heldRows = undefined;
    return heldRows.map((heldRow) => this.#marked(heldRow));
  }

  end(): readonly MadeRow[] {
    return this.#heldRows ?? [];
  }

  #pendingIn({ isValidation }: MadeRow): Set<string> {
    return this.#pendingColumns[isValidation ? "validation" : "training"];
  }

  /**
   * Makes messages of pending columns uneven. OpenAI's key `weight` is safe: 1 is the default, and
   * no template reads it. An empty `tool_calls` would fail in Llama 3.1's template.
   */
  #marked(madeRow: MadeRow): MadeRow {
    const pending = this.#pendingIn(madeRow);
    if (pending.size === 0) return madeRow;
    const row = { ...madeRow.row as TrainingRow };
    for (const name of pending) {
      const messages = row[name];
      if (!Array.isArray(messages) || messages.length === 0) continue;
      row[name] = [...messages.slice(0, -1), { ...messages.at(-1), weight: 1 }];
      pending.delete(name);
      this.isMarked = true;
    }
    return { ...madeRow, row };
  }
}
