/**
 * Paths, operations on files, and the reasons of system errors in plain language.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import * as stdPath from "./deps/std_path.ts";
import { SinkError, UsageError } from "./errors.ts";

/** A file or folder as a path, or as a `file:` URL. */
export type PathLike = string | URL;

/**
 * Converts a `file:` URL to a path, and returns a path unchanged. A trailing `/` is kept.
 *
 * @throws {TypeError} if the value is neither a string nor a `file:` URL
 */
export function pathOf(path: PathLike): string {
  if (typeof path === "string") return path;
  if (!(path instanceof URL)) {
    throw new TypeError(
      `Cannot use a value of type ${typeof path} as a path: it must be a string or a URL`,
    );
  }
  if (path.protocol === "file:") return fileURLToPath(path);
  const address = `${path.protocol}//${path.host}${path.pathname}`;
  throw new TypeError(`Cannot use "${address}": it must be a path or a file: URL`);
}

export function pathsOf(paths: PathLike | readonly PathLike[]): string[] {
  return typeof paths === "string" || paths instanceof URL ? [pathOf(paths)] : paths.map(pathOf);
}

/** The path functions of this system. Tests pass the functions for Windows. */
export type StdPath = typeof stdPath.posix;

export function endsWithSeparator(path: string, std: StdPath = stdPath): boolean {
  return new RegExp(`${std.SEPARATOR_PATTERN.source}$`).test(path);
}

export function withoutSeparator(path: string, { SEPARATOR_PATTERN }: StdPath = stdPath): string {
  return path.replace(new RegExp(`${SEPARATOR_PATTERN.source}$`), "");
}

/** Joins a folder and a name with `/`, which Windows also accepts. */
export function inFolder(folder: string, name: string, std: StdPath = stdPath): string {
  return `${withoutSeparator(folder, std)}/${name}`;
}

/** Splits a path into its last part and everything before it, including the separator. */
export function splitPath(path: string, { basename }: Pick<StdPath, "basename"> = stdPath) {
  const name = basename(path);
  return { start: path.slice(0, path.length - name.length), name };
}

/** Whether `path` is strictly below `folder`. Links are not resolved, so pass real paths. */
export function isInside(path: string, folder: string, std: StdPath = stdPath): boolean {
  const relative = std.relative(folder, path);
  return relative !== "" && !std.isAbsolute(relative) &&
    relative.split(std.SEPARATOR_PATTERN)[0] !== "..";
}

export const RESULTS_EXTENSION = /\.(jsonl|ndjson)$/;

/** Returns `out/x` for the results `out/x.jsonl`. */
export function stemOf(results: string): string {
  return results.replace(RESULTS_EXTENSION, "");
}

/** Returns the stem of a shard's files: `out/x-00003-of-00016`. */
export function shardStem(stem: string, shard: { index: number; count: number }): string {
  const [index, count] = [shard.index, shard.count].map((n) => String(n).padStart(5, "0"));
  return `${stem}-${index}-of-${count}`;
}

export function parseShardStem(text: string) {
  const [, stem, index, count] = /^(.*)-(\d{5,})-of-(\d{5,})$/s.exec(text) ?? [];
  return stem === undefined ? undefined : { stem, index: Number(index), count: Number(count) };
}

/** The folder for Retort's own files next to an output. Dataset loaders skip hidden folders. */
export const OWN_FOLDER = ".retort";

/** Returns the same key for all paths to a file. Deno rounds inodes beyond 2^53 (Lustre, NTFS), so
 * several files may have the same number. For these inodes, the key is the real path. */
export function fileKeyOf(path: string, { dev, ino }: Pick<Deno.FileInfo, "dev" | "ino">): string {
  return ino && Number.isSafeInteger(ino) ? `${dev}:${ino}` : realPathOf(path);
}

/** Returns the absolute path, in which links are resolved if the file exists. */
export function realPathOf(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    return stdPath.resolve(path);
  }
}

/** Reasons by error name or code, because the bundle for Node lacks Deno's error classes. */
const REASONS: ReadonlyMap<string, string> = new Map([
  ["NotFound", "no such file"],
  ["PermissionDenied", "permission denied"],
  ["IsADirectory", "it is a folder"],
  ["NotADirectory", "a part of its path is a file, not a folder"],
  ["BrokenPipe", "its reader has ended"],
  ["FilesystemLoop", "its symbolic links form a loop"],
  ["EISDIR", "it is a folder"],
]);

const SYSTEM = "Retort may not open files in /proc, /sys and most of /dev: name another path";
const NETWORK_SHARES =
  "Deno opens files on network shares only with -A (all permissions): use it, or a local disk";

const TOO_MANY_FILES =
  "too many open files: each call in flight needs a connection, and the outputs need up to 300 files. " +
  "Raise the limit with ulimit -n 65536, or lower --concurrency";

/** Returns the reason that follows `Cannot read "…": ` in a message. */
export function systemReason(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  if (cause.name === "NotCapable") return permissionReason(cause.message);
  const code = codeOf(cause), { message } = cause;
  const reason = REASONS.get(cause.name) ?? REASONS.get(String(code));
  if (reason !== undefined) return reason;
  if (message.includes("(os error 123)")) return "Windows does not allow such a name";
  if (code === "EMFILE" || message.startsWith("Too many open files")) return TOO_MANY_FILES;
  return message.startsWith("Is a directory") ? "it is a folder" : message;
}

/**
 * Returns the error for one of Retort's own files that cannot be read. If there is a FIFO, socket
 * or device in its place, the user has made a mistake, so the error is a `UsageError`.
 */
