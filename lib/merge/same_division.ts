/**
 * Joins outputs into which machines without a common disk have written shards of one input.
 *
 * @module
 */

import { basename } from "../deps/std_path.ts";
import { hasContent } from "../files.ts";
import { isCopyOf } from "../shards/mod.ts";
import { areThere } from "./find_division.ts";
import type { MergeRun } from "./find_runs.ts";

type Division = readonly MergeRun[];

/** The runs of one output. */
export interface OutputRuns {
  readonly runs: readonly MergeRun[];
  /** Whether the runs are all shards of a division. */
  readonly isDivision: boolean;
}

/** Returns the runs of all outputs. Of divisions of one input, takes each shard from the outputs in
 * which it has started. */
export async function joinDivisions(outputs: readonly OutputRuns[]): Promise<MergeRun[]> {
  const sets: { readonly shape: string | undefined; readonly divisions: Division[] }[] = [];
  const mayJoin = outputs.filter(({ isDivision }) => isDivision).length > 1;
  for (const { runs, isDivision } of outputs) {
    const shape = mayJoin && isDivision ? shapeOf(runs) : undefined;
    let divisions: Division[] | undefined;
    for (const set of sets) {
      const isSame = shape !== undefined && set.shape === shape &&
        await haveSameInputs(runs, set.divisions[0]);
      if (isSame) divisions = set.divisions;
    }
    if (divisions === undefined) sets.push({ shape, divisions: [runs] });
    else if (await areThere(divisions[0][0].inputs)) divisions.push(runs);
    else divisions.unshift(runs);
  }
  return (await Promise.all(sets.map(({ divisions }) => startedOf(divisions)))).flat();
}

/** Returns a text that is the same for divisions of one input, whatever its folder. */
function shapeOf(runs: Division): string {
  return JSON.stringify(runs.map(({ pieces, files: { runJson } }) => [
    basename(runJson),
    pieces.map(({ path, part }) => [basename(path), part]),
  ]));
}

/** Whether two divisions have the same files as inputs, or copies of them, as far as these exist. */
async function haveSameInputs(
  [{ inputs }]: Division,
  [{ inputs: others }]: Division,
): Promise<boolean> {
  if (inputs.length !== others.length) return false;
  for (const [i, path] of inputs.entries()) {
    if (path === others[i] || !(await hasContent(path))) continue;
    if (!(await isCopyOf(path, others[i]))) return false;
  }
  return true;
}

/** Returns the shards that have started, or the first one where none has. If this leaves out any,
 * all are compared with the inputs of the first division, so that the proof covers the rows of the
 * shards that are left out. */
async function startedOf(divisions: readonly Division[]): Promise<MergeRun[]> {
  const [first] = divisions, [{ inputs, changes }] = first;
  const runs: MergeRun[] = [];
  for (const [index, firstRun] of first.entries()) {
    const group = divisions.map((division) => division[index]);
    const areStarted = await Promise.all(group.map(isStarted));
    const kept = areStarted.includes(true) ? group.filter((_, i) => areStarted[i]) : [firstRun];
    const paths = firstRun.pieces.map(({ path, name }) => ({ path, name }));
    const piecesOf = ({ pieces }: MergeRun) =>
      pieces.map((piece, i) => ({ ...piece, ...paths[i] }));
    runs.push(...kept.map((run) => ({ ...run, pieces: piecesOf(run), inputs, changes })));
  }
  const all = divisions.flat();
  return runs.length === all.length ? all : runs;
}

async function isStarted({ runFile, runFileProblem, files }: MergeRun): Promise<boolean> {
  return (runFile ?? runFileProblem) !== undefined || await hasContent(files.results);
}
