/**
 * Recognizes reports: the command that continues a run writes its report again, and must not
 * replace any other file.
 *
 * @module
 */

import { readFully } from "../lib/files.ts";

/** Near the start of every report. */
export const REPORT_MARKER = '<meta name="generator" content="Retort">';

/** In every report of versions without the marker. */
const OLD_MARKER = "<title>Retort</title>";
const STARTED = /<meta name="retort-started" content="([^"]+)">/;
const START_BYTES = 8_192;

/**
 * Holds the time when the run of a report began (ISO 8601). When another report replaces this one,
 * it is renamed by this time.
 */
export function startedMarker(started: string): string {
  return `<meta name="retort-started" content="${started}">`;
}

/** Whether a file is a report. An empty file counts as one: a report may replace it. */
export async function isReport(path: string): Promise<boolean> {
  const start = await startOf(path);
  return start === "" || start.includes(REPORT_MARKER) || start.includes(OLD_MARKER);
}

/** Returns when the run of a report began (ISO 8601); undefined if the report does not hold it. */
export async function startedOf(path: string): Promise<string | undefined> {
  const started = STARTED.exec(await startOf(path))?.[1];
  return started === undefined || Number.isNaN(Date.parse(started)) ? undefined : started;
}

async function startOf(path: string): Promise<string> {
  using file = await Deno.open(path);
  const bytes = new Uint8Array(START_BYTES);
  return new TextDecoder().decode(bytes.subarray(0, await readFully(file, bytes)));
}
