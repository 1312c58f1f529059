/**
 * Files that are either the old version or the new one, whatever happens while they are replaced.
 *
 * @module
 */

import { SinkError } from "../errors.ts";
import { systemReason } from "../system_error.ts";

/**
 * Puts `text` in place of what the file holds, so that after a crash it is one or the other whole.
 *
 * @throws {SinkError} when it cannot be written; the old version then stands
 */
export async function writeFileDurably(path: string, text: string): Promise<void> {
  await using replacement = await Replacement.open(path);
  await replacement.write(new TextEncoder().encode(text));
  await replacement.commit();
}

/** The next version of a file, written beside it. It goes away unless it is committed. */
export class Replacement implements AsyncDisposable {
  readonly #path: string;
  readonly #temporaryPath: string;
  readonly #file: Deno.FsFile;
  #isOpen = true;
  #isCommitted = false;

  private constructor(path: string, temporaryPath: string, file: Deno.FsFile) {
    this.#path = path;
    this.#temporaryPath = temporaryPath;
    this.#file = file;
  }

  /** Starts an empty version. What a crash left of an earlier one is overwritten. */
  static async open(path: string): Promise<Replacement> {
    const temporaryPath = `${path}.tmp`;
    try {
      const file = await Deno.open(temporaryPath, { write: true, create: true, truncate: true });
      return new Replacement(path, temporaryPath, file);
    } catch (cause) {
      throw cannotWrite(temporaryPath, cause);
    }
  }

  /** Adds bytes. */
  async write(bytes: Uint8Array): Promise<void> {
    try {
      await writeAll(this.#file, bytes);
    } catch (cause) {
      throw cannotWrite(this.#temporaryPath, cause);
    }
  }

  /** Puts this version in the place of the file. */
  async commit(): Promise<void> {
    try {
      await this.#file.sync();
      this.#close();
      await Deno.rename(this.#temporaryPath, this.#path);
      this.#isCommitted = true;
      await syncFolderOf(this.#path);
    } catch (cause) {
      throw cannotWrite(this.#path, cause);
    }
  }

  /** Throws this version away unless it was committed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
    if (this.#isCommitted) return;
    // It is the error that led here which matters, not what is left lying about.
    await Deno.remove(this.#temporaryPath).catch(() => {});
  }

  #close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#file.close();
  }
}

/** Writes all of `bytes`, however few of them the disk takes at once. */
export async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  let written = 0;
  while (written < bytes.length) written += await file.write(bytes.subarray(written));
}

/**
 * Makes names in the folder of `path` survive a power cut: a new file's bytes may be safe while its
 * name is not yet.
 */
export async function syncFolderOf(path: string): Promise<void> {
  if (Deno.build.os === "windows") return; // A folder cannot be opened there.
  try {
    using folder = await Deno.open(folderOf(path), { read: true });
    await folder.sync();
  } catch (error) {
    // Some network filesystems cannot sync a folder, and a drop box cannot be opened for reading.
    const { code } = error as { code?: string };
    if (!["EINVAL", "ENOTSUP", "EOPNOTSUPP", "EACCES"].includes(code ?? "")) throw error;
  }
}

/** The error for a file that cannot be written. */
export function cannotWrite(path: string, cause: unknown): SinkError {
  return new SinkError(`Cannot write "${path}": ${systemReason(cause)}`, { path, cause });
}

function folderOf(path: string): string {
  const slash = path.lastIndexOf("/");
  if (slash === -1) return ".";
  return slash === 0 ? "/" : path.slice(0, slash);
}
