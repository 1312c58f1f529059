/**
 * What the thread of a run and its worker for checks say to each other.
 *
 * @module
 */

/** The first message to the worker: what to check for. It answers with `Ready`. */
export interface Setup {
  /** The reject pattern, as `source` and `flags`. */
  readonly pattern: readonly [source: string, flags: string] | undefined;
  /** The JSON Schema as JSON. */
  readonly jsonSchema: string | undefined;
  /** Where the worker notes what it is doing: see `Note`. */
  readonly progress: SharedArrayBuffer;
}

/** The worker has started. */
export interface Ready {
  /** Why it cannot check; undefined when it can. */
  readonly problem: string | undefined;
}

/** The other messages to the worker: answers. It replies with `Reasons`. */
export interface Batch {
  /** Their texts. */
  readonly texts: readonly string[];
  /** Which of them have tool calls, by their places. */
  readonly withToolCalls: readonly number[];
}

/** Why answers of a batch are rejected, by their places; those that are missing pass. */
export type Reasons = ReadonlyMap<number, string>;

/** The places of the worker's notes: 32-bit integers. */
export const Note = {
  /** Which answer of the batch is checked, or -1 between batches. */
  Answer: 0,
  /** What it is checked for: see `Phase`. */
  Phase: 1,
} as const;

/** How many notes there are. */
export const NOTES = 2;

/** What an answer is checked for. */
export const Phase = { Schema: 0, Pattern: 1 } as const;

/** No answer is checked. */
export const IDLE = -1;
