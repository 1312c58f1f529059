/**
 * Finds the divisions into shards in an output folder, even if a plan file is gone, and the answers
 * that the shards have.
 *
 * @module
 */

import { basename } from "../deps/std_path.ts";
import {
  fileKeyOf,
  hasContent,
  namesIn,
  OWN_FOLDER,
  parseShardStem,
  shardStem,
  splitPath,
  statOf,
} from "../files.ts";
import { holdsOwnLines } from "../line_blocks.ts";
import { isLockHeld, isOutputLocked } from "../sink/mod.ts";
import { haveSameEnds, inputsOfRun, namesOf, type RunInputs } from "./earlier_answers.ts";
import { MOVED_FOLDER, type PlannedInput, readPlan } from "./plan.ts";

/** One of several contiguous parts of an input. */
export interface Shard {
  /** The index of the shard, from 0. */
  readonly index: number;
  /** The number of shards of the input. */
  readonly count: number;
  /** The number of shards that run at once and share `rpm` and `tpm`. @default all */
  readonly parallel?: number;
  /**
   * Id of the submission that started the shard (`RETORT_JOB`). A merge that waits for a submission
   * ignores the status of earlier ones.
   * @default none
   */
  readonly job?: string;
}

/** The division of an output's inputs into a number of shards. An output may have several. */
export interface Division {
  /** Path of the plan file, which contains the borders; "" if it is gone. */
  readonly path: string;
  /** The stem that all its shards share: `out/x`. */
  readonly stem: string;
  readonly count: number;
  /** What the run file of one shard says about the inputs. Only set if the plan file is gone and a
   * run file is there. */
  readonly run?: RunInputs;
}

/** Finds the divisions that have a plan file, for the outputs of a folder. `start` is the folder
 * with a final separator, or "" for the working directory. */
export async function plannedDivisions(start: string): Promise<Division[]> {
  const folder = `${start}${OWN_FOLDER}`;
  return (await namesIn(folder)).flatMap((file) => {
    const [, name, count] = /^(.*)\.shards-(\d+)\.json$/s.exec(file) ?? [];
    if (name === undefined) return [];
    return [{ path: `${folder}/${file}`, stem: `${start}${name}`, count: Number(count) }];
  });
}

/** Adds the divisions whose plan file is gone, found by the run files of their shards or, if only
 * results were copied, by their lines. Lists the folder, which may have thousands of files. */
export async function withLostDivisions(
  start: string,
  planned: readonly Division[],
): Promise<Division[]> {
  const divisions = [...planned];
  const names = await namesIn(start || ".");
  const existing = new Set(names), others = new Set<string>();
  for (const file of names) {
    const shardName = outputStem(file), runJson = `${shardName}.run.json`;
    const parsed = parseShardStem(shardName);
    if (parsed === undefined) continue;
    const { count } = parsed, stem = `${start}${parsed.stem}`, results = `${shardName}.jsonl`;
    if (divisions.some((known) => known.stem === stem && known.count === count)) continue;
    // Files of datasets have such names, too (`train-00000-of-00004.jsonl`), and may be inputs of
    // other runs.
    if (existing.has(runJson)) {
      const run = await inputsOfRun(`${start}${runJson}`, `${start}${results}`);
      if (run?.identity.shards === count) divisions.push({ path: "", stem, count, run });
    } else if (existing.has(results) && !others.has(`${stem} ${count}`)) {
      const path = `${start}${results}`;
      if (await holdsOwnLines(path, "results").catch(() => false)) {
        divisions.push({ path: "", stem, count });
      } else if (await hasContent(path)) others.add(`${stem} ${count}`);
    }
  }
  return divisions;
}

/** Whether `file` is the name of a shard's results, failures or rescued lines in the division. */
export function isOutputName(
  file: string,
  { stem, count }: Pick<Division, "stem" | "count">,
): boolean {
  const shard = parseShardStem(outputStem(file));
  return shard?.stem === splitPath(stem).name && shard.count === count;
}

/** Returns `x` for the results `x.jsonl`, the failures `x_error.jsonl`, and files with rescued
 * lines of either; "" for other files. */
export function outputStem(file: string): string {
  return /^(.*?)(?:_error)?(?:\.rescued-\d+)?\.jsonl$/s.exec(file)?.[1] ?? "";
}

export function isFailuresPath(path: string): boolean {
  return /_error(\.rescued-\d+)?\.jsonl$/.test(path);
}

export interface ShardAnswers {
  readonly division: Division;
  /** A file of results, failures or rescued lines: the first that `firstAnswers` finds, or the
   * results of a running shard, which may not exist yet. */
  readonly path: string;
  readonly isRunning: boolean;
}

/** Finds the first file of a division that is not empty or that a run has locked. Results come
 * before failures, and the folder of the output before the one to which a merge has moved
 * shards. */
export async function firstAnswers(division: Division): Promise<ShardAnswers | undefined> {
  const { start } = splitPath(division.stem);
  for (const folder of [start, `${start}${MOVED_FOLDER}`]) {
    const files = (await namesIn(folder || ".")).filter((file) => isOutputName(file, division));
    const isResults = (file: string) => !isFailuresPath(file);
    for (const file of [...files.filter(isResults), ...files.filter(isFailuresPath)]) {
      const path = `${folder}${file}`;
      const isRunning = await isOutputLocked(path);
      if (isRunning || await hasContent(path)) return { division, path, isRunning };
    }
  }
}

