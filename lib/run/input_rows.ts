/**
 * The rows of an input, which may be several files or a shard's parts of files. Both passes number
 * them in one sequence. The second pass makes the rows to send, one for each sample.
 *
 * @module
 */

import { sampleUid } from "../answer.ts";
import { dirname } from "../deps/std_path.ts";
import { SourceError } from "../errors.ts";
import { type Input, type InputPiece, type Line, openInput, placeOf } from "../formats/mod.ts";
import { reseeded } from "../params.ts";
import type { EarlierAnswer, Row } from "../row.ts";
import type { BadRow } from "../sink/mod.ts";
import { imagesIn, type ParsedRow, type RowImages, type RowParser } from "../source/mod.ts";
import type { Params } from "../teacher/mod.ts";
import type { Findings } from "./findings.ts";
import { infoOf, isUnchanged, stamp, stampOf } from "./input_files.ts";
import { clashProblem, fileProblem, KeptRows, MAX_KEPT_CHARS, Todo } from "./plan.ts";

interface OpenPiece extends InputPiece {
  readonly input: Input;
  /** Modification time and size when the piece was opened. */
  readonly stamp: string;
  readonly images: RowImages;
  /** The number to add to the row numbers of the piece; `Infinity` until its first row is read. */
  offset: number;
  /** The value of `input.chunks.count` when `hasNewChunk` was last called. */
  chunksSeen?: number;
}

export interface RowPlace {
  /** The file, as the user named it. */
  readonly file: string;
  /** The number of the row in the file, from 1. */
  readonly line: number;
  /** The place for messages: `file:line`, `file[element]` or `file:row`. */
  readonly source: string;
}

export interface InputSequenceOptions {
  /** The folder of the images that rows name. @default the folder of the input file */
  readonly imagesRoot?: string;
  /** Whether the rows of a single small file stay in memory for the second pass. False for one of
   * several inputs, because the rows of all inputs would be in memory at once. @default false */
  readonly keepsRows?: boolean;
}

/** Reads the pieces of an input in sequence. Rows are numbered across all pieces, from the number
 * that the first row has in its file. */
export class InputSequence {
  readonly pieces: readonly InputPiece[];
  readonly #options: InputSequenceOptions;
  readonly #open: OpenPiece[] = [];
  /** The piece that is being read. Undefined before `open`, and in an input without pieces, such as
   * a shard without rows. */
  #current: OpenPiece | undefined;
  #keptRows: KeptRows | undefined;

  constructor(pieces: readonly InputPiece[], options: InputSequenceOptions = {}) {
    this.pieces = pieces;
    this.#options = options;
  }

  async open(): Promise<void> {
    const { imagesRoot, keepsRows = false } = this.#options;
    for (const piece of this.pieces) {
      const info = await infoOf(piece.path);
      const input = await openInput(piece.path, piece.name, piece.options, piece.part);
      const folder = piece.name === "-" ? undefined : dirname(piece.name);
      const images = imagesIn(imagesRoot ?? folder);
      this.#open.push({ ...piece, input, stamp: stamp(info), images, offset: Infinity });
      const mayKeep = keepsRows && this.pieces.length === 1;
      if (mayKeep && info.size <= MAX_KEPT_CHARS) this.#keptRows = new KeptRows();
    }
    this.#current = this.#open[0];
  }

  /** The piece whose rows were read last; before that, the first piece. */
  get current(): Pick<InputPiece, "path" | "name"> & Pick<Input, "format"> {
    const { path, name, input: { format } } = this.#current!;
    return { path, name, format };
  }

  get images(): RowImages {
    return this.#current!.images;
  }

  rows(): AsyncGenerator<Line[]> {
    const [first, ...others] = this.#open;
    // A single piece needs no offsets, which saves three promises a batch.
    if (first === undefined || others.length > 0) return this.#allRows();
    this.#current = first;
    first.offset = 0;
    return first.input.rows();
  }

  /** The rows that the first pass kept for the second, if any. */
  get keptRows(): KeptRows | undefined {
    if (this.#keptRows?.isTooLarge) this.#keptRows = undefined;
    return this.#keptRows;
  }

  async *#allRows(): AsyncGenerator<Line[]> {
    let offset = 0;
    for (const piece of this.#open) {
      this.#current = piece;
      piece.offset = offset;
      let last = piece.part?.from.number ?? 0;
      for await (const batch of piece.input.rows()) {
        last = batch[batch.length - 1].number;
        yield offset === 0
          ? batch
          : batch.map((line) => ({ ...line, number: line.number + offset }));
      }
      offset += last;
    }
  }

  /** Whether another chunk was read from the file since the last call; true if that is unknown. */
  hasNewChunk(): boolean {
    const piece = this.#current!, chunks = piece.input.chunks?.count;
    if (chunks !== undefined && chunks === piece.chunksSeen) return false;
    piece.chunksSeen = chunks;
    return true;
  }

  get isUnchanged(): boolean {
    const { path, stamp } = this.#current!;
    return isUnchanged(path, stamp);
  }

