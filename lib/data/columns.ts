/**
 * The columns of the index: typed arrays for Retort's fields (102 bytes per row in total), and
 * `OwnField` for fields of the user's rows.
 *
 * @module
 */

import { fieldName, isNumber } from "../where/mod.ts";

type NumberArray = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array;

/**
 * The type of each column. A row of the index is one line of a file, with an answer or a failure.
 * An input row may have several lines.
 */
const COLUMNS = {
  /** Where the line begins in the file, in bytes. */
  offset: Float64Array,
  /** The length of the line in bytes, without the line feed. */
  bytes: Uint32Array,
  // Hashes of 64 bits, in two halves each. The hash of `row` is made from the uid without the
  // sample number.
  uidLow: Uint32Array,
  uidHigh: Uint32Array,
  rowLow: Uint32Array,
  rowHigh: Uint32Array,
  answerLow: Uint32Array,
  answerHigh: Uint32Array,
  promptLow: Uint32Array,
  promptHigh: Uint32Array,
  /** 32-bit hash of the final answer; 0 if there is none. */
  final: Uint32Array,
  /** US dollars; -1 if unknown. */
  costUsd: Float64Array,
  promptTokens: Uint32Array,
  completionTokens: Uint32Array,
  reasoningTokens: Uint32Array,
  cachedTokens: Uint32Array,
  latencyMs: Uint32Array,
  /** An index into `DataIndex.files`. */
  file: Uint32Array,
  /** The index of an earlier row with the same answer; -1 if there is none. */
  duplicateOf: Int32Array,
  attempts: Uint16Array,
  flags: Uint16Array,
  httpStatus: Uint16Array,
  // The next five columns hold codes of `Table.names`.
  model: Uint16Array,
  teacher: Uint16Array,
  finishReason: Uint16Array,
  failure: Uint16Array,
  source: Uint16Array,
  /** An index into `STATUSES`. */
  status: Uint8Array,
  marks: Uint8Array,
} as const;

/**
 * Columns in shared memory, for the workers of a scan. Copies would take 18 bytes per row for each
 * worker.
 */
const SHARED: ReadonlySet<ColumnName> = new Set(["offset", "bytes", "file", "flags"]);

export type ColumnName = keyof typeof COLUMNS;

export type ColumnArrays = { [Name in ColumnName]: InstanceType<typeof COLUMNS[Name]> };

export const COLUMN_NAMES = Object.keys(COLUMNS) as ColumnName[];

export const RowMark = {
  /** The row's file was replaced or removed. */
  Gone: 1,
  /** `costUsd` is estimated from public prices. */
  Estimated: 2,
  /** The answer is longer than `LONG_ANSWER_CHARS`. */
  LongAnswer: 4,
} as const;

export function makeColumns(capacity: number): ColumnArrays {
  return Object.fromEntries(
    COLUMN_NAMES.map((name) => [name, allocate(COLUMNS[name], capacity, SHARED.has(name))]),
  ) as ColumnArrays & Record<ColumnName, NumberArray>;
}

/** Enlarges one column at a time, so that each old array can be freed before the next is copied. */
export function enlarge(columns: ColumnArrays, capacity: number): void {
  const arrays = columns as Record<ColumnName, NumberArray>;
  for (const name of COLUMN_NAMES) arrays[name] = enlarged(arrays[name], capacity);
}

function enlarged<T extends NumberArray>(array: T, capacity: number): T {
  const isShared = array.buffer instanceof SharedArrayBuffer;
  const copy = allocate<T>(array.constructor, capacity, isShared);
  copy.set(array);
  return copy;
}

interface ArrayType<T> {
  new (buffer: ArrayBufferLike): T;
  readonly BYTES_PER_ELEMENT: number;
}

function allocate<T>(constructor: object, capacity: number, isShared: boolean): T {
  const TypedArray = constructor as ArrayType<T>;
  const bytes = capacity * TypedArray.BYTES_PER_ELEMENT;
  return new TypedArray(isShared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes));
}

