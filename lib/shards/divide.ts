/**
 * Divides an input of one or more files into shards of about equal size.
 *
 * @module
 */

import { SourceError } from "../errors.ts";
import { formatCountOf, sumOf } from "../figures.ts";
import {
  type Border,
  type Divisible,
  type FoundBorders,
  type InputFormat,
  type InputOptions,
  loadBorders,
  START,
  statInput,
  withoutFormat,
} from "../formats/mod.ts";
import { commandText } from "../shell.ts";
import { VERSION } from "../version.ts";

/** A file of the input, and what its borders were made for. */
export interface PlannedInput {
  /** As the user named it, or as found in a folder or by a pattern. */
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  /** Modification time: Unix time in milliseconds; null if the filesystem has none. */
  readonly mtime: number | null;
  readonly format: InputFormat;
  /** Columns of CSV or TSV whose cells are JSON; null for other formats. */
  readonly json_columns: readonly string[] | null;
  /** Bytes of the header of CSV or TSV; 0 for other formats. */
  readonly header: number;
  /** Bytes of the file; for Parquet, of its row groups. Borders are counted in the same bytes. */
  readonly length: number;
  /** The border after the last row; null for a compressed file, whose rows are not counted. */
  readonly end: Border | null;
}

/** Where a shard begins in the sequence of all inputs. */
export interface ShardStart extends Border {
  /** Index of the input; the number of inputs if the shard is empty because none is left. */
  readonly input: number;
}

/** How an input is divided: the content of `out/.retort/<name>.shards-N.json`. */
export interface ShardPlan {
  /** The version of Retort that wrote the file. */
  readonly retort: string;
  readonly shards: number;
  /** In the order in which they are read. */
  readonly inputs: readonly PlannedInput[];
  readonly starts: readonly ShardStart[];
}

/** An input whose borders are still to be found. */
interface Candidate {
  readonly path: string;
  readonly size: number;
  readonly mtime: number | null;
  readonly divisible: Divisible;
}

/**
 * Divides files, taken as one sequence, into contiguous shards.
 *
 * @param count The number of shards.
 * @throws {SourceError} when a file cannot be read, or when all files are Parquet or compressed and
 * have fewer row groups and compressed files than there are shards
 */
export async function divide(
  files: readonly string[],
  count: number,
  options: InputOptions = {},
): Promise<ShardPlan> {
  const candidates = await candidatesOf(files, options);
  const isInPieces = candidates.every(({ divisible }) => divisible.kind !== "anywhere");
  if (isInPieces) refuseTooFew(candidates, count);
  const total = sumOf(candidates, ({ divisible }) => divisible.size);
  const targets = Array.from({ length: count - 1 }, (_, i) => total * (i + 1) / count);
  const inputs: PlannedInput[] = [];
  const starts: ShardStart[] = [{ input: 0, ...START }];
  let base = 0;
  for (const [input, candidate] of candidates.entries()) {
    const { size } = candidate.divisible;
    const targetsInFile = targets.filter((target) => target > base && target <= base + size)
      .map((target) => target - base);
    const found = await bordersOf(candidate, targetsInFile);
    for (const border of found.borders) {
      const isEnd = border === undefined || border.byte >= size;
      starts.push(isEnd ? { input: input + 1, ...START } : { input, ...border });
    }
    inputs.push(plannedInput(candidate, found));
    base += size;
  }
  // Rounding may put a target beyond the end.
  while (starts.length < count) starts.push({ input: inputs.length, ...START });
  return {
    retort: VERSION,
    shards: count,
    inputs,
    starts: isInPieces ? spread(starts, candidates) : starts,
  };
}

async function candidatesOf(
  files: readonly string[],
  options: InputOptions,
): Promise<Candidate[]> {
  const candidates: Candidate[] = [];
  for (const path of files) {
    const { divisibleOf } = await loadBorders();
    const divisible = await divisibleOf(path, path, options);
    const { size, mtime } = await statInput(path);
    candidates.push({ path, size, mtime: mtime?.getTime() ?? null, divisible });
  }
  return candidates;
}

function plannedInput(
  { path, size, mtime, divisible }: Candidate,
  { header, end }: CandidateBorders,
): PlannedInput {
  return {
    path,
    size,
    mtime,
    format: divisible.format,
    json_columns: divisible.jsonColumns ?? null,
    header,
    length: divisible.size,
    end,
  };
}

async function bordersOf(
  { path, divisible: { format, kind, pieces, size, rows } }: Candidate,
  targets: readonly number[],
): Promise<CandidateBorders> {
  if (kind === "anywhere" && format !== "parquet") {
    const { findBorders } = await loadBorders();
    return await findBorders(path, path, format, targets);
  }
  const borders = targets.map((target) => pieces.find(({ byte }) => byte >= target));
  return {
    borders,
    header: 0,
    end: rows === undefined ? null : { byte: size, number: rows, rows },
  };
}

/**
 * The borders for each target, undefined if no piece begins at or after it. The end of a compressed
 * file is null, because its rows are not counted.
 */
type CandidateBorders = Omit<FoundBorders, "borders" | "end"> & {
  readonly borders: readonly (Border | undefined)[];
  readonly end: Border | null;
};

/**
 * Moves the starts so that each shard gets at least one piece: a row group or a compressed file.
 */
function spread(starts: readonly ShardStart[], candidates: readonly Candidate[]): ShardStart[] {
  const pieces = candidates.flatMap(({ divisible }, input) =>
    divisible.pieces.map((border) => ({ input, ...border }))
  );
  const isAtOrAfter = (piece: ShardStart, start: ShardStart) =>
    piece.input > start.input || (piece.input === start.input && piece.byte >= start.byte);
  const firstPieces: number[] = [];
  for (const [shard, start] of starts.entries()) {
    const nearest = pieces.findIndex((piece) => isAtOrAfter(piece, start));
    // Leaves one piece for each shard that follows.
    const last = pieces.length - (starts.length - shard);
    const index = nearest === -1 ? last : Math.min(nearest, last);
    firstPieces.push(shard === 0 ? 0 : Math.max(index, firstPieces[shard - 1] + 1));
  }
  return firstPieces.map((index) => pieces[index]);
}

function refuseTooFew(candidates: readonly Candidate[], count: number): void {
  const pieces = sumOf(candidates, ({ divisible }) => divisible.pieces.length);
  if (pieces >= count) return;
  const [{ path }] = candidates;
  const name = candidates.length === 1 ? `"${path}"` : `${candidates.length} files`;
  const atMost = formatCountOf(pieces, "shard");
  const compressed = candidates.find(({ divisible }) => divisible.kind === "whole");
  if (compressed === undefined) {
    const groups = formatCountOf(pieces, "row group");
    throw new SourceError(
      `Cannot divide ${name} into ${count} shards: Parquet is divided between row groups, and there ` +
        `${pieces === 1 ? "is" : "are"} ${groups}. Use at most ${atMost}, or convert it: ` +
        convertText(path),
      { path },
    );
  }
  const hasGroups = candidates.some(({ divisible }) => divisible.kind === "row-groups");
  const withGroups = hasGroups ? ", row groups of Parquet included" : "";
  throw new SourceError(
    `Cannot divide ${name} into ${count} shards: compressed files are read as a whole, and there ` +
      `${
        pieces === 1 ? "is" : "are"
      } ${pieces}${withGroups}. Use at most ${atMost}, or decompress: ` +
      convertText(compressed.path),
    { path: compressed.path },
  );
}

function convertText(path: string): string {
  return commandText("convert", path, "-o", `${withoutFormat(path)}.jsonl`);
}