  async areAllUnchanged(): Promise<boolean> {
    for (const { path, stamp } of this.#open) if (await stampOf(path) !== stamp) return false;
    return true;
  }

  /** Returns the place of a row of the current piece, for messages. This is on the hot path. */
  sourceOf(number: number): string {
    const { name, input, offset } = this.#current!;
    return placeOf(name, input.format, number - offset);
  }

  placeOf(number: number): RowPlace {
    const { name, offset, input } = this.#open.findLast((piece) => piece.offset < number)!;
    const line = number - offset;
    return { file: name, line, source: placeOf(name, input.format, line) };
  }
}

export interface PlannedRowsOptions {
  readonly findings: Findings;
  readonly parser: RowParser;
  readonly params: Params;
  /** The index of the input in the run. */
  readonly input: number;
  /** Called before an answer is requested again, with its line in the failures file. */
  readonly onRetry: (uid: string, failureLine: number) => void;
  /** Returns the last answer of an earlier run that was paid for but not accepted. @default none */
  readonly earlierOf?: (row: Row) => EarlierAnswer | undefined;
  readonly onBadRow: (bad: BadRow) => Promise<void>;
  readonly signal: AbortSignal;
}

/** Rows are yielded in batches of about this size: with many samples, a batch of lines becomes far
 * more rows. */
const BATCH_ROWS = 1_000;

/** Yields the planned rows in input order, all samples of a row in sequence. Throws if the file was
 * changed since the first pass. */
export async function* plannedRows(options: PlannedRowsOptions): AsyncGenerator<Row[]> {
  const { findings, signal } = options;
  let remaining = findings.plan.toAsk + findings.plan.bad;
  if (remaining === 0) return;
  const input = findings.sequence!;
  const pass = new SecondPass(options);
  if (!(await input.areAllUnchanged())) throw pass.changedError();
  const { keptRows } = input;
  for await (const lines of keptRows?.lines() ?? input.rows()) {
    // The user has stopped the run, and the next row to send may be far away in the file.
    if (signal.aborted) return;
    // In a changed file, rows may have different line numbers. A check of each batch, instead of
    // each chunk that is read, would take 8 % of the engine's time per row.
    if (keptRows !== undefined || input.hasNewChunk()) {
      if (!input.isUnchanged) throw pass.changedError();
      if (keptRows === undefined) pass.uidsToCheck = 2;
    }
    let rows: Row[] = [];
    for (const line of lines) {
      const bad = pass.addRows(line, rows);
      if (bad !== undefined) {
        await options.onBadRow(bad);
        remaining--;
      }
      if (rows.length < BATCH_ROWS) continue;
      remaining -= rows.length;
      yield rows;
      rows = [];
    }
    remaining -= rows.length;
    if (rows.length > 0) yield rows;
    if (remaining === 0) return;
  }
  throw pass.changedError();
}

class SecondPass {
  readonly #options: PlannedRowsOptions;
  readonly #input: InputSequence;
  #index = 0;
  /** How many of the next rows are hashed again and compared with their kept ids: two in each new
   * chunk. A changed file may have its old modification time, and part of the first row may have
   * been read before the change. */
  uidsToCheck = 0;

  constructor(options: PlannedRowsOptions) {
    this.#options = options;
    this.#input = options.findings.sequence!;
  }

  /** Adds the rows to send for the next line to `rows`, or returns the line if it is bad. */
  addRows(line: Line, rows: Row[]): BadRow | undefined {
    const { params, onRetry, earlierOf } = this.#options;
    const { plan, samples } = this.#options.findings;
    const index = this.#index++;
    let first: Row | undefined;
    for (let sample = 0; sample < samples; sample++) {
      const todo = plan.decisionOn(index, sample);
      if (todo === Todo.Skip) continue;
      if (todo === Todo.Bad) return this.#badRowOf(line, sample);
      first ??= this.#rowOf(line, index);
      const row = sampleRow(first, sample, params);
      if (todo === Todo.AskAgain) onRetry(row.uid, plan.failureLines.shift());
      const earlier = earlierOf?.(row);
      rows.push(earlier === undefined ? row : { ...row, earlier });
    }
  }

  changedError(): SourceError {
    const { name } = this.#input.current;
    return new SourceError(
      `Cannot continue with "${name}": it was changed while the run read it. Run the same command again once nothing writes to it`,
      { path: name },
    );
  }

  #rowOf({ text, number }: Line, index: number): Row {
    const { input, findings: { plan } } = this.#options;
    const keptUid = plan.takeUid(index);
    const parsed = this.#input.keptRows?.takeRow(index) ??
      this.#parse(text, this.uidsToCheck > 0 ? undefined : keptUid);
    if (keptUid !== undefined && this.uidsToCheck > 0) {
      this.uidsToCheck--;
      if (parsed.uid !== keptUid) throw this.changedError();
    }
    const source = this.#input.sourceOf(number);
    return parsed.toRow(
      { uid: plan.takeIdOf(index, parsed.uid), input, source },
      this.#input.images,
    );
  }

  /** @param uid The row's id, if it is known and need not be checked. */
  #parse(text: string | undefined, uid: string | undefined): ParsedRow {
    const parsed = text === undefined ? undefined : this.#options.parser.parse(text, uid);
    if (parsed === undefined || "problem" in parsed) throw this.changedError();
    return parsed;
  }

  #badRowOf(line: Line, sample: number): BadRow {
    const { parser, findings } = this.#options;
    const { text, bytes } = line;
    const parsed = text === undefined
      ? { problem: line.problem ?? "unreadable" }
      : parser.parse(text);
    const problem = "problem" in parsed
      ? parsed.problem
      : fileProblem(parsed, this.#input.images) ??
        clashProblem(parsed.uid, sample, findings.samples);
    return { ...this.#input.placeOf(line.number), problem, text, bytes };
  }
}

/** Returns the row to send for one sample. Raises the seed of the row or of `runParams` by
 * `sample`, because the same seed would give the same answer. */
export function sampleRow(first: Row, sample: number, runParams: Params): Row {
  if (sample === 0) return first;
  const allParams = first.params === undefined ? runParams : { ...runParams, ...first.params };
  const seededParams = reseeded(allParams, sample);
  const params = seededParams === allParams ? first.params : seededParams;
  return { ...first, uid: sampleUid(first.uid, sample), sample, params };
}
