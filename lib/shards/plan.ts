/**
 * Divides one or more input files into shards of about equal size: finds the borders, keeps them in
 * a plan file, and computes what each shard reads.
 *
 * @module
 */

import { dirname } from "../deps/std_path.ts";
import { SourceError } from "../errors.ts";
import { formatCountOf, sumOf } from "../figures.js";
import {
  cannotRead,
  ifThere,
  namesIn,
  OWN_FOLDER,
  readTextOf,
  splitPath,
  withoutSeparator,
} from "../files.ts";
import {
  type Border,
  type Divisible,
  type InputFormat,
  type InputOptions,
  type InputPiece,
  loadBorders,
  START,
  statInput,
  withoutFormat,
} from "../formats/mod.ts";
import { commandText } from "../printable.ts";
import { writeFileDurably } from "../sink/mod.ts";
import { VERSION } from "../version.ts";

export interface PlannedInput {
  /** The path as the user named it, or as found in a folder or by a pattern. */
  readonly path: string;
  readonly size: number;
  /** Modification time in Unix milliseconds; null if the filesystem has none. */
  readonly mtime: number | null;
  readonly format: InputFormat;
  /** Columns of CSV or TSV whose cells are JSON; null for other formats. */
  readonly json_columns: readonly string[] | null;
  /** Bytes of the header of CSV or TSV; 0 for other formats. */
  readonly header: number;
  /** Bytes of the file, or of its row groups (Parquet). Borders are counted in the same bytes. */
  readonly length: number;
  /** The border after the last row; null for a compressed file, whose rows are not counted. */
  readonly end: Border | null;
}

export interface ShardStart extends Border {
  /** Index of the input; the number of inputs if the shard begins after the last row. */
  readonly input: number;
}

/** The content of `out/.retort/<name>.shards-N.json`. */
export interface ShardPlan {
  /** The version of Retort that wrote the file. */
  readonly retort: string;
  readonly shards: number;
  /** The inputs in reading order. */
  readonly inputs: readonly PlannedInput[];
  readonly starts: readonly ShardStart[];
}

interface Candidate {
  readonly path: string;
  readonly size: number;
  readonly mtime: number | null;
  readonly divisible: Divisible;
}

/**
 * Divides files, taken as one sequence, into contiguous shards.
 *
 * @param named The inputs as the user named them, for advice.
 * @throws {SourceError} when a file cannot be read, or when all files are Parquet or compressed and
 * have fewer row groups and compressed files than there are shards
 */
export async function divide(
  files: readonly string[],
  count: number,
  options: InputOptions = {},
  signal?: AbortSignal,
  named: readonly string[] = files,
): Promise<ShardPlan> {
  const candidates: Candidate[] = [];
  for (const path of files) {
    const divisible = await (await loadBorders()).divisibleOf(path, path, options);
    const { size, mtime } = await statInput(path);
    candidates.push({ path, size, mtime: mtime?.getTime() ?? null, divisible });
  }
  // Parquet without rows has no row groups: all shards are then empty, as with other formats.
  const isInPieces = piecesIn(candidates).length > 0 &&
    candidates.every(({ divisible }) => divisible.pieces !== undefined);
  if (isInPieces) refuseTooFew(candidates, count, named);
  const total = sumOf(candidates, ({ divisible }) => divisible.size);
  const targets = Array.from(
    { length: total === 0 ? 0 : count - 1 },
    (_, i) => total * (i + 1) / count,
  );
  const inputs: PlannedInput[] = [];
  const starts: ShardStart[] = [{ input: 0, ...START }];
  let base = 0, nextTarget = 0;
  for (const [input, { path, size, mtime, divisible }] of candidates.entries()) {
    const { size: length, format, jsonColumns } = divisible;
    const targetsInFile: number[] = [];
    while (targets[nextTarget] <= base + length) targetsInFile.push(targets[nextTarget++] - base);
    const { borders, header, end } = await bordersOf(path, divisible, targetsInFile, signal);
    for (const border of borders) {
      const isEnd = border === undefined || border.byte >= length;
      starts.push(isEnd ? { input: input + 1, ...START } : { input, ...border });
    }
    const json_columns = jsonColumns ?? null;
    inputs.push({ path, size, mtime, format, json_columns, header, length, end });
    base += length;
  }
  // Rounding may put a target beyond the end.
  while (starts.length < count) starts.push({ input: inputs.length, ...START });
  const spreadStarts = isInPieces ? spread(starts, candidates) : starts;
  return { retort: VERSION, shards: count, inputs, starts: spreadStarts };
}

