/**
 * Finds the data files of the paths that the user names.
 *
 * @module
 */

import { inFolder } from "../paths.ts";
import { UsageError } from "../errors.ts";
import { systemReason } from "../files.ts";
import { type JsonObject, objectOf, type RunHints } from "./line_facts.ts";

/** The names of results and failures files, compressed or not. */
const DATA_NAME = /\.(?:jsonl|ndjson)(?:\.gz|\.zst)?$/;
/** Files that accompany results and failures. */
const COMPANION = /(?:\.outdated|\.duplicates|\.rescued-\d+|\.batches)\.jsonl$/;
const MAX_DEPTH = 4;

/**
 * The files of some paths, each with the index of its path: files themselves, and in folders the
 * files with names of data files. The failures of a results file are included.
 */
export async function findDataFiles(paths: readonly string[]): Promise<Map<string, number>> {
  const all = new Map<string, number>();
  for (const [place, path] of paths.entries()) {
    const found = new Set<string>();
    const info = await statOf(path);
    if (info === undefined) {
      throw new UsageError(`Cannot open "${path}": there is no such file or folder`);
    }
    if (info.isDirectory) await addFolder(path, found, 0);
    else {
      found.add(path);
      const failures = failuresOf(path);
      if (failures !== undefined && (await statOf(failures))?.isFile) found.add(failures);
    }
    for (const file of found) if (!all.has(file)) all.set(file, place);
  }
  return all;
}

/** The failures file that belongs to a results file. */
function failuresOf(path: string): string | undefined {
  const [, stem, ending] = /^(.*?)(\.(?:jsonl|ndjson)(?:\.gz|\.zst)?)$/s.exec(path) ?? [];
  return stem === undefined || stem.endsWith("_error") ? undefined : `${stem}_error${ending}`;
}

/** The path of the run file of a results or failures file. */
export function runFileOf(path: string): string {
  return path.replace(/(?:_error)?(?:\.(?:jsonl|ndjson))?(?:\.gz|\.zst)?$/, "") + ".run.json";
}

async function addFolder(folder: string, found: Set<string>, depth: number): Promise<void> {
  const entries: Deno.DirEntry[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) entries.push(entry);
  } catch (cause) {
    throw new UsageError(`Cannot open "${folder}": ${systemReason(cause)}`, { cause });
  }
  // The failures of a results file follow it.
  const stem = ({ name }: Deno.DirEntry) => name.replace(/(_error)?\..*$/s, "");
  entries.sort((a, b) =>
    stem(a).localeCompare(stem(b), "en", { numeric: true }) || a.name.length - b.name.length
  );
  for (const { name, isDirectory } of entries) {
    if (name.startsWith(".")) continue;
    if (isDirectory) {
      if (depth < MAX_DEPTH) await addFolder(inFolder(folder, name), found, depth + 1);
    } else if (DATA_NAME.test(name) && !COMPANION.test(name)) found.add(inFolder(folder, name));
  }
}

async function statOf(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw new UsageError(`Cannot open "${path}": ${systemReason(cause)}`, { cause });
  }
}

/**
 * The options of the run that wrote a results or failures file, which are needed to read its lines;
 * none if the run file is missing or damaged.
 */
export function readHints(results: string): RunHints {
  let file: JsonObject;
  try {
    file = objectOf(JSON.parse(Deno.readTextFileSync(runFileOf(results))));
  } catch {
    return {};
  }
  const identity = objectOf(file.identity);
  const text = (value: unknown) => typeof value === "string" && value !== "" ? value : undefined;
  return {
    promptField: text(identity.prompt_field),
    template: text(identity.template),
    system: text(identity.system),
    model: text(identity.model),
    teacher: text(file.teacher),
    input: text(file.input),
    params: objectOf(file.params) as RunHints["params"],
  };
}
