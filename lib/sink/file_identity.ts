/**
 * Recognizes an open file at its path, or finds what happened to it there.
 *
 * @module
 */

/** Identifies a file on this machine as long as it exists; later, another file may get the same. */
export interface FileIdentity {
  /** The id of the filesystem. */
  readonly device: number;
  /** The number of the file on it; 0 if unknown, or if the filesystem reports inconsistent ones. */
  readonly inode: number;
}

/** @param info The `stat()` of the file that was opened at `path`. */
export async function identityOf(path: string, info: Deno.FileInfo): Promise<FileIdentity> {
  const named = await Deno.stat(path).catch(() => undefined);
  // Some network and overlay filesystems report different numbers for a path and for its handle.
  const isOdd = named !== undefined && !isSame(named, info) && await isOpenedAs(path, named, info);
  return { device: info.dev, inode: isOdd ? 0 : info.ino ?? 0 };
}

/** Whether `path` leads to the file of `info`, although `stat(path)` reports another number. */
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
 * What happened to the file at a path, for a message; undefined if it is still the same file.
 *
 * @param minBytes The size that the file must have at least: a smaller one was truncated.
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
    // Other errors do not show that the file changed.
    return error instanceof Deno.errors.NotFound ? "it was removed or renamed" : undefined;
  }
  if (inode !== 0 && info.ino && (info.ino !== inode || info.dev !== device)) {
    return "another file has taken its place";
  }
  return info.size < minBytes ? WAS_CUT : undefined;
}

export const WAS_CUT = "it was cut";
