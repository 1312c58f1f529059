/**
 * Opens the paths that the user names: finds their files, and decompresses compressed ones into
 * temporary copies.
 *
 * @module
 */

import { SinkError, SourceError, UsageError } from "../errors.ts";
import { kindOf, systemReason } from "../files.ts";
import { holdsCompressed, openBytes } from "../formats/mod.ts";
import type { IndexedPath } from "./data_index.ts";
import { inFolder } from "../paths.ts";

/** Files to be indexed. Disposing removes the decompressed copies. */
export interface OpenFiles extends AsyncDisposable {
  readonly files: readonly IndexedPath[];
}

/**
 * @throws {UsageError} If a path does not exist, or a compressed file is damaged.
 *
 * @throws {SinkError} If a copy cannot be written, as without space.
 */
export async function openFiles(
  paths: readonly string[],
  signal?: AbortSignal,
): Promise<OpenFiles> {
  return await unpackFiles(await findDataFiles(paths), signal);
}

/**
 * Decompresses compressed files into temporary copies. Throws as `openFiles` does.
 *
 * @param runs The `IndexedPath.run` of each file, by its path.
 */
export async function unpackFiles(
  runs: ReadonlyMap<string, number>,
  signal?: AbortSignal,
): Promise<OpenFiles> {
  await using cleanup = new AsyncDisposableStack();
  const files: IndexedPath[] = [];
  let folder: string | undefined;
  for (const [path, run] of runs) {
    // The index reports files that cannot be read. A file that a run has just created is empty.
    if (!await holdsCompressed(path).catch(() => false)) {
      files.push({ path, run });
      continue;
    }
    if (folder === undefined) {
      const created = folder = await Deno.makeTempDir({ prefix: "retort-view-" });
      cleanup.defer(() => Deno.remove(created, { recursive: true }));
    }
    const readPath = `${folder}/${files.length}.jsonl`;
    try {
      const chunks = copyChunks(openBytes(path, path), signal);
      await Deno.writeFile(readPath, ReadableStream.from(chunks));
    } catch (cause) {
      signal?.throwIfAborted();
      if (cause instanceof SourceError) throw new UsageError(cause.message, { cause });
      const reason = `${systemReason(cause)}. To use a folder with more space, set TMPDIR`;
      throw new SinkError(`Cannot decompress "${path}" to "${readPath}": ${reason}`, {
        path,
        cause,
      });
    }
    files.push({ path, readPath, run });
  }
  const copies = cleanup.move();
  return { files, [Symbol.asyncDispose]: () => copies.disposeAsync() };
}

/** Copies chunks, because their memory is reused while they are still being written. */
async function* copyChunks(
  chunks: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    signal?.throwIfAborted();
    yield chunk.slice();
  }
}

const DATA_NAME = /\.(?:jsonl|ndjson)(?:\.gz|\.zstd?)?$/;
/** Files that runs and merges write beside results and failures, with lines that do not count. */
const COMPANION = /(?:\.outdated|\.duplicates|\.rescued-\d+|\.batches)\.jsonl$/;
const MAX_DEPTH = 4;

/**
 * Returns the files of paths, each with the index of its path. A path is a file, to which its
 * failures file is added, or a folder, in which files are found by name.
 *
 * @throws {UsageError} If a path does not exist, or is a pipe.
 */
export async function findDataFiles(paths: readonly string[]): Promise<Map<string, number>> {
  const runs = new Map<string, number>();
  for (const [index, path] of paths.entries()) {
    const files = new Set<string>();
    const info = await statOf(path);
    if (info === undefined) {
      throw new UsageError(`Cannot open "${path}": there is no such file or folder`);
    }
    if (isPipe(info)) {
      throw new UsageError(
        `Cannot open "${path}": it is ${kindOf(info)}, which cannot be read again. ` +
          "Write its content to a file first",
      );
    }
    if (info.isDirectory) await addFolder(path, files, 0);
    else {
      files.add(path);
      const failures = failuresOf(path);
      if (failures !== undefined && (await statOf(failures))?.isFile) files.add(failures);
    }
    for (const file of files) if (!runs.has(file)) runs.set(file, index);
  }
  return runs;
}

function failuresOf(path: string): string | undefined {
  const [, stem, ending] = /^(.*?)(\.(?:jsonl|ndjson)(?:\.gz|\.zstd?)?)$/s.exec(path) ?? [];
  return stem === undefined || stem.endsWith("_error") ? undefined : `${stem}_error${ending}`;
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
      if (!isPipe(await statOf(path).catch(() => undefined))) files.add(path);
    }
  }
}

/** A pipe or device may block until another process opens it. */
function isPipe(info: Deno.FileInfo | undefined): boolean {
  return info !== undefined && !info.isFile && !info.isDirectory;
}

async function statOf(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw new UsageError(`Cannot open "${path}": ${systemReason(cause)}`, { cause });
  }
}
