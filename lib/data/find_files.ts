/**
 * Finds the results and failures files in the user's paths, each file once.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { formatCountOf } from "../figures.js";
import {
  inFolder,
  kindOf,
  parseShardStem,
  readTextOf,
  realPathOf,
  RESULTS_EXTENSION,
  statOf,
  stemOf,
  systemReason,
} from "../files.ts";
import {
  firstText,
  formatOf,
  formatOfName,
  type InputFormat,
  startOf,
  withoutCompression,
} from "../formats/mod.ts";
import { isObject } from "../json.ts";

/** Matches files of runs and merges that are neither results nor failures. */
const COMPANION = /(?:\.outdated|\.duplicates|\.rescued-\d+|\.batches)\.jsonl$/;
const MAX_DEPTH = 4;

/**
 * Finds results and failures files: in folders by their names, and for a named results file also
 * its failures file. A file with several paths is found once. If a folder has both a file and its
 * compressed copy, or both shards and their merge, one of the two is left out.
 *
 * @param isIndexed Whether a file is in the index, and so must not be left out. @default no file is
 * @returns The files, each with the index of its path, and a note about each file left out.
 * @throws {UsageError} If a path does not exist, cannot be read, is a pipe or has another format.
 */
export async function findDataFiles(
  paths: readonly string[],
  isIndexed: (path: string) => boolean = () => false,
): Promise<{ runs: Map<string, number>; notes: string[] }> {
  const runs = new Map<string, number>(), pathsOf = new Map<string, string>();
  const notes: string[] = [];
  for (const [index, path] of paths.entries()) {
    const files = new Set<string>();
    const info = await infoOf(path);
    if (isPipe(info)) {
      const problem = `it is ${kindOf(info)}, which cannot be read again`;
      throw new UsageError(`Cannot open "${path}": ${problem}. Write its content to a file first`);
    }
    if (info.isDirectory) {
      await addFolder(path, files, 0);
      notes.push(...leaveOutCopies(files, isIndexed), ...await leaveOutMerged(files, isIndexed));
    } else {
      await requireJsonLines(path);
      files.add(path);
      const failures = failuresOf(path);
      if (failures !== undefined && (await statOf(failures))?.isFile) files.add(failures);
    }
    for (const file of files) {
      if (runs.has(file)) continue;
      const realPath = realPathOf(file), earlierPath = pathsOf.get(realPath);
      if (earlierPath !== undefined) {
        notes.push(`"${file}" is left out: it is the same file as "${earlierPath}"`);
        continue;
      }
      pathsOf.set(realPath, file);
      runs.set(file, index);
    }
  }
  return { runs, notes };
}

/**
 * Returns the failures file of a results file, even if it does not exist; undefined for other
 * files.
 */
export function failuresOf(path: string): string | undefined {
  const plain = withoutCompression(path);
  const stem = stemOf(plain);
  if (stem === plain || stem.endsWith("_error")) return undefined;
  // The failures of `x.ndjson` are in `x_error.jsonl`.
  return `${stem}_error.jsonl${path.slice(plain.length)}`;
}

const OTHER_FORMATS: Readonly<Partial<Record<InputFormat, string>>> = {
  json: "a JSON array",
  csv: "a CSV file",
  tsv: "a TSV file",
  parquet: "a Parquet file",
};

/**
 * Refuses results in formats other than JSON Lines, because few of their lines would be rows. Does
 * nothing if the file cannot be read, or is not a regular file.
 *
 * @throws {UsageError} If the file has another format.
 */
export async function requireJsonLines(path: string): Promise<void> {
  if (!(await statOf(path))?.isFile) return;
  const format = await formatIn(path).catch(() => undefined);
  const what = format && OTHER_FORMATS[format];
  if (what === undefined) return;
  throw new UsageError(
    `Cannot open "${path}": it is ${what}, and results are read from JSON Lines. "convert" writes ` +
      "it as JSON Lines",
  );
}

const OPEN_BRACE = 123;

/**
 * Returns the format of the content, because JSON Lines may be in a file of any name. Only CSV and
 * TSV are recognized by their extensions.
 */
async function formatIn(path: string): Promise<InputFormat> {
  // The first byte is enough for most results files, and there may be thousands of them.
  const [first] = await startOf(path, path);
  if (first === OPEN_BRACE) return "jsonl";
  const format = await formatOf(path, ""), named = formatOfName(path);
  if (format !== "jsonl" || (named !== "csv" && named !== "tsv")) return format;
  // JSON Lines may be compressed, or begin with a byte order mark or an empty line.
  return (await firstText(path, path)).trimStart().startsWith("{") ? format : named;
}

async function addFolder(folder: string, files: Set<string>, depth: number): Promise<void> {
  const entries: Deno.DirEntry[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) entries.push(entry);
  } catch (cause) {
    throw new UsageError(`Cannot open "${folder}": ${systemReason(cause)}`, { cause });
  }
  // Failures files come after their results files, and links after the files that they may lead to.
  const stem = ({ name }: Deno.DirEntry) => name.replace(/(_error)?\..*$/s, "");
  entries.sort((a, b) =>
    Number(a.isSymlink) - Number(b.isSymlink) ||
    stem(a).localeCompare(stem(b), "en", { numeric: true }) || a.name.length - b.name.length
  );
  for (const { name, isDirectory } of entries) {
    if (name.startsWith(".")) continue;
    if (isDirectory) {
      if (depth < MAX_DEPTH) await addFolder(inFolder(folder, name), files, depth + 1);
    } else if (isDataName(withoutCompression(name))) {
      const path = inFolder(folder, name);
      // A file that cannot be read is added, because the index reports the reason.
      if (!isPipe(await statOf(path))) files.add(path);
    }
  }
}

