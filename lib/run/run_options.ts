/**
 * The options of a run, checked for callers without types.
 *
 * @module
 */

import { FAILURE_TYPES, UsageError } from "../errors.ts";
import { pathOf, pathsOf, shardStem } from "../files.ts";
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
import { findInputs } from "./inputs.ts";
import type { RunOptions } from "./options.ts";
import { outputFilesOf, sharedOutput } from "./outputs.ts";
import { type Identity, readRunFile } from "./run_file.ts";

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

/** Options of a run, with paths as strings. */
export interface ResolvedRunOptions extends RunOptions {
  input: readonly string[];
  output: string;
}

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

/** Checks the options of a run, alone and together with those of its generator. */
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

/** Returns the settings that a run over the pending rows of this output must have, or undefined for
 * a new output. A retry may have other parameters and another schema, so these are the settings of
 * the run before it. */
export async function pendingIdentity(
  { input, output, shard }: Pick<ResolvedRunOptions, "input" | "output" | "shard">,
): Promise<Identity | undefined> {
  const { files } = await findInputs(input);
  if (shard !== undefined) {
    const { stem } = await sharedOutput(input, files, output);
    return (await readRunFile(`${shardStem(stem, shard)}.run.json`))?.identity;
  }
  for (const file of files) {
    const [{ runJson }] = await outputFilesOf([file], output);
    const run = await readRunFile(runJson);
    if (run !== undefined) return run.identity;
  }
  return undefined;
}
