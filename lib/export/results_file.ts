/**
 * One results file: the examples in it, in the order of the input.
 *
 * @module
 */

import { DamagedFileError, UsageError } from "../errors.ts";
import { isBlankLine, linesOf, readLineBlocks } from "../line_blocks.ts";
import { readRunFile, type RowOptions } from "../run/mod.ts";
import { DamagedLine, type Example, ExampleReader } from "./example.ts";
import { RowOrder } from "./row_order.ts";

/** The file in which the run that wrote a results file remembers what it was told. */
export function runFileOf(results: string): string {
  return results.replace(/\.(jsonl|ndjson)$/, "") + ".run.json";
}

/** A results file, read twice: to find, order and check its examples, and to give them out. */
export class ResultsFile implements Disposable {
  /** Where it is. */
  readonly path: string;
  readonly #reader: ExampleReader;
  readonly #order = new RowOrder();
  // `ignoreBOM`: a byte order mark that is not that of the file is damage that is seen.
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #file: Deno.FsFile | undefined;
  #buffer = new Uint8Array(64 * 1024);

  private constructor(path: string, reader: ExampleReader) {
    this.path = path;
    this.#reader = reader;
  }

  /** The inputs of its rows, known once it was indexed. */
  readonly inputs = new Set<string>();

  /** How many of its lines are wanted, known once it was indexed. */
  get rowCount(): number {
    return this.#order.length;
  }

  /** How many results it has, known once it was indexed. */
  lineCount = 0;

  /** Opens the file of that path. */
  static async open(path: string, options: RowOptions): Promise<ResultsFile> {
    const run = await readRunFile(runFileOf(path));
    return new ResultsFile(path, new ExampleReader(options, run));
  }

  /**
   * Reads every line.
   *
   * @param takes Whether an example is wanted. It may throw what is wrong with it.
   */
  async index(takes: (example: Example, place: string) => boolean): Promise<void> {
    let number = 0;
    for await (const block of readLineBlocks(this.path)) {
      let { offset } = block;
      for (const bytes of linesOf(block)) {
        number++;
        if (isBlankLine(bytes)) {
          offset += bytes.length + 1;
          continue;
        }
        this.lineCount++;
        const place = `"${this.path}" line ${number}`;
        const example = this.#read(bytes, place, block.isTail);
        this.inputs.add(example.input);
        if (takes(example, place)) this.#order.add(offset, bytes.length, example);
        offset += bytes.length + 1;
      }
    }
  }

  /** The numbers of its examples, in input order. */
  inInputOrder(): Uint32Array {
    return this.#order.inInputOrder();
  }

  /** The example of a number. */
  at(index: number): Example {
    const { offset, byteLength } = this.#order.place(index);
    if (this.#buffer.length < byteLength) this.#buffer = new Uint8Array(byteLength * 2);
    const bytes = this.#buffer.subarray(0, byteLength);
    const file = this.#file ??= Deno.openSync(this.path);
    // Synchronous: rows are small and in the page cache, and a promise for each would cost more than
    // the read.
    file.seekSync(offset, Deno.SeekMode.Start);
    for (let done = 0; done < byteLength;) {
      const count = file.readSync(bytes.subarray(done));
      if (count === null) {
        throw this.#damage(`"${this.path}"`, "the file was cut while it was read");
      }
      done += count;
    }
    return this.#read(bytes, `"${this.path}" a line`, false);
  }

  /** Closes it. */
  [Symbol.dispose](): void {
    this.#file?.close();
  }

  #read(bytes: Uint8Array, place: string, isTail: boolean): Example {
    let text: string;
    try {
      text = this.#decoder.decode(bytes);
    } catch {
      throw this.#damage(place, "invalid UTF-8");
    }
    let example: Example | DamagedLine;
    try {
      example = this.#reader.read(text);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      throw new UsageError(`Cannot export ${place}: ${error.message}`);
    }
    if (!(example instanceof DamagedLine)) return example;
    const hint = isTail ? ". It was cut off: run the same command again to repair it" : "";
    throw this.#damage(place, example.problem + hint);
  }

  #damage(place: string, problem: string): DamagedFileError {
    return new DamagedFileError(`Cannot export ${place}: ${problem}`, { path: this.path });
  }
}
