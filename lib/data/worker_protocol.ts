/**
 * What the threads of an index say to each other.
 *
 * @module
 */

import type { IndexedPath } from "./data_index.ts";
import type { DataRequestName } from "./protocol.ts";
import type { ScanJob } from "./scan.ts";

/** The id of the message with which a worker says that it listens. */
export const READY = -1;

/** The first message to the worker of an index, once it listens. */
export interface WorkerSetup {
  readonly files: readonly IndexedPath[];
  readonly paths: readonly string[];
  readonly isKept: boolean;
}

/** The others. */
export interface WorkerQuestion {
  readonly id: number;
  readonly name: DataRequestName;
  readonly given: unknown;
}

/** What comes back. */
export interface WorkerAnswer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
  /** Whether the error is the asker's. */
  readonly isUsage?: boolean;
}

/** The only message to a worker of a scan, once it listens. */
export interface ScanStart {
  readonly job: ScanJob;
  /** The chunk of rows that is to be taken next: an Int32. */
  readonly next: SharedArrayBuffer;
  /** Where each worker notes what it is at: one more than the rows before its block, or 0. Int32s. */
  readonly progress: SharedArrayBuffer;
  /** The number of the worker. */
  readonly worker: number;
}

/** What that worker says: first that it listens, then of each chunk what it found. */
export interface ScanReport {
  /** The number of the chunk; `READY` in the first message. */
  readonly chunk: number;
  /** Rows of it that meet the conditions. */
  readonly hits: readonly number[];
  readonly problem?: string;
}
