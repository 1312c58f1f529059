/**
 * Standard input can be read once and two passes are made, so it is written down beside the output.
 *
 * @module
 */

import { SinkError } from "../errors.ts";

/** Writes the stream to the file, in the place of what was there. Rejects when the signal is aborted:
 * a person at a terminal may never end the stream. */
export async function spool(
  stream: ReadableStream<Uint8Array>,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    await Deno.writeFile(path, stream, { signal });
  } catch (cause) {
    throw new SinkError(`Cannot write standard input to "${path}": ${(cause as Error).message}`, {
      path,
      cause,
    });
  }
}
