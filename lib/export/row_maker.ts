/**
 * Selects examples, makes the rows of a format from them, and collects what depends on all rows:
 * columns, notes, fillers.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { formatCountOf } from "../figures.ts";
import { xxHash64Hex } from "../hash.ts";
import { isObject, jsonOf } from "../json.ts";
import { acceptsText, cellOf, type ColumnType, isTyped, Schema } from "../tables/mod.ts";
import { parseLossless } from "../source/mod.ts";
import { checkComputable, DerivedFields, distillOf, needsDerived } from "../data/mod.ts";
import { missingUidsMessage, UidSelection } from "../run/mod.ts";
import { parseWhere, type Where } from "../where/mod.ts";
import type { Example } from "./example.ts";
import type { ResolvedExport } from "./export_options.ts";
import { type FormatDefinition, FORMATS, toTrainingRow } from "./formats.ts";
import { rawRow, type TrainingRow, Unrepresentable } from "./training_row.ts";
import { HashSet } from "./hash_set.ts";
import { type LogprobsProblem, readLogprobs } from "./logprobs.ts";
import { type LeftOut, pairOf, preferenceRow, type Score, scoreOf } from "./preference.ts";
import { TrainerNotes } from "./trainer_notes.ts";
import { hasParts } from "./turns.ts";
import { isUneven, UnevenStart } from "./uneven_start.ts";

/** A row of the output. */
export interface MadeRow {
  /** The example that the row is made from; of a pair, the chosen one. */
  readonly example: Example;
  /** A row, or its JSON text. */
  readonly row: TrainingRow | string;
}

/** Makes rows in two passes: the first adds all rows, so that the second knows their columns. */
export class RowMaker {
  /** Columns of all rows, complete after the first pass. */
  readonly schema = new Schema();
  readonly #options: ResolvedExport;
  readonly #format: FormatDefinition;
  readonly #where: Where | undefined;
  /** Hashes of the rows so far, for `dedupe`. */
  readonly #seen: HashSet | undefined;
  readonly #uids: UidSelection;
  readonly #derivedFields: DerivedFields | undefined;
  /** Names in the condition that no row has had so far. */
  readonly #unknownNames: Set<string>;
  /** Optional columns that some row has. */
  readonly #optional = new Set<string>();
  readonly #trainerNotes: TrainerNotes;
  readonly #score: Score | undefined;
  readonly #leftOut: LeftOut = { single: 0, tied: 0, unscored: 0 };
  readonly #withoutTokens: Record<LogprobsProblem, number> = { missing: 0, different: 0 };
  /** Whether rows are written as they are in their files. */
  readonly #isVerbatim: boolean;
  /** Values for rows without an optional column, by name; known after the first pass. */
  #fillers: [string, unknown][] = [];
  #hasParts = false;
  /** Columns in which a message has more than a role and content. */
  readonly #uneven = new Set<string>();
  #unevenStart: UnevenStart | undefined;
  /** For pairs: answers to one input row, collected until the next row begins. */
  #answers: Example[] = [];

  constructor(options: ResolvedExport) {
    const { where, dedupe, prefer, format, isFromResults, columns, fileType } = options;
    this.#options = options;
    this.#format = FORMATS[format];
    this.#isVerbatim = this.#format.rows === "as they are" && !isFromResults &&
      columns === undefined && acceptsText(fileType);
    this.#score = prefer === undefined ? undefined : scoreOf(prefer);
    this.#trainerNotes = new TrainerNotes(options);
    this.#where = where === undefined ? undefined : parseWhere(where);
    this.#seen = dedupe ? new HashSet() : undefined;
    this.#uids = new UidSelection(options.uids, options.excludeUids);
    const paths = this.#where?.paths ?? [];
    checkComputable(paths, () => true);
    this.#unknownNames = new Set(paths.map(([name]) => name));
    if (needsDerived(paths)) this.#derivedFields = new DerivedFields(options.paths);
  }

