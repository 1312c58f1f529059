/**
 * The columns of the index: a typed array for each kind of number, 100 bytes a row.
 *
 * @module
 */

import { fieldName } from "../where/mod.ts";

type NumberArray = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array;

/** The columns, with the array type of each. */
const COLUMNS = {
  /** Start and length of its line, in bytes. */
  offset: Float64Array,
  bytes: Uint32Array,
  /** Hashes of its id, of its row's id, of the answer and of the prompt. */
  uidLow: Uint32Array,
  uidHigh: Uint32Array,
  rowLow: Uint32Array,
  rowHigh: Uint32Array,
  answerLow: Uint32Array,
  answerHigh: Uint32Array,
  promptLow: Uint32Array,
  promptHigh: Uint32Array,
  /** The hash of the final answer, 0 where there is none. */
  final: Uint32Array,
  costUsd: Float64Array,
  promptTokens: Uint32Array,
  completionTokens: Uint32Array,
  reasoningTokens: Uint32Array,
  cachedTokens: Uint32Array,
  latencyMs: Uint32Array,
  /** The row that it duplicates, or -1. */
  duplicateOf: Int32Array,
  attempts: Uint16Array,
  flags: Uint16Array,
  httpStatus: Uint16Array,
  /** Indexes into dictionaries. */
  file: Uint16Array,
  model: Uint16Array,
  teacher: Uint16Array,
  finishReason: Uint16Array,
  failure: Uint16Array,
  source: Uint16Array,
  status: Uint8Array,
  /** See `Mark`. */
  marks: Uint8Array,
} as const;

/** Columns that the threads of a search read, too: a copy for each search would take 16 bytes a row. */
const SHARED: ReadonlySet<ColumnName> = new Set(["offset", "bytes", "file", "flags"]);

/** The name of a column. */
export type ColumnName = keyof typeof COLUMNS;

/** The columns by name. */
export type ColumnArrays = { [Name in ColumnName]: InstanceType<typeof COLUMNS[Name]> };

/** The names in saving order: the widest numbers first, so that each array is aligned. */
export const COLUMN_NAMES = (Object.keys(COLUMNS) as ColumnName[]).toSorted((a, b) =>
  COLUMNS[b].BYTES_PER_ELEMENT - COLUMNS[a].BYTES_PER_ELEMENT
);

/** Bits of `marks`. */
export const Mark = {
  /** Its file was replaced or removed. */
  Gone: 1,
  /** Its cost is estimated, because its line has none. */
  Estimated: 2,
  /** It follows the last line feed of its file. */
  Tail: 4,
  /** Its answer holds tool calls. */
  ToolCalls: 8,
} as const;

/** Creates all columns, with room for `capacity` rows. */
export function makeColumns(capacity: number): ColumnArrays {
  return Object.fromEntries(
    COLUMN_NAMES.map((name) => [name, numbers(COLUMNS[name], capacity, SHARED.has(name))]),
  ) as ColumnArrays & Record<ColumnName, NumberArray>;
}

/**
 * Gives all columns room for `capacity` rows, one by one, so that each old array is freed before
 * the next is copied.
 */
export function enlarge(columns: ColumnArrays, capacity: number): void {
  const all = columns as Record<ColumnName, NumberArray>;
  for (const name of COLUMN_NAMES) all[name] = larger(all[name], capacity);
}

/** The array with room for `capacity` numbers. */
function larger<T extends NumberArray>(array: T, capacity: number): T {
  const isShared = array.buffer instanceof SharedArrayBuffer;
  const wide = numbers<T>(array.constructor, capacity, isShared);
  wide.set(array);
  return wide;
}

type NumbersOf<T> =
  & (new (length: number) => T)
  & (new (buffer: SharedArrayBuffer) => T)
  & { readonly BYTES_PER_ELEMENT: number };

function numbers<T>(kind: object, capacity: number, isShared: boolean): T {
  const Kind = kind as NumbersOf<T>;
  return isShared
    ? new Kind(new SharedArrayBuffer(capacity * Kind.BYTES_PER_ELEMENT))
    : new Kind(capacity);
}

/** A field with more values than this has no facet. */
export const MOST_VALUES = 50;
/** Longer values are texts, not categories. */
const LONGEST_VALUE = 120;

/** A value of a facet. */
export type Scalar = string | number | boolean | null;

/** A field of the user's rows. */
export class OwnField {
  /** Its path: `lang`, or `meta` and `lang`. */
  readonly path: readonly string[];
  /** The values, by their codes minus 1; undefined if there are too many or one is not a scalar. */
  values: Scalar[] | undefined = [];
  /** The code of each row's value; 0 where the row has no such field. */
  codes: Uint8Array = new Uint8Array(0);
  /** Each row's number, NaN where there is none; undefined if any row holds anything else. */
  numbers: Float64Array | undefined;
  /** Whether any row holds a number. */
  hasNumbers = false;
  readonly #codeOf = new Map<Scalar, number>();

  /** A field without rows. */
  constructor(path: readonly string[], mayHoldNumbers: boolean) {
    this.path = path;
    if (mayHoldNumbers) this.numbers = new Float64Array(0);
  }

  /** Its name in conditions. */
  get name(): string {
    return fieldName(this.path);
  }

  /** Whether a condition on this field can be answered without reading lines. */
  get isKept(): boolean {
    return this.values !== undefined || (this.numbers !== undefined && this.hasNumbers);
  }

  /** Records the value of a row. Rows come in order, and some have no value. */
  set(row: number, value: unknown, capacity: number): void {
    const isScalar = value === null || typeof value === "boolean" || typeof value === "number" ||
      (typeof value === "string" && value.length <= LONGEST_VALUE);
    if (this.values !== undefined) {
      const code = isScalar ? this.#code(value as Scalar) : undefined;
      if (code === undefined) {
        this.values = undefined;
        this.codes = new Uint8Array(0);
        this.#codeOf.clear();
      } else {
        if (row >= this.codes.length) this.codes = larger(this.codes, capacity);
        this.codes[row] = code;
      }
    }
    if (this.numbers === undefined) return;
    if (typeof value === "number") this.#setNumber(row, value, capacity);
    else if (value !== null) this.numbers = undefined;
  }

  /** The value of a row; undefined where it has none. */
  valueAt(row: number): Scalar | undefined {
    if (this.values !== undefined) {
      const code = row < this.codes.length ? this.codes[row] : 0;
      return code === 0 ? undefined : this.values[code - 1];
    }
    const number = this.numbers === undefined || row >= this.numbers.length
      ? NaN
      : this.numbers[row];
    return Number.isNaN(number) ? undefined : number;
  }

  /** Restores saved values. */
  restore(values: Scalar[] | undefined, codes: Uint8Array): void {
    this.values = values;
    this.codes = codes;
    values?.forEach((value, place) => this.#codeOf.set(value, place + 1));
  }

  #setNumber(row: number, value: number, capacity: number): void {
    const before = this.numbers!.length;
    if (row >= before) {
      this.numbers = larger(this.numbers!, capacity);
      this.numbers.fill(NaN, before);
    }
    this.numbers![row] = value;
    this.hasNumbers = true;
  }

  #code(value: Scalar): number | undefined {
    const known = this.#codeOf.get(value);
    if (known !== undefined) return known;
    if (this.values!.length >= MOST_VALUES) return undefined;
    this.values!.push(value);
    this.#codeOf.set(value, this.values!.length);
    return this.values!.length;
  }
}
