/**
 * Markers in reports. They show whether a file is a report, which a new report may replace, and
 * when its run began.
 *
 * @module
 */

import { readFully } from "../lib/files.ts";

export const REPORT_MARKER = '<meta name="generator" content="Retort">';

/** In reports of earlier versions, which had no marker. */
const OLD_MARKER = "<title>Retort</title>";

const STARTED = /<meta name="retort-started" content="([^"]+)">/;

const START_BYTES = 8_192;

/** Marks when the run began. `cli/report.ts` adds this time to the name of an older report. */
export function startedMarker(started: string): string {
  return `<meta name="retort-started" content="${started}">`;
}

/** Whether a file is a report, or is empty and may be replaced by one. */
export async function isReport(path: string): Promise<boolean> {
  const start = await readStart(path);
  return start === "" || start.includes(REPORT_MARKER) || start.includes(OLD_MARKER);
}

/** Returns when the run of a report began (ISO 8601). */
export async function runStartOf(path: string): Promise<string | undefined> {
  const started = STARTED.exec(await readStart(path))?.[1];
  return started === undefined || Number.isNaN(Date.parse(started)) ? undefined : started;
}

async function readStart(path: string): Promise<string> {
  using file = await Deno.open(path);
  const bytes = new Uint8Array(START_BYTES);
  return new TextDecoder().decode(bytes.subarray(0, await readFully(file, bytes)));
}