  /** Whether a row is selected. Call it once for each row, because it counts duplicates. */
  takes(example: Example): boolean {
    const { result } = example;
    // Every row, selected or not, because duplicates are derived from earlier rows.
    const derived = this.#derivedFields?.compute(example.text, promptTextOf(example));
    if (!this.#uids.has(String(result.uid))) return false;
    if (this.#where) {
      for (const name of this.#unknownNames) {
        if (Object.hasOwn(result, name)) this.#unknownNames.delete(name);
      }
      const distill = isObject(result.distill) ? distillOf(result) : undefined;
      // Derived fields may also be named in `distill`, where rows have fields of the same names.
      const row = derived && { ...result, distill: { ...derived, ...distill } };
      if (!this.#where.matches(row ?? result, distill, derived)) return false;
    }
    if (this.#options.format === "logprobs" && !this.#hasLogprobs(example)) return false;
    if (this.#seen === undefined) return true;
    const { messages, response, reasoning, toolCalls = [], tools = [], rejected } = example;
    const content = [messages, response, reasoning, toolCalls, tools, rejected];
    return this.#seen.add(xxHash64Hex(jsonOf(content)));
  }

  /** Records the columns of a row. Returns what the format has no place for, if anything. */
  add(example: Example): Unrepresentable | undefined {
    // Rows that stay as they are keep text as text, even if other rows have lists of parts.
    const { rows, messageColumns, fillers } = this.#format;
    if (rows !== "as they are" && !this.#hasParts && hasParts(example)) {
      this.#hasParts = true;
      for (const name of messageColumns) withPartsIn(this.schema.columns.get(name));
    }
    if (this.#isVerbatim) return undefined;
    const row = this.#rowOf(example);
    if (row instanceof Unrepresentable) return row;
    this.#trainerNotes.add(example, row);
    for (const name in fillers) {
      if (row[name] !== undefined) this.#optional.add(name);
    }
    this.schema.add(row);
    for (const name of messageColumns) if (isUneven(row[name])) this.#uneven.add(name);
    return undefined;
  }

  /**
   * Checks the condition after the first pass.
   *
   * @throws {UsageError} if it names a field that only the page of `retort view` can compute, and
   * that no row has
   */
  checkCondition(): void {
    checkComputable(this.#where?.paths ?? [], (name) => !this.#unknownNames.has(name));
  }

  /**
   * Ends the first pass. Returns the columns of the rows.
   *
   * @throws {UsageError} if no row has a requested column
   */
  complete(): string[] {
    this.#fillers = Object.entries(this.#format.fillers)
      .filter(([name]) => this.#optional.has(name));
    const { columns } = this.schema;
    const completion = columns.get("completion");
    if (this.#score !== undefined && completion !== undefined) {
      columns.delete("completion");
      columns.set("chosen", completion).set("rejected", completion);
    }
    const chosenColumns = this.#options.columns;
    if (acceptsText(this.#options.fileType) && this.#uneven.size > 0) {
      // Each answer of a pair will have the column of a single answer.
      if (this.#score !== undefined && this.#uneven.delete("completion")) {
        this.#uneven.add("chosen").add("rejected");
      }
      this.#unevenStart = new UnevenStart(this.#uneven);
    }
    if (chosenColumns === undefined) return [...columns.keys()];
    const missing = chosenColumns.find((name) => !columns.has(name));
    if (missing !== undefined && columns.size > 0) {
      throw new UsageError(
        `Cannot export the column "${missing}": the columns are ${[...columns.keys()].join(", ")}`,
      );
    }
    const types = chosenColumns.flatMap((name) =>
      columns.has(name) ? [[name, columns.get(name)!]] as const : []
    );
    columns.clear();
    for (const [name, type] of types) columns.set(name, type);
    return [...columns.keys()];
  }

  /** Makes the rows of the next examples, each with all columns that any row has. */
  *rowsOf(examples: Iterable<Example>): Generator<MadeRow> {
    for (const example of examples) {
      if (this.#score !== undefined) yield* this.#addAnswer(example, this.#score);
      else yield* this.#rowsOfExample(example);
    }
  }

  /** Makes the rows that waited for later examples. Call it at the end. */
  *lastRows(): Generator<MadeRow> {
    if (this.#score !== undefined) yield* this.#pairOfAnswers(this.#score);
    if (this.#unevenStart !== undefined) yield* this.#unevenStart.end();
  }

  /**
   * Says why no row was made from the results; undefined if their log probabilities are not why.
   */
  emptyReason(): string | undefined {
    const { missing, different } = this.#withoutTokens;
    if (different > 0) return "no answer has the text of its tokens";
    if (missing === 0) return undefined;
    return "no result holds log probabilities. Run with --keep logprobs -p logprobs=true -p top_logprobs=20";
  }

  /** Returns notes for the user. */
  notes(): string[] {
    const { single, tied, unscored } = this.#leftOut;
    const count = (number: number, noun: string, what: string) =>
      number === 0 ? [] : [`Left out ${formatCountOf(number, noun)} ${what}`];
    const { missing, different } = this.#withoutTokens;
    return [
      ...this.#trainerNotes.notes(),
      ...this.#uids.missing.length > 0 ? [missingUidsMessage(this.#uids.missing)] : [],
      ...this.#unevenStart?.isMarked ? [MARK_NOTE] : [],
      ...count(missing, "row", "without log probabilities: run with --keep logprobs"),
      ...count(different, "row", "whose tokens are not the text of the answer"),
      ...count(single, "row", "with one answer: a pair needs two"),
      ...count(tied, "row", "whose answers --prefer ranks as equal"),
      ...count(unscored, "answer", "without a number in the field of --prefer"),
    ];
  }

  *#rowsOfExample(example: Example): Generator<MadeRow> {
    if (this.#isVerbatim) return yield { example, row: example.text };
    yield* this.#toWrite({ example, row: this.#withAllColumns(this.#rowOf(example)) });
  }

  #toWrite(madeRow: MadeRow): Iterable<MadeRow> {
    return this.#unevenStart === undefined ? [madeRow] : this.#unevenStart.push(madeRow);
  }

  /** Collects an answer. If it is the first one to its row, makes the pair of the row before. */
  *#addAnswer(example: Example, score: Score): Generator<MadeRow> {
    const [first] = this.#answers;
    const isSameRow = first !== undefined && first.line === example.line &&
      first.input === example.input;
    if (!isSameRow) yield* this.#pairOfAnswers(score);
    this.#answers.push(example);
  }

  /** Makes the pair of the collected answers, if there is one. */
  *#pairOfAnswers(score: Score): Generator<MadeRow> {
    const pair = pairOf(this.#answers, score, this.#leftOut);
    this.#answers = [];
    if (pair === undefined) return;
    const [chosen, rejected] = pair.map((example) => this.#rowOf(example) as TrainingRow);
    yield* this.#toWrite({
      example: pair[0],
      row: this.#withAllColumns(preferenceRow(chosen, rejected)),
    });
  }

  #hasLogprobs(example: Example): boolean {
    const tokens = readLogprobs(example);
    if (typeof tokens === "string") this.#withoutTokens[tokens]++;
    return typeof tokens !== "string";
  }

  /** Adds fillers and selects the columns. `add` has rejected rows that cannot be represented. */
  #withAllColumns(rowOrProblem: TrainingRow | Unrepresentable): TrainingRow {
    const row = rowOrProblem as TrainingRow;
    for (const [name, value] of this.#fillers) row[name] ??= value;
    const { columns } = this.#options;
    return columns === undefined
      ? row
      : Object.fromEntries(columns.map((name) => [name, cellOf(row, name)]));
  }

  #rowOf(example: Example): TrainingRow | Unrepresentable {
    const { think, reasoningField, toolArguments, fileType, isFromResults } = this.#options;
    if (this.#format.rows === "as they are") {
      return isFromResults
        ? rawRow(example.text, isTyped(fileType))
        : parseLossless(example.text) as TrainingRow;
    }
    return toTrainingRow(example, this.#format, {
      think,
      reasoningField,
      toolArguments,
      hasParts: this.#hasParts,
    });
  }
}

const MARK_NOTE =
  'Added "weight": 1 to the last message of the first row, which no template reads: otherwise ' +
  "datasets would fail at later messages with other keys, such as tool calls";

/** Changes the type of content from text to a list of parts: so far, all messages had text. */
function withPartsIn(type: ColumnType | undefined): void {
  if (type?.kind !== "list" || type.of.kind !== "struct") return;
  const { fields } = type.of;
  if (fields.get("content")?.kind !== "string") return;
  const text = { kind: "string" } as const;
  const part = { kind: "struct", fields: new Map([["type", text], ["text", text]]) } as const;
  fields.set("content", { kind: "list", of: part });
}

/** Returns what the user and the tools said, as one text. */
function promptTextOf({ messages }: Example): string {
  return messages.filter(({ role }) => role === "user" || role === "tool").map(({ content }) =>
    typeof content === "string" ? content : JSON.stringify(content ?? "")
  ).join("\n");
}
