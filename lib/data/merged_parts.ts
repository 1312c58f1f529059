/**
 * Leaves out the shards of a run whose merge is there too, as `submit` lays them out: `out/x.jsonl`
 * or `out/merged/x.jsonl` beside `out/x-00000-of-00002.jsonl`. Otherwise each row would count
 * twice.
 *
 * @module
 */

import { formatCountOf } from "../figures.ts";
import { isObject } from "../json.ts";
import { RESULTS_EXTENSION, stemOf } from "../paths.ts";

const SHARD_STEM = /^(.*)-\d{5,}-of-(\d{5,})(_error)?$/s;

/** The files of one division into shards. */
interface Parts {
  readonly files: string[];
  /** How many shards have results here, and how many there are. */
  results: number;
  readonly count: number;
}

/**
 * Removes files whose rows are in others, too, from the files of a folder.
 *
 * @param isIndexed Whether a file is read already, and must therefore stay.
 * @returns what was left out, in sentences
 */
export async function leaveOutMerged(
  files: Set<string>,
  isIndexed: (path: string) => boolean,
): Promise<string[]> {
  const notes: string[] = [];
  const divisions = partsIn(files);
  if (divisions.size === 0) return notes;
  for (const merge of [...files]) {
    if (!RESULTS_EXTENSION.test(merge) || SHARD_STEM.test(stemOf(merge))) continue;
    const parts = partsPlaces(withSlashes(stemOf(merge))).flatMap((stem) =>
      divisions.get(stem) ?? []
    )
      .filter(({ files: names }) => names.every((path) => files.has(path)));
    if (parts.length === 0 || !await isMerge(merge)) continue;
    for (const division of parts) {
      const isStale = await hasNewerResults(division, merge);
      const mergeFiles = [merge, merge.replace(RESULTS_EXTENSION, "_error.$1")];
      const leaveMerge = division.files.some(isIndexed) || (isStale && !isIndexed(merge));
      for (const path of leaveMerge ? mergeFiles : division.files) files.delete(path);
      notes.push(noteOf(merge, division, leaveMerge));
      if (leaveMerge) break;
    }
  }
  return notes;
}

function noteOf(merge: string, { files }: Parts, leavesMerge: boolean): string {
  const shards = files.length === 1
    ? `"${files[0]}"`
    : `"${files[0]}" and ${formatCountOf(files.length - 1, "other file")} of its shards`;
  return leavesMerge
    ? `"${merge}" is left out: it is an older merge of ${shards}`
    : `${shards} ${files.length === 1 ? "is" : "are"} left out: "${merge}" is their merge`;
}

/** Shards by the folder and name of their run, and by their number. */
function partsIn(files: Iterable<string>): Map<string, Parts[]> {
  const divisions = new Map<string, Parts[]>();
  for (const path of files) {
    if (!RESULTS_EXTENSION.test(path)) continue;
    const [, stem, count, isFailures] = SHARD_STEM.exec(withSlashes(stemOf(path))) ?? [];
    if (stem === undefined) continue;
    const ofRun = divisions.get(stem) ?? [];
    divisions.set(stem, ofRun);
    let parts = ofRun.find((other) => other.count === Number(count));
    if (parts === undefined) ofRun.push(parts = { files: [], results: 0, count: Number(count) });
    parts.files.push(path);
    if (isFailures === undefined) parts.results++;
  }
  return divisions;
}

/** Stems beside a merge, and one folder above it: `out/sub/x` for `out/merged/sub/x`. */
function partsPlaces(stem: string): string[] {
  const folders = stem.split("/");
  const name = folders.pop()!;
  const above = folders.map((_, index) =>
    [...folders.slice(0, index), ...folders.slice(index + 1), name].join("/")
  );
  return [stem, ...above];
}

/** Paths are compared as on POSIX. */
function withSlashes(path: string): string {
  return path.replaceAll("\\", "/");
}

async function isMerge(results: string): Promise<boolean> {
  try {
    const run = JSON.parse(await Deno.readTextFile(`${stemOf(results)}.run.json`));
    return isObject(run) && run.merged !== undefined;
  } catch {
    return false;
  }
}

/** Whether shards, all of them here, were continued after the merge. */
async function hasNewerResults({ files, results, count }: Parts, merge: string): Promise<boolean> {
  if (results < count) return false;
  const mergedAt = await modifiedAt(merge);
  for (const path of files) if (await modifiedAt(path) > mergedAt) return true;
  return false;
}

async function modifiedAt(path: string): Promise<number> {
  const info = await Deno.stat(path).catch(() => undefined);
  return info?.mtime?.getTime() ?? 0;
}
