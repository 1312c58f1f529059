/**
 * About how many rows a file holds, so that the table of ids need not grow while it is filled.
 *
 * @module
 */

const SAMPLE_BYTES = 1 << 16;
const DEFAULT_ROWS = 1_000;
/** Lines differ in length; a table that is a tenth too large costs less than growing it. */
const MARGIN = 1.1;
/** No row is shorter than `{"prompt":"x"}`; blank lines are. */
const SHORTEST_ROW_BYTES = 14;

/** Rows of the file by the length of its first lines; 1,000 where nothing can be said. */
export async function estimateRows(path: string): Promise<number> {
  try {
    using file = await Deno.open(path);
    const { size, isFile } = await file.stat();
    if (!isFile) return DEFAULT_ROWS;
    const sample = new Uint8Array(SAMPLE_BYTES);
    const read = await file.read(sample);
    if (read === null) return DEFAULT_ROWS;
    let lines = 0;
    for (let at = sample.indexOf(10); at !== -1 && at < read; at = sample.indexOf(10, at + 1)) {
      lines++;
    }
    const rows = Math.min(size / read * lines * MARGIN, size / SHORTEST_ROW_BYTES);
    return Math.max(DEFAULT_ROWS, Math.ceil(rows));
  } catch {
    return DEFAULT_ROWS;
  }
}