function isDataName(name: string): boolean {
  return RESULTS_EXTENSION.test(name) && !COMPANION.test(name);
}

/** Whether a file is a pipe or device, which may block until another process opens it. */
function isPipe(info: Deno.FileInfo | undefined): boolean {
  return info !== undefined && !info.isFile && !info.isDirectory;
}

async function infoOf(path: string): Promise<Deno.FileInfo> {
  try {
    return await Deno.stat(path);
  } catch (cause) {
    const isMissing = cause instanceof Deno.errors.NotFound;
    const reason = isMissing ? "there is no such file or folder" : systemReason(cause);
    throw new UsageError(`Cannot open "${path}": ${reason}`, { cause });
  }
}

/** Removes copies, which `gzip -k` and `zstd` leave next to a file. Returns a note about each. */
function leaveOutCopies(files: Set<string>, isIndexed: (path: string) => boolean): string[] {
  return [...files].flatMap((path) => {
    const plain = withoutCompression(path);
    if (plain === path || !files.has(plain)) return [];
    const [kept, copy] = isIndexed(path) ? [path, plain] : [plain, path];
    files.delete(copy);
    return [`"${copy}" is left out: it has the rows of "${kept}"`];
  });
}

/** Results and failures files of shards with the same stem and number of shards. */
type Division = readonly { readonly path: string; readonly count: number }[];

/**
 * Removes shards if `files` also has their merge, so that no row is read twice. The merge of
 * `out/x-00000-of-00002.jsonl` is `out/x.jsonl` or, from `submit`, `out/merged/x.jsonl`. Removes
 * the merge instead if one of its shards is already indexed, or if all shards are in `files` and
 * one is newer. Returns a note about what was removed, for each merge.
 */
async function leaveOutMerged(
  files: Set<string>,
  isIndexed: (path: string) => boolean,
): Promise<string[]> {
  const notes: string[] = [], divisions = divisionsIn(files);
  for (const merge of [...files]) {
    const mergeStem = plainStem(merge);
    if (mergeStem === merge || shardOf(merge) !== undefined) continue;
    const mergedDivisions = stemsOfShards(withSlashes(mergeStem))
      .flatMap((stem) => divisions.get(stem) ?? [])
      .filter((division) => division.every(({ path }) => files.has(path)));
    if (mergedDivisions.length === 0 || !await isMerge(mergeStem)) continue;
    for (const division of mergedDivisions) {
      const shards = division.map(({ path }) => path);
      const leavesOutMerge = shards.some(isIndexed) ||
        (!isIndexed(merge) && await hasNewerResults(division, merge));
      const mergeFiles = [...files].filter((path) =>
        plainStem(path).replace(FAILURES, "") === mergeStem
      );
      for (const path of leavesOutMerge ? mergeFiles : shards) files.delete(path);
      notes.push(noteOf(merge, shards, leavesOutMerge));
      if (leavesOutMerge) break;
    }
  }
  return notes;
}

function noteOf(merge: string, shards: readonly string[], leavesOutMerge: boolean): string {
  const names = shards.length === 1
    ? `"${shards[0]}"`
    : `"${shards[0]}" and ${formatCountOf(shards.length - 1, "other file")} of shards`;
  return leavesOutMerge
    ? `"${merge}" is left out: it is an older merge of ${names}`
    : `${names} ${shards.length === 1 ? "is" : "are"} left out: "${merge}" is their merge`;
}

/** Groups shards by their common stem, such as `out/x`, and by the number of shards. */
function divisionsIn(files: Iterable<string>): Map<string, Division[]> {
  const shards = [...files].flatMap((path) => {
    const shard = shardOf(path);
    return shard === undefined ? [] : [{ path, ...shard }];
  });
  return new Map(
    Map.groupBy(shards, ({ stem }) => stem).entries().map(([stem, sameStem]) =>
      [stem, Map.groupBy(sameStem, ({ count }) => count).values().toArray()] as const
    ),
  );
}

const FAILURES = /_error$/;

/** Returns the shard that a results or failures file belongs to; undefined for other files. */
function shardOf(path: string): ReturnType<typeof parseShardStem> {
  return parseShardStem(withSlashes(plainStem(path)).replace(FAILURES, ""));
}

/** Returns `out/x` for `out/x.jsonl.gz`. */
function plainStem(path: string): string {
  return stemOf(withoutCompression(path));
}

/**
 * Returns the stems that the shards of a merge may have: the stem of the merge, and the same stem
 * without one of its folders, such as `out/sub/x` for `out/merged/sub/x`.
 */
function stemsOfShards(stem: string): string[] {
  const folders = stem.split("/");
  const name = folders.pop()!;
  const withoutOneFolder = folders.map((_, index) =>
    [...folders.slice(0, index), ...folders.slice(index + 1), name].join("/")
  );
  return [stem, ...withoutOneFolder];
}

function withSlashes(path: string): string {
  return path.replaceAll("\\", "/");
}

async function isMerge(stem: string): Promise<boolean> {
  try {
    const run = JSON.parse(await readTextOf(`${stem}.run.json`));
    return isObject(run) && run.merged !== undefined;
  } catch {
    return false;
  }
}

/** Whether the division is complete, and one of its files is newer than the merge. */
async function hasNewerResults(division: Division, merge: string): Promise<boolean> {
  const results = division.filter(({ path }) => !FAILURES.test(plainStem(path)));
  if (results.length < division[0].count) return false;
  const modifiedMs = async (path: string) => (await statOf(path))?.mtime?.getTime() ?? 0;
  const mergedMs = await modifiedMs(merge);
  for (const { path } of division) if (await modifiedMs(path) > mergedMs) return true;
  return false;
}
