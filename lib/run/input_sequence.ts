/**
 * The input of one output: one file, several files, or a shard's parts of files, read as one
 * sequence of numbered rows that is the same in both passes.
 *
 * @module
 */

import { dirname } from "../deps/std_path.ts";
import { type Input, type InputPiece, type Line, openInput, placeOf } from "../formats/mod.ts";
import { imagesIn, NO_IMAGES, type ParsedRow, type RowImages } from "../source/mod.ts";
import { infoOf, isUnchanged, stamp, stampOf } from "./inputs.ts";

interface OpenPiece extends InputPiece {
  readonly input: Input;
  /** Modification time and size when the piece was opened. */
  readonly stamp: string;
  readonly images: RowImages;
  /** Added to the row numbers of the piece; `NOT_READ` until its first row is read. */
  offset: number;
  /** `Input.chunks` at the last `hasNewChunk`. */
  chunksSeen?: number;
}

const NOT_READ = Infinity;

export interface RowPlace {
  /** The file, as the user named it. */
  readonly file: string;
  /** The number of the row in the file, from 1. */
  readonly line: number;
  /** For messages: `file:line`, `file[element]` or `file:row`. */
  readonly source: string;
}

export interface InputSequenceOptions {
  /** The folder of the images that rows name. @default the folder of the input file */
  readonly imagesRoot?: string;
  /** Whether the rows of a single small file stay in memory for the second pass. A run with several
   * inputs must not set this: its first pass reads all of them before the second begins.
   * @default false */
  readonly keepsRows?: boolean;
}

/** Reads the pieces of an input in sequence. Rows are numbered across all pieces, and the first row
 * keeps its number in the file. */
export class InputSequence {
  readonly pieces: readonly InputPiece[];
  readonly #options: InputSequenceOptions;
  readonly #open: OpenPiece[] = [];
  #current: OpenPiece | undefined;
  #keptRows: KeptRows | undefined;

  constructor(pieces: readonly InputPiece[], options: InputSequenceOptions = {}) {
    this.pieces = pieces;
    this.#options = options;
  }

  async open(): Promise<void> {
    const { imagesRoot, keepsRows = false } = this.#options;
    for (const piece of this.pieces.slice(this.#open.length)) {
      const info = await infoOf(piece.path);
      const input = await openInput(piece.path, piece.name, piece.options, piece.part);
      const folder = piece.name === "-" ? undefined : dirname(piece.name);
      const images = imagesIn(imagesRoot ?? folder);
      this.#open.push({ ...piece, input, stamp: stamp(info), images, offset: NOT_READ });
      const mayKeep = keepsRows && this.pieces.length === 1;
      if (mayKeep && info.size <= MAX_KEPT_CHARS) this.#keptRows = new KeptRows();
    }
    this.#current = this.#open[0];
  }

  /** The piece whose rows were read last; before that, the first piece. */
  get current(): Pick<InputPiece, "path" | "name"> & Pick<Input, "format"> | undefined {
    if (this.#current === undefined) return undefined;
    const { path, name, input: { format } } = this.#current;
    return { path, name, format };
  }

  get images(): RowImages {
    return this.#current?.images ?? NO_IMAGES;
  }

  rows(): AsyncGenerator<Line[]> {
    const [first, ...others] = this.#open;
    // Without offsets, a batch takes three promises fewer than in `#allRows`.
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

  /** Whether the file may have been read since the last call. */
  hasNewChunk(): boolean {
    const piece = this.#current;
    const chunks = piece?.input.chunks?.count;
    if (piece === undefined || chunks !== undefined && chunks === piece.chunksSeen) return false;
    piece.chunksSeen = chunks;
    return true;
  }

  get isUnchanged(): boolean {
    return this.#current === undefined || isUnchanged(this.#current.path, this.#current.stamp);
  }

  async areAllUnchanged(): Promise<boolean> {
    for (const { path, stamp } of this.#open) if (await stampOf(path) !== stamp) return false;
    return true;
  }

  /** The place of a row of the current piece, for messages. On the hot path. */
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

/** Maximum number of characters of kept rows, and of bytes of their file. Keeping 5,000 short rows
 * saves a run 25 ms. */
const MAX_KEPT_CHARS = 4 * 2 ** 20;

/** A parsed row takes 600 bytes in addition to its text. */
const MAX_KEPT_LINES = 20_000;

export class KeptRows {
  readonly #batches: Line[][] = [];
  readonly #parsedRows: (ParsedRow | undefined)[] = [];
  #chars = 0;

  /** A small compressed file may contain much text. */
  get isTooLarge(): boolean {
    return this.#chars > MAX_KEPT_CHARS || this.#parsedRows.length > MAX_KEPT_LINES;
  }

  addLines(lines: Line[]): void {
    this.#batches.push(lines);
  }

  addRow({ text, bytes }: Line, row: ParsedRow | undefined): void {
    this.#parsedRows.push(row);
    this.#chars += text?.length ?? bytes?.length ?? 0;
  }

  /** Can be called once: nothing is kept afterwards. */
  async *lines(): AsyncGenerator<Line[]> {
    try {
      for (const batch of this.#batches.splice(0)) yield batch;
    } finally {
      this.#parsedRows.length = 0;
    }
  }

  /** Returns the row of a line and drops it; undefined if the line is not a row. `index` counts
   * lines from 0. */
  takeRow(index: number): ParsedRow | undefined {
    const row = this.#parsedRows[index];
    this.#parsedRows[index] = undefined;
    return row;
  }
}

const LINE_FEED = 10;
const SAMPLE_BYTES = 1 << 16;
/** The estimate for a file that cannot be read, and the minimum for a large file. */
const DEFAULT_ROWS = 1_000;
/** The estimate is multiplied by this: a table that is too large costs less than one that must
 * grow. */
const MARGIN = 1.1;
/** Size of the shortest row, `{"prompt":"x"}`. Blank lines are shorter, and would be taken for
 * rows. */
const SHORTEST_ROW_BYTES = 14;

/** Estimates the number of rows, so that the table of ids need not grow. */
export async function estimateRows(pieces: readonly InputPiece[]): Promise<number> {
  let rows = 0;
  for (const { path, part } of pieces) {
    rows += part === undefined ? await estimateFileRows(path) : part.to.rows - part.from.rows;
  }
  return rows;
}

async function estimateFileRows(path: string): Promise<number> {
  try {
    using file = await Deno.open(path);
    const { size, isFile } = await file.stat();
    if (!isFile) return DEFAULT_ROWS;
    const sample = new Uint8Array(Math.min(SAMPLE_BYTES, size + 1));
    const sampleBytes = await file.read(sample);
    if (sampleBytes === null) return DEFAULT_ROWS;
    let lines = 0;
    for (let i = 0; i < sampleBytes; i++) if (sample[i] === LINE_FEED) lines++;
    const rows = Math.min(size / sampleBytes * lines * MARGIN, size / SHORTEST_ROW_BYTES);
    return sampleBytes === size ? lines + 1 : Math.max(DEFAULT_ROWS, Math.ceil(rows));
  } catch {
    return DEFAULT_ROWS;
  }
}
