/**
 * Whether a path still leads to the file that was opened.
 *
 * @module
 */

/** Names a file on its machine; the inode is 0 where the filesystem has no numbers that can be compared. */
export interface FileIdentity {
  /** The filesystem. */
  readonly device: number;
  /** The file on it. */
  readonly inode: number;
}

/** The identity of an open file. */
export async function identityOf(path: string, info: Deno.FileInfo): Promise<FileIdentity> {
  const named = await Deno.stat(path).catch(() => undefined);
  // Some network and overlay filesystems give another number to a path than to its handle.
  const isComparable = info.ino && named?.ino === info.ino && named.dev === info.dev;
  return { device: info.dev, inode: isComparable ? info.ino! : 0 };
}

/**
 * What is wrong with what a path leads to, in words; undefined where nothing is.
 *
 * @param minBytes A file that is smaller was cut.
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
    // Any other error tells nothing of the file.
    return error instanceof Deno.errors.NotFound ? "it was removed or renamed" : undefined;
  }
  if (inode !== 0 && info.ino && (info.ino !== inode || info.dev !== device)) {
    return "another file has taken its place";
  }
  return info.size < minBytes ? WAS_CUT : undefined;
}

/** The problem of a file that is the same and has lost bytes. */
export const WAS_CUT = "it was cut";
