/**
 * The rows of results and failures files in memory.
 *
 * @module
 */

import { originOf } from "../answer.ts";
import { xxHash64Hex } from "../hash.ts";
import {
  type CodedField,
  type ColumnArrays,
  enlarge,
  makeColumns,
  OwnField,
  RowMark,
} from "./columns.ts";
import { finalAnswerOf } from "./comparison.ts";
import { NAME_FIELDS, NUMBER_FIELDS } from "./fields.ts";
import { FLAG_BIT, flagsOf, LONG_ANSWER_CHARS } from "./flags.ts";
import {
  type JsonObject,
  type LineFacts,
  objectOf,
  ownFields,
  type RunHints,
  STATUSES,
} from "./line_facts.ts";
import { promptOf } from "./turns.ts";

/** Maximum number of users' fields with columns. Conditions on other fields read lines. */
const MAX_FIELDS = 48;
/** Maximum number of users' fields with `OwnField.numbers`, each of which takes 8 bytes per row. */
const MAX_NUMBER_FIELDS = 12;

const MIN_ANSWER_SLOTS = 1 << 12;

/** Gives each distinct name a code: 0, 1, 2, … */
export class Names {
  readonly list: string[];
  readonly #codes: Map<string, number>;

  constructor(names: readonly string[] = []) {
    this.list = [...names];
    this.#codes = new Map(names.map((name, code) => [name, code]));
  }

  /** Names past the limit share the code `MAX_NAMES` and the name "(others)". */
  codeOf(name: string): number {
    let code = this.#codes.get(name);
    if (code !== undefined) return code;
    code = Math.min(this.list.length, MAX_NAMES);
    if (code === this.list.length) this.list.push(code === MAX_NAMES ? "(others)" : name);
    this.#codes.set(name, code);
    return code;
  }
}

/** The highest code in a `Uint16Array`. */
const MAX_NAMES = 0xffff;

const NAME_COLUMNS = [...Object.values(NAME_FIELDS), "failure"] as const;

export type NameLists = Record<typeof NAME_COLUMNS[number], Names>;

const NUMBER_COLUMNS = [...Object.values(NUMBER_FIELDS), "httpStatus"] as const;

export const ANSWERED = STATUSES.indexOf("answered");

export interface LinePlace {
  /** An index into `DataIndex.files`. */
  readonly file: number;
  readonly offset: number;
  readonly bytes: number;
}

/** The rows of all files. None is ever removed: those of a replaced file are marked as gone. */
export class Table {
  length = 0;
  goneCount = 0;
  readonly columns: ColumnArrays;
  readonly names = Object.fromEntries(NAME_COLUMNS.map((name) => [name, new Names()])) as NameLists;
  /** The first `MAX_FIELDS` fields of users' rows, by path joined with NUL. */
  readonly fields = new Map<string, OwnField>();
  /** The names of all fields of users' rows, without fields inside objects. */
  readonly fieldNames = new Set<string>();
  /** What the comparison of runs and the search for near duplicates have found, by field name. */
  readonly viewFields = new Map<string, CodedField>([["near_duplicate", nearField(0)]]);
  #capacity: number;
  /** An open-addressing hash table of different answers: row numbers plus 1. */
  #answers = new Uint32Array(MIN_ANSWER_SLOTS);
  #answerCount = 0;

  constructor(capacity = 1024) {
    this.#capacity = capacity;
    this.columns = makeColumns(capacity);
  }

