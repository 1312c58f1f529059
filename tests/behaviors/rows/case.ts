/**
 * One shape of a row: what is in the input, and what is sent and written for it. The tables of this
 * folder are made of them; `rows.ts` brings the tables together.
 *
 * @module
 */

/** One shape of a row, or a few rows that belong together. */
export interface RowCase {
  /** Whose rows look like this, or what is special about them. */
  readonly what: string;
  /** The lines of the input, unchanged. */
  readonly rows: readonly string[];
  /** Flags of the run besides `-o`, `-c 1`, `-m test-model` and `--base-url`. @default [] */
  readonly flags?: readonly string[];
  /** Files next to the input, by path; a text that begins with `->` is a link to what follows. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** The text of each request body, without its braces and `"model":"test-model",`. */
  readonly sent?: readonly string[];
  /** The uid of each results line. @default any */
  readonly uids?: readonly string[];
  /** What is wrong with the first line, where nothing may be sent. */
  readonly bad?: string;
  /** What to do about it, said behind that. @default nothing */
  readonly help?: string;
  /** A line that the run says before it sends. */
  readonly says?: string;
  /** Words that it does not say. */
  readonly saysNothingOf?: string;
}

/** A section of the page. */
export interface RowGroup {
  /** Its heading. */
  readonly title: string;
  /** What all of it has in common, as Markdown. */
  readonly intro: string;
  /** Its lines. */
  readonly cases: readonly RowCase[];
}
