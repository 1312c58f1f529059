/**
 * Recognises a file while it exists, and tells what happened to the file at a path.
 *
 * @module
 */

/** Identifies a file on this machine while it exists. */
export interface FileIdentity {
  /** The number of the filesystem. */
  readonly device: number;
  /** The number of the file on it; 0 if the filesystem reports inconsistent ones. */
  readonly inode: number;
}

/** The identity of an open file, from its `stat()` and its path. */
export async function identityOf(path: string, info: Deno.FileInfo): Promise<FileIdentity> {
  const named = await Deno.stat(path).catch(() => undefined);
  // Some network and overlay filesystems report different numbers for a path and for its handle.
  const isOdd = named !== undefined && !isSame(named, info) && await isOpenedAs(path, named, info);
  return { device: info.dev, inode: isOdd ? 0 : info.ino ?? 0 };
}

/**
 * Whether opening `path` yields the file of `info`, although `stat(path)` reports another number.
 */
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
 * What happened to the file at a path, in words for messages; undefined if it is still the same
 * file.
 *
 * @param minBytes The file's expected size: a smaller one was truncated.
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
    // Any other error does not show that the file changed.
    return error instanceof Deno.errors.NotFound ? "it was removed or renamed" : undefined;
  }
  if (inode !== 0 && info.ino && (info.ino !== inode || info.dev !== device)) {
    return "another file has taken its place";
  }
  return info.size < minBytes ? WAS_CUT : undefined;
}

/** The problem of a file that is shorter than it was. */
export const WAS_CUT = "it was cut";
