/**
 * Refuses results in formats other than JSON Lines: read line by line, few of their lines would be
 * rows.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { statOf } from "../files.ts";
import { firstText, formatOf, formatOfName, type InputFormat, startOf } from "../formats/mod.ts";

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
  if (!(await statOf(path))?.isFile) return;
  const format = await formatIn(path).catch(() => undefined);
  const what = format && OTHER_FORMATS[format];
  if (what === undefined) return;
  throw new UsageError(
    `Cannot open "${path}": it is ${what}, and results are read from JSON Lines. "convert" writes ` +
      "it as JSON Lines",
  );
}

const OPEN_BRACE = 123;

/** The format by the content, because lines may be in a file of any name. Only tables are recognized
 * by their name. */
async function formatIn(path: string): Promise<InputFormat> {
  // The first byte is enough for most results, of which there may be thousands.
  const [first] = await startOf(path, path);
  if (first === OPEN_BRACE) return "jsonl";
  const format = await formatOf(path, ""), named = formatOfName(path);
  if (format !== "jsonl" || (named !== "csv" && named !== "tsv")) return format;
  // Lines may be compressed, or follow a byte order mark or an empty line.
  return (await firstText(path, path)).trimStart().startsWith("{") ? format : named;
}
