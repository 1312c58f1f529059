/**
 * The configuration with which a trainer reads an export.
 *
 * @module
 */

import { withoutSeparator } from "../paths.ts";
import { basename } from "../deps/std_path.ts";
import { tableFormatOf } from "../tables/mod.ts";
import type { ExportFormat } from "./format_names.ts";

/** A piece of configuration, ready to paste. */
export interface LoaderHint {
  /** Where it belongs. */
  readonly place: string;
  /** The text. */
  readonly text: string;
}

/**
 * The configuration of the trainers that read a format.
 *
 * @param format The format.
 * @param path The file that was written.
 * @param columns The columns that it has.
 */
export function loaderHints(
  format: ExportFormat,
  path: string,
  columns: readonly string[],
): LoaderHint[] {
  switch (format) {
    case "messages":
      return [axolotl(path, [])];
    case "sharegpt":
      return [
        llamaFactory(format, path, columns),
        axolotl(path, [
          "field_messages: conversations",
          "message_property_mappings: { role: from, content: value }",
        ]),
      ];
    case "alpaca":
    case "preference-sharegpt":
      return [llamaFactory(format, path, columns)];
    case "dataset":
      return [{ place: "the Hugging Face Hub", text: uploadCommand(path) }];
    default:
      return [];
  }
}

/** The command that uploads a dataset folder. */
export function uploadCommand(folder: string): string {
  const path = withoutSeparator(folder);
  const name = basename(path).replaceAll(/[^\w.-]+/g, "-") || "dataset";
  return `hf upload USER/${name} ${shellWord(path)} . --repo-type dataset`;
}

/** Quoted for POSIX shells. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** LLaMA-Factory's names of columns, and ours. */
const LLAMA_FACTORY_COLUMNS: Readonly<Record<string, readonly [string, string][]>> = {
  "sharegpt": [["messages", "conversations"], ["tools", "tools"]],
  "preference-sharegpt": [
    ["messages", "conversations"],
    ["chosen", "chosen"],
    ["rejected", "rejected"],
    ["tools", "tools"],
  ],
  alpaca: [
    ["prompt", "instruction"],
    ["query", "input"],
    ["response", "output"],
    ["system", "system"],
    ["history", "history"],
    ["tools", "tools"],
  ],
};

function llamaFactory(
  format: ExportFormat,
  path: string,
  columns: readonly string[],
): LoaderHint {
  const name = basename(path).replace(/\..*$/, "").replaceAll(/\W+/g, "_");
  const named = LLAMA_FACTORY_COLUMNS[format].filter(([, ours]) => columns.includes(ours));
  if (!isReadByLlamaFactory(path, columns)) {
    return {
      place: "LLaMA-Factory",
      text:
        "It reads lists only from uncompressed .jsonl, .json and .parquet: use one of these names",
    };
  }
  const entry = {
    file_name: basename(path),
    ...(format === "alpaca" ? {} : { formatting: "sharegpt" }),
    ...(format === "preference-sharegpt" ? { ranking: true } : {}),
    columns: Object.fromEntries(named),
  };
  return {
    place: "data/dataset_info.json of LLaMA-Factory",
    text: JSON.stringify({ [name]: entry }, null, 2),
  };
}

/** LLaMA-Factory takes the format from the last extension, and reads every CSV cell as text. */
function isReadByLlamaFactory(path: string, columns: readonly string[]): boolean {
  if (/\.(jsonl|json|parquet)$/.test(path)) return true;
  return path.endsWith(".csv") && !columns.includes("conversations") &&
    !columns.includes("history");
}

function axolotl(path: string, fields: readonly string[]): LoaderHint {
  const { kind } = tableFormatOf(path);
  const type = kind === "jsonl" ? "json" : kind;
  const lines = [`ds_type: ${type}`, "type: chat_template", ...fields];
  const text = `datasets:\n  - path: ${JSON.stringify(path)}\n    ${lines.join("\n    ")}`;
  return { place: "the configuration of Axolotl", text };
}
