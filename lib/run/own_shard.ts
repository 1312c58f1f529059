/**
 * The files of one shard of a run, its part of the input and what `--limit` leaves for it.
 *
 * @module
 */

import { OWN_FOLDER } from "../paths.ts";
import { basename, dirname } from "../deps/std_path.ts";
import { UsageError } from "../errors.ts";
import { exists } from "../files.ts";
import type { InputOptions } from "../formats/mod.ts";
import {
  OtherDivisionError,
  piecesOf,
  pinnedPlan,
  type PinOptions,
  rowsBefore,
  type Shard,
  type ShardPlan,
  shardStem,
  shareOfInput,
} from "../shards/mod.ts";
import { filesOf, type OutputFiles, sharedOutput } from "./outputs.ts";
import { checkOutputs } from "./output_checks.ts";
import { checkReadableTwice } from "./inputs.ts";
import { writeFailedStatus } from "./run_status.ts";

/** What `shardFilesOf` needs of a run. */
export interface ShardFilesOptions extends PinOptions {
  /** As the user named them: files, folders and patterns. */
  readonly named: readonly string[];
  /** The files that `named` stands for, in their order. */
  readonly files: readonly string[];
  /** As the user named it. */
  readonly output: string;
  readonly shard: Shard;
  /** At most this many rows of the whole input. */
  readonly limit?: number;
  readonly input: InputOptions;
}

/** What a shard reads and writes. */
export interface ShardFiles {
  readonly files: OutputFiles;
  /** The number of its rows, from its start, that `--limit` leaves it; `Infinity` without a limit. */
  readonly limit: number;
  /** The common beginning of the output names of all shards, such as `out/x`. */
  readonly stem: string;
  /** The shard's share of the input, from 0 to 1: see `shareOfInput`. */
  readonly share: number;
}

/**
 * Determines what a shard reads and writes. Pins the borders of all shards, if none are pinned and
 * `writes` allows it.
 *
 * @throws {UsageError | SourceError} when the input cannot be divided, or was changed
 */
export async function shardFilesOf(options: ShardFilesOptions): Promise<ShardFiles> {
  const { named, files, output, shard, limit } = options;
  if (files.includes("-")) {
    throw new UsageError(
      'Cannot divide "-" into shards: name the file that standard input came from',
    );
  }
  const shared = await sharedOutput(named, files, output);
  const { stem } = shared;
  const own = filesOf(named.join(", "), shardStem(stem, shard));
  try {
    await checkOutputs(files, [own]);
    await refuseMerged(own);
    await Promise.all(files.map(checkReadableTwice));
    const plan = await pinnedPlan(shared, files, shard.count, options);
    return {
      files: { ...own, pieces: piecesOf(plan, shard.index, options.input) },
      limit: limit === undefined ? Infinity : limitOf(shard, plan, limit),
      stem,
      share: shareOfInput(plan, shard.index),
    };
  } catch (error) {
    // A shard of another division is not one of the output's runs. Its status would be in the way,
    // unless a merge waits for its job.
    const isRecorded = shard.job !== undefined || !(error instanceof OtherDivisionError);
    if (options.writes !== false && isRecorded) {
      await writeFailedStatus(own.results, shard, error);
    }
    throw error;
  }
}

/** The part of a limit that is left for a shard after the rows before it. */
function limitOf({ index }: Shard, plan: ShardPlan, limit: number): number {
  const before = rowsBefore(plan, index);
  if (before !== undefined) return Math.max(0, limit - before);
  throw new UsageError(
    "Cannot use --limit with shards of compressed files, whose rows are not counted: decompress them, or name fewer files",
  );
}

/** Rejects a shard whose files a merge has moved away: its rows would be paid for again. */
async function refuseMerged({ runJson }: OutputFiles): Promise<void> {
  const moved = `${dirname(runJson)}/${OWN_FOLDER}/shards/${basename(runJson)}`;
  if (!(await exists(moved)) || await exists(runJson)) return;
  throw new UsageError(
    `Cannot run this shard: it was merged, and its files were moved to "${dirname(moved)}/". ` +
      "Move them back, or name another output",
  );
}
