/**
 * Selects the rows that a retry sends: those that the user has chosen, except rows that have failed
 * again since an interrupted retry began.
 *
 * @module
 */

import type { CheckOptions } from "../checks/mod.ts";
import { UsageError } from "../errors.ts";
import { formatCountOf } from "../figures.js";
import { sha256Hex } from "../hash.ts";
import { sortedJson } from "../json.ts";
import type { Summary } from "../progress/mod.ts";
import type { ResolvedOptions } from "./resolve_options.ts";
import type { Identity, UnfinishedRetry } from "./run_file.ts";
import type { ResolvedRunOptions } from "./run_options.ts";

/** The answers that a retry may request: all, a list, or all but a list. Records which listed ids
 * were passed to `has`. */
export class UidSelection {
  /** Whether there is no list, so that all answers are chosen. */
  readonly isAll: boolean;
  readonly #only: ReadonlySet<string> | undefined;
  readonly #except: ReadonlySet<string>;
  readonly #found = new Set<string>();

  /** `except` overrules `only`. */
  constructor(only?: readonly string[], except: readonly string[] = []) {
    this.#only = only === undefined ? undefined : new Set(only);
    this.#except = new Set(except);
    this.isAll = only === undefined && except.length === 0;
  }

  /** Whether the chosen answers are listed, not only the exceptions. */
  get namesRows(): boolean {
    return this.#only !== undefined;
  }

  /** Whether an answer is chosen. If its id is listed, it is then no longer `missing`. */
  has(uid: string): boolean {
    if (this.isAll) return true;
    if (this.#except.has(uid)) return false;
    if (this.#only === undefined) return true;
    if (!this.#only.has(uid)) return false;
    this.#found.add(uid);
    return true;
  }

  /** Chosen ids that were never passed to `has`, because no row has them. */
  get missing(): string[] {
    return [...this.#only ?? []].filter((uid) => !this.#found.has(uid) && !this.#except.has(uid));
  }
}

/** Parses a list of ids, one a line, as text or JSON. For a results or failures line, takes its
 * `uid`. Throws if a line is not an id; the caller adds the name of the list. */
export function parseUids(text: string): string[] {
  return text.replace(/^\ufeff/, "").split(/\r?\n/).flatMap((line, index) => {
    if (line.trim() === "") return [];
    if (!/^\s*["{]/.test(line)) return [line];
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      throw new UsageError(
        `line ${index + 1} is not an id: a line that begins with " or { must be JSON`,
      );
    }
    const uid = typeof value === "object" && value !== null ? Reflect.get(value, "uid") : value;
    if (typeof uid === "string") return [uid];
    throw new UsageError(`line ${index + 1} holds no "uid"`);
  });
}

/** @param place The part of the input that lacks the ids, such as ` of this shard`. @default the
 *   whole input */
export function missingUidsNotices(missing: readonly string[], place = ""): string[] {
  if (missing.length === 0) return [];
  const firstUids = missing.slice(0, 3).map((uid) => JSON.stringify(uid)).join(", ");
  const more = missing.length > 3 ? ", …" : "";
  const ids = formatCountOf(missing.length, "id");
  return [`--uids has ${ids} that no row${place} has: ${firstUids}${more}`];
}

/** Returns the id of a retry, then the ids that earlier versions gave it; empty without `--retry`.
 * The run file keeps the id of an interrupted retry, and the next retry with the same id continues
 * it. Called once for all inputs of a run, because every chosen uid is hashed. */
export function retryIdsOf(
  options: ResolvedRunOptions,
  generator: ResolvedOptions,
  identity: Identity,
): string[] {
  if (!options.retry) return [];
  // `json_schema` is left out: earlier versions did not have it, and their retries keep their ids.
  const settings = { ...identity, json_schema: undefined, ...choicesOf(options, generator) };
  const { askedSchema, jsonSchema } = generator;
  // Some earlier versions hashed a schema twice if it was sent: as a check and in `askedSchema`.
  const variants = askedSchema === undefined ? [settings] : [settings, { ...settings, jsonSchema }];
  return variants.map((variant) => sha256Hex(sortedJson(variant)).slice(0, 16));
}

/** The checks that a retry compares. Functions cannot be compared. */
type CheckName = Exclude<keyof CheckOptions, "check" | "checksOnThisThread">;

/** Returns the options besides the identity that decide which rows are sent and whether they fail.
 * A user who changes one of them expects rows that have just failed to be sent again. */
function choicesOf(
  { retry, uids, excludeUids, limit, changed, reaskAnswered }: ResolvedRunOptions,
  generator: ResolvedOptions,
): Record<string, unknown> {
  const { samples, rowTimeoutMs, onTruncated, maxTokensCap } = generator;
  const { acceptEndings, rejectRefusals, requireJson, jsonSchema, rejectPattern } = generator;
  const { askedSchema, resample, retryPolicy } = generator;
  const checks: Record<CheckName, unknown> = {
    requireJson,
    // `askedSchema` contains the schema.
    jsonSchema: askedSchema === undefined ? jsonSchema : undefined,
    rejectPattern: rejectPattern && String(rejectPattern),
  };
  return {
    ...{ retry, uids, excludeUids, limit, changed, reaskAnswered },
    ...{ samples, rowTimeoutMs, onTruncated, maxTokensCap },
    ...{ acceptEndings, rejectRefusals, askedSchema, resample },
    ...checks,
    maxAttempts: retryPolicy.maxAttempts,
  };
}

export interface Retry {
  /** The entry that the run file holds until the retry is done. */
  readonly unfinished: UnfinishedRetry;
  /** When the interrupted retry began, if this one continues it. Rows that have failed since then
   * are left out. */
  readonly before: string | undefined;
}

export function retryOf(
  ids: readonly string[],
  earlier: UnfinishedRetry | undefined,
): Retry | undefined {
  const [id] = ids;
  if (id === undefined) return undefined;
  if (earlier !== undefined && ids.includes(earlier.id)) {
    return { unfinished: earlier, before: earlier.since };
  }
  return { unfinished: { since: new Date().toISOString(), id }, before: undefined };
}

/** Returns the entry in the run file after a run, or while it continues (`state` is then
 * undefined). A run that sends nothing keeps the entry of another retry. */
export function unfinishedAfter(
  retry: Retry | undefined,
  earlier: UnfinishedRetry | undefined,
  { isIdle, state }: { isIdle: boolean; state: Summary["state"] | undefined },
): UnfinishedRetry | undefined {
  if (isIdle) return retry?.before === undefined ? earlier : undefined;
  return state === "done" ? undefined : retry?.unfinished;
}
