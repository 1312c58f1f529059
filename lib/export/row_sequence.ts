/**
 * In which order rows are written, and which of them are for validation.
 *
 * @module
 */

import { xxHash64Hex } from "../hash.ts";
import type { Example } from "./example.ts";
import type { ResolvedExport } from "./export_options.ts";
import type { TrainingRow } from "./formats.ts";
import type { ResultsFile } from "./results_file.ts";
import type { RowMaker } from "./row_maker.ts";

/** A row to be written. */
export interface PlacedRow {
  /** The row. */
  readonly row: TrainingRow;
  /** Whether it is for validation. */
  readonly isValidation: boolean;
}

/** The rows of all files in the order that is asked for: of the input, or shuffled. */
export function* rowsInOrder(
  files: readonly ResultsFile[],
  maker: RowMaker,
  { shuffle, maxRows, validation }: ResolvedExport,
): Generator<PlacedRow> {
  const examples = shuffle === undefined ? inInputOrder(files) : shuffled(files, shuffle);
  let rows = 0;
  for (const { example, row } of maker.rowsOf(examples)) {
    yield { row, isValidation: isForValidation(example.rowUid, validation) };
    if (++rows >= maxRows) return;
  }
}

/** Whether the rows of an id are for validation: the hash of the id decides, so that they are the same in
 * each export, whatever else is in it. */
export function isForValidation(rowUid: string, share: number): boolean {
  return share > 0 && Number.parseInt(xxHash64Hex(rowUid).slice(0, 8), 16) < share * 2 ** 32;
}

function* inInputOrder(files: readonly ResultsFile[]): Generator<Example> {
  for (const file of files) {
    for (const index of file.inInputOrder()) yield file.at(index);
  }
}

function* shuffled(files: readonly ResultsFile[], seed: number): Generator<Example> {
  const total = files.reduce((sum, { rowCount }) => sum + rowCount, 0);
  const places = new Uint32Array(total);
  const starts: number[] = [];
  let next = 0;
  for (const file of files) {
    starts.push(next);
    for (const index of file.inInputOrder()) places[next++] = index;
  }
  // The file of a place has to follow it; below 2^32 lines in all, both fit into one number.
  for (let i = 0, file = 0; i < total; i++) {
    while (file + 1 < files.length && i >= starts[file + 1]) file++;
    places[i] += starts[file];
  }
  const random = randomOf(seed);
  for (let i = total - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [places[i], places[j]] = [places[j], places[i]];
  }
  for (const place of places) {
    let file = files.length - 1;
    while (starts[file] > place) file--;
    yield files[file].at(place - starts[file]);
  }
}

/** Mulberry32: 32 bits of state, the same numbers on every machine. */
function randomOf(seed: number): () => number {
  let state = (seed ^ Math.floor(seed / 2 ** 32)) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
