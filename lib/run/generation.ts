/**
 * Rows of any iterable through the engine, outcome by outcome, for `generate()`.
 *
 * @module
 */

import type { Engine } from "../engine/engine.ts";
import { IdTable, SEEN } from "../index/id_table.ts";
import type { Failure, Outcome, Row } from "../row.ts";
import { badRowLine, badRowUid, type LineFormat, outcomeLine } from "../sink/line.ts";
import type { ParsedRow, RowParser } from "../source/parse_row.ts";
import { Handoff } from "./handoff.ts";

/** A row of a results or failures file as an object: the row's own fields and Retort's. */
export type OutputRow = Record<string, unknown>;

/** What became of one row. */
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
    /** The row has failed for good. */
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
  /** Two identical rows: one row, or two. */
  readonly duplicates: "merge" | "keep";
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
  readonly #table = new IdTable();
  readonly #copies = new Map<string, number>();

  /** Nothing is read yet. */
  constructor(options: GenerationOptions) {
    this.#options = options;
  }

  /** Takes an outcome of the engine. */
  async put(outcome: Outcome): Promise<void> {
    await this.#handoff.put(this.#publish(outcome));
    this.#options.onSettled([outcome]);
  }

  /** Reads rows one by one, only when a lane wants one. What is no row is an outcome at once. */
  async *rows(values: Iterable<unknown> | AsyncIterable<unknown>): AsyncGenerator<Row[]> {
    let number = 0;
    for await (const value of values) {
      if (this.#handoff.isClosed) return;
      number++;
      const row = this.#rowOf(value, number);
      if (row === undefined) continue;
      if ("problem" in row) await this.#putBad(value, number, row.problem);
      else yield [row];
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
    const uid = this.#admit(parsed);
    if (typeof uid !== "string") return uid;
    return parsed.at({ uid, input: 0, source: `${SOURCE}:${number}` });
  }

  /** The id under which the row goes on; undefined for a row that is there already. */
  #admit(row: ParsedRow): string | { problem: string } | undefined {
    if (this.#claim(row.uid, row.contentHash)) return row.uid;
    const clash = { problem: `uid ${JSON.stringify(row.uid)} belongs to an earlier row already` };
    if (!this.#table.checkEquals(this.#table.find(row.uid), row.contentHash)) return clash;
    if (this.#options.duplicates === "merge") return undefined;
    const copy = (this.#copies.get(row.uid) ?? 1) + 1;
    this.#copies.set(row.uid, copy);
    const uid = `${row.uid}~${copy}`;
    return this.#claim(uid, row.contentHash) ? uid : clash;
  }

  #claim(uid: string, contentHash: string): boolean {
    const slot = this.#table.insert(uid);
    if (this.#table.has(slot, SEEN)) return false;
    this.#table.set(slot, SEEN);
    this.#table.setCheck(slot, contentHash);
    return true;
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
