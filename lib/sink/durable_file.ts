/**
 * Replaces files so that a crash leaves the old version or the new one, never a part. A new version
 * is a temporary file, which is locked while in use. An unlocked temporary file was left by a
 * killed process and can be removed.
 *
 * @module
 */

import { basename, dirname } from "../deps/std_path.ts";
import { RetortError, SinkError, UsageError } from "../errors.ts";
import { formatCountOf } from "../figures.js";
import { ifThere, systemReason, writeAll } from "../files.ts";
import { delay } from "../timer.ts";
import { createTemporary, removeLeftovers, type TemporaryFile } from "./temporary_file.ts";

export interface ReplacementOptions {
  /** Part of the temporary file's name, 16 hex digits. A run stores the token in its lock file, so
   * that the next run can remove what a crash left. @default 64 random bits */
  token?: string;
  /** Permissions of a new file, before umask. @default 0o666 */
  mode?: number;
  /** Whether to replace the target of a link. False for files whose names Retort chooses: a link of
   * that name may lead to a user's file. @default true */
  followsLinks?: boolean;
  /** Whether to remove temporary files of killed processes first, for commands without a lock file
   * that names them. @default false */
  removesLeftovers?: boolean;
  /** Whether to sync the folder. If false, the caller must, once for several files: until then, a
   * power failure may bring the old version back. @default true */
  syncsFolder?: boolean;
}

/** Replaces the text of a file. If an error is thrown, the old version stays, unless only syncing
 * the folder has failed. */
export async function writeFileDurably(
  path: string,
  text: string,
  options?: ReplacementOptions,
): Promise<void> {
  await using replacement = await Replacement.open(path, options);
  await replacement.write(new TextEncoder().encode(text));
  await replacement.commit(options);
}

export function temporaryPathOf(path: string, token: string): string {
  return `${path}.${token}.tmp`;
}

/** A new version of a file, which is removed unless it is committed. It has the permissions of the
 * old version, and its owner if the process may set the owner. */
export class Replacement implements AsyncDisposable {
  readonly #path: string;
  readonly #temporary: TemporaryFile;
  #isCommitted = false;

  private constructor(path: string, temporary: TemporaryFile) {
    this.#path = path;
    this.#temporary = temporary;
  }

