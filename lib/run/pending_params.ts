/** The parameters of rows that a retry leaves pending. @module */

import { shardStem } from "../shards/mod.ts";
import type { Params } from "../teacher/mod.ts";
import { findInputs } from "./inputs.ts";
import type { ResolvedRunOptions } from "./option_rules.ts";
import { outputFilesOf, sharedOutput } from "./outputs.ts";
import { paramsId } from "./params_id.ts";
import { readRunFile } from "./run_file.ts";

/**
 * The parameters that a run over the pending rows of this output must have, if they are not
 * `params`: a retry may have others than the run that began the output.
 */
export async function otherPendingParams(
  options: Pick<ResolvedRunOptions, "input" | "output" | "shard">,
  params: Params,
): Promise<Params | undefined> {
  for await (const path of runFilesOf(options)) {
    const before = (await readRunFile(path))?.identity.params;
    if (before !== undefined) return paramsId(before) === paramsId(params) ? undefined : before;
  }
  return undefined;
}

async function* runFilesOf(
  { input, output, shard }: Pick<ResolvedRunOptions, "input" | "output" | "shard">,
): AsyncGenerator<string> {
  const { files } = await findInputs(input);
  if (shard !== undefined) {
    const { stem } = await sharedOutput(input, files, output);
    yield `${shardStem(stem, shard)}.run.json`;
    return;
  }
  for (const file of files) yield (await outputFilesOf([file], output))[0].runJson;
}
