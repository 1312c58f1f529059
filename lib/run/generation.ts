/**
 * Rows of any iterable through the engine, outcome by outcome, for `generate()`.
 *
 * @module
 */

import { setImmediate as turn } from "node:timers/promises";
import type { Engine } from "../engine/mod.ts";
import { IdTable } from "../index/mod.ts";
import type { Failure, Outcome, Row } from "../row.ts";
import { badRowLine, badRowUid, type LineFormat, outcomeLine } from "../sink/mod.ts";
import type { ImageFolder, RowParser } from "../source/mod.ts";
import type { Params } from "../teacher/mod.ts";
import { LONGEST_TURN_MS } from "../timer.ts";
import { Admission } from "./admission.ts";
import { Handoff } from "./handoff.ts";
import { fileProblem } from "./preflight.ts";
import { sampleRow } from "./samples.ts";

/** A row of a results or failures file as an object: the row's own fields and Retort's. */
export type OutputRow = Record<string, unknown>;

/** What became of one row, or of one of the answers to it. */
export type GeneratedOutcome =
  | {
    /** The row has an answer. */
    readonly ok: true;
    /** Its identity. */
    readonly uid: string;
    /** What its line in a results file would hold. */
    readonly row: OutputRow & { response: string; reasoning: string };
  }
  | {
    /** The row has failed, or the run ended while it was to be asked again after an answer that was paid
     * for: `error.final` of `row` tells which. */
    readonly ok: false;
    /** Its identity; `bad_row:…` where the row has none. */
    readonly uid: string;
    /** What its line in a failures file would hold. */
    readonly row: OutputRow;
    /** Why. */
    readonly error: Failure & { readonly attempts: number };
  };

/** What is needed to read rows from an iterable. */
export interface GenerationOptions {
  /** Reads a row. */
  readonly parser: RowParser;
  /** Where images that rows name are taken from. @default nowhere: paths are refused */
  readonly images?: ImageFolder;
  /** Rows of one id: see `RowOptions`. */
  readonly duplicates: "merge" | "keep";
  /** Answers for each row. @default 1 */
  readonly samples?: number;
  /** The parameters of the run: a seed among them is raised for the second answer to a row and for those
   * after it. */
  readonly params?: Params;
  /** How a line is put together. */
  readonly format: LineFormat;
  /** Hears of outcomes once they were taken. */
  readonly onSettled: (outcomes: readonly Outcome[]) => void;
}

/** The name that rows of an iterable have in place of a file's. */
const SOURCE = "rows";

/** Source and sink of one `generate()`. */
export class Generation {
  readonly #options: GenerationOptions;
  readonly #handoff = new Handoff<GeneratedOutcome>();
  readonly #samples: number;
  readonly #admission: Admission;

  /** Nothing is read yet. */
  constructor(options: GenerationOptions) {
    const { duplicates, samples = 1 } = options;
    this.#options = options;
    this.#samples = samples;
    this.#admission = new Admission({ table: new IdTable(), duplicates, samples });
  }

  /** Takes an outcome of the engine. */
  async put(outcome: Outcome): Promise<void> {
    await this.#handoff.put(this.#publish(outcome));
    // A row that was not finished is not counted as one.
    if (outcome.next === undefined) this.#options.onSettled([outcome]);
  }

  /** Reads rows one by one, only when a lane wants one, and gives the answers to one behind each other.
   * What is no row is an outcome at once. */
  async *rows(values: Iterable<unknown> | AsyncIterable<unknown>): AsyncGenerator<Row[]> {
    const { params = {} } = this.#options;
    let number = 0;
    let turnAt = performance.now() + LONGEST_TURN_MS;
    for await (const value of values) {
      if (performance.now() >= turnAt) {
        await turn();
        turnAt = performance.now() + LONGEST_TURN_MS;
      }
      if (this.#handoff.isClosed) return;
      number++;
      const row = this.#rowOf(value, number);
      if (row === undefined) continue;
      if ("problem" in row) {
        await this.#putBad(value, number, row.problem);
        continue;
      }
      for (let sample = 0; sample < this.#samples; sample++) {
        if (this.#handoff.isClosed) return;
        yield [sampleRow(row, sample, params)];
      }
    }
  }

  /** Gives the outcomes while the engine works. Leaving early aborts the calls and waits for them. */
  async *outcomes(engine: Engine): AsyncGenerator<GeneratedOutcome> {
    const finished = engine.run().finally(() => this.#handoff.end());
    // The error is told below; without this it would be unhandled while the consumer is slow.
    finished.catch(() => {});
    try {
      while (true) {
        const outcome = await this.#handoff.take();
        if (outcome === undefined) break;
        yield outcome;
      }
    } finally {
      engine.abort();
      this.#handoff.abandon();
      await finished.catch(() => {});
    }
    await finished;
  }

  #rowOf(value: unknown, number: number): Row | { problem: string } | undefined {
    let text: string;
    try {
      text = JSON.stringify(value) ?? String(value);
    } catch (error) {
      return { problem: `not JSON: ${(error as Error).message}` };
    }
    const parsed = this.#options.parser.parse(text);
    if ("problem" in parsed) return parsed;
    const { images } = this.#options;
    const problem = fileProblem(parsed, images);
    if (problem !== undefined) return { problem };
    const admitted = this.#admission.admit(parsed);
    if (typeof admitted !== "string") return admitted;
    return parsed.at({ uid: admitted, input: 0, source: `${SOURCE}:${number}` }, images);
  }

  #publish(settled: Outcome): GeneratedOutcome {
    const { outcome, line } = outcomeLine(settled, this.#options.format);
    const { row: { uid }, failure, attempts } = outcome;
    const row = JSON.parse(line);
    if (failure === undefined) return { ok: true, uid, row };
    return { ok: false, uid, row, error: { ...failure, attempts } };
  }

  async #putBad(value: unknown, line: number, problem: string): Promise<void> {
    let text: string;
    try {
      text = JSON.stringify(value) ?? String(value);
    } catch {
      text = String(value);
    }
    const row = JSON.parse(badRowLine({ file: SOURCE, line, problem, text }));
    const error = { type: "bad_row", message: problem, status: null, attempts: 0 } as const;
    await this.#handoff.put({ ok: false, uid: badRowUid(SOURCE, line), row, error });
  }
}
