/**
 * Which file a name stands for.
 *
 * @module
 */

import { UsageError } from "../errors.ts";

/** How a table is written. */
export interface TableFormat {
  /** The file format. */
  readonly kind: "jsonl" | "json" | "csv" | "parquet";
  /** How the file is compressed as a whole; Parquet compresses its own pages. */
  readonly compression?: "gzip" | "zstd";
}

const KINDS: Readonly<Record<string, TableFormat["kind"]>> = {
  jsonl: "jsonl",
  ndjson: "jsonl",
  json: "json",
  csv: "csv",
  parquet: "parquet",
};
const COMPRESSIONS: Readonly<Record<string, TableFormat["compression"]>> = {
  gz: "gzip",
  zst: "zstd",
  zstd: "zstd",
};
/** Extensions of other programs: JSON text under such a name would be read by none of them. */
const FOREIGN =
  /\.(tsv|txt|xlsx?|ods|arrow|feather|ipc|orc|avro|xml|ya?ml|db|sqlite|duckdb|h5|pkl|npz?|bz2|xz|zip|lz4|br|snappy)$/;

/**
 * The format that a path names by its extension; JSON Lines where it names none.
 *
 * @throws {UsageError} where the extension is that of a format that is not written
 */
export function tableFormatOf(path: string): TableFormat {
  const name = path.toLowerCase();
  const packed = /\.(gz|zst|zstd)$/.exec(name);
  const kind =
    KINDS[/\.(\w+)$/.exec(packed === null ? name : name.slice(0, packed.index))?.[1] ?? ""];
  const refuse = (problem: string): never => {
    throw new UsageError(`Cannot write "${path}": ${problem}`);
  };
  if (FOREIGN.test(name)) refuse("use .jsonl, .json, .csv (each also .gz or .zst) or .parquet");
  if (kind === "parquet" && packed !== null) {
    refuse("Parquet is compressed inside: name it .parquet");
  }
  return {
    kind: kind ?? "jsonl",
    compression: packed === null ? undefined : COMPRESSIONS[packed[1]],
  };
}

/** Whether all values of a column have one type, which has to be known before the first row. */
export function isTableOfType({ kind }: TableFormat): boolean {
  return kind === "parquet";
}

/** Whether the rows of a table may be given as JSON text. */
export function takesText({ kind }: TableFormat): boolean {
  return kind === "jsonl" || kind === "json";
}
