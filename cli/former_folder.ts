/**
 * Detects outputs of versions in which `deno task distill` resolved relative paths against the
 * project's folder.
 *
 * @module
 */

import { dirname, isAbsolute, join } from "../lib/deps/std_path.ts";
import { UsageError } from "../lib/errors.ts";
import { findInputs, outputFilesOf } from "../lib/run/mod.ts";
import type { Io } from "./io.ts";
import { shellWord } from "../lib/printable.ts";
import { RESULTS_EXTENSION, stemOf } from "../lib/files.ts";

export interface RunPaths {
  readonly input: readonly string[];
  readonly output: string;
}

/**
 * Throws if the project's folder contains a run of this name and the user's working directory does
 * not: a new run there would pay for the answers again.
 *
 * @param alternative What else the user can do, at the end of the error.
 */
export async function refuseFormerFolder(
  { input, output }: RunPaths,
  { folders }: Pick<Io, "folders">,
  alternative = ". To start a new one here: --no-resume",
): Promise<void> {
  if (folders === undefined || folders.user === folders.start || isAbsolute(output)) return;
  const { user, start } = folders;
  for (const results of await resultsOf({ input, output })) {
    const formerResults = join(start, results);
    if (await hasRun(join(user, results)) || !await hasRun(formerResults)) continue;
    const formerOutput = RESULTS_EXTENSION.test(output)
      ? formerResults
      : `${dirname(formerResults)}/`;
    throw new UsageError(
      `Cannot use "${
        join(user, results)
      }": it contains no run, but earlier versions resolved relative ` +
        `paths elsewhere and left a run at "${formerResults}". To use that one: -o ${
          shellWord(formerOutput)
        }${alternative}`,
    );
  }
}

/**
 * Returns the results paths of the run. Returns none if an input or the output is wrong: the run
 * reports that.
 */
async function resultsOf({ input, output }: RunPaths): Promise<string[]> {
  try {
    const { files } = await findInputs(input);
    return (await outputFilesOf(files, output)).map(({ results }) => results);
  } catch {
    return [];
  }
}

/** Whether there is a run file, or results without one (older versions). */
async function hasRun(results: string): Promise<boolean> {
  const paths = [`${stemOf(results)}.run.json`, results];
  const areFiles = await Promise.all(
    paths.map((path) => Deno.stat(path).then(({ isFile }) => isFile, () => false)),
  );
  return areFiles.some(Boolean);
}
