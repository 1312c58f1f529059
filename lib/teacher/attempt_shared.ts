/**
 * What all attempts at one teacher share.
 *
 * @module
 */

import type { Aborts } from "./aborts.ts";
import type { Address } from "./address.ts";
import type { Connections } from "./connections.ts";
import type { Deadlines } from "./deadlines.ts";
import type { StreamHabits } from "./stream.ts";

/** What all attempts at one teacher share. */
export interface AttemptShared {
  /** Where the teacher is. */
  readonly address: Address;
  /** The proxy's `host:port`, or undefined. */
  readonly proxyHost: string | undefined;
  /** The header fields of every request, names and values in turn. */
  readonly headers: string[];
  /** Milliseconds that a whole attempt may take, unless its row has less. */
  readonly timeoutMs: number;
  /** Milliseconds that a stream may be silent for. */
  readonly streamIdleTimeoutMs: number;
  /** The clock. */
  readonly now: () => number;
  /** The connections to the teacher. */
  readonly connections: Connections;
  /** The deadlines of all attempts. */
  readonly deadlines: Deadlines;
  /** The signals of all attempts. */
  readonly aborts: Aborts;
  /** What the streams of the teacher have shown. */
  readonly streamHabits: StreamHabits;
}
