/**
 * Outputs from the time when `deno task distill` took relative paths from the project's folder.
 *
 * @module
 */

import { dirname, isAbsolute, join } from "../lib/deps/std_path.ts";
import { UsageError } from "../lib/errors.ts";
import { findInputs, outputFilesOf } from "../lib/run/mod.ts";
import type { Io } from "./io.ts";
import { shellWord } from "./shell.ts";

/** What a run or a proof is about. */
export interface Place {
  /** Its inputs, as they were named. */
  readonly input: readonly string[];
  /** Its output, as it was named. */
  readonly output: string;
}

/**
 * Stops where the folder of the project holds a run of this name and the user's own folder holds none: its
 * answers would be paid for twice.
 *
 * @throws {UsageError} with both places and the ways out
 */
export async function refuseFormerFolder(
  { input, output }: Place,
  { folders }: Pick<Io, "folders">,
  otherwise = ". To start a new one here: --no-resume",
): Promise<void> {
  if (folders === undefined || folders.user === folders.start || isAbsolute(output)) return;
  const { user, start } = folders;
  for (const results of await resultsOf({ input, output })) {
    const there = join(start, results);
    if (await hasRun(join(user, results)) || !await hasRun(there)) continue;
    const place = /\.(jsonl|ndjson)$/.test(output) ? there : `${dirname(there)}/`;
    throw new UsageError(
      `Cannot use "${join(user, results)}": there is no run, but there is one of this name at ` +
        `"${there}", where relative paths led before. To use that one: -o ${
          shellWord(place)
        }${otherwise}`,
    );
  }
}

/** Whatever is wrong with inputs and output is told by the run itself. */
async function resultsOf({ input, output }: Place): Promise<string[]> {
  try {
    const { files } = await findInputs(input);
    return (await outputFilesOf(files, output)).map(({ results }) => results);
  } catch {
    return [];
  }
}

/** Whether there is a run file, or results from before there was one. */
async function hasRun(results: string): Promise<boolean> {
  const paths = [results.replace(/\.(jsonl|ndjson)$/, ".run.json"), results];
  const found = await Promise.all(
    paths.map((path) => Deno.stat(path).then(({ isFile }) => isFile, () => false)),
  );
  return found.some(Boolean);
}
