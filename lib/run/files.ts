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