/** Maximum number of distinct values for which a field has codes, and a facet. */
const MAX_FIELD_VALUES = 50;
/** Maximum UTF-16 units of a value with a code. Longer values are texts, not categories. */
const MAX_VALUE_LENGTH = 120;

export type Scalar = string | number | bigint | boolean | null;

/**
 * A field that is computed from the whole index, such as `near_duplicate`. It is plain data, so
 * that it can be sent to the workers of a scan.
 */
export interface CodedField {
  /** The index in `values` of each row's value. Rows beyond the end have code 0. */
  readonly codes: Uint8Array<ArrayBuffer>;
  readonly values: readonly Scalar[];
}

/** A field of the user's rows. Stores the values if few are distinct, or if all are numbers. */
export class OwnField {
  /** The path of the field: one name, or two for a field of an object, as in `["meta", "lang"]`. */
  readonly path: readonly string[];
  /**
   * The values of codes 1, 2, …; undefined if there are too many values, or if one is too long or
   * not a `Scalar`.
   */
  values: Scalar[] | undefined = [];
  /** The code of each row's value; 0, or no entry, for a row without the field. */
  codes: Uint8Array = new Uint8Array(0);
  /** Each row's number, or NaN. Undefined if a value is neither a number nor null, or if the table
   * already has the maximum number of fields with numbers. */
  numbers: Float64Array | undefined;
  /** Whether `numbers` has a rounded value, because a whole number (a `bigint`) was beyond 2^53. */
  isRounded = false;
  readonly #codeOf = new Map<Scalar, number>();

  constructor(path: readonly string[], recordsNumbers: boolean) {
    this.path = path;
    if (recordsNumbers) this.numbers = new Float64Array(0);
  }

  get name(): string {
    return fieldName(this.path);
  }

  /** Whether all values are numbers or null, and stored in `numbers`. */
  get isNumeric(): boolean {
    return this.numbers !== undefined && this.numbers.length > 0;
  }

  /**
   * Whether `valueAt` returns the values of all rows. If not, lines must be read.
   *
   * @param mayRound Whether whole numbers beyond 2^53 may be rounded.
   */
  isIndexed(mayRound: boolean): boolean {
    return this.values !== undefined || (this.isNumeric && (mayRound || !this.isRounded));
  }

  /**
   * Sets the value of a row that has one. Rows must be in ascending order.
   *
   * @param capacity The new length of the arrays if `row` does not fit.
   */
  set(row: number, value: unknown, capacity: number): void {
    const isScalar = value === null || typeof value === "boolean" || isNumber(value) ||
      (typeof value === "string" && value.length <= MAX_VALUE_LENGTH);
    if (this.values !== undefined) {
      const code = isScalar ? this.#codeFor(value as Scalar) : undefined;
      if (code === undefined) {
        this.values = undefined;
        this.codes = new Uint8Array(0);
        this.#codeOf.clear();
      } else {
        if (row >= this.codes.length) this.codes = enlarged(this.codes, capacity);
        this.codes[row] = code;
      }
    }
    if (this.numbers === undefined) return;
    if (isNumber(value)) {
      this.#setNumber(row, Number(value), capacity);
      this.isRounded ||= typeof value === "bigint";
    } else if (value !== null) this.numbers = undefined;
  }

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

  restore(values: Scalar[] | undefined, codes: Uint8Array): void {
    this.values = values;
    this.codes = codes;
    values?.forEach((value, index) => this.#codeOf.set(value, index + 1));
  }

  #setNumber(row: number, value: number, capacity: number): void {
    const oldLength = this.numbers!.length;
    if (row >= oldLength) {
      this.numbers = enlarged(this.numbers!, capacity);
      this.numbers.fill(NaN, oldLength);
    }
    this.numbers![row] = value;
  }

  #codeFor(value: Scalar): number | undefined {
    const existing = this.#codeOf.get(value);
    if (existing !== undefined) return existing;
    if (this.values!.length >= MAX_FIELD_VALUES) return undefined;
    this.values!.push(value);
    this.#codeOf.set(value, this.values!.length);
    return this.values!.length;
  }
}
