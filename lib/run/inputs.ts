/**
 * Finds the input files of a run, and expands folders and patterns.
 *
 * @module
 */

import { formatCount, formatCountOf } from "../figures.js";
import { SourceError } from "../errors.ts";
import { formatOfName, INPUT_EXTENSIONS, withoutCompression } from "../formats/mod.ts";
import { isFolder, realPathOf, statOf, type StdPath, systemReason } from "../files.ts";
import { matchesGlob } from "node:path";
import * as stdPath from "../deps/std_path.ts";

const { join } = stdPath;

export interface FoundInputs {
  /** Files of a folder or pattern are in natural order: `part-2` before `part-10`. */
  readonly files: string[];
  /** Messages about files that were left out. */
  readonly notes: string[];
}

/** A name with one of these characters is a pattern, unless a file has that name. */
export const PATTERN = /[*?{[]/;
const RETORT_FILE =
  /(_error|(_error)?\.(outdated|duplicates|rescued-\d+))\.jsonl$|\.(run|status)\.json(\.\w+)?$/;

/**
 * Expands folders and patterns to files. A folder stands for the files directly in it or, if there
 * are none, for those in its subfolder `data`. The pattern `**` includes subfolders. Leaves out and
 * counts hidden files (`.x`, `_x`), files of unknown formats, files that Retort wrote, and links to
 * other inputs. A folder or pattern without any other file is returned as it is.
 *
 * @param signal Aborts the search, which may take minutes for `**`.
 * @throws {SourceError} when a folder cannot be read
 */
export async function findInputs(
  inputs: readonly string[],
  signal?: AbortSignal,
): Promise<FoundInputs> {
  const files: string[] = [], notes: string[] = [];
  const namedLinks = new Set<string>();
  for (const input of inputs) {
    const isWholeFolder = await isFolder(input);
    if (!isWholeFolder && (!PATTERN.test(input) || (await statOf(input))?.isFile)) {
      files.push(input);
      // The shell may have expanded a pattern to links.
      if (isLink(input)) namedLinks.add(input);
      continue;
    }
    const { paths, links, skipped } = isWholeFolder
      ? await inputsOfFolder(input)
      : await inputsMatching(input, signal);
    // The run reports the missing files together with the problems of other inputs.
    if (paths.length === 0) files.push(input);
    const distinctPaths = withoutLinks(paths.length > 1 ? sortNaturally(paths) : paths, links);
    files.push(...distinctPaths);
    notes.push(...linksNote(`${input}: `, paths.length - distinctPaths.length));
    if (skipped > 0 && paths.length > 0) {
      notes.push(
        `${input}: ${formatCountOf(distinctPaths.length, "file")} read, ${
          formatCount(skipped)
        } left out ` +
          "(hidden, of other formats, or written by Retort)",
      );
    }
  }
  const namedFiles = [...new Set(files)], distinctFiles = withoutLinks(namedFiles, namedLinks);
  notes.push(...linksNote("", namedFiles.length - distinctFiles.length));
  return { files: [...distinctFiles], notes };
}

function linksNote(start: string, count: number): string[] {
  if (count === 0) return [];
  const others = count === 1 ? "another file" : "other files";
  return [`${start}${formatCountOf(count, "link")} to ${others} left out`];
}

function isLink(path: string): boolean {
  try {
    return Deno.lstatSync(path).isSymlink;
  } catch {
    // The run reports what cannot be read.
    return false;
  }
}

/** Leaves out links to other files of the list, whose rows would be paid for twice. */
function withoutLinks(
  paths: readonly string[],
  links: ReadonlySet<string>,
): readonly string[] {
  if (links.size === 0) return paths;
  const found = new Set(paths.filter((path) => !links.has(path)).map(realPathOf));
  return paths.filter((path) => {
    const realPath = realPathOf(path), isRepeated = links.has(path) && found.has(realPath);
    found.add(realPath);
    return !isRepeated;
  });
}

function sortNaturally(names: readonly string[]): string[] {
  // "en" gives the same order on every machine. The first collator of a process takes 20 ms.
  return names.toSorted(new Intl.Collator("en", { numeric: true }).compare);
}

interface FilteredFiles {
  readonly paths: string[];
  /** The paths that are links. */
  readonly links: ReadonlySet<string>;
  readonly skipped: number;
}

/** A Hugging Face dataset has its files in the subfolder `data`. */
async function inputsOfFolder(folder: string): Promise<FilteredFiles> {
  const direct = await inputsDirectlyIn(folder);
  const data = join(folder, "data");
  if (direct.paths.length > 0 || !(await isFolder(data))) return direct;
  const { paths, links, skipped } = await inputsDirectlyIn(data);
  return { paths, links, skipped: skipped + direct.skipped };
}

async function inputsDirectlyIn(folder: string): Promise<FilteredFiles> {
  const { files, links } = await readFolder(folder);
  const siblings = new Set(files);
  const names = files.filter((name) => isInput(name, siblings));
  return {
    paths: names.map((name) => join(folder, name)),
    links: new Set(names.filter((name) => links.has(name)).map((name) => join(folder, name))),
    skipped: files.length - names.length,
  };
}

async function readFolder(folder: string) {
  const files: string[] = [], links = new Set<string>(), subfolders: string[] = [];
  try {
    for await (const { name, isDirectory, isSymlink } of Deno.readDir(folder)) {
      (isDirectory ? subfolders : files).push(name);
      if (isSymlink) links.add(name);
    }
  } catch (cause) {
    const message = `Cannot read the folder "${folder}": ${systemReason(cause)}`;
    throw new SourceError(message, { path: folder, cause });
  }
  return { files, links, subfolders };
}

function isInput(name: string, siblings: ReadonlySet<string>): boolean {
  if (name.startsWith(".") || name.startsWith("_") || RETORT_FILE.test(name)) return false;
  const plain = withoutCompression(name);
  // Only a run file shows that a compressed `x_error.jsonl` is Retort's.
  const stem = plain.replace(RETORT_FILE, "").replace(/\.(jsonl|ndjson)$/, "");
  const isOutput = ["", ".gz", ".zst"].some((end) => siblings.has(`${stem}.run.json${end}`));
  // If the results are beside their compressed input, `x.jsonl.gz` is the input of `x.jsonl`.
  if (isOutput) return plain !== name && siblings.has(plain) && !RETORT_FILE.test(plain);
  return formatOfName(name) !== undefined;
}

/** Returns the files and folders that match a pattern, as POSIX shells do, in natural
 * order. Returns `[path]` if the path exists or nothing matches. */
export async function pathsMatching(path: string): Promise<string[]> {
  if (!PATTERN.test(path) || await statOf(path) !== undefined) return [path];
  const { start, glob, depth } = globOf(path);
  const paths: string[] = [];
  for await (const { folder, files, subfolders } of walk(start, depth)) {
    const names = [...files, ...subfolders].filter((name) => !name.startsWith("."));
    const found = names.map((name) => pathIn(folder, name));
    paths.push(...found.filter((one) => matchesGlob(one.normalize(), glob)));
  }
  return paths.length === 0 ? [path] : sortNaturally(paths);
}

async function inputsMatching(pattern: string, signal?: AbortSignal): Promise<FilteredFiles> {
  const { start, glob, depth } = globOf(pattern);
  const paths: string[] = [], links = new Set<string>();
  let skipped = 0;
  for await (const { folder, files, linkNames } of walk(start, depth, signal)) {
    const siblings = new Set(files);
    for (const name of files) {
      const path = pathIn(folder, name);
      if (!matchesGlob(path.normalize(), glob)) continue;
      if (!isInput(name, siblings)) skipped++;
      else {
        paths.push(path);
        if (linkNames.has(name)) links.add(path);
      }
    }
  }
  return { paths, links, skipped };
}

function pathIn(folder: string, name: string): string {
  return folder === "." ? name : folder.endsWith("/") ? `${folder}${name}` : `${folder}/${name}`;
}

/** Returns the folder to search, the depth of the search, and the pattern with `/` as separator.
 * The pattern is in NFC, because macOS may write a letter and its accent as two characters (NFD),
 * which keyboards do not type. */
export function globOf(pattern: string, rules: StdPath = stdPath) {
  // A network path (`\\server\share`) keeps both of its leading separators.
  const root = /^\\\\/.test(pattern) && rules.isAbsolute(pattern) ? "/" : "";
  const parts = pattern.split(rules.SEPARATOR_PATTERN).filter((part) => part !== ".");
  const fixedParts = parts.slice(0, parts.findIndex((part) => PATTERN.test(part)));
  const start = fixedParts.join("/");
  // `C:` alone would be the current folder of that drive.
  const isRoot = fixedParts.length === 1 && rules.isAbsolute(pattern);
  return {
    start: isRoot ? `${start}/` : `${root}${start}` || ".",
    glob: `${root}${parts.join("/")}`.normalize(),
    depth: pattern.includes("**") ? Infinity : parts.length - fixedParts.length,
  };
}

async function* walk(
  folder: string,
  depth: number,
  signal?: AbortSignal,
): AsyncGenerator<
  { folder: string; files: string[]; subfolders: string[]; linkNames: ReadonlySet<string> }
> {
  signal?.throwIfAborted();
  if (depth < 1 || !(await isFolder(folder))) return;
  const { files, links, subfolders } = await readFolder(folder);
  yield { folder, files, subfolders, linkNames: links };
  for (const name of subfolders) {
    if (!name.startsWith(".")) yield* walk(pathIn(folder, name), depth - 1, signal);
  }
}

/** Returns the input files of a run, from its run file. `folder` is the working folder of the run,
 * by default the current one. */
export async function inputFilesOf(
  { input, inputs, identity, folder }: {
    readonly input: string;
    readonly inputs?: readonly string[];
    readonly identity?: { readonly shards?: number | null };
    readonly folder?: string;
  },
): Promise<readonly string[]> {
  const pathOf = (name: string) => folder === undefined ? name : stdPath.resolve(folder, name);
  if (inputs !== undefined) {
    const paths = inputs.map(pathOf);
    // The run file of a shard may name folders and patterns.
    const isShard = (identity?.shards ?? null) !== null;
    return isShard ? (await findInputs(paths)).files : paths;
  }
  if (input === "-" || (await statOf(pathOf(input)))?.isFile) return [pathOf(input)];
  // An earlier version joined the names of several files with commas.
  return (await findInputs(input.split(", ").map(pathOf))).files;
}

/** Matches the extensions of an input, which the name of its output does not contain. */
const INPUT_ENDING = new RegExp(`(\\.(${INPUT_EXTENSIONS.join("|")}))?(\\.(gz|zst))?$`);

/** Returns the name of an input without folder and extensions: `x` for `in/x.jsonl.gz`, `stdin` for
 * `-`. */
export function nameOf(input: string, rules: Pick<StdPath, "basename"> = stdPath): string {
  return input === "-" ? "stdin" : rules.basename(input).replace(INPUT_ENDING, "");
}