/** Finds a running shard of a division by its lock, because it may not have opened its results
 * yet. */
async function runningShard(division: Division): Promise<ShardAnswers | undefined> {
  const { start } = splitPath(division.stem);
  for (const file of await namesIn(start || ".")) {
    const results = file.replace(/\.lock$/, ".jsonl");
    if (results === file || !isOutputName(results, division)) continue;
    if (!(await isLockHeld(`${start}${file}`))) continue;
    return { division, path: `${start}${results}`, isRunning: true };
  }
}

/** Whether this shard, a neighbor or shard 0 has answers: the division may then be continued,
 * whatever else the folder contains. Checks only these files: a thousand shards that list the
 * folder would read a million names. */
export async function areAnswersNear(stem: string, shard: Shard): Promise<boolean> {
  const nearIndexes = new Set([shard.index, 0, shard.index - 1, shard.index + 1]);
  const results = [...nearIndexes].map((index) => `${shardStem(stem, { ...shard, index })}.jsonl`);
  return (await Promise.all(results.map(hasContent))).includes(true);
}

/** Finds the input files of a shard's run. */
export type FindInputs = (run: RunInputs) => Promise<readonly string[]>;

interface ReadOptions {
  /** Whether `find` looks only for an output, not for inputs. */
  readonly ignoresInputs: boolean;
  /** Whether to also find running shards without results, by their locks. @default false */
  readonly findsRuns?: boolean;
  /** Finds the inputs of divisions whose plan file is lost. @default none: such divisions are found
   * by output only */
  readonly findInputs?: FindInputs;
}

interface NamedInput extends Pick<PlannedInput, "path"> {
  /** The size of the input. Undefined if the plan file is lost and nothing is at the path: a file
   * with the same name is then taken for a copy. */
  readonly size: number | undefined;
}

interface DividedInput {
  readonly answers: ShardAnswers;
  readonly plannedInput: NamedInput;
  /** The file at the path of the input; undefined if it is gone. */
  readonly info: Deno.FileInfo | undefined;
}

/** Finds the answers of divisions into shards by output or by input. */
export class DividedAnswers {
  readonly #byStem = new Map<string, ShardAnswers>();
  /** The answers by the `fileKeyOf` of an input. */
  readonly #byKey = new Map<string, ShardAnswers>();
  /** The inputs by name, without their folders. */
  readonly #byName = new Map<string, DividedInput[]>();

  static async read(
    divisions: readonly Division[],
    { ignoresInputs, findsRuns = false, findInputs }: ReadOptions,
  ): Promise<DividedAnswers> {
    const dividedAnswers = new DividedAnswers();
    for (const division of divisions) {
      const running = findsRuns ? await runningShard(division) : undefined;
      const answers = running ?? await firstAnswers(division);
      if (answers === undefined) continue;
      dividedAnswers.#byStem.set(division.stem, answers);
      const inputs = ignoresInputs ? [] : await inputsOf(division, findInputs);
      for (const input of inputs) await dividedAnswers.#addInput(input, answers);
    }
    return dividedAnswers;
  }

  async #addInput(plannedInput: NamedInput, answers: ShardAnswers): Promise<void> {
    const info = await statOf(plannedInput.path);
    if (info?.isFile) this.#byKey.set(fileKeyOf(plannedInput.path, info), answers);
    const name = basename(plannedInput.path), input = { answers, plannedInput, info };
    const namesakes = this.#byName.get(name);
    if (namesakes === undefined) this.#byName.set(name, [input]);
    else namesakes.push(input);
  }

  /** Returns the answers of a division with this stem, or with one of `files` as an input. */
  async find(stem: string, files: readonly string[]): Promise<ShardAnswers | undefined> {
    let answers = this.#byStem.get(stem);
    for (const file of files) answers ??= await this.#findInput(file);
    return answers;
  }

  /** Finds an input by its path, through a link, or as a copy with the same name on another
   * machine. */
  async #findInput(file: string): Promise<ShardAnswers | undefined> {
    const info = await statOf(file);
    // Empty files have no rows, and all empty files with the same name would look like copies.
    if (info === undefined || info.size === 0) return undefined;
    const answers = this.#byKey.get(fileKeyOf(file, info));
    if (answers !== undefined) return answers;
    for (const name of await namesOf(file)) {
      for (const { answers, plannedInput, info: plannedInfo } of this.#byName.get(name) ?? []) {
        if (plannedInput.size !== undefined && plannedInput.size !== info.size) continue;
        // Contents are compared if possible, because parts of two datasets may have the same name
        // and size.
        const isCopy = plannedInfo?.size !== info.size ||
          await haveSameEnds(file, plannedInput.path, info.size);
        if (isCopy) return answers;
      }
    }
  }
}

async function inputsOf(
  { path, run }: Division,
  findInputs: FindInputs | undefined,
): Promise<readonly NamedInput[]> {
  if (path !== "") return (await readPlan(path))?.inputs ?? [];
  if (run === undefined || findInputs === undefined) return [];
  const files = await findInputs(run);
  return await Promise.all(
    files.map(async (file) => ({ path: file, size: (await statOf(file))?.size })),
  );
}
