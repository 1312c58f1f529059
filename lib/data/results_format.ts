/**
 * Refuses results in formats other than JSON Lines: read line by line, few of their lines would be
 * rows.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { statOf } from "../files.ts";
import { formatOf, formatOfName, type InputFormat } from "../formats/mod.ts";

const OTHER_FORMATS: Readonly<Partial<Record<InputFormat, string>>> = {
  json: "a JSON array",
  csv: "a CSV file",
  tsv: "a TSV file",
  parquet: "a Parquet file",
};

/**
 * Does nothing if the file cannot be read, or is not a regular file.
 *
 * @throws {UsageError} If the file has another format.
 */
export async function requireJsonLines(path: string): Promise<void> {
  // Results may be in a file of any name. Only in an input does `.txt` mean one prompt a line.
  if (formatOfName(path) === "txt" || !(await statOf(path))?.isFile) return;
  const format = await formatOf(path, path).catch(() => undefined);
  const what = format && OTHER_FORMATS[format];
  if (what === undefined) return;
  throw new UsageError(
    `Cannot open "${path}": it is ${what}, and results are read from JSON Lines. "convert" writes ` +
      "it as JSON Lines",
  );
}