  reserve(totalRows: number): void {
    if (totalRows <= this.#capacity) return;
    this.#capacity = totalRows;
    enlarge(this.columns, totalRows);
  }

  add(facts: LineFacts, place: LinePlace, hints: RunHints): void {
    if (this.length === this.#capacity) this.reserve(Math.ceil(this.#capacity * 1.5));
    const row = this.length++;
    const { columns, names } = this;
    const prompt = promptOf(facts.line, hints);
    columns.offset[row] = place.offset;
    columns.bytes[row] = place.bytes;
    columns.file[row] = place.file;
    columns.status[row] = STATUSES.indexOf(facts.status);
    for (const name of NUMBER_COLUMNS) columns[name][row] = facts[name];
    for (const name of NAME_COLUMNS) columns[name][row] = names[name].codeOf(facts[name]);
    columns.flags[row] = facts.status === "answered" ? flagsOf(facts, prompt) : 0;
    this.#addHashes(row, facts, prompt, hints);
    columns.duplicateOf[row] = -1;
    columns.marks[row] = facts.response.length > LONG_ANSWER_CHARS ? RowMark.LongAnswer : 0;
    if (facts.status === "answered" && facts.response !== "") this.#findDuplicate(row);
    this.#addFields(row, facts.fields);
  }

  #addHashes(row: number, facts: LineFacts, prompt: string, { uidFields }: RunHints): void {
    const { columns } = this;
    const { uid, response, promptHash } = facts;
    [columns.uidLow[row], columns.uidHigh[row]] = hashOf(uid);
    const { rowUid } = originOf(facts.line, uidFields);
    if (rowUid === uid) {
      columns.rowLow[row] = columns.uidLow[row];
      columns.rowHigh[row] = columns.uidHigh[row];
    } else [columns.rowLow[row], columns.rowHigh[row]] = hashOf(rowUid);
    [columns.answerLow[row], columns.answerHigh[row]] = hashOf(response);
    const isHash = promptHash.length === 16;
    [columns.promptLow[row], columns.promptHigh[row]] = isHash
      ? hashHalves(promptHash)
      : hashOf(prompt);
    const final = facts.status === "answered" ? finalAnswerOf(response) : "";
    columns.final[row] = final === "" ? 0 : hashOf(final)[0];
  }

  markGone(file: number): void {
    for (let row = 0; row < this.length; row++) {
      if (this.columns.file[row] !== file || this.isGone(row)) continue;
      this.columns.marks[row] |= RowMark.Gone;
      this.goneCount++;
    }
  }

  isAnswered(row: number): boolean {
    return this.columns.status[row] === ANSWERED;
  }

  isGone(row: number): boolean {
    return (this.columns.marks[row] & RowMark.Gone) !== 0;
  }

  isSameInputRow(a: number, b: number): boolean {
    const { rowLow, rowHigh } = this.columns;
    return rowLow[a] === rowLow[b] && rowHigh[a] === rowHigh[b];
  }

  /** Rebuilds what the index file does not contain, after the columns were loaded. */
  reindex(): void {
    this.#rehash();
    for (let row = 0; row < this.length; row++) if (this.isGone(row)) this.goneCount++;
  }

  /**
   * Marks a row as a duplicate if another input row has the same answer and, for a short answer,
   * the same prompt. Otherwise adds the row to `#answers`, unless these contain another sample of
   * the input row with this answer. Keep in sync with `DerivedFields.#isDuplicate`.
   */
  #findDuplicate(row: number): void {
    const { columns } = this;
    const isLong = this.#isLong(row);
    const mask = this.#answers.length - 1;
    let slot = this.#answerHash(row) & mask;
    for (; this.#answers[slot] !== 0; slot = (slot + 1) & mask) {
      const other = this.#answers[slot] - 1;
      if (
        columns.answerLow[other] !== columns.answerLow[row] ||
        columns.answerHigh[other] !== columns.answerHigh[row] || this.isGone(other)
      ) continue;
      if (this.isSameInputRow(other, row)) return;
      const isSamePrompt = columns.promptLow[other] === columns.promptLow[row] &&
        columns.promptHigh[other] === columns.promptHigh[row];
      if (!isLong && !isSamePrompt) continue;
      columns.duplicateOf[row] = other;
      columns.flags[row] |= FLAG_BIT.duplicate;
      return;
    }
    this.#answers[slot] = row + 1;
    this.#answerCount++;
    if (this.#answerCount * 2 > this.#answers.length) this.#rehash();
  }

  #isLong(row: number): boolean {
    return (this.columns.marks[row] & RowMark.LongAnswer) !== 0;
  }

  /** Includes the prompt of a short answer: a million rows may be answered with "yes". */
  #answerHash(row: number): number {
    const { answerLow, promptLow } = this.columns;
    return this.#isLong(row) ? answerLow[row] : answerLow[row] ^ promptLow[row];
  }

  #rehash(): void {
    const { duplicateOf } = this.columns;
    let size = this.#answers.length;
    while (size < this.length * 2) size *= 2;
    const slots = new Uint32Array(size);
    this.#answerCount = 0;
    for (let row = 0; row < this.length; row++) {
      if (!this.isAnswered(row) || duplicateOf[row] !== -1) continue;
      let slot = this.#answerHash(row) & (size - 1);
      while (slots[slot] !== 0) slot = (slot + 1) & (size - 1);
      slots[slot] = row + 1;
      this.#answerCount++;
    }
    this.#answers = slots;
  }

  #addFields(row: number, line: JsonObject): void {
    for (const name of ownFields(line)) {
      this.fieldNames.add(name);
      const value = line[name];
      // Objects are set, too: the field then stores nothing, so that conditions read it from lines.
      this.#field(name, 1)?.set(row, value, this.#capacity);
      if (Array.isArray(value)) continue;
      for (const [inner, innerValue] of Object.entries(objectOf(value))) {
        this.#field(`${name}\0${inner}`, 2)?.set(row, innerValue, this.#capacity);
      }
    }
  }

  /** @param depth The length of the path. A name that contains a NUL gets no column. */
  #field(key: string, depth: number): OwnField | undefined {
    const existing = this.fields.get(key);
    if (existing !== undefined) return existing.path.length === depth ? existing : undefined;
    if (this.fields.size >= MAX_FIELDS) return undefined;
    const path = key.split("\0");
    if (path.length !== depth) return undefined;
    const withNumbers = this.fields.values().filter(({ numbers }) => numbers !== undefined);
    const field = new OwnField(path, withNumbers.toArray().length < MAX_NUMBER_FIELDS);
    this.fields.set(key, field);
    return field;
  }
}

/** @param copies Rows with an earlier near duplicate. */
export function nearField(length: number, copies: Iterable<number> = []): CodedField {
  const codes = new Uint8Array(length);
  for (const row of copies) codes[row] = 1;
  return { codes, values: [false, true] };
}

/** Returns the low and the high 32 bits of a text's hash. */
export function hashOf(text: string): readonly [low: number, high: number] {
  return hashHalves(xxHash64Hex(text));
}

function hashHalves(hash: string): readonly [low: number, high: number] {
  return [parseInt(hash.slice(8), 16), parseInt(hash.slice(0, 8), 16)];
}
