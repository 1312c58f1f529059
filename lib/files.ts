/**
 * Files that may be missing, temporary files, the identity of files, and clear reasons for errors of the operating
 * system and of Deno.
 *
 * @module
 */

import { SinkError, UsageError } from "./errors.ts";
import { inFolder } from "./paths.ts";

/** Names of Deno's error classes, and what each of them means to a user. The classes themselves would bind this
 * file to Deno. */
const REASONS: ReadonlyMap<string, string> = new Map([
  ["NotFound", "no such file"],
  ["PermissionDenied", "permission denied"],
  ["IsADirectory", "it is a folder"],
  ["NotADirectory", "a part of its path is a file, not a folder"],
  ["BrokenPipe", "its reader has ended"],
  ["FilesystemLoop", "its links lead in a circle"],
]);

/** Folders that `deno task distill` cannot use, whatever its permissions to read and write. */
const SYSTEM_FOLDERS = "/proc, /sys and most of /dev";

/** Each call in flight needs a connection, and up to 300 output files are open. */
const TOO_MANY_FILES =
  "too many open files: each call in flight needs a connection, and outputs up to 300 files. Raise " +
  "the limit with ulimit -n 65536, or lower --concurrency";

/** Why a file or folder cannot be read or written; follows `Cannot read "…": `. */
export function systemReason(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  if (cause.name === "NotCapable") return permissionReason(cause.message);
  const known = REASONS.get(cause.name);
  if (known !== undefined) return known;
  const { message } = cause;
  if (
    (cause as { code?: unknown }).code === "EMFILE" || message.startsWith("Too many open files")
  ) {
    return TOO_MANY_FILES;
  }
  return message.startsWith("Is a directory") ? "it is a folder" : message;
}

/** The error for one of Retort's own files that exists but cannot be read. */
export function cannotRead(path: string, cause: unknown): SinkError {
  return new SinkError(`Cannot read "${path}": ${systemReason(cause)}`, { path, cause });
}

/** Deno's own text tells the user to disable the sandbox: `Requires all access to "/proc/x", run again with the
 * --allow-all flag`. */
function permissionReason(message: string): string {
  const kind = /^Requires (\w+) access/.exec(message)?.[1];
  if (kind === "all") return `programs have no access to ${SYSTEM_FOLDERS}: name another place`;
  return `Retort was started without the permission for it (--allow-${kind ?? "read"})`;
}

/**
 * The result of an operation on a file; undefined if there is no such file.
 *
 * @param errorOf Creates the error for any other failure. @default the failure itself
 */
export async function ifThere<T>(
  work: Promise<T>,
  errorOf: (cause: unknown) => unknown = (cause) => cause,
): Promise<T | undefined> {
  try {
    return await work;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw errorOf(cause);
  }
}

/** The file or folder at a path; undefined if that cannot be read. */
export async function statOf(path: string): Promise<Deno.FileInfo | undefined> {
  return await Deno.stat(path).catch(() => undefined);
}

/** Whether there is such a file. */
export async function exists(path: string): Promise<boolean> {
  return await ifThere(Deno.stat(path), (cause) => cannotRead(path, cause)) !== undefined;
}

/** Whether there is such a file and it is not empty. */
export async function hasContent(path: string): Promise<boolean> {
  const info = await ifThere(Deno.stat(path), (cause) => cannotRead(path, cause));
  return info !== undefined && info.size > 0;
}

/** Removes a file that may not be there. */
export async function removeIfThere(path: string): Promise<void> {
  await ifThere(Deno.remove(path));
}

/**
 * Creates a folder and its parents.
 *
 * @throws {UsageError} when there is a file of that name
 * @throws {SinkError} when it cannot be created
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true });
  } catch (cause) {
    const words = `Cannot make the folder "${path}"`;
    if (cause instanceof Deno.errors.AlreadyExists || cause instanceof Deno.errors.NotADirectory) {
      throw new UsageError(`${words}: there is a file of that name. Name another output`);
    }
    throw new SinkError(`${words}: ${systemReason(cause)}`, { path, cause });
  }
}

/** A random name of 16 hex digits. */
export function randomToken(): string {
  return crypto.getRandomValues(new Uint8Array(8)).toHex();
}

