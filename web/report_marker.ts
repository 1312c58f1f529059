/**
 * By what a report is known: the command that continues a run writes its report again, and must not replace
 * any other page.
 *
 * @module
 */

/** Stands in every report, near its start. */
export const REPORT_MARKER = '<meta name="generator" content="Retort">';

/** Stood in every report before there was a marker. */
const OLD_MARKER = "<title>Retort</title>";
const START_BYTES = 8_192;

/** Whether a file is a report. An empty one may become one. */
export async function isReport(path: string): Promise<boolean> {
  using file = await Deno.open(path);
  const bytes = new Uint8Array(START_BYTES);
  let length = 0;
  while (length < START_BYTES) {
    const count = await file.read(bytes.subarray(length));
    if (count === null) break;
    length += count;
  }
  const start = new TextDecoder().decode(bytes.subarray(0, length));
  return length === 0 || start.includes(REPORT_MARKER) || start.includes(OLD_MARKER);
}
