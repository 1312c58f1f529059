/**
 * Finds the results and failures files of the paths that the user names.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { kindOf, systemReason } from "../files.ts";
import { inFolder } from "../paths.ts";
import { leaveOutMerged } from "./merged_parts.ts";

const DATA_NAME = /\.(?:jsonl|ndjson)(?:\.gz|\.zstd?)?$/;
/** Files that runs and merges write beside results and failures, with lines that do not count. */
const COMPANION = /(?:\.outdated|\.duplicates|\.rescued-\d+|\.batches)\.jsonl$/;
const MAX_DEPTH = 4;

/**
 * Returns the files of paths, each with the index of its path. A path is a file, to which its
 * failures file is added, or a folder, in which files are found by name, without shards whose merge
 * is there too.
 *
 * @param isIndexed Whether a file is read already, and must therefore stay. @default none is
 * @throws {UsageError} If a path does not exist, or is a pipe.
 */
export async function findDataFiles(
  paths: readonly string[],
  isIndexed: (path: string) => boolean = () => false,
): Promise<{ runs: Map<string, number>; notes: string[] }> {
  const runs = new Map<string, number>();
  const notes: string[] = [];
  for (const [index, path] of paths.entries()) {
    const files = new Set<string>();
    const info = await infoOf(path);
    if (info === undefined) {
      throw new UsageError(`Cannot open "${path}": there is no such file or folder`);
    }
    if (isPipe(info)) {
      throw new UsageError(
        `Cannot open "${path}": it is ${kindOf(info)}, which cannot be read again. ` +
          "Write its content to a file first",
      );
    }
    if (info.isDirectory) {
      await addFolder(path, files, 0);
      notes.push(...await leaveOutMerged(files, isIndexed));
    } else {
      files.add(path);
      const failures = failuresOf(path);
      if (failures !== undefined && (await infoOf(failures))?.isFile) files.add(failures);
    }
    for (const file of files) if (!runs.has(file)) runs.set(file, index);
  }
  return { runs, notes };
}

/** The failures file of a results file, whether or not it exists; undefined for other files. */
export function failuresOf(path: string): string | undefined {
  const [, stem, ending] = /^(.*?)(\.(?:jsonl|ndjson)(?:\.gz|\.zstd?)?)$/s.exec(path) ?? [];
  if (stem === undefined || stem.endsWith("_error")) return undefined;
  // A run into `x.ndjson` names its other files as one into `x.jsonl` does.
  return `${stem}_error${ending.replace("ndjson", "jsonl")}`;
}

async function addFolder(folder: string, files: Set<string>, depth: number): Promise<void> {
  const entries: Deno.DirEntry[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) entries.push(entry);
  } catch (cause) {
    throw new UsageError(`Cannot open "${folder}": ${systemReason(cause)}`, { cause });
  }
  // Sorts each failures file after its results file.
  const stem = ({ name }: Deno.DirEntry) => name.replace(/(_error)?\..*$/s, "");
  entries.sort((a, b) =>
    stem(a).localeCompare(stem(b), "en", { numeric: true }) || a.name.length - b.name.length
  );
  for (const { name, isDirectory } of entries) {
    if (name.startsWith(".")) continue;
    if (isDirectory) {
      if (depth < MAX_DEPTH) await addFolder(inFolder(folder, name), files, depth + 1);
    } else if (DATA_NAME.test(name) && !COMPANION.test(name)) {
      const path = inFolder(folder, name);
      // A file whose type cannot be read is added: the index reports why it is unreadable.
      if (!isPipe(await infoOf(path).catch(() => undefined))) files.add(path);
    }
  }
}

/** A pipe or device may block until another process opens it. */
function isPipe(info: Deno.FileInfo | undefined): boolean {
  return info !== undefined && !info.isFile && !info.isDirectory;
}

async function infoOf(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw new UsageError(`Cannot open "${path}": ${systemReason(cause)}`, { cause });
  }
}
