/**
 * The input files of a run: expands folders and patterns, checks that files can be read twice with
 * the same content, and copies standard input, which can be read only once.
 *
 * @module
 */

import { closestString, levenshteinDistance } from "../deps/std_text.ts";
import { SinkError, SourceError } from "../errors.ts";
import { formatOfName, INPUT_FORMATS } from "../formats/mod.ts";
import { kindOf, systemReason } from "../files.ts";
import { matchesGlob } from "node:path";
import * as system from "../deps/std_path.ts";
import type { PathRules } from "../paths.ts";

const { basename, dirname, join } = system;

export interface FoundInputs {
  /** Files of a folder or pattern are in natural order: `part-2` before `part-10`. */
  readonly files: string[];
  /** Notices about files in folders and patterns that were left out. */
  readonly notes: string[];
}

/** A name with one of these characters is a pattern, unless a file has that name. */
export const PATTERN = /[*?{[]/;
const COMPANION = /(_error|\.outdated|\.duplicates|\.rescued-\d+)\.jsonl$|\.(run|status)\.json$/;

/**
 * Expands folders and patterns to their files. Of a folder, these are the files of a known format
 * directly in it; hidden files, files that are not inputs and those that Retort has written are
 * left out and counted. `**` includes subfolders. A folder or pattern without such files stays as
 * it is.
 *
 * @throws {SourceError} when a folder cannot be read
 */
export async function findInputs(inputs: readonly string[]): Promise<FoundInputs> {
  const files: string[] = [], notes: string[] = [];
  for (const input of inputs) {
    const isFolder = await hasKind(input, "isDirectory");
    if (!isFolder && (!PATTERN.test(input) || await hasKind(input, "isFile"))) {
      files.push(input);
      continue;
    }
    const { found, skipped } = isFolder ? await inputsOfFolder(input) : await inputsMatching(input);
    // That it has no files is reported later, together with the problems of other inputs.
    if (found.length === 0) files.push(input);
    files.push(...(found.length > 1 ? sortNaturally(found) : found));
    if (skipped > 0 && found.length > 0) {
      notes.push(
        `${input}: ${found.length} files are read; ${skipped} are left out (hidden, of other formats, or written by Retort)`,
      );
    }
  }
  return { files: [...new Set(files)], notes };
}

/** Sorts names so that `part-2` comes before `part-10`, in the same way on every machine. */
function sortNaturally(names: readonly string[]): string[] {
  // Created when needed: the first collator of a process takes 20 ms.
  return names.toSorted(new Intl.Collator("en", { numeric: true }).compare);
}

async function hasKind(path: string, kind: "isFile" | "isDirectory"): Promise<boolean> {
  try {
    return (await Deno.stat(path))[kind];
  } catch {
    return false;
  }
}

interface Found {
  readonly found: string[];
  readonly skipped: number;
}

/**
 * The files in a folder. A Hugging Face dataset, as `export --format dataset` writes it, has them
 * in its subfolder `data`.
 */
async function inputsOfFolder(folder: string): Promise<Found> {
  const direct = await inputsDirectlyIn(folder);
  const data = join(folder, "data");
  if (direct.found.length > 0 || !(await hasKind(data, "isDirectory"))) return direct;
  const { found, skipped } = await inputsDirectlyIn(data);
  return { found, skipped: skipped + direct.skipped };
}

async function inputsDirectlyIn(folder: string): Promise<Found> {
  const names = await namesIn(folder);
  const siblings = new Set(names);
  const found = names.filter((name) => isInput(name, siblings));
  return { found: found.map((name) => join(folder, name)), skipped: names.length - found.length };
}

async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (!isDirectory) names.push(name);
    }
  } catch (cause) {
    throw new SourceError(`Cannot read the folder "${folder}": ${systemReason(cause)}`, {
      path: folder,
      cause,
    });
  }
  return names;
}

/** Whether a file of a folder is an input. Results are recognized by the run file next to them. */
function isInput(name: string, siblings: ReadonlySet<string>): boolean {
  if (name.startsWith(".") || name.startsWith("_") || COMPANION.test(name)) return false;
  const stem = /^(.*)\.(jsonl|ndjson)$/.exec(name)?.[1];
  if (stem !== undefined && siblings.has(`${stem}.run.json`)) return false;
  return formatOfName(name) !== undefined;
}