/** How a temporary file is created. */
export interface TemporaryOptions {
  /** Part of its name. @default 64 random bits */
  readonly token?: string;
  /** Its permissions. @default 0o666 */
  readonly mode?: number;
}

/** A temporary file, open for writing and locked. */
export interface TemporaryFile {
  readonly path: string;
  readonly file: Deno.FsFile;
}

/** Creates a temporary file: it is locked while it is in use, unless the filesystem has no locks. */
export async function createTemporary(
  pathOf: (token: string) => string,
  { token = randomToken(), mode }: TemporaryOptions = {},
): Promise<TemporaryFile> {
  while (true) {
    const path = pathOf(token);
    const file = await Deno.open(path, { write: true, createNew: true, mode });
    try {
      // Before it was locked, another process may have removed it as a leftover.
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
    return true; // There are no locks.
  }
}

/**
 * Removes the temporary files that processes that were killed have left. Where the filesystem has no locks, none is
 * taken for one.
 *
 * @param pattern Their names: what it captures is the token.
 * @param remove Called for each of them, which nothing else removes meanwhile. @default removes it
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

/** Identifies a file on its machine; the inode is 0 if the filesystem has no comparable numbers. */
export interface FileIdentity {
  /** The filesystem. */
  readonly device: number;
  /** The file on it. */
  readonly inode: number;
}

/** The identity of an open file. */
export async function identityOf(path: string, info: Deno.FileInfo): Promise<FileIdentity> {
  const named = await Deno.stat(path).catch(() => undefined);
  // Some network and overlay filesystems report different numbers for a path and for its handle.
  const isOdd = named !== undefined && !isSame(named, info) && await isOpenedAs(path, named, info);
  return { device: info.dev, inode: isOdd ? 0 : info.ino ?? 0 };
}

/** Whether the file at a path has this number when it is opened, although the path has another one. */
async function isOpenedAs(
  path: string,
  named: Deno.FileInfo,
  info: Deno.FileInfo,
): Promise<boolean> {
  if (!named.isFile) return false;
  using file = await Deno.open(path, { read: true }).catch(() => null);
  return file === null || isSame(await file.stat(), info);
}

function isSame(one: Deno.FileInfo, other: Deno.FileInfo): boolean {
  return one.ino === other.ino && one.dev === other.dev;
}

/**
 * What happened to the file at a path, for messages; undefined if it is still the same.
 *
 * @param minBytes A smaller file was truncated.
 */
export async function pathProblem(
  path: string,
  { device, inode }: FileIdentity,
  minBytes = 0,
): Promise<string | undefined> {
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(path);
  } catch (error) {
    // Any other error says nothing about the file.
    return error instanceof Deno.errors.NotFound ? "it was removed or renamed" : undefined;
  }
  if (inode !== 0 && info.ino && (info.ino !== inode || info.dev !== device)) {
    return "another file has taken its place";
  }
  return info.size < minBytes ? WAS_CUT : undefined;
}

/** The problem of a file that is the same but has lost bytes. */
export const WAS_CUT = "it was cut";

/** Reads until `bytes` is full or the file ends; returns the number of bytes. */
export async function readFully(file: Deno.FsFile, bytes: Uint8Array): Promise<number> {
  let filled = 0;
  while (filled < bytes.length) {
    const count = await file.read(bytes.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return filled;
}

/**
 * The same, at once: a promise for each small read from the page cache would cost more than the read.
 *
 * @param offset Where to read. @default the position of the file
 */
export function readFullySync(file: Deno.FsFile, bytes: Uint8Array, offset?: number): number {
  if (offset !== undefined) file.seekSync(offset, Deno.SeekMode.Start);
  let filled = 0;
  while (filled < bytes.length) {
    const count = file.readSync(bytes.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return filled;
}

/** Writes all of `bytes`, in several writes if necessary. */
export async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  let written = 0;
  while (written < bytes.length) written += await file.write(bytes.subarray(written));
}
