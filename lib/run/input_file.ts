/**
 * The input as a file: that it is there and can be read twice, and that both passes read the same.
 *
 * @module
 */

import { basename, dirname } from "node:path";
import { closestString, levenshteinDistance } from "../deps/std_text.ts";
import { SourceError } from "../errors.ts";
import { systemReason } from "../system_error.ts";
import { PATTERN } from "./inputs.ts";

/** Names of standard input that Deno opens with all permissions only. */
const DEVICE = /^\/(dev|proc)\//;
const READ_STDIN = "Name - to read standard input";

/**
 * Tells whether a file is still what it was.
 *
 * @throws {SourceError} when it cannot be found
 */
export async function stampOf(path: string): Promise<string> {
  return stamp(await statOf(path));
}

/** Whether a file is what it was when `stampOf` told. At once, for it is asked very often: 3 µs. */
export function isUnchanged(path: string, before: string): boolean {
  try {
    return stamp(Deno.statSync(path)) === before;
  } catch {
    return false;
  }
}

function stamp({ size, mtime }: Deno.FileInfo): string {
  return `${size}:${mtime?.getTime()}`;
}

/**
 * Makes sure that both passes can read a file.
 *
 * @throws {SourceError} when there is no such file, when it is a folder, or when what is read of it is
 * gone, as with a pipe
 */
export async function checkReadableTwice(path: string): Promise<void> {
  const { isFile, isDirectory } = await statOf(path);
  if (isFile) return;
  const problem = isDirectory
    ? `Cannot read "${path}": it is a folder without a .jsonl, .json, .csv, .tsv, .parquet or .txt file`
    : `Cannot read "${path}" twice, as a run has to: it is no regular file. ` +
      `${READ_STDIN}, which is kept for the second time`;
  throw new SourceError(problem, { path });
}

async function statOf(path: string): Promise<Deno.FileInfo> {
  try {
    return await Deno.stat(path);
  } catch (cause) {
    const advice = DEVICE.test(path)
      ? `. ${READ_STDIN}`
      : PATTERN.test(path)
      ? ", and no file matches it as a pattern"
      : cause instanceof Deno.errors.NotFound
      ? await similarName(path)
      : "";
    throw new SourceError(`Cannot read "${path}": ${systemReason(cause)}${advice}`, {
      path,
      cause,
    });
  }
}

/** The file beside it whose name was meant, as far as that can be told. */
async function similarName(path: string): Promise<string> {
  const name = basename(path);
  try {
    const names: string[] = [];
    for await (const entry of Deno.readDir(dirname(path))) names.push(entry.name);
    if (names.length === 0) return "";
    const nearest = closestString(name, names);
    const isNear = levenshteinDistance(name, nearest) <= Math.min(MOST_TYPOS, name.length / 3);
    return isNear ? `. Did you mean "${path.slice(0, -name.length)}${nearest}"?` : "";
  } catch {
    return "";
  }
}

const MOST_TYPOS = 3;
