/**
 * One behavior of a server: what it sends, and what a run makes of it. The tables of this folder
 * are made of them; `servers.ts` brings the tables together.
 *
 * @module
 */

import type { Script } from "../support/scripted_server.ts";

/** What a JSON object must hold; a regular expression is a text that it matches, undefined for
 * a member that is not there. Lists must match as a whole. */
export type Part = { readonly [name: string]: unknown };

/** One behavior. */
export interface ServerCase {
  /** Who behaves so: servers or gateways, as users know them. */
  readonly who: string;
  /** What is sent, in a few words. */
  readonly sends: string;
  /** What the server does. */
  readonly script: Script;
  /** Flags of the run besides `-o`, `-m`, `--base-url` and `--progress`. @default [] */
  readonly flags?: readonly string[];
  /** Variables of the environment. @default {} */
  readonly env?: Readonly<Record<string, string>>;
  /** Files by their names, which `flags` may hold. @default {} */
  readonly files?: Readonly<Record<string, unknown>>;
  /** The path and query of the address. @default "/v1" */
  readonly path?: string;
  /** The rows. @default one row with the prompt "hi" and the id "row-0" */
  readonly rows?: number | readonly Part[];
  /** What is expected. */
  readonly expected: Expected;
}

/** The expected outcome of a run. */
export interface Expected {
  /** A part of the body of the first POST. */
  readonly sent?: Part;
  /** A part of the body of the last POST. */
  readonly sentLast?: Part;
  /** What the request line and the header fields of the first POST hold, as they came. */
  readonly head?: readonly string[];
  /** A part of the results line of the first row. */
  readonly result?: Part;
  /** A part of the failures line of the first row. */
  readonly failure?: Part;
  /** Parts of the failures lines of rows that stay pending, one for each: what was paid for. */
  readonly kept?: readonly Part[];
  /** Rows that are answered, failed and pending. @default those of one row, by the two above */
  readonly counts?: readonly [answered: number, failed: number, pending: number];
  /** The exit code. @default 0, 3 where rows failed, 5 where rows are pending */
  readonly exit?: number;
  /** How many POSTs the server got. @default 1 */
  readonly posts?: number;
  /** What the run says on standard error. */
  readonly says?: RegExp;
}

/** A section of the page. */
export interface ServerGroup {
  /** Its heading. */
  readonly title: string;
  /** What all of it has in common, as Markdown. @default nothing */
  readonly intro?: string;
  /** Its lines. */
  readonly cases: readonly ServerCase[];
}
