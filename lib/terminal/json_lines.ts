/**
 * Progress for programs: each event one line of JSON, as `events.ts` describes them.
 *
 * @module
 */

import { printableJson } from "../printable.ts";
import type { RunEvent, RunListener } from "../progress/mod.ts";

/** Makes a listener that writes each event as one line of JSON. */
export function createJsonLines(options: { write: (text: string) => void }): RunListener {
  const { write } = options;
  return (event: RunEvent) => write(printableJson(JSON.stringify(event)) + "\n");
}
