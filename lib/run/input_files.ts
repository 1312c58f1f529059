/**
 * Checks that input files can be read twice, detects changes to them, estimates their numbers of
 * rows, and copies standard input, which can be read only once.
 *
 * @module
 */

import { similarName } from "../similar_name.ts";
import { SinkError, SourceError } from "../errors.ts";
import { INPUT_FORMATS, type InputPiece } from "../formats/mod.ts";
import { isMissing, kindOf, namesIn, systemReason, withoutSeparator } from "../files.ts";
import * as stdPath from "../deps/std_path.ts";
import { PATTERN } from "./inputs.ts";

const { basename, dirname } = stdPath;

/** Paths such as `/dev/stdin`, which Deno opens only with all permissions. */
const DEVICE = /^\/(dev|proc)\//;
const PIPE_ADVICE = "Write it to a file first";
/** Advice for a run without shards, which copies standard input to a file. */
export const STDIN_ADVICE = "Name - to read standard input, which is copied to a file first";

/** Returns the size and the modification time of a file, to detect changes. */
export async function stampOf(path: string): Promise<string> {
  return stamp(await infoOf(path));
}

/** Whether the file still has this size and modification time. Synchronous, because it is called
 * for each chunk that is read, or each batch of rows, and takes 3 µs. */
export function isUnchanged(path: string, earlierStamp: string): boolean {
  try {
    return stamp(Deno.statSync(path)) === earlierStamp;
  } catch (error) {
    // Other errors do not prove a change: a file server may be down for a moment.
    return !isMissing(error);
  }
}

export function stamp({ size, mtime }: Deno.FileInfo): string {
  return `${size}:${mtime?.getTime()}`;
}

/** Checks that an input can be read twice.
 *
 * @throws {SourceError} for missing files, folders, and files that can be read only once, such as
 *   pipes */
export async function checkReadableTwice(path: string, pipeAdvice = PIPE_ADVICE): Promise<void> {
  const info = await infoOf(path, pipeAdvice);
  if (info.isFile) return;
  const problem = info.isDirectory
    ? `Cannot read "${path}": it is a folder without a .` +
      `${INPUT_FORMATS.slice(0, -1).join(", .")} or .${INPUT_FORMATS.at(-1)} file. To read a ` +
      "hidden file, or one that Retort has written, name it"
    : `Cannot read "${path}": an input is read twice, and this is ${kindOf(info)}. ${pipeAdvice}`;
  throw new SourceError(problem, { path });
}

/** Returns the file information of an input.
 *
 * @throws {SourceError} with advice, when there is no such file or it cannot be read */
export async function infoOf(path: string, pipeAdvice = PIPE_ADVICE): Promise<Deno.FileInfo> {
  try {
    return await Deno.stat(path);
  } catch (cause) {
    const advice = DEVICE.test(path)
      ? `. ${pipeAdvice}`
      : PATTERN.test(path)
      ? ", and no input file matches it as a pattern"
      : cause instanceof Deno.errors.NotFound
      ? await adviceForMissing(withoutSeparator(path))
      : "";
    throw new SourceError(`Cannot read "${path}": ${systemReason(cause)}${advice}`, {
      path,
      cause,
    });
  }
}

async function adviceForMissing(path: string): Promise<string> {
  const target = await Deno.readLink(path).catch(() => undefined);
  if (target !== undefined) return `: it is a link to "${target}"`;
  const name = basename(path);
  const where = stdPath.isAbsolute(path) ? "" : ` in "${Deno.cwd()}"`;
  try {
    const names = await namesIn(dirname(path));
    if (names.length === 0) return where;
    if (names.includes(name)) return ": its name is not UTF-8. Rename it";
    const similar = similarName(name, names);
    return similar === undefined
      ? where
      : `. Did you mean "${path.slice(0, -name.length)}${similar}"?`;
  } catch {
    return where;
  }
}

/** Copies a stream, which may never end, to a new file that only its owner can read. */
export async function spool(
  stream: ReadableStream<Uint8Array>,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    // `Deno.writeFile(path, stream, { signal })` leaks a resource that it creates for the signal.
    const file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
    await stream.pipeTo(file.writable, { signal });
  } catch (cause) {
    throw new SinkError(`Cannot write standard input to "${path}": ${systemReason(cause)}`, {
      path,
      cause,
    });
  }
}

const LINE_FEED = 10;
const SAMPLE_BYTES = 1 << 16;
/** A larger file is sampled in several places, because it may be sorted: with 64 KB of short rows
 * at its start, a sample from there would make a table for 1 GB of rows 290 MB too large. */
const MAX_UNSPREAD_BYTES = 1 << 26;
const SAMPLE_PLACES = 16;
/** The estimate for a file that cannot be read, and the minimum for a large file. */
const DEFAULT_ROWS = 1_000;
/** The estimate is multiplied by this: a table that is too large costs less than one that must
 * grow. */
const MARGIN = 1.1;
/** Size of a short row, `{"prompt":"x"}`. It limits the estimate for files with many blank lines,
 * which the sample counts as rows. The table grows if more rows are shorter. */
const SHORT_ROW_BYTES = 14;

/** Estimates the number of rows, so that the table of ids need not grow. */
export async function estimateRows(pieces: readonly InputPiece[]): Promise<number> {
  let rows = 0;
  for (const { path, part } of pieces) {
    rows += part === undefined ? await estimateFileRows(path) : part.to.rows - part.from.rows;
  }
  return rows;
}

async function estimateFileRows(path: string): Promise<number> {
  try {
    using file = await Deno.open(path);
    const { size, isFile } = await file.stat();
    if (!isFile) return DEFAULT_ROWS;
    const places = size > MAX_UNSPREAD_BYTES ? SAMPLE_PLACES : 1;
    const sample = new Uint8Array(Math.min(SAMPLE_BYTES / places, size + 1));
    let lines = 0, sampleBytes = 0;
    for (let place = 0; place < places; place++) {
      const offset = Math.floor(size * (place + 0.5) / places);
      if (places > 1) await file.seek(offset, Deno.SeekMode.Start);
      const length = await file.read(sample) ?? 0;
      for (let i = 0; i < length; i++) if (sample[i] === LINE_FEED) lines++;
      sampleBytes += length;
    }
    if (sampleBytes === 0) return DEFAULT_ROWS;
    const rows = Math.min(size / sampleBytes * lines * MARGIN, size / SHORT_ROW_BYTES);
    return sampleBytes === size ? lines + 1 : Math.max(DEFAULT_ROWS, Math.ceil(rows));
  } catch {
    return DEFAULT_ROWS;
  }
}
