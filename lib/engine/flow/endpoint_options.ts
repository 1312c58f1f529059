/**
 * What an endpoint is put together from.
 *
 * @module
 */

import type { Teacher } from "../../teacher/mod.ts";
import type { Endpoint } from "./endpoint.ts";

/** A teacher and what is known of it beforehand. */
export interface EndpointOptions {
  /** The teacher. */
  readonly teacher: Teacher;
  /** Its share of the load, relative to the others: above 0. */
  readonly weight: number;
  /** The most attempts in flight there, whatever the run allows. */
  readonly maxConcurrency: number;
  /** Requests a minute. */
  readonly rpm?: number;
  /** Tokens a minute. */
  readonly tpm?: number;
}

/** What all endpoints of a run share. */
export interface EndpointContext {
  /** The most attempts in flight, all endpoints together. */
  readonly concurrency: number;
  /** Whether the limit searches for the number with the highest throughput. */
  readonly isExploring: boolean;
  /** Whether the limit starts at one. */
  readonly isCareful: boolean;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  /** Unix milliseconds. */
  readonly wallClock: () => number;
  /** Random numbers in [0, 1). */
  readonly random: () => number;
  /** A teacher is down, or up again. */
  readonly onOutage?: (endpoint: Endpoint) => void;
  /** An attempt has failed; called before anything follows from that. */
  readonly onFailure?: () => void;
}
