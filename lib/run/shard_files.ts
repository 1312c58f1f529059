/**
 * The files of one shard: what it reads, and what it writes.
 *
 * @module
 */

import { OWN_FOLDER } from "../paths.ts";
import { basename, dirname } from "../deps/std_path.ts";
import { UsageError } from "../errors.ts";
import { exists } from "../files.ts";
import type { InputOptions } from "../formats/mod.ts";
import {
  piecesOf,
  pinnedPlan,
  type PinOptions,
  rowsBefore,
  type Shard,
  shardStem,
  shareOfRows,
} from "../shards/mod.ts";
import { checkOutputs, filesOf, type OutputFiles } from "./outputs.ts";
import { sharedStem } from "./shared_stem.ts";

/** What a shard is told. */
export interface ShardFilesOptions extends PinOptions {
  /** The input as the user named it: files, folders and patterns. */
  readonly named: readonly string[];
  /** The files of the input, in their order. */
  readonly files: readonly string[];
  /** The output, as it was named. */
  readonly output: string;
  /** Which shard. */
  readonly shard: Shard;
  /** At most this many rows of the whole input. */
  readonly limit?: number;
  /** How the input is read. */
  readonly input: InputOptions;
}

/** One shard. */
export interface ShardFiles {
  /** Its files. */
  readonly files: OutputFiles;
  /** At most this many rows of it. */
  readonly limit: number;
  /** What the names of all shards begin with, as `out/x`. */
  readonly stem: string;
  /** Its share of all rows, from 0 to 1. */
  readonly share: number;
}

/**
 * Finds out what a shard reads and writes. Where no borders are pinned yet, it pins them.
 *
 * @throws {UsageError | SourceError} when the input cannot be divided, or is not what it was
 */
export async function shardFilesOf(options: ShardFilesOptions): Promise<ShardFiles> {
  const { named, files, output, shard, limit } = options;
  if (files.includes("-")) {
    throw new UsageError(
      'Cannot divide "-" into shards: name the file that standard input came from',
    );
  }
  const stem = await sharedStem(named, files, output);
  const plan = await pinnedPlan(stem, files, shard.count, options);
  const before = rowsBefore(plan, shard.index);
  if (limit !== undefined && before === undefined) {
    throw new UsageError(
      "Cannot use --limit with shards of compressed files, whose rows are not counted: name fewer files",
    );
  }
  const own = filesOf(named.join(", "), shardStem(stem, shard));
  await checkOutputs(files, [own]);
  await refuseMerged(own);
  return {
    files: { ...own, pieces: piecesOf(plan, shard.index, options.input) },
    limit: limit === undefined ? Infinity : Math.max(0, limit - before!),
    stem,
    share: shareOfRows(plan, shard.index),
  };
}

/** A shard that was moved away after its merge would be paid for again. */
async function refuseMerged({ runJson }: OutputFiles): Promise<void> {
  const moved = `${dirname(runJson)}/${OWN_FOLDER}/shards/${basename(runJson)}`;
  if (!(await exists(moved)) || await exists(runJson)) return;
  throw new UsageError(
    `Cannot run this shard: it was merged, and its files were moved to "${
      dirname(moved)
    }/". Move them back, ` +
      "or name another output",
  );
}
