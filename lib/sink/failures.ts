/**
 * Tidies the failures file at the end of a run. While a run goes on the file is only added to, so a row
 * that failed twice is in it twice, and one that got its result since is in it too.
 *
 * @module
 */

import { readLineBlocks } from "../line_blocks.ts";
import { Replacement } from "./durable_file.ts";
import type { LineSet } from "./line_set.ts";

const NEWLINE = 10;

/**
 * Takes lines out of a file of `lineCount` lines; the others keep their order. The old file stands until
 * the new one is safe. Nobody else may have the file open for writing.
 *
 * The file is read once and what stands in its lines does not matter, so memory does not grow with it.
 *
 * @param token Stands in the name of the new file until it is whole.
 * @returns Whether it was done. A file that has another number of lines by now is not the one that the
 * numbers were taken from, and stays as it is.
 * @throws {SinkError} when the new file cannot be written
 */
export async function dropLines(
  path: string,
  dropped: LineSet,
  lineCount: number,
  token?: string,
): Promise<boolean> {
  if (dropped.size === 0) return true;
  await using replacement = await Replacement.open(path, { token });
  let lines = 0;
  for await (const { bytes } of readLineBlocks(path)) {
    let kept = 0, start = 0;
    while (start < bytes.length) {
      const newline = bytes.indexOf(NEWLINE, start);
      const end = newline === -1 ? bytes.length : newline + 1;
      if (!dropped.has(++lines)) {
        // The memory of a block is free until the next one is read.
        if (kept < start) bytes.copyWithin(kept, start, end);
        kept += end - start;
      }
      start = end;
    }
    await replacement.write(bytes.subarray(0, kept));
  }
  if (lines !== lineCount) return false;
  await replacement.commit();
  return true;
}
