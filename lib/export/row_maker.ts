/**
 * From examples to the rows of a format, with everything that is the same for all of them.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { xxHash64Hex } from "../hash.ts";
import { jsonOf } from "../sink/mod.ts";
import { type ColumnType, isTableOfType, Schema } from "../tables/mod.ts";
import { parseWhere, type Where } from "../where/mod.ts";
import type { Example } from "./example.ts";
import type { ResolvedExport } from "./export_options.ts";
import { hasParts, NoPlace, OPTIONAL_COLUMNS, toTrainingRow, type TrainingRow } from "./formats.ts";
import { HashSet } from "./hash_set.ts";
import { type LeftOut, pairOf, preferenceRow, type Score, scoreOf } from "./preference.ts";
import { rawRow } from "./raw_row.ts";
import { TrainerNotes } from "./trainer_notes.ts";

/** Makes rows; the first pass tells it what it has to know of all of them. */
export class RowMaker {
  /** The columns, once all rows were added. */
  readonly schema = new Schema();
  readonly #options: ResolvedExport;
  readonly #where: Where | undefined;
  readonly #seen: HashSet | undefined;
  readonly #optional = new Set<string>();
  readonly #trainerNotes: TrainerNotes;
  readonly #score: Score | undefined;
  readonly #leftOut: LeftOut = { single: 0, tied: 0, unscored: 0 };
  #fillers: [string, unknown][] = [];
  #parts = false;
  /** Whether a message has more than a role and content. */
  #isUneven = false;

  /** For one export. */
  constructor(options: ResolvedExport) {
    const { format, think, toolArguments, where, dedupe, prefer } = options;
    this.#options = options;
    this.#score = prefer === undefined ? undefined : scoreOf(prefer);
    this.#trainerNotes = new TrainerNotes(format, think, toolArguments);
    this.#where = where === undefined ? undefined : parseWhere(where);
    this.#seen = dedupe ? new HashSet() : undefined;
  }

