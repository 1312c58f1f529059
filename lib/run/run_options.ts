/**
 * The options of a run and of `verify`: their rules, for callers without types; which rows a retry
 * may send, and whether it continues an interrupted retry; and the parameters of a run after a
 * retry. Ranges that only one part of Retort knows are checked there.
 *
 * @module
 */

import { FAILURE_TYPES, UsageError } from "../errors.ts";
import { formatCountOf } from "../figures.ts";
import { pathOf, pathsOf } from "../files.ts";
import { sha256Hex } from "../hash.ts";
import { sortedJson } from "../json.ts";
import {
  checkOptions,
  flag,
  oneOf,
  type OptionRules,
  path,
  paths,
  requireOptions,
  texts,
  wholeNumberFrom,
} from "../options.ts";
import type { Shard } from "../shards/mod.ts";
import { ENDPOINTS, type Params } from "../teacher/mod.ts";
import { findInputs } from "./inputs.ts";
import type { RunOptions } from "./options.ts";
import { outputFilesOf, sharedOutput } from "./outputs.ts";
import { number, type ResolvedOptions, ROW_RULES } from "./resolve_options.ts";
import { paramsId, readRunFile } from "./run_file.ts";
import type { VerifyOptions } from "./verify.ts";

export const RUN_RULES: OptionRules<RunOptions> = {
  input: paths,
  output: path,
  stdin: { expected: "a ReadableStream", isType: (value) => value instanceof ReadableStream },
  limit: wholeNumberFrom(1),
  skipBadRows: flag,
  allowEmpty: flag,
  changed: oneOf(["reask", "keep"]),
  allowMixed: flag,
  retry: {
    expected: "true, false, or an array of failure types and statuses",
    isType: (value) =>
      typeof value === "boolean" || (Array.isArray(value) && value.every(isTypeOrStatus)),
  },
  uids: texts,
  excludeUids: texts,
  reaskAnswered: flag,
  resume: flag,
  overwrite: flag,
  shard: {
    expected: "{ index, count, parallel } of whole numbers, with index from 0 to count - 1",
    isType: (value) =>
      typeof value === "object" && value !== null && "index" in value && "count" in value,
    isInRange: ({ index, count, parallel = 1, job = "" }: Shard) =>
      [index, count, parallel].every(Number.isInteger) && index >= 0 && index < count &&
      parallel > 0 && typeof job === "string",
  },
  lock: flag,
  fsync: oneOf(["always", "never"]),
  finalMessages: flag,
  think: oneOf(["wrap", "field", "drop"]),
};

function isTypeOrStatus(value: unknown): boolean {
  return Number.isInteger(value) || (FAILURE_TYPES as readonly unknown[]).includes(value);
}

export const VERIFY_RULES: OptionRules<VerifyOptions> = {
  ...ROW_RULES,
  input: paths,
  output: path,
  limit: wholeNumberFrom(1),
  samples: number,
  endpoint: oneOf(ENDPOINTS),
  shard: RUN_RULES.shard,
};

/** Options of a run, with paths as strings. */
export interface ResolvedRunOptions extends RunOptions {
  input: readonly string[];
  output: string;
}

/** Rows can be chosen by their ids only where the run would send them again. */
function checkSelection({ retry, uids, excludeUids, reaskAnswered }: RunOptions): void {
  const isRetry = retry === true || (Array.isArray(retry) && retry.length > 0);
  if (!isRetry && (uids !== undefined || excludeUids !== undefined)) {
    throw new TypeError(
      "Cannot choose rows by their ids without a retry: set retry, or use the command retry with --uids",
    );
  }
  if (reaskAnswered && uids === undefined) {
    throw new TypeError(
      "Cannot send all answered rows again: name them by uids (--uids @FILE)",
    );
  }
}

/**
 * Checks the options of a run, alone and together with those of its generator.
 *
 * @throws {TypeError | RangeError} If one cannot be used.
 * @throws {UsageError} If two cannot be used together.
 */