/** Returns the first border at or after each target; undefined if no piece or file begins there. */
async function bordersOf(
  path: string,
  { format, pieces, size, rows }: Divisible,
  targets: readonly number[],
  signal?: AbortSignal,
): Promise<Pick<PlannedInput, "header" | "end"> & { borders: readonly (Border | undefined)[] }> {
  if (pieces === undefined && format !== "parquet") {
    return await (await loadBorders()).findBorders(path, path, format, targets, signal);
  }
  return {
    borders: targets.map((target) => pieces?.find(({ byte }) => byte >= target)),
    header: 0,
    end: rows === undefined ? null : { byte: size, number: rows, rows },
  };
}

/** Moves the starts so that each shard gets at least one row group or compressed file. */
function spread(starts: readonly ShardStart[], candidates: readonly Candidate[]): ShardStart[] {
  const pieces = piecesIn(candidates);
  const isAtOrAfter = (piece: ShardStart, start: ShardStart) =>
    piece.input > start.input || (piece.input === start.input && piece.byte >= start.byte);
  const firstPieces: number[] = [];
  let nearest = 0;
  for (const [shard, start] of starts.entries()) {
    while (nearest < pieces.length && !isAtOrAfter(pieces[nearest], start)) nearest++;
    // Each later shard needs a piece, too.
    const index = Math.min(nearest, pieces.length - (starts.length - shard));
    firstPieces.push(shard === 0 ? 0 : Math.max(index, firstPieces[shard - 1] + 1));
  }
  return firstPieces.map((index) => pieces[index]);
}

function piecesIn(candidates: readonly Candidate[]): ShardStart[] {
  return candidates.flatMap(({ divisible: { pieces = [] } }, input) =>
    pieces.map((border) => ({ input, ...border }))
  );
}

function refuseTooFew(
  candidates: readonly Candidate[],
  count: number,
  named: readonly string[],
): void {
  const pieces = piecesIn(candidates).length;
  if (pieces >= count) return;
  const [{ path: first }] = candidates;
  const name = candidates.length === 1 ? `"${first}"` : `${candidates.length} files`;
  const are = pieces === 1 ? "is" : "are";
  const compressedFile = candidates.find(({ divisible }) => divisible.format !== "parquet");
  const path = compressedFile?.path ?? first;
  const hasGroups = candidates.some(({ divisible }) => divisible.format === "parquet");
  const [why, what] = compressedFile === undefined
    ? ["Parquet is divided between row groups", formatCountOf(pieces, "row group")]
    : [
      "compressed files are read as a whole",
      `${pieces}${hasGroups ? ", row groups of Parquet included" : ""}`,
    ];
  throw new SourceError(
    `Cannot divide ${name} into ${count} shards: ${why}, and there ${are} ${what}. Use at most ` +
      `${formatCountOf(pieces, "shard")}, or convert the input, and name the new file instead: ` +
      commandText("convert", ...named, "-o", convertedName(named)),
    { path },
  );
}

/** Names the converted file. It is not beside several inputs, because a folder of inputs would then
 * have each row twice. */
