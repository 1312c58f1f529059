/**
 * The input files of a run, where users name folders and patterns in place of files.
 *
 * @module
 */

import { basename, dirname, join, matchesGlob } from "node:path";
import { SourceError } from "../errors.ts";
import { formatOfName } from "../formats/mod.ts";
import { systemReason } from "../system_error.ts";

/** The files of a run. */
export interface FoundInputs {
  /** The files, those of a folder or pattern in natural order (`part-2` before `part-10`). */
  readonly files: string[];
  /** What was left out, in sentences. */
  readonly notes: string[];
}

/** What makes a name a pattern. */
export const PATTERN = /[*?{[]/;
const COMPANION = /(_error|\.outdated|\.duplicates|\.rescued-\d+)\.jsonl$|\.(run|status)\.json$/;

/**
 * Puts files in place of folders and patterns. A folder gives the files directly in it that can be read;
 * hidden files, other files and what Retort has written are left out and counted. `**` goes into folders
 * below.
 * A folder or pattern without any stays as it is.
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
    const { found, skipped } = isFolder ? await inFolder(input) : await matching(input);
    // What is wrong with it is told with what is wrong with the others.
    if (found.length === 0) files.push(input);
    files.push(...found.toSorted(naturally));
    if (skipped > 0 && found.length > 0) {
      notes.push(
        `${input}: ${found.length} files are read; ${skipped} hidden, other or own files are left out`,
      );
    }
  }
  return { files: [...new Set(files)], notes };
}

/** A comparison in which `part-2` comes before `part-10`, in any language of the machine. */
const { compare: naturally } = new Intl.Collator("en", { numeric: true });

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

async function inFolder(folder: string): Promise<Found> {
  const names = await namesIn(folder);
  const known = new Set(names);
  const found = names.filter((name) => isInput(name, known));
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

/** Whether a file of a folder is one to read; results are known by the run file beside them. */
function isInput(name: string, siblings: ReadonlySet<string>): boolean {
  if (name.startsWith(".") || name.startsWith("_") || COMPANION.test(name)) return false;
  const stem = /^(.*)\.(jsonl|ndjson)$/.exec(name)?.[1];
  if (stem !== undefined && siblings.has(`${stem}.run.json`)) return false;
  return formatOfName(name) !== undefined;
}

async function matching(pattern: string): Promise<Found> {
  const parts = pattern.split("/");
  const fixed = parts.slice(0, parts.findIndex((part) => PATTERN.test(part))).join("/");
  const start = fixed === "" ? (pattern.startsWith("/") ? "/" : ".") : fixed;
  const isDeep = pattern.includes("**");
  const depth = isDeep ? Infinity : parts.length - (fixed === "" ? 0 : fixed.split("/").length);
  const found: string[] = [];
  let skipped = 0;
  // Matches of one folder come one after the other.
  let near = { folder: "", names: new Set<string>() };
  for await (const path of walk(start, depth)) {
    const named = start === "." ? path.replace(/^\.\//, "") : path;
    if (!matchesGlob(named, pattern.replace(/^\.\//, ""))) continue;
    const folder = dirname(path);
    if (folder !== near.folder) near = { folder, names: new Set(await namesIn(folder)) };
    if (isInput(basename(path), near.names)) found.push(named);
    else skipped++;
  }
  return { found, skipped };
}

async function* walk(folder: string, depth: number): AsyncGenerator<string> {
  if (depth < 1 || !(await hasKind(folder, "isDirectory"))) return;
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = folder === "/" ? `/${name}` : `${folder}/${name}`;
    if (!isDirectory) yield path;
    else if (!name.startsWith(".")) yield* walk(path, depth - 1);
  }
}
