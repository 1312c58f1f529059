/**
 * Whether a retry is the one that was interrupted before it: then the rows that have failed again
 * since it began wait for the next retry, as they would have in one go.
 *
 * @module
 */

import { sha256Hex } from "../hash.ts";
import type { ResolvedRunOptions } from "./option_rules.ts";
import type { ResolvedOptions } from "./resolve_options.ts";
import { sortedJson } from "./params_id.ts";

export interface UnfinishedRetry {
  /** When it began: ISO 8601. */
  readonly since: string;
  /** A hash of its choices: the same command continues it. */
  readonly id: string;
}

/** A retry that starts now. */
export interface Retry {
  /** What the run file says until it is done. */
  readonly unfinished: UnfinishedRetry;
  /** If it continues an interrupted one, when that began: rows that failed later are left out. */
  readonly before: string | undefined;
}

/** @param earlier The retry that the run file names. */
export function retryOf(
  earlier: UnfinishedRetry | undefined,
  options: ResolvedRunOptions,
  generator: ResolvedOptions,
): Retry | undefined {
  if (!options.retry) return undefined;
  const id = sha256Hex(sortedJson(choicesOf(options, generator))).slice(0, 16);
  if (earlier?.id === id) return { unfinished: earlier, before: earlier.since };
  return { unfinished: { since: new Date().toISOString(), id }, before: undefined };
}

/** What decides which rows are sent and whether they fail: with other choices, a user expects rows
 * that have just failed to be sent again. */
function choicesOf(
  { retry, uids, excludeUids, limit, changed, reaskAnswered }: ResolvedRunOptions,
  generator: ResolvedOptions,
): Record<string, unknown> {
  const { model, params, samples, rowTimeoutMs, onTruncated, maxTokensCap } = generator;
  const { acceptEndings, rejectRefusals, requireJson, jsonSchema, rejectPattern } = generator;
  const { askedSchema, resample, retryPolicy } = generator;
  return {
    ...{ retry, uids, excludeUids, limit, changed, reaskAnswered },
    ...{ model, params, samples, rowTimeoutMs, onTruncated, maxTokensCap },
    ...{ acceptEndings, rejectRefusals, requireJson, jsonSchema, askedSchema, resample },
    maxAttempts: retryPolicy.maxAttempts,
    rejectPattern: rejectPattern && String(rejectPattern),
  };
}
