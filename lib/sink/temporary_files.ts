/**
 * Temporary files that other processes recognise: one that is in use is locked, and those of killed
 * processes are removed.
 *
 * @module
 */

import { ifThere } from "../files.ts";
import { inFolder } from "../paths.ts";

/** 64 random bits as 16 hex digits. */
export function randomToken(): string {
  return crypto.getRandomValues(new Uint8Array(8)).toHex();
}

interface TemporaryOptions {
  /** The unique part of the name. @default 64 random bits */
  readonly token?: string;
  /** The file mode. @default 0o666 */
  readonly mode?: number;
}

/** An open temporary file. It is locked, so that `removeLeftovers` of other processes leaves it
 * alone. */
export interface TemporaryFile {
  readonly path: string;
  readonly file: Deno.FsFile;
}

/** Creates a temporary file and locks it, unless the filesystem has no locks. If the name is taken
 * away by a cleanup, tries another token. */
export async function createTemporary(
  pathOf: (token: string) => string,
  { token = randomToken(), mode }: TemporaryOptions = {},
): Promise<TemporaryFile> {
  while (true) {
    const path = pathOf(token);
    const file = await Deno.open(path, { write: true, createNew: true, mode });
    try {
      // Before the lock was taken, another process may have removed the file as a leftover.
      if (await isLocked(file) && await ifThere(Deno.lstat(path)) !== undefined) {
        return { path, file };
      }
    } catch (error) {
      file.close();
      throw error;
    }
    file.close();
    token = randomToken();
  }
}

async function isLocked(file: Deno.FsFile): Promise<boolean> {
  try {
    return await file.tryLock(true);
  } catch {
    return true; // The filesystem has no locks.
  }
}

/**
 * Removes temporary files of killed processes: those that match and are not locked. Removes none
 * where the filesystem has no locks.
 *
 * @param pattern Matches the file name; its first group captures the token.
 * @param remove Called for each file while it is locked. @default `Deno.remove`
 */
export async function removeLeftovers(
  folder: string,
  pattern: RegExp,
  remove: (path: string, token: string) => Promise<void> = (path) => Deno.remove(path),
): Promise<void> {
  const entries = await Array.fromAsync(Deno.readDir(folder)).catch(() => []);
  for (const { name, isFile } of entries) {
    const token = isFile ? pattern.exec(name)?.[1] : undefined;
    if (token === undefined) continue;
    const path = inFolder(folder, name);
    using file = await Deno.open(path, { write: true }).catch(() => null);
    if (await file?.tryLock(true).catch(() => false)) await remove(path, token).catch(() => {});
  }
}
