/**
 * Outcomes as `generate()` gives them: what their lines in a file would hold.
 *
 * @module
 */

import type { Failure, Outcome } from "../row.ts";
import { badRowLine, badRowUid, type LineFormat, outcomeLine } from "../sink/mod.ts";
import { type BadRow, GIVEN_SOURCE, type Publisher } from "./generation.ts";

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

/** Makes outcomes of lines. */
export class LineOutcomes implements Publisher<GeneratedOutcome> {
  readonly repeatsBadRows = false;
  readonly #format: LineFormat;

  /** `format`: how a line is put together. */
  constructor(format: LineFormat) {
    this.#format = format;
  }

  /** What a results or failures line would hold. */
  outcome(settled: Outcome): GeneratedOutcome {
    const { outcome, line } = outcomeLine(settled, this.#format);
    const { row: { uid }, failure, attempts } = outcome;
    const row = JSON.parse(line);
    if (failure === undefined) return { ok: true, uid, row };
    return { ok: false, uid, row, error: { ...failure, attempts } };
  }

  /** What the failures line of a bad row would hold. */
  badRow({ value, index, problem }: BadRow): GeneratedOutcome {
    const line = index + 1;
    const written = badRowLine({ file: GIVEN_SOURCE, line, problem, text: textOf(value) });
    const error = { type: "bad_row", message: problem, status: null, attempts: 0 } as const;
    return { ok: false, uid: badRowUid(GIVEN_SOURCE, line), row: JSON.parse(written), error };
  }
}

function textOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}
