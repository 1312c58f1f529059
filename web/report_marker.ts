/**
 * Marks reports so that they can be recognized: the command that continues a run writes its report
 * again, and must not replace any other file.
 *
 * @module
 */

import { readFully } from "../lib/files.ts";

/** Stands near the start of every report. */
export const REPORT_MARKER = '<meta name="generator" content="Retort">';

/** Stands in every report of earlier versions, which did not write the marker. */
const OLD_MARKER = "<title>Retort</title>";

/** Matches the result of `startedMarker()`. */
const STARTED = /<meta name="retort-started" content="([^"]+)">/;

/** Number of bytes at the start of a file that are searched for the markers. */
const START_BYTES = 8_192;

/**
 * Makes the marker with the time when the run of a report began (ISO 8601). Before a new report
 * takes the name of an older one, the older one is renamed with that time.
 */
export function startedMarker(started: string): string {
  return `<meta name="retort-started" content="${started}">`;
}

/** Whether a file is a report. An empty file counts as one: a report may replace it. */
export async function isReport(path: string): Promise<boolean> {
  const start = await readStart(path);
  return start === "" || start.includes(REPORT_MARKER) || start.includes(OLD_MARKER);
}

/** Returns when the run of a report began (ISO 8601); undefined if the report does not hold it. */
export async function runStartOf(path: string): Promise<string | undefined> {
  const started = STARTED.exec(await readStart(path))?.[1];
  return started === undefined || Number.isNaN(Date.parse(started)) ? undefined : started;
}

async function readStart(path: string): Promise<string> {
  using file = await Deno.open(path);
  const bytes = new Uint8Array(START_BYTES);
  return new TextDecoder().decode(bytes.subarray(0, await readFully(file, bytes)));
}
