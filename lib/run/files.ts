/**
 * Files that may or may not be there.
 *
 * @module
 */

import { cannotRead } from "../system_error.ts";

/** Whether there is such a file and it is not empty. */
export async function hasContent(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).size > 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw cannotRead(path, error);
  }
}

/** Removes a file that may not be there. */
export async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** The folder of an input; undefined for standard input. */
export function folderOf(input: string): string | undefined {
  if (input === "-") return undefined;
  const slash = input.lastIndexOf("/");
  return slash === -1 ? "." : input.slice(0, slash + 1);
}
