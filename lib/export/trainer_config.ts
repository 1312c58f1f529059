/**
 * Configuration with which a trainer reads an export, and the command that uploads it.
 *
 * @module
 */

import { basename } from "../deps/std_path.ts";
import { withoutSeparator } from "../paths.ts";
import { shellWord } from "../printable.ts";
import { FILE_KINDS, type FileKind, type FileType, fileTypeOf } from "../tables/mod.ts";

/** A piece of configuration, ready to paste. */
export interface LoaderHint {
  /** Where the configuration belongs, in words. */
  readonly place: string;
  /** What to paste. */
  readonly text: string;
}

/** A training set that was written. */
export interface WrittenSet {
  readonly path: string;
  readonly columns: readonly string[];
}

/** Returns how a dataset folder gets to the Hugging Face Hub. */
export function hub({ path }: WrittenSet): LoaderHint {
  return { place: "the Hugging Face Hub", text: uploadCommand(path) };
}

/** Returns the command that uploads a dataset folder. */
export function uploadCommand(folder: string): string {
  const path = withoutSeparator(folder);
  const name = basename(path).replaceAll(/[^\w.-]+/g, "-") || "dataset";
  return `hf upload USER/${name} ${shellWord(path)} . --repo-type dataset`;
}

/** Which columns LLaMA-Factory reads from each kind of file. In CSV every cell is text. */
const LLAMA_FACTORY: Readonly<Record<FileKind, "everything" | "texts">> = {
  jsonl: "everything",
  json: "everything",
  csv: "texts",
  parquet: "everything",
};

/**
 * Returns the entry for LLaMA-Factory's `dataset_info.json`.
 *
 * @param names Our column names, keyed by LLaMA-Factory's.
 * @param settings Further fields of the entry.
 */
export function llamaFactory(
  { path, columns }: WrittenSet,
  names: Readonly<Record<string, string>>,
  settings: Readonly<Record<string, unknown>> = {},
): LoaderHint {
  const name = basename(path).replace(/\..*$/, "").replaceAll(/\W+/g, "_");
  const isFlat = !columns.some((column) => LISTS.has(column));
  if (!isReadByLlamaFactory(path, isFlat)) {
    const extensions = readableKinds(isFlat).map((kind) => `.${kind}`);
    const list = `${extensions.slice(0, -1).join(", ")} and ${extensions.at(-1)}`;
    return {
      place: "LLaMA-Factory",
      text: `It reads ${isFlat ? "this format" : "lists"} only from uncompressed ${list}: ` +
        "use one of these names",
    };
  }
  const present = Object.entries(names).filter(([, ours]) => columns.includes(ours));
  const entry = { file_name: basename(path), ...settings, columns: Object.fromEntries(present) };
  return {
    place: "data/dataset_info.json of LLaMA-Factory",
    text: JSON.stringify({ [name]: entry }, null, 2),
  };
}

/** Names of columns that hold lists, which LLaMA-Factory cannot read from CSV. */
const LISTS: ReadonlySet<string> = new Set(["conversations", "history"]);

/** Whether LLaMA-Factory reads the file: it takes the type from the last extension. */
function isReadByLlamaFactory(path: string, isFlat: boolean): boolean {
  const { kind, compression }: FileType = fileTypeOf(path);
  return compression === undefined && path.endsWith(`.${kind}`) &&
    readableKinds(isFlat).includes(kind);
}

/** Returns the kinds of files that LLaMA-Factory reads. `isFlat`: no column holds lists. */
function readableKinds(isFlat: boolean): FileKind[] {
  return FILE_KINDS.filter((kind) => isFlat || LLAMA_FACTORY[kind] === "everything");
}

/** Axolotl's `ds_type` for each kind of file. */
const AXOLOTL: Readonly<Record<FileKind, string>> = {
  jsonl: "json",
  json: "json",
  csv: "csv",
  parquet: "parquet",
};

/** Returns the entry for Axolotl's `datasets`; `fields` are further YAML lines of the entry. */
export function axolotl({ path }: WrittenSet, fields: readonly string[] = []): LoaderHint {
  const lines = [`ds_type: ${AXOLOTL[fileTypeOf(path).kind]}`, "type: chat_template", ...fields];
  const text = `datasets:\n  - path: ${JSON.stringify(path)}\n    ${lines.join("\n    ")}`;
  return { place: "the configuration of Axolotl", text };
}
