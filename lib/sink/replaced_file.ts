/**
 * Files that are replaced, on mounts that are not like a local disk. Some cannot replace a file.
 * Others show the new text with the size of the old one for a while (sshfs for 20 s), so that the
 * end of a longer text is missing.
 *
 * @module
 */

import { readTextOf } from "../files.ts";
import { isJson } from "../json.ts";
import { delay } from "../timer.ts";
import { orCannotWrite, writeFileDurably } from "./durable_file.ts";
import { mayBeRemote } from "./lock_file.ts";

const MAX_WAIT_MS = 25_000;
const RETRY_MS = 1_000;

export interface ReplacedFileOptions {
  /** Waits for the time in milliseconds. @default a timer */
  readonly delay?: (ms: number) => Promise<unknown>;
  /** Whether the file may be on a remote filesystem. @default its device number decides */
  readonly mayBeRemote?: (info: Deno.FileInfo) => Promise<boolean>;
}

/** EIO and ESTALE, which mounts report for a file that was replaced while it was read. */
const TRANSIENT = /\(os error (?:5|116)\)/;

/** Reads the text of a JSON file. On a filesystem that may be remote, waits up to 25 s until it can
 * be read and is whole. Returns the last text if that never happens. */
export async function readReplacedJson(
  path: string,
  { delay: wait = delay, mayBeRemote: isRemote = mayBeRemote }: ReplacedFileOptions = {},
): Promise<string> {
  for (let waitedMs = 0;; waitedMs += RETRY_MS) {
    const mayRetry = async () => waitedMs < MAX_WAIT_MS && await isRemote(await Deno.stat(path));
    try {
      const text = await readTextOf(path);
      if (isJson(text) || !(await mayRetry())) return text;
    } catch (error) {
      if (!TRANSIENT.test(String(error)) || !(await mayRetry())) throw error;
    }
    await wait(RETRY_MS);
  }
}

/**
 * Replaces a file by a copy of itself: a mount that cannot do so would fail only when the run has
 * ended. Does nothing on a local disk.
 *
 * @throws {SinkError} If the file cannot be replaced.
 */
export async function tryReplace(path: string): Promise<void> {
  await orCannotWrite(path, async () => {
    if (!(await mayBeRemote(await Deno.stat(path)))) return;
    await writeFileDurably(path, await Deno.readTextFile(path), { followsLinks: false });
  });
}