  /** Whether a row is wanted; asked once for each. */
  takes(example: Example): boolean {
    const { result } = example;
    if (this.#where && !this.#where.matches(result, result.distill as object)) return false;
    if (this.#seen === undefined) return true;
    const { messages, response, reasoning, toolCalls, tools } = example;
    return this.#seen.add(
      xxHash64Hex(jsonOf([messages, response, reasoning, toolCalls ?? [], tools ?? []])),
    );
  }

  /** Notes what a row needs. Gives what the format has no place for, if anything. */
  add(example: Example): NoPlace | undefined {
    if (!this.#parts && hasParts(example)) {
      this.#parts = true;
      for (const name of MESSAGE_COLUMNS) withPartsIn(this.schema.columns.get(name));
    }
    const row = this.#row(example);
    if (row instanceof NoPlace) return row;
    this.#trainerNotes.add(example);
    for (const name in OPTIONAL_COLUMNS[this.#options.format]) {
      if (row[name] !== undefined) this.#optional.add(name);
    }
    this.schema.add(row);
    this.#isUneven ||= MESSAGE_COLUMNS.some((name) => isUneven(row[name]));
    return undefined;
  }

  /**
   * To be called once all rows were added. Gives the columns of the rows.
   *
   * @throws {UsageError} when a column is asked for that no row has
   */
  complete(): string[] {
    this.#fillers = Object.entries(OPTIONAL_COLUMNS[this.#options.format])
      .filter(([name]) => this.#optional.has(name));
    const { columns } = this.schema;
    const completion = columns.get("completion");
    if (this.#score !== undefined && completion !== undefined) {
      columns.delete("completion");
      columns.set("chosen", completion).set("rejected", completion);
    }
    const wanted = this.#options.columns;
    if (wanted === undefined) return [...columns.keys()];
    const missing = wanted.find((name) => !columns.has(name));
    if (missing !== undefined && columns.size > 0) {
      throw new UsageError(
        `Cannot export the column "${missing}": the columns are ${[...columns.keys()].join(", ")}`,
      );
    }
    const types = wanted.flatMap((name) =>
      columns.has(name) ? [[name, columns.get(name)!]] as const : []
    );
    columns.clear();
    for (const [name, type] of types) columns.set(name, type);
    return [...columns.keys()];
  }

  /** The rows of examples, each with all of the columns that any row has. */
  *rowsOf(examples: Iterable<Example>): Generator<{ example: Example; row: TrainingRow }> {
    if (this.#score !== undefined) return yield* this.#pairsOf(examples, this.#score);
    let isFirst = this.#isUneven && !isTableOfType(this.#options.table);
    for (const example of examples) {
      const row = this.#whole(this.#row(example));
      yield { example, row: isFirst ? withMark(row) : row };
      isFirst = false;
    }
  }

  /** What is worth telling. */
  notes(): string[] {
    const { single, tied, unscored } = this.#leftOut;
    const count = (number: number, what: string) =>
      number === 0 ? [] : [`Left out ${number.toLocaleString("en-US")} ${what}`];
    return [
      ...this.#trainerNotes.notes(),
      ...count(single, "rows with one answer: a pair needs two"),
      ...count(tied, "rows whose answers --prefer does not tell apart"),
      ...count(unscored, "answers without a number in the field of --prefer"),
    ];
  }

  *#pairsOf(
    examples: Iterable<Example>,
    score: Score,
  ): Generator<{ example: Example; row: TrainingRow }> {
    let answers: Example[] = [];
    const pair = () => {
      const found = pairOf(answers, score, this.#leftOut);
      if (found === undefined) return [];
      const [chosen, rejected] = found.map((one) => this.#row(one) as TrainingRow);
      return [{ example: found[0], row: this.#whole(preferenceRow(chosen, rejected)) }];
    };
    for (const example of examples) {
      const [first] = answers;
      if (first !== undefined && (first.line !== example.line || first.input !== example.input)) {
        yield* pair();
        answers = [];
      }
      answers.push(example);
    }
    yield* pair();
  }

  #whole(made: TrainingRow | NoPlace): TrainingRow {
    const row = made as TrainingRow;
    for (const [name, value] of this.#fillers) row[name] ??= value;
    const { columns } = this.#options;
    return columns === undefined
      ? row
      : Object.fromEntries(columns.map((name) => [name, row[name]]));
  }

  #row(example: Example): TrainingRow | NoPlace {
    const { format, think, toolArguments, table } = this.#options;
    if (format === "raw") return rawRow(example.text, isTableOfType(table));
    return toTrainingRow(example, format, { think, toolArguments, parts: this.#parts });
  }
}

const MESSAGE_COLUMNS = ["messages", "prompt", "completion"];

/** Content that was text in all messages so far is a list of parts from here on. */
function withPartsIn(type: ColumnType | undefined): void {
  if (type?.kind !== "list" || type.of.kind !== "struct") return;
  const { fields } = type.of;
  if (fields.get("content")?.kind !== "string") return;
  const text = { kind: "string" } as const;
  const part = { kind: "struct", fields: new Map([["type", text], ["text", text]]) } as const;
  fields.set("content", { kind: "list", of: part });
}

function isUneven(messages: unknown): boolean {
  return Array.isArray(messages) &&
    messages.some((message) => Object.keys(message).some((key) => !COMMON_KEYS.has(key)));
}

const COMMON_KEYS: ReadonlySet<string> = new Set(["role", "content"]);

/**
 * A row whose messages do not all have the same keys. datasets 4.8 takes messages that are alike in its
 * first 10 MB for structs of these keys, and ends with a CastError at the first tool call after it; it
 * takes uneven ones as they are. `weight` is OpenAI's, 1 is its default, and no template reads it.
 */
function withMark(row: TrainingRow): TrainingRow {
  const marked = { ...row };
  for (const name of MESSAGE_COLUMNS) {
    const messages = row[name];
    if (!Array.isArray(messages) || messages.length === 0) continue;
    marked[name] = [...messages.slice(0, -1), { ...messages.at(-1), weight: 1 }];
  }
  return marked;
}