export function cannotRead(path: string, cause: unknown): SinkError | UsageError {
  const message = `Cannot read "${path}": ${systemReason(cause)}`;
  if (cause instanceof SpecialFileError) return new UsageError(message, { cause });
  return new SinkError(message, { path, cause });
}

class SpecialFileError extends Error {}

/** Replaces a message of Deno such as `Requires read access to "x", run again with the …`. */
function permissionReason(message: string): string {
  const [, kind, share] = /^Requires (\w+) access(?: to "(\\\\))?/.exec(message) ?? [];
  if (kind === "all") return share === undefined ? SYSTEM : NETWORK_SHARES;
  return `Retort was started without the permission for it (--allow-${kind ?? "read"})`;
}

/**
 * Awaits an operation on a file. Resolves with undefined if the file does not exist, or if its path
 * leads through a file.
 *
 * @param errorOf Creates the error for any other failure. @default the failure itself
 */
export async function ifThere<T>(
  operation: Promise<T>,
  errorOf: (cause: unknown) => unknown = (cause) => cause,
): Promise<T | undefined> {
  try {
    return await operation;
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw errorOf(cause);
  }
}

/** Whether the error means that a file is missing. For a name with `*` or `?` on Windows, the error
 * has the code `ENOENT` but not Deno's class. */
export function isMissing(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory ||
    codeOf(error) === "ENOENT";
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

/** Opening these files does not block: `/dev/fd/63`, made by a shell's `<(…)`, has a writer
 * already. */
const ALREADY_OPEN = /^\/(?:dev|proc)\//;

/**
 * Opens a file. Rejects if it is a FIFO, socket or device outside `/dev` and `/proc`, because
 * opening it may wait for another process and reading it may never end.
 */
export async function openToRead(path: string): Promise<Deno.FsFile> {
  await refuseSpecialFile(path);
  return await Deno.open(path);
}

/** Reads a text without its byte order mark, which editors on Windows write. */
export async function readTextOf(path: string): Promise<string> {
  await refuseSpecialFile(path);
  return (await Deno.readTextFile(path)).replace(/^\ufeff/, "");
}

async function refuseSpecialFile(path: string): Promise<void> {
  const problem = specialProblem(path, await Deno.stat(path));
  if (problem !== undefined) throw new SpecialFileError(problem);
}

/** Returns why a path must not be opened; undefined for files, folders, `/dev/…` and `/proc/…`. */
export function specialProblem(path: string, info: Deno.FileInfo): string | undefined {
  if (info.isFile || info.isDirectory || ALREADY_OPEN.test(path)) return undefined;
  return `it is ${kindOf(info)}. Write its content to a file, and name that file`;
}

export function kindOf(info: Deno.FileInfo): string {
  if (info.isFile) return "a file";
  if (info.isSymlink) return "a link";
  if (info.isDirectory) return "a folder";
  if (info.isFifo) return "a FIFO";
  return info.isSocket ? "a socket" : "a device";
}

export async function statOf(path: string): Promise<Deno.FileInfo | undefined> {
  return await Deno.stat(path).catch(() => undefined);
}

export async function isFolder(path: string): Promise<boolean> {
  return (await statOf(path))?.isDirectory ?? false;
}

/** Returns the absolute path of the folder of `path`. Links are resolved if the folder exists. */
export function realFolderOf(path: string): string {
  return realPathOf(stdPath.dirname(path));
}

/** Returns the names in a folder; none if it does not exist.
 *
 * @throws {SinkError} if the folder cannot be read */
export async function namesIn(folder: string): Promise<string[]> {
  const reading = Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
  return await ifThere(reading, (cause) => cannotRead(folder, cause)) ?? [];
}

export async function exists(path: string): Promise<boolean> {
  return await ifThere(Deno.stat(path), (cause) => cannotRead(path, cause)) !== undefined;
}

export async function hasContent(path: string): Promise<boolean> {
  const info = await ifThere(Deno.stat(path), (cause) => cannotRead(path, cause));
  return info !== undefined && info.size > 0;
}

/** @throws {SinkError} if the file cannot be deleted */
export async function removeIfThere(path: string): Promise<void> {
  await ifThere(Deno.remove(path), (cause) => {
    return new SinkError(`Cannot delete "${path}": ${systemReason(cause)}`, { path, cause });
  });
}

/**
 * @throws {UsageError} if the folder or one of its parents is a file
 * @throws {SinkError} if the folder cannot be created for another reason
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true });
  } catch (cause) {
    const attempt = `Cannot create the folder "${path}"`;
    if (cause instanceof Deno.errors.AlreadyExists || cause instanceof Deno.errors.NotADirectory) {
      throw new UsageError(`${attempt}: it, or a folder above it, is a file. Name another output`);
    }
    throw new SinkError(`${attempt}: ${systemReason(cause)}`, { path, cause });
  }
}

/** Fills `bytes`. Returns the number of bytes read, which is less only at the end of the file. */
export async function readFully(file: Deno.FsFile, bytes: Uint8Array): Promise<number> {
  let filled = 0;
  while (filled < bytes.length) {
    const count = await file.read(bytes.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return filled;
}

/** Does the same as `readFully`, but synchronously: a promise costs more than a small read from the
 * page cache. Without `offset`, reads from the current position. */
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

/** Writes all bytes, in several writes if necessary, because a single write may write only some. */
export async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  let written = 0;
  while (written < bytes.length) written += await file.write(bytes.subarray(written));
}
