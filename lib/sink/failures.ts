/**
 * Tidies the failures file at the end of a run. While a run goes on the file is only added to, so a
 * row that failed twice is in it twice, and one that got its result since is in it too.
 *
 * @module
 */

import { linesOf, readLineBlocks } from "../line_blocks.ts";
import { Replacement } from "./durable_file.ts";
import { uidOfLine } from "./line_uid.ts";

const BLOCK_BYTES = 1 << 20;
const NEWLINE_BYTES = new Uint8Array([10]);
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Keeps the last line of each uid for which `keep` says so, in the order of the file. The old file
 * stands until the new one is safe; where every line stays, and where there is no file, nothing is
 * written. Nobody else may have the file open for writing.
 *
 * The file is read twice, and only the line number of each uid is held in memory between: some 100
 * bytes for each row that failed, which are few, and at most 16 million of them.
 *
 * @throws {DamagedFileError} when a line has no uid; the file is left as it is
 * @throws {SinkError} when the new file cannot be written
 */
export async function rewriteFailures(
  path: string,
  keep: (uid: string, lineText: string) => boolean,
): Promise<void> {
  const lastLines = await lastLineOfEachUid(path);
  if (lastLines.size === 0) return;
  // A new file is begun only at the first line that goes; most runs have none.
  await using stack = new AsyncDisposableStack();
  let replacement: Replacement | undefined;
  let number = 0;
  let unchangedBytes = 0;
  for await (const block of readLineBlocks(path)) {
    const kept: Uint8Array[] = [];
    for (const line of linesOf(block)) {
      number++;
      const text = DECODER.decode(line);
      const uid = uidOfLine(text, path, number);
      if (lastLines.get(uid) === number && keep(uid, text)) {
        if (replacement !== undefined) kept.push(line, NEWLINE_BYTES);
        else unchangedBytes += line.length + 1;
      } else if (replacement === undefined) {
        replacement = stack.use(await Replacement.open(path));
        await copyStart(path, unchangedBytes, replacement);
      }
    }
    await replacement?.write(concatenated(kept));
  }
  await replacement?.commit();
}

async function lastLineOfEachUid(path: string): Promise<Map<string, number>> {
  const lastLines = new Map<string, number>();
  let number = 0;
  for await (const block of readLineBlocks(path)) {
    for (const line of linesOf(block)) {
      number++;
      lastLines.set(uidOfLine(DECODER.decode(line), path, number), number);
    }
  }
  return lastLines;
}

async function copyStart(path: string, length: number, replacement: Replacement): Promise<void> {
  using file = await Deno.open(path, { read: true });
  const block = new Uint8Array(BLOCK_BYTES);
  let left = length;
  while (left > 0) {
    const count = await file.read(block.subarray(0, Math.min(left, block.length)));
    if (count === null) return;
    await replacement.write(block.subarray(0, count));
    left -= count;
  }
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
