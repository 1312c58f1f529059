/**
 * Rows of results and failures as columns of numbers, with dictionaries for their codes.
 *
 * @module
 */

import { xxHash64Hex } from "../hash.ts";
import { type ColumnArrays, enlarge, makeColumns, Mark, OwnField } from "./columns.ts";
import { finalAnswerOf } from "./final_answer.ts";
import { FLAG_BIT, flagsOf, LONG_ANSWER } from "./flags.ts";
import {
  type JsonObject,
  type LineFacts,
  objectOf,
  ownFields,
  requestsJson,
  type RunHints,
  STATUSES,
} from "./line_facts.ts";
import { promptOf } from "./turns.ts";

/** The maximum number of fields with columns; conditions on other fields read the lines. */
const MAX_FIELDS = 48;
/** The maximum number of fields with number columns, which take eight bytes a row. */
const MAX_NUMBER_FIELDS = 12;

/** A dictionary of names and their codes, in order of appearance. */
export class Names {
  /** The names. */
  readonly list: string[];
  readonly #codes: Map<string, number>;

  /** A dictionary with these names. */
  constructor(names: readonly string[] = []) {
    this.list = [...names];
    this.#codes = new Map(names.map((name, code) => [name, code]));
  }

  /** The code of a name. All names that do not fit share the last code. */
  codeOf(name: string): number {
    let code = this.#codes.get(name);
    if (code !== undefined) return code;
    code = Math.min(this.list.length, MAX_NAMES);
    if (code === this.list.length) this.list.push(code === MAX_NAMES ? "(others)" : name);
    this.#codes.set(name, code);
    return code;
  }
}

const MAX_NAMES = 0xffff;

/** The dictionaries. */
export type NameLists = Record<"model" | "teacher" | "finishReason" | "failure" | "source", Names>;

/** The place of a line. */
export interface LinePlace {
  /** The number of the file. */
  readonly file: number;
  /** Its start, in bytes. */
  readonly offset: number;
  /** Its length in bytes, without its line feed. */
  readonly bytes: number;
  /** Whether it follows the last line feed. */
  readonly isTail: boolean;
}

/** The rows. They are never removed; those of a replaced file are marked as gone. */
export class Table {
  /** The number of rows, gone ones included. */
  length = 0;
  /** The number of gone rows. */
  gone = 0;
  readonly columns: ColumnArrays;
  readonly names: NameLists;
  /** Fields of the users' rows by their paths, joined by NUL. */
  readonly fields = new Map<string, OwnField>();
  /** The first names of all fields of the users' rows. */
  readonly fieldNames = new Set<string>();
  /** The near duplicate of each row, once they were searched for. */
  nearOf: ReadonlyMap<number, number> | undefined;
  /** The comparison of two runs, once it was made. */
  compared: ComparedRows | undefined;
  #capacity: number;
  #numberFields = 0;
  /** Row numbers plus 1 by the hash of their answer: open addressing. */
  #answers = new Uint32Array(1 << 12);

  /** An empty table with room for `capacity` rows. */
  constructor(capacity = 1024) {
    this.#capacity = capacity;
    this.columns = makeColumns(capacity);
    this.names = {
      model: new Names(),
      teacher: new Names(),
      finishReason: new Names(),
      failure: new Names(),
      source: new Names(),
    };
  }

