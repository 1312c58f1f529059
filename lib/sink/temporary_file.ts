/**
 * Temporary files, which are locked while in use. An unlocked one was left by a killed process and
 * can be removed.
 *
 * @module
 */

import { ifThere, inFolder } from "../files.ts";
import { tryLock } from "./lock_file.ts";

export function randomToken(): string {
  return crypto.getRandomValues(new Uint8Array(8)).toHex();
}

/** A temporary file, locked so that other processes do not remove it as a leftover. */
export interface TemporaryFile {
  readonly path: string;
  readonly file: Deno.FsFile;
}

/** Creates and locks a file. If `removeLeftovers` of another process removes the file before it is
 * locked, tries another token. */
export async function createTemporary(
  pathOf: (token: string) => string,
  { token = randomToken(), mode }: { token?: string; mode?: number } = {},
): Promise<TemporaryFile> {
  while (true) {
    const path = pathOf(token);
    const file = await Deno.open(path, { write: true, createNew: true, mode });
    try {
      const isLocked = await tryLock(file, path, { required: false });
      if (isLocked && await ifThere(Deno.lstat(path)) !== undefined) return { path, file };
    } catch (error) {
      file.close();
      throw error;
    }
    file.close();
    token = randomToken();
  }
}

/**
 * Removes unlocked files that killed processes have left. Removes none if the filesystem has no
 * locks.
 *
 * @param pattern Matches file names; the first group is the token.
 * @param remove Called while the file is locked. @default `Deno.remove`
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