async function inputsMatching(pattern: string): Promise<Found> {
  const { start, glob, depth } = globOf(pattern);
  const found: string[] = [];
  let skipped = 0;
  // Matches in one folder follow each other, so its names are kept until the next folder.
  let current = { folder: "", names: new Set<string>() };
  for await (const path of walk(start, depth)) {
    const named = start === "." ? path.replace(/^\.\//, "") : path;
    if (!matchesGlob(named, glob)) continue;
    const folder = dirname(path);
    if (folder !== current.folder) current = { folder, names: new Set(await namesIn(folder)) };
    if (isInput(basename(path), current.names)) found.push(named);
    else skipped++;
  }
  return { found, skipped };
}

/**
 * Splits a pattern into the folder to search, how many levels below it, and the pattern with `/`
 * between names.
 */
export function globOf(pattern: string, rules: PathRules = system) {
  const root = /^\\\\/.test(pattern) && rules.isAbsolute(pattern) ? "/" : "";
  const parts = pattern.split(rules.SEPARATOR_PATTERN);
  const fixed = parts.slice(0, parts.findIndex((part) => PATTERN.test(part)));
  const start = fixed.join("/") || (rules.isAbsolute(pattern) ? "/" : ".");
  return {
    start: `${root}${start}`,
    glob: `${root}${parts.join("/")}`.replace(/^\.\//, ""),
    depth: pattern.includes("**") ? Infinity : parts.length - fixed.length,
  };
}

async function* walk(folder: string, depth: number): AsyncGenerator<string> {
  if (depth < 1 || !(await hasKind(folder, "isDirectory"))) return;
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = folder === "/" ? `/${name}` : `${folder}/${name}`;
    if (!isDirectory) yield path;
    else if (!name.startsWith(".")) yield* walk(path, depth - 1);
  }
}

/** Paths such as `/dev/stdin`, which Deno opens only with all permissions. */
const DEVICE = /^\/(dev|proc)\//;
const READ_STDIN = "Name - to read standard input";

/**
 * Size and modification time of a file, to notice that it has changed.
 *
 * @throws {SourceError} when there is no such file, or when it cannot be read
 */
export async function stampOf(path: string): Promise<string> {
  return stamp(await infoOf(path));
}

/**
 * Whether the stamp of a file is still `before`. Synchronous, because it is called for each batch
 * of rows: it takes 3 µs.
 */
export function isUnchanged(path: string, before: string): boolean {
  try {
    return stamp(Deno.statSync(path)) === before;
  } catch {
    return false;
  }
}

export function stamp({ size, mtime }: Deno.FileInfo): string {
  return `${size}:${mtime?.getTime()}`;
}

/**
 * Checks that both passes can read a file.
 *
 * @throws {SourceError} when there is no such file, when it is a folder, or when it can be read
 * only once, like a pipe
 */
export async function checkReadableTwice(path: string): Promise<void> {
  const info = await infoOf(path);
  if (info.isFile) return;
  const problem = info.isDirectory
    ? `Cannot read "${path}": it is a folder without a .${
      INPUT_FORMATS.slice(0, -1).join(", .")
    } ` +
      `or .${INPUT_FORMATS.at(-1)} file`
    : `Cannot read "${path}": a run reads its input twice, and this is ${kindOf(info)}. ` +
      `${READ_STDIN}, which is copied for the second time`;
  throw new SourceError(problem, { path });
}

export async function infoOf(path: string): Promise<Deno.FileInfo> {
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

/**
 * Advice for a path without a file: the target of a broken link, the most similar name in its
 * folder, or else the folder that a relative path starts from.
 */
async function similarName(path: string): Promise<string> {
  const target = await Deno.readLink(path).catch(() => undefined);
  if (target !== undefined) return `: it is a link to "${target}"`;
  const name = basename(path);
  const where = system.isAbsolute(path) ? "" : ` in "${Deno.cwd()}"`;
  try {
    const names: string[] = [];
    for await (const entry of Deno.readDir(dirname(path))) names.push(entry.name);
    if (names.length === 0) return where;
    if (names.includes(name)) return ": its name is not UTF-8. Rename it";
    const nearest = closestString(name, names);
    const isNear = levenshteinDistance(name, nearest) <= Math.min(MAX_TYPOS, name.length / 3);
    return isNear ? `. Did you mean "${path.slice(0, -name.length)}${nearest}"?` : where;
  } catch {
    return where;
  }
}

const MAX_TYPOS = 3;

/**
 * Writes standard input to a new file that only its owner can read. Rejects when the signal is
 * aborted: a user at a terminal may never end the stream.
 */
export async function spool(
  stream: ReadableStream<Uint8Array>,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    // Not `Deno.writeFile(path, stream, { signal })`, which leaks what it creates for the signal.
    const file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
    await stream.pipeTo(file.writable, { signal });
  } catch (cause) {
    throw new SinkError(`Cannot write standard input to "${path}": ${systemReason(cause)}`, {
      path,
      cause,
    });
  }
}

/** The folder of an input; undefined for standard input. */
export function folderOf(input: string): string | undefined {
  if (input === "-") return undefined;
  return dirname(input);
}
