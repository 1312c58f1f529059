/**
 * Opens the results and failures files in the user's paths: decompresses compressed ones into
 * temporary copies.
 *
 * @module
 */

import { SinkError, SourceError, UsageError } from "../errors.ts";
import { systemReason } from "../files.ts";
import { holdsCompressed, openBytes } from "../formats/mod.ts";
import type { IndexedPath } from "./data_index.ts";
import { findDataFiles } from "./find_files.ts";

/** Files that are ready to be read. Disposing them removes the decompressed copies. */
export interface OpenFiles extends AsyncDisposable {
  readonly files: readonly IndexedPath[];
  /** A sentence about each file, or group of shards, that was left out. */
  readonly notes: readonly string[];
}

/**
 * Finds the files in paths, and decompresses compressed ones.
 *
 * @throws {UsageError} If a path does not exist, cannot be read, is a pipe or has another format, or
 * a compressed file is damaged.
 * @throws {SinkError} If a copy cannot be written.
 */
export async function openFiles(
  paths: readonly string[],
  signal?: AbortSignal,
): Promise<OpenFiles> {
  const { runs, notes } = await findDataFiles(paths);
  return { ...await unpackFiles(runs, signal), notes };
}

/** Decompresses compressed files, given by path with their `IndexedPath.run`. Throws what
 * `openFiles` throws. */
export async function unpackFiles(
  runs: ReadonlyMap<string, number>,
  signal?: AbortSignal,
): Promise<Omit<OpenFiles, "notes">> {
  await using cleanup = new AsyncDisposableStack();
  const files: IndexedPath[] = [];
  let folder: string | undefined;
  for (const [path, run] of runs) {
    // Unreadable files are passed on, because the index reports them.
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
      const variable = Deno.build.os === "windows" ? "TEMP" : "TMPDIR";
      const problem = `Cannot decompress "${path}" to "${readPath}": ${systemReason(cause)}`;
      const advice = `To use a folder with more space, set ${variable}`;
      throw new SinkError(`${problem}. ${advice}`, { path, cause });
    }
    files.push({ path, readPath, run });
  }
  const copies = cleanup.move();
  return { files, [Symbol.asyncDispose]: () => copies.disposeAsync() };
}

/** Copies each chunk, because `openBytes` may reuse its memory while it is still being written. */
async function* copyChunks(
  chunks: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    signal?.throwIfAborted();
    yield chunk.slice();
  }
}
