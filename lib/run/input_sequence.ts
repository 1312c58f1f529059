/**
 * What one output is made from: one file, or the parts of several that a shard holds. They are read as one
 * sequence of numbered rows, the same in both passes.
 *
 * @module
 */

import { type Input, type InputPiece, type Line, openInput, placeOf } from "../formats/mod.ts";
import { imagesIn, NO_IMAGES, type RowImages } from "../source/mod.ts";
import { folderOf, isUnchanged, stampOf } from "./inputs.ts";

/** A piece that was opened. */
interface OpenPiece extends InputPiece {
  readonly input: Input;
  /** When it was last written, and its size. */
  readonly stamp: string;
  readonly images: RowImages;
  /** What is added to the numbers of its rows, so that each row of the sequence has its own; known once it
   * is read. */
  offset: number;
}

const NOT_READ = Infinity;

/** Where a row stands. */
export interface RowPlace {
  /** The file, as the user calls it. */
  readonly file: string;
  /** Its number there, from 1. */
  readonly line: number;
  /** Both, as users count. */
  readonly source: string;
}

/** Pieces of input in their order. The numbers of the first piece are those of its file. */
export class InputSequence {
  /** The pieces. */
  readonly pieces: readonly InputPiece[];
  readonly #imagesRoot: string | undefined;
  readonly #open: OpenPiece[] = [];
  #current: OpenPiece | undefined;

  /** Nothing is read yet. Images that rows name are taken from `imagesRoot`, or else from the folder of
   * the file that names them. */
  constructor(pieces: readonly InputPiece[], imagesRoot?: string) {
    this.pieces = pieces;
    this.#imagesRoot = imagesRoot;
  }

  /**
   * Finds out how each piece is read.
   *
   * @throws {SourceError} when one cannot be
   */
  async open(): Promise<void> {
    for (const piece of this.pieces.slice(this.#open.length)) {
      const stamp = await stampOf(piece.path);
      const input = await openInput(piece.path, piece.name, piece.options, piece.part);
      const images = imagesIn(this.#imagesRoot ?? folderOf(piece.name));
      this.#open.push({ ...piece, input, stamp, images, offset: NOT_READ });
    }
    this.#current = this.#open[0];
  }

  /** The piece whose rows were read last; the first one before that. */
  get current(): { readonly name: string; readonly format: Input["format"] } | undefined {
    return this.#current && { name: this.#current.name, format: this.#current.input.format };
  }

  /** The folder of the images that the rows of the current piece name. */
  get images(): RowImages {
    return this.#current?.images ?? NO_IMAGES;
  }

  /** Reads all rows from the start, in small batches. */
  rows(): AsyncGenerator<Line[]> {
    const [first, ...others] = this.#open;
    // A batch takes three promises less without the numbering.
    if (first === undefined || others.length > 0) return this.#allRows();
    this.#current = first;
    first.offset = 0;
    return first.input.rows();
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

  /** Whether the current piece is what it was when it was opened. */
  get isUnchanged(): boolean {
    return this.#current === undefined || isUnchanged(this.#current.path, this.#current.stamp);
  }

  /** Whether every piece is what it was when it was opened. */
  async areAllUnchanged(): Promise<boolean> {
    for (const { path, stamp } of this.#open) if (await stampOf(path) !== stamp) return false;
    return true;
  }

  /** Where a row of the current piece stands, as users count. On the hot path. */
  sourceOf(number: number): string {
    const { name, input, offset } = this.#current!;
    return placeOf(name, input.format, number - offset);
  }

  /** Where the row of a number stands, whichever piece it is in. */
  placeOf(number: number): RowPlace {
    const { name, offset, input } = this.#open.findLast((piece) => piece.offset < number)!;
    const line = number - offset;
    return { file: name, line, source: placeOf(name, input.format, line) };
  }
}
