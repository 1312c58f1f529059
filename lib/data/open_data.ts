/**
 * Opens the paths that the user names: finds their files, decompresses them where needed, and loads
 * their index.
 *
 * @module
 */

import { createReadStream, createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { UsageError } from "../errors.ts";
import { DataIndex, type IndexedPath } from "./data_index.ts";
import { findDataFiles } from "./find_files.ts";

/** Files that can be indexed, and their decompressed copies, which disposing removes. */
export interface OpenFiles extends AsyncDisposable {
  readonly files: readonly IndexedPath[];
}

/**
 * Finds the files of some paths.
 *
 * @throws {UsageError} where a path does not exist, or a compressed file is damaged
 */
export async function openFiles(paths: readonly string[]): Promise<OpenFiles> {
  return await unpackFiles(await findDataFiles(paths));
}

/** Decompresses those files that are compressed. @throws {UsageError} where one is damaged */
export async function unpackFiles(found: ReadonlyMap<string, number>): Promise<OpenFiles> {
  await using made = new AsyncDisposableStack();
  const files: IndexedPath[] = [];
  let folder: string | undefined;
  for (const [path, run] of found) {
    const unpack = await unpackerOf(path);
    if (unpack === undefined) {
      files.push({ path, run });
      continue;
    }
    if (folder === undefined) {
      const copies = folder = await Deno.makeTempDir({ prefix: "retort-view-" });
      made.defer(() => Deno.remove(copies, { recursive: true }));
    }
    const readPath = `${folder}/${files.length}.jsonl`;
    try {
      await pipeline(createReadStream(path), unpack(), createWriteStream(readPath));
    } catch (cause) {
      const reason = (cause as Error).message;
      throw new UsageError(`Cannot decompress "${path}": its data is damaged (${reason})`, {
        cause,
      });
    }
    files.push({ path, readPath, run });
  }
  const rest = made.move();
  return { files, [Symbol.asyncDispose]: () => rest.disposeAsync() };
}

/** Opens an index over files, with what an earlier process has saved. */
export function openIndex(files: readonly IndexedPath[], isKept = true): DataIndex {
  // The copy of a compressed file is a new file each time.
  const canBeKept = isKept && files.length > 0 &&
    files.every(({ readPath }) => readPath === undefined);
  const path = canBeKept ? DataIndex.pathFor(files.map(({ path }) => path)) : undefined;
  const index = new DataIndex(files, path);
  index.load();
  index.refresh();
  return index;
}

/** RFC 1952, 2.3.1 and RFC 8878, 3.1.1. */
async function unpackerOf(path: string) {
  const start = new Uint8Array(4);
  try {
    using file = await Deno.open(path);
    await file.read(start);
  } catch {
    // The index reports what is wrong with it.
    return undefined;
  }
  if (start[0] === 0x1f && start[1] === 0x8b) return createGunzip;
  return start.toHex() === "28b52ffd" ? createZstdDecompress : undefined;
}
