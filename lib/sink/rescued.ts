/**
 * Rescued lines: if another program replaces, truncates or removes an output file while a run writes
 * to it, or if its disk fails or is full, lines go to `<name>.rescued-<number>.jsonl` next to it.
 * The next run adds them to the output file.
 *
 * @module
 */

import { dirname } from "../deps/std_path.ts";
import {
  holdsOwnLines,
  isBlankLine,
  type LineKind,
  linesOf,
  readLineBlocks,
} from "../line_blocks.ts";
import { removeIfThere, stemOf, writeAll } from "../files.ts";
import { sha256Start } from "../hash.ts";
import { isJson } from "../json.ts";
import { cannotWrite, syncFolderOf, untilSynced } from "./durable_file.ts";
import { uidOfLine } from "./read_line.ts";
import { createNumbered, dropLines, LineSet, repairTail } from "./repair.ts";

export interface MergedLines {
  readonly from: string;
  /** Lines that the output file did not contain. */
  readonly count: number;
}

/** The search ends after this many missing numbers in a row: users may remove some files. */
const MAX_MISSING = 3;

/** Files of rescued lines for an output file, in order. Leaves out empty files and those that
 * Retort did not write. Probes numbers, because the folder may hold too many files to list. */
export async function rescuedFilesOf(path: string, kind: LineKind): Promise<string[]> {
  const files: string[] = [];
  for await (const { path: rescuedPath, size } of numberedFiles(path)) {
    if (size > 0 && await holdsOwnLines(rescuedPath, kind)) files.push(rescuedPath);
  }
  return files;
}

async function* numberedFiles(path: string): AsyncGenerator<{ path: string; size: number }> {
  let missing = 0;
  for (let first = 1; missing < MAX_MISSING; first += MAX_MISSING) {
    const paths = Array.from({ length: MAX_MISSING }, (_, i) => rescuedPathOf(path, first + i));
    const infos = await Promise.all(paths.map((path) => Deno.lstat(path).catch(() => undefined)));
    for (const [i, info] of infos.entries()) {
      missing = info === undefined ? missing + 1 : 0;
      if (missing === MAX_MISSING) return;
      if (info?.isFile) yield { path: paths[i], size: info.size };
    }
  }
}

/** Creates a file for rescued lines, with a durable name. Its number is above `lastNumber`. */
export async function createRescuedFile(
  path: string,
  mode: number | undefined,
  lastNumber = 0,
): Promise<string> {
  await Deno.mkdir(dirname(path), { recursive: true });
  const pathOf = (number: number) => rescuedPathOf(path, lastNumber + number);
  const created = await createNumbered(pathOf, mode);
  created.file.close();
  try {
    await syncFolderOf(created.path);
  } catch (error) {
    // Each further try would leave an empty file.
    await removeIfThere(created.path);
    throw error;
  }
  return created.path;
}

/**
 * Saves lines in a new file, durably: the output file may lack them. Returns the file's path.
 *
 * @param lines Without line feeds.
 */
export async function rescueLines(
  path: string,
  mode: number | undefined,
  lines: readonly string[],
): Promise<string> {
  const rescuedPath = await createRescuedFile(path, mode);
  try {
    using file = await Deno.open(rescuedPath, { append: true });
    await writeAll(file, new TextEncoder().encode(lines.map((line) => `${line}\n`).join("")));
    await untilSynced(file.sync());
  } catch (cause) {
    throw cannotWrite(rescuedPath, cause);
  }
  return rescuedPath;
}

/**
 * Appends rescued lines to their output file, which must end with a whole line, and removes the
 * files of rescued lines. Can be repeated after a crash: skips results with a uid in the output
 * file, and failures with the same line.
 */
export async function mergeRescued(path: string, kind: LineKind): Promise<MergedLines[]> {
  const mergedLines: MergedLines[] = [], removablePaths: string[] = [];
  for await (const { path: from, size } of numberedFiles(path)) {
    // An empty file was left by a run that was killed before it wrote a line.
    if (size > 0) {
      if (!(await holdsOwnLines(from, kind))) continue;
      await repairTail(from);
      mergedLines.push({ from, count: await addLines(path, from, KEY_OF[kind]) });
    }
    removablePaths.push(from);
  }
  // Removes the last one first, so that a crash leaves no gap in the numbers.
  for (const file of removablePaths.reverse()) await removeIfThere(file);
  return mergedLines;
}

/** Returns the key of a line. A line is not added if the output file has one with this key. */
type KeyOf = (text: string, path: string, number: number) => string;

/** The results have one line per row, the failures may have several. */
const KEY_OF: Readonly<Record<LineKind, KeyOf>> = { results: uidOfLine, failures: sha256Start };

async function addLines(path: string, from: string, keyOf: KeyOf): Promise<number> {
  const keysInOutput = await sharedKeys(path, from, keyOf);
  let count = 0;
  try {
    const { mode } = await Deno.stat(from);
    using file = await Deno.open(path, { append: true, create: true, mode: mode ?? undefined });
    for await (const { key, text } of keyedLines(from, keyOf)) {
      if (keysInOutput.has(key)) continue;
      keysInOutput.add(key);
      await writeAll(file, new TextEncoder().encode(`${text}\n`));
      count++;
    }
    await untilSynced(file.sync());
    await syncFolderOf(path);
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
  return count;
}

async function sharedKeys(path: string, from: string, keyOf: KeyOf): Promise<Set<string>> {
  const keys = new Set<string>(), shared = new Set<string>();
  for await (const { key } of keyedLines(from, keyOf)) keys.add(key);
  for await (const { key } of keyedLines(path, keyOf)) if (keys.has(key)) shared.add(key);
  return shared;
}

async function* keyedLines(path: string, keyOf: KeyOf) {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let number = 0;
  for await (const block of readLineBlocks(path)) {
    for (const line of linesOf(block)) {
      number++;
      if (isBlankLine(line)) continue;
      const text = decoder.decode(line);
      yield { key: keyOf(text, path, number), text };
    }
  }
}

export function numberOf(path: string): number {
  return Number(/(\d+)\.jsonl$/.exec(path)![1]);
}

function rescuedPathOf(path: string, number: number): string {
  return `${stemOf(path)}.rescued-${number}.jsonl`;
}

const LINE_START = '{"uid":"';

/**
 * Repairs a file in which another program cut a line off and later lines were appended: what is
 * left of the cut line and the line after it are now one. Copies the complete lines to the file
 * `to`, then removes the joined ones from `path`. The cut lines are lost.
 */
export async function moveJoinedLines(path: string, to: Deno.FsFile): Promise<void> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const joinedLines = new LineSet();
  let lineNumber = 0;
  for await (const block of readLineBlocks(path)) {
    for (const line of linesOf(block)) {
      lineNumber++;
      const wholeLine = wholeLineIn(decoder.decode(line));
      if (wholeLine === undefined) continue;
      joinedLines.add(lineNumber);
      await writeAll(to, new TextEncoder().encode(`${wholeLine}\n`));
    }
  }
  await dropLines(path, joinedLines, lineNumber);
}

/** The complete line that a joined line ends with, if there is one. */
function wholeLineIn(text: string): string | undefined {
  let start = text.indexOf(LINE_START, 1);
  if (start === -1 || isJson(text)) return undefined;
  for (; start !== -1; start = text.indexOf(LINE_START, start + 1)) {
    const rest = text.slice(start);
    if (isJson(rest)) return rest;
  }
}