function convertedName(named: readonly string[]): string {
  const [name] = named.map((path) => withoutFormat(withoutSeparator(path)));
  return named.length > 1 || /[*?{[]|^\.*$/.test(name) ? "all.jsonl" : `${name}.jsonl`;
}

/** Returns the parts of the inputs that a shard reads. */
export function piecesOf(plan: ShardPlan, index: number, options: InputOptions = {}): InputPiece[] {
  const from = plan.starts[index];
  const to = plan.starts[index + 1] ?? { input: plan.inputs.length, ...START };
  const pieces: InputPiece[] = [];
  for (let input = from.input; input <= to.input && input < plan.inputs.length; input++) {
    const { path, format, json_columns, header, length: size, end } = plan.inputs[input];
    const start = input === from.input ? from : START;
    const stop = input === to.input ? to : end ?? { ...START, byte: size };
    if (start.byte >= stop.byte) continue;
    pieces.push({
      path,
      name: path,
      options: { ...options, inputFormat: format, jsonColumns: json_columns ?? undefined },
      part: end === null ? undefined : { from: start, to: stop, header, size },
    });
  }
  return pieces;
}

/** Returns a shard's share of the first `limit` rows of the input (`--limit`). With a small limit,
 * the first shard may have all of them. If any input is a compressed file, whose rows are not
 * counted, returns the shard's share of all bytes. */
export function shareOfInput(plan: ShardPlan, index: number, limit = Infinity): number {
  const pieces = piecesOf(plan, index);
  const before = rowsBefore(plan)[index];
  const rowCounts = plan.inputs.map(({ end }) => end?.rows);
  if (before !== undefined && rowCounts.every((count) => count !== undefined)) {
    const ownRows = sumOf(pieces, ({ part }) => part!.to.rows - part!.from.rows);
    const allRows = Math.min(limit, sumOf(rowCounts, (count) => count));
    return allRows === 0 ? 0 : Math.min(ownRows, Math.max(0, limit - before)) / allRows;
  }
  const ownBytes = sumOf(pieces, ({ path, part }) => {
    if (part === undefined) return plan.inputs.find((input) => input.path === path)!.length;
    return part.to.byte - part.from.byte;
  });
  return ownBytes / sumOf(plan.inputs, ({ length }) => length);
}

/** Returns the number of rows before each shard; undefined after a compressed file, whose rows are
 * not counted. Sums up the inputs once for all shards, because there may be thousands of both. */
export function rowsBefore({ inputs, starts }: ShardPlan): (number | undefined)[] {
  const beforeInputs: (number | undefined)[] = [0];
  for (const { end } of inputs) {
    const before = beforeInputs.at(-1);
    beforeInputs.push(before === undefined || end === null ? undefined : before + end.rows);
  }
  return starts.map(({ input, rows }) => {
    const before = beforeInputs[input];
    return before === undefined ? undefined : before + rows;
  });
}

/** Where a merge with `tidy` moves files, relative to the folder of the outputs. */
export const MOVED_FOLDER = `${OWN_FOLDER}/shards/`;

/** Returns the folder to which a merge moves the file at `path`, without a final `/`. */
export function movedFolderOf(path: string): string {
  return `${dirname(path)}/${MOVED_FOLDER.slice(0, -1)}`;
}

/** Returns the path of an output's plan file: `out/.retort/x.shards-16.json`. */
export function planPathOf(stem: string, count: number): string {
  const { start, name } = splitPath(stem);
  return `${start}${OWN_FOLDER}/${name}.shards-${count}.json`;
}

/** Returns `out/input` for the stem `out/.`, which would hide the shards' files: `out/.-00000-…`.
 * Shards that an earlier version began under that name keep it. */
export async function visibleStem(stem: string): Promise<string> {
  const { start, name } = splitPath(stem);
  if (!/^\.+(?:-and-|$)/.test(name)) return stem;
  const ownFiles = await namesIn(`${start}${OWN_FOLDER}`);
  const isBegun = ownFiles.some((file) => file.startsWith(`${name}.shards-`));
  return isBegun ? stem : `${start}${name.replace(/^\.+/, "input")}`;
}

/** Reads a plan file. Returns undefined if there is none, or if a crash truncated it. */
export async function readPlan(path: string): Promise<ShardPlan | undefined> {
  const text = await ifThere(readTextOf(path), (cause) => cannotRead(path, cause));
  if (text === undefined) return undefined;
  try {
    const plan = JSON.parse(text) as ShardPlan;
    return isPlan(plan) ? plan : undefined;
  } catch {
    return undefined;
  }
}

function isPlan(plan: ShardPlan): boolean {
  const isBorder = ({ byte, number, rows }: Border) =>
    [byte, number, rows].every(Number.isSafeInteger);
  return typeof plan?.retort === "string" && Array.isArray(plan.inputs) &&
    Array.isArray(plan.starts) && plan.starts.length === plan.shards &&
    plan.starts.every((start) => Number.isSafeInteger(start.input) && isBorder(start)) &&
    plan.inputs.every(({ end }) => end === null || isBorder(end));
}

/** Writes a plan file. Without file locks (`--no-lock`), shards that start together all write the
 * same plan. */
export async function writePlan(path: string, plan: ShardPlan): Promise<void> {
  await writeFileDurably(path, `${JSON.stringify(plan)}\n`, { followsLinks: false });
}
