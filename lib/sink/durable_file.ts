/**
 * Files that survive a crash: written completely or not at all, with the permissions of the file
 * that they replace. A new version is a temporary file, which is locked while a process writes it;
 * those of killed processes are removed.
 *
 * @module
 */

import { basename, dirname } from "../deps/std_path.ts";
import { SinkError } from "../errors.ts";
import { ifThere, systemReason, writeAll } from "../files.ts";
import { inFolder } from "../paths.ts";
import { delay } from "../timer.ts";

/** How a new version is written. */
export interface ReplacementOptions {
  /** Part of the temporary name of the new version. A run uses the one in its lock file, so that the next run
   * can remove what a crash left. @default 64 random bits */
  token?: string;
  /** The permissions of a file that was not there before. @default 0o666 */
  mode?: number;
  /** Whether a link stays and its target is replaced. Files with names of our own never follow one: it may lead
   * to a file of the user's. @default true */
  followsLinks?: boolean;
  /** Whether to remove new versions of the file whose processes were killed. For commands that hold no lock, in whose
   * note the token would be. @default false */
  removesLeftovers?: boolean;
}

/**
 * Replaces the content of the file by `text`, so that after a crash it is entirely the old or the new one.
 *
 * @throws {SinkError} when it cannot be written; the old version stays
 */
export async function writeFileDurably(
  path: string,
  text: string,
  options?: ReplacementOptions,
): Promise<void> {
  await using replacement = await Replacement.open(path, options);
  await replacement.write(new TextEncoder().encode(text));
  await replacement.commit();
}

/** Where the next version of a file is written. */
export function temporaryPathOf(path: string, token: string): string {
  return `${path}.${token}.tmp`;
}

/** The next version of a file, written next to it. It is removed unless it is committed. It gets the permissions
 * and, where that is allowed, the owner of the file that it replaces; a link stays one, and its target is
 * replaced. */
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

  /** Starts an empty version in a new file. */
  static async open(path: string, options: ReplacementOptions = {}): Promise<Replacement> {
    const { followsLinks = true } = options;
    const target = followsLinks ? await targetOf(path) : path;
    if (options.removesLeftovers) await removeLeftovers(dirname(target), versionsOf(target));
    const pathOf = (token: string) => temporaryPathOf(target, token);
    try {
      const there = await ifThere(Deno.lstat(target));
      const old = there?.isSymlink ? undefined : there;
      // What only the owner may read in the old version must not be readable for others, not even for a moment.
      const mode = old === undefined ? options.mode : PRIVATE_MODE;
      const made = await createTemporary(pathOf, { token: options.token, mode });
      const replacement = new Replacement(target, made.path, made.file);
      if (old !== undefined) await takeAfter(made.path, old);
      return replacement;
    } catch (cause) {
      throw cannotWrite(target, cause);
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

  /** Replaces the file by this version. */
  async commit(): Promise<void> {
    try {
      await this.#file.sync();
      this.#close();
      await replaceFile(this.#temporaryPath, this.#path);
      this.#isCommitted = true;
      await syncFolderOf(this.#path);
    } catch (cause) {
      throw cannotWrite(this.#path, cause);
    }
  }

  /** Removes this version unless it was committed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
    if (this.#isCommitted) return;
    // The error that led here matters more than a leftover file.
    await Deno.remove(this.#temporaryPath).catch(() => {});
  }

  #close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#file.close();
  }
}

/** The names of new versions of a file. */
function versionsOf(target: string): RegExp {
  return new RegExp(`^${RegExp.escape(basename(target))}\\.([0-9a-f]{16})\\.tmp$`);
}

/** The system that `replaceFile` uses. */
interface ReplaceOptions {
  /** The system. @default this one */
  readonly os?: typeof Deno.build.os;
  /** Renames a file. @default Deno.rename */
  readonly rename?: (from: string, to: string) => Promise<void>;
  /** Waits. @default a timer */
  readonly wait?: (ms: number) => Promise<void>;
}

/** Attempts at a rename, with pauses that double from 10 ms on and add up to 2.5 s. */
const RENAMES = 9;

/**
 * Replaces one file by another. Windows refuses that while another program, such as a virus scanner or an
 * indexer, has either of them open without sharing it: it is tried again for 2.5 s.
 */
export async function replaceFile(
  from: string,
  to: string,
  { os = Deno.build.os, rename = Deno.rename, wait = delay }: ReplaceOptions = {},
): Promise<void> {
  for (let attempt = 1;; attempt++) {
    try {
      return await rename(from, to);
    } catch (error) {
      if (os !== "windows" || attempt === RENAMES || !isInUse(error)) throw error;
      await wait(5 * 2 ** attempt);
    }
  }
}

/** ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION. */
function isInUse(error: unknown): boolean {
  return error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.Busy ||
    /\(os error (5|32|33)\)/.test(String(error));
}

/**
 * Makes the file names in the folder of `path` survive a power cut: a new file's bytes may be on disk before
 * its name is.
 */
export async function syncFolderOf(path: string, os = Deno.build.os): Promise<void> {
  if (os === "windows") return; // A folder cannot be opened there.
  try {
    using folder = await Deno.open(dirname(path), { read: true });
    await folder.sync();
  } catch (error) {
    // Some network filesystems cannot sync a folder, and a drop box cannot be opened for reading.
    const { code } = error as { code?: string };
    if (!["EINVAL", "ENOTSUP", "EOPNOTSUPP", "EACCES"].includes(code ?? "")) throw error;
  }
}

/** The target of a path: the end of its links, or the path itself where it is no link or leads nowhere. */
export async function targetOf(path: string): Promise<string> {
  try {
    return (await Deno.lstat(path)).isSymlink ? await Deno.realPath(path) : path;
  } catch {
    return path;
  }
}

/** The permissions of a file that is made from others: only users who may read all of those may read it.
 * Undefined if the system decides. */
export async function modeMadeFrom(paths: readonly string[]): Promise<number | undefined> {
  let made: number | undefined;
  for (const path of paths) {
    const mode = (await ifThere(Deno.stat(path)))?.mode ?? undefined;
    if (mode !== undefined) made = (made ?? READ_AND_WRITE) & mode;
  }
  // The next run has to write to it, whatever its source allows.
  return made === undefined ? undefined : made | PRIVATE_MODE;
}

const READ_AND_WRITE = 0o666;
const PRIVATE_MODE = 0o600;
/** The permission bits for owner, group and others. */
const ACCESS_BITS = 0o777;

/** Gives a file the permissions of another file, and its owner where that is allowed. */
async function takeAfter(path: string, { mode, uid, gid }: Deno.FileInfo): Promise<void> {
  if (mode === null) return; // Windows has none.
  const made = await Deno.lstat(path);
  if (made.uid !== uid || made.gid !== gid) await Deno.chown(path, uid, gid).catch(() => {});
  // Filesystems without permissions report the same for all files.
  if (made.mode !== mode) await Deno.chmod(path, mode & ACCESS_BITS).catch(() => {});
}

/** The error for a file that cannot be written. */
export function cannotWrite(path: string, cause: unknown): SinkError {
  return new SinkError(`Cannot write "${path}": ${systemReason(cause)}`, { path, cause });
}

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
