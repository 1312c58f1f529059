/**
 * Numbers of many rows, a typed array for each kind of number: 97 bytes a row.
 *
 * @module
 */

type NumberArray =
  | Uint8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>;

/** The columns of every row, and what holds each. */
const COLUMNS = {
  /** Where its line begins, and how long it is, in bytes. */
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
  costUsd: Float64Array,
  promptTokens: Uint32Array,
  completionTokens: Uint32Array,
  reasoningTokens: Uint32Array,
  cachedTokens: Uint32Array,
  latencyMs: Uint32Array,
  /** The row that it is a copy of, or -1. */
  duplicateOf: Int32Array,
  attempts: Uint16Array,
  flags: Uint16Array,
  httpStatus: Uint16Array,
  /** Places in dictionaries. */
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

/** The name of a column. */
export type ColumnName = keyof typeof COLUMNS;

/** The columns by name. */
export type ColumnArrays = { [Name in ColumnName]: InstanceType<typeof COLUMNS[Name]> };

/** The names, in the order in which they are saved: the widest numbers first, so that each is aligned. */
export const COLUMN_NAMES = (Object.keys(COLUMNS) as ColumnName[]).toSorted((a, b) =>
  COLUMNS[b].BYTES_PER_ELEMENT - COLUMNS[a].BYTES_PER_ELEMENT
);

/** Bits of `marks`. */
export const Mark = {
  /** The file that it stood in was replaced or removed. */
  Gone: 1,
  /** Its cost is estimated: its line does not say it. */
  Estimated: 2,
  /** It follows the last line feed of its file. */
  Tail: 4,
  /** Its answer holds tool calls. */
  ToolCalls: 8,
} as const;

/** Makes all columns, with room for `rows` rows. */
export function makeColumns(capacity: number): ColumnArrays {
  return Object.fromEntries(COLUMN_NAMES.map((name) => [name, new COLUMNS[name](capacity)])) as
    & ColumnArrays
    & Record<ColumnName, NumberArray>;
}

/** Gives all columns room for `rows` rows, one after the other: the old one of each is free then. */
export function enlarge(columns: ColumnArrays, capacity: number): void {
  const all = columns as Record<ColumnName, NumberArray>;
  for (const name of COLUMN_NAMES) all[name] = larger(all[name], capacity);
}

/** The array with room for `length` numbers. */
export function larger<T extends NumberArray>(array: T, capacity: number): T {
  const wide = new (array.constructor as new (length: number) => T)(capacity);
  wide.set(array);
  return wide;
}