export function resolveRunOptions(
  options: RunOptions,
  { duplicates }: { duplicates: "merge" | "keep" },
): ResolvedRunOptions {
  checkOptions(options, RUN_RULES);
  requireOptions("run", options, ["input", "output"], RUN_RULES);
  checkSelection(options);
  if (options.shard !== undefined && duplicates === "keep") {
    throw new UsageError(
      "Cannot use --duplicates keep with --shard: copies are numbered over the whole input",
    );
  }
  return { ...options, input: pathsOf(options.input), output: pathOf(options.output) };
}

/** Which answers a retry may request: all, those of a list, or all but those of a list. */
export class UidSelection {
  /** Whether all answers are chosen, because there is no list. */
  readonly isAll: boolean;
  /** Whether the chosen answers are listed, rather than only the exceptions. */
  readonly namesRows: boolean;
  readonly #only: ReadonlySet<string> | undefined;
  readonly #except: ReadonlySet<string>;
  readonly #found = new Set<string>();

  /** `except` are not chosen, even if `only` has them. */
  constructor(only?: readonly string[], except: readonly string[] = []) {
    this.#only = only === undefined ? undefined : new Set(only);
    this.#except = new Set(except);
    this.isAll = only === undefined && except.length === 0;
    this.namesRows = only !== undefined;
  }

  /** Whether an answer is chosen. Its id is then no longer `missing`. */
  has(uid: string): boolean {
    if (this.isAll) return true;
    if (this.#except.has(uid)) return false;
    if (this.#only === undefined) return true;
    if (!this.#only.has(uid)) return false;
    this.#found.add(uid);
    return true;
  }

  /** Chosen ids that `has` was never called with: no row has them. */
  get missing(): string[] {
    return [...this.#only ?? []].filter((uid) => !this.#found.has(uid) && !this.#except.has(uid));
  }
}

/**
 * Parses a list of ids: one a line, as text or JSON. A results or failures line stands for its
 * `uid`.
 *
 * @throws {UsageError} with the line that is not an id; the message lacks the name of the list
 */
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

/** The warning about ids of `--uids` that are in no input. */
export function missingUidsMessage(missing: readonly string[]): string {
  const shown = missing.slice(0, 3).map((uid) => JSON.stringify(uid)).join(", ");
  const ids = formatCountOf(missing.length, "id");
  return `--uids has ${ids} that no row has: ${shown}${missing.length > 3 ? ", …" : ""}`;
}

/** A retry that has sent rows and is not done. The same command continues it: rows that have failed
 * again since it began wait for the next retry, as if the retry had not been interrupted. */
export interface UnfinishedRetry {
  /** When it began: ISO 8601. */
  readonly since: string;
  /** A hash of the options that decide which rows it sends, and whether they fail. */
  readonly id: string;
}

/** A retry that starts now. */
export interface Retry {
  /** What the run file says until it is done. */
  readonly unfinished: UnfinishedRetry;
  /** If it continues an interrupted one, when that began: rows that failed later are left out. */
  readonly before: string | undefined;
}

/** @param earlier The unfinished retry in the run file, if there is one. */
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

/**
 * The parameters that a run over the pending rows of this output must have, if they are not
 * `params`: a retry may have others than the run that began the output.
 */
export async function otherPendingParams(
  options: Pick<ResolvedRunOptions, "input" | "output" | "shard">,
  params: Params,
): Promise<Params | undefined> {
  for await (const path of runFilesOf(options)) {
    const before = (await readRunFile(path))?.identity.params;
    if (before !== undefined) return paramsId(before) === paramsId(params) ? undefined : before;
  }
  return undefined;
}

async function* runFilesOf(
  { input, output, shard }: Pick<ResolvedRunOptions, "input" | "output" | "shard">,
): AsyncGenerator<string> {
  const { files } = await findInputs(input);
  if (shard !== undefined) {
    const { shardStem } = await import("../shards/mod.ts");
    const { stem } = await sharedOutput(input, files, output);
    yield `${shardStem(stem, shard)}.run.json`;
    return;
  }
  for (const file of files) yield (await outputFilesOf([file], output))[0].runJson;
}
