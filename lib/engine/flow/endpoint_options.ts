/**
 * What an endpoint is made from, and what it says about a failed attempt.
 *
 * @module
 */

import type { Teacher } from "../../teacher/mod.ts";
import type { Endpoint } from "./endpoint.ts";

/** A teacher with its settings in this run. */
export interface EndpointOptions {
  readonly teacher: Teacher;
  /** The share of the load relative to other teachers, above 0. */
  readonly weight: number;
  /** Maximum number of attempts in flight at this teacher, even if the run allows more. */
  readonly maxConcurrency: number;
  /** The limit in requests per minute. @default none */
  readonly rpm?: number;
  /** The limit in tokens per minute. @default none */
  readonly tpm?: number;
}

/** What all endpoints of a run share. */
export interface EndpointContext {
  /** Maximum number of attempts in flight over all endpoints. */
  readonly concurrency: number;
  /** Whether the limiter searches for the concurrency with the highest throughput. */
  readonly isExploring: boolean;
  /** Whether the limit starts at 1. */
  readonly isCareful: boolean;
  /** A monotonic clock, in milliseconds. */
  readonly now: () => number;
  /** Unix time in milliseconds. */
  readonly wallClock: () => number;
  /** Random numbers in [0, 1). */
  readonly random: () => number;
  /** Called when a teacher goes down, or is up again. */
  readonly onOutage?: (endpoint: Endpoint) => void;
  /** Called when an attempt has failed, before its effects. */
  readonly onFailure?: () => void;
}

/** How a failed attempt affects its row. */
export interface FailureEffect {
  /** Whether it counts against the row. */
  readonly counts: boolean;
  /** Whether the teacher throttles no more than usual: the row then waits less. */
  readonly isTolerated: boolean;
}
