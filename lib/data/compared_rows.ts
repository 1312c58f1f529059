/**
 * The results of comparing two runs, for each row.
 *
 * @module
 */

/** How the answers of two runs to one row compare, by their codes. */
export const AGREEMENTS = ["none", "same_text", "same_final_answer", "different"] as const;

/** One of them. */
export type Agreement = typeof AGREEMENTS[number];

/** The results for all rows of a table, as columns. */
export interface ComparedRows {
  /** The paths of the runs. */
  readonly paths: readonly string[];
  /** The run of each row. */
  readonly run: Uint8Array<ArrayBuffer>;
  /** The agreement of each row with that of the other run, by its code. */
  readonly agreement: Uint8Array<ArrayBuffer>;
}
