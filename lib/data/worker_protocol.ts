/**
 * The messages between the threads of an index.
 *
 * @module
 */

import type { IndexedPath } from "./data_index.ts";
import type { DataRequestName } from "./protocol.ts";
import type { ScanJob } from "./scan.ts";

/** The id of the message by which a worker reports that it listens. */
export const READY = -1;

/** The first message to the worker of an index, once it listens. */
export interface WorkerSetup {
  readonly files: readonly IndexedPath[];
  readonly paths: readonly string[];
  readonly isKept: boolean;
}

/** All later messages to that worker. */
export interface WorkerQuestion {
  readonly id: number;
  readonly name: DataRequestName;
  readonly given: unknown;
}

/** Its answer. */
export interface WorkerAnswer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
  /** Whether the error is a usage error. */
  readonly isUsage?: boolean;
}

/** The only message to a worker of a scan, once it listens. */
export interface ScanStart {
  readonly job: ScanJob;
  /** The next chunk of rows to take: an Int32. */
  readonly next: SharedArrayBuffer;
  /** The progress of each worker: the first row of its block plus 1, or 0. Int32s. */
  readonly progress: SharedArrayBuffer;
  /** The number of the worker. */
  readonly worker: number;
}

/** A message from that worker: first that it listens, then the hits of each chunk. */
export interface ScanReport {
  /** The number of the chunk; `READY` in the first message. */
  readonly chunk: number;
  /** Rows of it that meet the conditions. */
  readonly hits: readonly number[];
  readonly problem?: string;
}