  /** Makes room for a number of rows. */
  reserve(rows: number): void {
    if (rows <= this.#capacity) return;
    this.#capacity = rows;
    enlarge(this.columns, rows);
  }

  /** Adds a row; returns its number. */
  add(facts: LineFacts, place: LinePlace, hints: RunHints): number {
    if (this.length === this.#capacity) this.reserve(Math.ceil(this.#capacity * 1.5));
    const row = this.length++;
    const { columns, names } = this;
    const prompt = promptOf(facts.line, hints);
    columns.offset[row] = place.offset;
    columns.bytes[row] = place.bytes;
    columns.file[row] = place.file;
    columns.status[row] = STATUSES.indexOf(facts.status);
    columns.promptTokens[row] = facts.promptTokens;
    columns.completionTokens[row] = facts.completionTokens;
    columns.reasoningTokens[row] = facts.reasoningTokens;
    columns.cachedTokens[row] = facts.cachedTokens;
    columns.latencyMs[row] = facts.latencyMs;
    columns.attempts[row] = facts.attempts;
    columns.httpStatus[row] = facts.httpStatus;
    columns.costUsd[row] = facts.costUsd;
    columns.model[row] = names.model.codeOf(facts.model);
    columns.teacher[row] = names.teacher.codeOf(facts.teacher);
    columns.finishReason[row] = names.finishReason.codeOf(facts.finishReason);
    columns.failure[row] = names.failure.codeOf(facts.failure);
    columns.source[row] = names.source.codeOf(facts.source);
    columns.marks[row] = (place.isTail ? Mark.Tail : 0) | (facts.hasToolCalls ? Mark.ToolCalls : 0);
    columns.flags[row] = facts.status === "answered"
      ? flagsOf({ ...facts, prompt, asksForJson: requestsJson(facts.params) })
      : 0;
    this.#addHashes(row, facts, prompt);
    columns.duplicateOf[row] = -1;
    if (facts.status === "answered" && facts.response !== "") {
      this.#findDuplicate(row, facts.response.length > LONG_ANSWER);
    }
    this.#addFields(row, facts.line);
    return row;
  }

  #addHashes(row: number, facts: LineFacts, prompt: string): void {
    const { columns } = this;
    const { uid, response, promptHash } = facts;
    setHash(columns.uidLow, columns.uidHigh, row, xxHash64Hex(uid));
    const sample = uid.includes("#") ? SAMPLE.exec(uid) : null;
    if (sample === null) {
      columns.rowLow[row] = columns.uidLow[row];
      columns.rowHigh[row] = columns.uidHigh[row];
    } else setHash(columns.rowLow, columns.rowHigh, row, xxHash64Hex(sample[1]));
    setHash(columns.answerLow, columns.answerHigh, row, xxHash64Hex(response));
    const isHash = promptHash.length === 16;
    setHash(columns.promptLow, columns.promptHigh, row, isHash ? promptHash : xxHash64Hex(prompt));
    const final = facts.status === "answered" ? finalAnswerOf(response) : "";
    columns.final[row] = final === "" ? 0 : parseInt(xxHash64Hex(final).slice(8), 16);
  }

  /** Marks the rows of a file that was replaced or removed as gone. */
  drop(file: number, isDropped: (row: number) => boolean = () => true): void {
    for (let row = 0; row < this.length; row++) {
      if (this.columns.file[row] !== file || this.isGone(row) || !isDropped(row)) continue;
      this.columns.marks[row] |= Mark.Gone;
      this.gone++;
    }
  }

  /** Whether a row's file was replaced or removed. */
  isGone(row: number): boolean {
    return (this.columns.marks[row] & Mark.Gone) !== 0;
  }

  /** Whether two answers belong to one row. */
  isSameRow(a: number, b: number): boolean {
    const { rowLow, rowHigh } = this.columns;
    return rowLow[a] === rowLow[b] && rowHigh[a] === rowHigh[b];
  }

  /** Rebuilds the internal state after rows were restored. */
  reindex(): void {
    this.gone = 0;
    this.#capacity = this.columns.offset.length;
    this.#answers = new Uint32Array(1 << 12);
    this.#numberFields =
      [...this.fields.values()].filter(({ numbers }) => numbers !== undefined).length;
    this.#rehash();
    for (let row = 0; row < this.length; row++) if (this.isGone(row)) this.gone++;
  }

  /**
   * Finds an earlier row with the same answer. A duplicate is not added to the table of answers,
   * unless it is short and belongs to another prompt.
   */
  #findDuplicate(row: number, isLong: boolean): void {
    const { columns } = this;
    const mask = this.#answers.length - 1;
    let place = columns.answerLow[row] & mask;
    for (; this.#answers[place] !== 0; place = (place + 1) & mask) {
      const other = this.#answers[place] - 1;
      if (
        columns.answerLow[other] !== columns.answerLow[row] ||
        columns.answerHigh[other] !== columns.answerHigh[row] || this.isGone(other)
      ) continue;
      if (this.isSameRow(other, row)) return;
      const isSamePrompt = columns.promptLow[other] === columns.promptLow[row] &&
        columns.promptHigh[other] === columns.promptHigh[row];
      if (!isLong && !isSamePrompt) continue;
      columns.duplicateOf[row] = other;
      columns.flags[row] |= FLAG_BIT.duplicate;
      return;
    }
    this.#answers[place] = row + 1;
    this.#stored++;
    if (this.#stored * 2 > this.#answers.length) this.#rehash();
  }

  #stored = 0;

  #rehash(): void {
    const { answerLow, duplicateOf, status } = this.columns;
    let size = this.#answers.length;
    while (size < this.length * 2) size *= 2;
    const wide = new Uint32Array(size);
    this.#stored = 0;
    for (let row = 0; row < this.length; row++) {
      if (status[row] !== 0 || duplicateOf[row] !== -1) continue;
      let place = answerLow[row] & (size - 1);
      while (wide[place] !== 0) place = (place + 1) & (size - 1);
      wide[place] = row + 1;
      this.#stored++;
    }
    this.#answers = wide;
  }

  #addFields(row: number, line: JsonObject): void {
    for (const name of ownFields(line)) {
      this.fieldNames.add(name);
      const value = line[name];
      if (typeof value === "object" && value !== null && !Array.isArray(value)) {
        for (const [inner, one] of Object.entries(objectOf(value))) {
          this.#field(`${name}\0${inner}`)?.set(row, one, this.#capacity);
        }
      } else this.#field(name)?.set(row, value, this.#capacity);
    }
  }

  #field(key: string): OwnField | undefined {
    const known = this.fields.get(key);
    if (known !== undefined || this.fields.size >= MAX_FIELDS) return known;
    const field = new OwnField(key.split("\0"), this.#numberFields++ < MAX_NUMBER_FIELDS);
    this.fields.set(key, field);
    return field;
  }
}

/** Stores a hash of 16 hex digits. */
function setHash(low: Uint32Array, high: Uint32Array, row: number, hash: string): void {
  low[row] = parseInt(hash.slice(8), 16);
  high[row] = parseInt(hash.slice(0, 8), 16);
}

const SAMPLE = /^(.+)#[1-9]\d{0,2}$/s;

/** How the answers of two runs to one row compare, by their codes. */
export const AGREEMENTS = ["none", "same_text", "same_final_answer", "different"] as const;

/** One of them. */
export type Agreement = typeof AGREEMENTS[number];

/** The results for all rows of a table, as columns. */
export interface ComparedRows {
  /** The paths of the runs. */
  readonly paths: readonly string[];
  /** The run of each row. */
  readonly run: Uint8Array<ArrayBuffer>;
  /** The agreement of each row with that of the other run, by its code. */
  readonly agreement: Uint8Array<ArrayBuffer>;
}
