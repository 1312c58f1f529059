/**
 * Reads JSON files that other processes replace. A network mount may show the new text with the
 * size of the old one for a while (sshfs for 20 s), so that the end of a longer text is missing.
 *
 * @module
 */

import { readTextOf } from "../files.ts";
import { isJson } from "../json.ts";
import { delay } from "../timer.ts";
import { mayBeRemote } from "./lock_file.ts";

const MAX_WAIT_MS = 25_000;
const RETRY_MS = 1_000;

export interface ReplacedFileOptions {
  /** Waits for the time in milliseconds. @default a timer */
  readonly delay?: (ms: number) => Promise<unknown>;
  /** Whether the file may be on a remote filesystem. @default its device number decides */
  readonly mayBeRemote?: (info: Deno.FileInfo) => Promise<boolean>;
}

/** Reads the text of a JSON file. On a filesystem that may be remote, waits up to 25 s until it is
 * whole. Returns the last text if that never happens. */
export async function readReplacedJson(
  path: string,
  { delay: wait = delay, mayBeRemote: isRemote = mayBeRemote }: ReplacedFileOptions = {},
): Promise<string> {
  for (let waitedMs = 0;; waitedMs += RETRY_MS) {
    const text = await readTextOf(path);
    if (isJson(text) || waitedMs === MAX_WAIT_MS) return text;
    if (!(await isRemote(await Deno.stat(path)))) return text;
    await wait(RETRY_MS);
  }
}