  static async open(path: string, options: ReplacementOptions = {}): Promise<Replacement> {
    refuseStream(path);
    const { followsLinks = true } = options;
    const target = followsLinks ? await targetOf(path) : path;
    if (options.removesLeftovers) {
      const name = RegExp.escape(basename(target));
      await removeLeftovers(dirname(target), new RegExp(`^${name}\\.([0-9a-f]{16})\\.tmp$`));
    }
    const pathOf = (token: string) => temporaryPathOf(target, token);
    return await orCannotWrite(target, async () => {
      const existing = await ifThere(Deno.lstat(target));
      const oldInfo = existing?.isSymlink ? undefined : existing;
      // Other users must not be able to read a private file, not even briefly.
      const mode = oldInfo === undefined ? options.mode : PRIVATE_MODE;
      const temporary = await createTemporary(pathOf, { token: options.token, mode });
      if (oldInfo !== undefined) await copyAccess(temporary.path, oldInfo);
      return new Replacement(target, temporary);
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    const { path, file } = this.#temporary;
    await orCannotWrite(path, () => writeAll(file, bytes));
  }

  async commit({ syncsFolder = true }: ReplacementOptions = {}): Promise<void> {
    const { path, file } = this.#temporary;
    await orCannotWrite(this.#path, async () => {
      await untilSynced(file.sync());
      file.close();
      await replaceFile(path, this.#path);
      this.#isCommitted = true;
      if (syncsFolder) await syncFolderOf(this.#path);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isCommitted) return;
    const { path, file } = this.#temporary;
    // Unlike `close`, this accepts a closed file.
    file[Symbol.dispose]();
    // An error here must not hide the original error.
    await Deno.remove(path).catch(() => {});
  }
}

/**
 * Refuses names such as `llama3:8b.jsonl` on Windows, where such a name means a hidden stream of
 * the file `llama3`.
 *
 * @throws {UsageError}
 */
export function refuseStream(path: string, os: typeof Deno.build.os = Deno.build.os): void {
  if (os !== "windows" || !/:[^\\/]*$/.test(path.replace(/^[a-z]:/i, ""))) return;
  throw new UsageError(
    `Cannot write "${path}": on Windows, the part after the colon names a hidden stream of another ` +
      "file. Name another output",
  );
}

/** The maximum length of a file name: in bytes or, on Windows, in UTF-16 units. */
const MAX_NAME_LENGTH = 255;

/** Throws if the file could not be replaced: its temporary file would have too long a name. */
export function refuseLongName(path: string, os: typeof Deno.build.os = Deno.build.os): void {
  const name = basename(temporaryPathOf(path, "0123456789abcdef"));
  const length = os === "windows" ? name.length : new TextEncoder().encode(name).length;
  if (length <= MAX_NAME_LENGTH) return;
  const excess = formatCountOf(length - MAX_NAME_LENGTH, os === "windows" ? "character" : "byte");
  throw new UsageError(
    `Cannot write "${path}": its name is ${excess} too long. Name a shorter output, as in ` +
      "-o out/short.jsonl, or rename the input",
  );
}

interface RenameOptions {
  readonly os?: typeof Deno.build.os;
  readonly rename?: (from: string, to: string) => Promise<void>;
  readonly wait?: (ms: number) => Promise<void>;
}

/** The pauses between attempts double from 10 ms and add up to 2.55 s. */
const MAX_RENAME_ATTEMPTS = 9;

/** Renames a file. Retries on Windows, where a rename fails while a virus scanner or indexer has
 * one of the files open. */
export async function replaceFile(
  from: string,
  to: string,
  { os = Deno.build.os, rename = Deno.rename, wait = delay }: RenameOptions = {},
): Promise<void> {
  for (let attempt = 1;; attempt++) {
    try {
      return await rename(from, to);
    } catch (error) {
      if (os !== "windows" || attempt === MAX_RENAME_ATTEMPTS || !isInUse(error)) throw error;
      await wait(5 * 2 ** attempt);
    }
  }
}

function isInUse(error: unknown): boolean {
  return error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.Busy ||
    /\(os error (5|32|33)\)/.test(String(error));
}

/** Waits for a sync. Ignores the error of a filesystem that cannot sync: macOS, for example, cannot
 * sync files on most network drives. Their servers decide when bytes are safe. */
export async function untilSynced(sync: Promise<void>): Promise<void> {
  await sync.catch((error) => {
    if (!isNotSupported(error)) throw error;
  });
}

/** EINVAL (22), ENOTSUP and EOPNOTSUPP (Linux: 95; macOS: 45, 102). Deno lacks some codes. */
function isNotSupported(error: unknown): boolean {
  return /\(os error (?:22|45|95|102)\)/.test(String(error));
}

/** Makes the names in a folder survive a power cut: syncing a new file may not sync its name. */
export async function syncFolderOf(path: string, os = Deno.build.os): Promise<void> {
  if (os === "windows") return; // Windows cannot sync folders.
  try {
    using folder = await Deno.open(dirname(path), { read: true });
    await folder.sync();
  } catch (error) {
    // Some network filesystems cannot sync folders, and not every writable folder is readable.
    const { code } = error as { code?: string };
    if (code !== "EACCES" && !isNotSupported(error)) throw error;
  }
}

/** Returns the target of a link, or `path` itself if there is no link, or a broken one. */
export async function targetOf(path: string): Promise<string> {
  try {
    return (await Deno.lstat(path)).isSymlink ? await Deno.realPath(path) : path;
  } catch {
    return path;
  }
}

/** Returns permissions for a file that is made from the files at `paths`: users who may read all of
 * these get access. Returns undefined, for the default, if none exists or the system has no
 * permissions. */
export async function modeMadeFrom(paths: readonly string[]): Promise<number | undefined> {
  let sharedMode: number | undefined;
  for (const path of paths) {
    const mode = (await ifThere(Deno.stat(path)))?.mode ?? undefined;
    if (mode !== undefined) sharedMode = (sharedMode ?? READ_AND_WRITE) & accessTo(mode);
  }
  // The next run must be able to write even if the sources are read-only.
  return sharedMode === undefined ? undefined : sharedMode | PRIVATE_MODE;
}

/** Returns who may read and write a file. If no one may write it, its readers are treated as its
 * writers. */
function accessTo(mode: number): number {
  return (mode & WRITE) === 0 ? mode | (mode & READ) >> 1 : mode;
}

const READ = 0o444;
const WRITE = 0o222;
const READ_AND_WRITE = 0o666;
const PRIVATE_MODE = 0o600;
const ACCESS_BITS = 0o777;

async function copyAccess(path: string, { mode, uid, gid }: Deno.FileInfo): Promise<void> {
  if (mode === null) return; // Windows has no permissions.
  const current = await Deno.lstat(path);
  if (current.uid !== uid || current.gid !== gid) await Deno.chown(path, uid, gid).catch(() => {});
  // On filesystems without permissions, all files have one mode, and chmod may fail.
  if (current.mode !== mode) await Deno.chmod(path, mode & ACCESS_BITS).catch(() => {});
}

export function cannotWrite(path: string, cause: unknown): SinkError {
  const advice = isImpossible(cause)
    ? ". Its filesystem cannot do that: name an output on another disk"
    : "";
  return new SinkError(`Cannot write "${path}": ${systemReason(cause)}${advice}`, { path, cause });
}

/** Whether a filesystem lacks an operation: also EEXIST and EXDEV, of a rename that cannot replace
 * a file, and ENOSYS (Linux: 38; macOS: 78). */
function isImpossible(error: unknown): boolean {
  return isNotSupported(error) ||
    /\(os error (?:38|78)\)|\(os error (?:17|18)\): rename/.test(String(error));
}

/** Turns errors of the system into the `SinkError` of `cannotWrite`. */
export async function orCannotWrite<T>(path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (cause) {
    throw cause instanceof RetortError ? cause : cannotWrite(path, cause);
  }
}
