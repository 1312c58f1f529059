/**
 * Standard input can be read once and two passes are made, so it is written down beside the output.
 *
 * @module
 */

import { SinkError } from "../errors.ts";
import { systemReason } from "../system_error.ts";

/** Writes the stream to a new file that only its owner can read. Rejects when the signal is aborted:
 * a person at a terminal may never end the stream. */
export async function spool(
  stream: ReadableStream<Uint8Array>,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    // Not `Deno.writeFile(path, stream, { signal })`, which never frees what it makes for the signal.
    const file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
    await stream.pipeTo(file.writable, { signal });
  } catch (cause) {
    throw new SinkError(`Cannot write standard input to "${path}": ${systemReason(cause)}`, {
      path,
      cause,
    });
  }
}
