/**
 * What a run would do, before it does it.
 *
 * @module
 */

import type { Preflight } from "./preflight.ts";
import type { ResolvedOptions } from "./resolve_options.ts";

/** What a run would do. */
export interface Preview {
  /** Rows of all inputs, duplicates merged. */
  total: number;
  /** Rows that would be asked. */
  toAsk: number;
  /** What there is to say of each input, in words. */
  notes: string[];
  /** The first request as it would be sent, or null when there is nothing to ask. */
  request: unknown;
}

/** The first request as it would be sent, or null when there is nothing to send. Makes no call. */
export function firstRequest(
  found: readonly Preflight[],
  { teachers: [{ teacher }], params, askedSchema: jsonSchema }: Pick<
    ResolvedOptions,
    "teachers" | "params" | "askedSchema"
  >,
): unknown {
  for (const { first } of found) {
    if (first === undefined) continue;
    const { uid, messages, params: own } = first;
    const request = {
      uid,
      messages,
      params: own === undefined ? params : { ...params, ...own },
      jsonSchema,
    };
    return teacher.preview?.(request) ?? request;
  }
  return null;
}
