/**
 * Refuses runs whose rows were already sent into the same output folder, by another division into
 * shards or by a run over whole files: the rows would be paid for again.
 *
 * @module
 */

import { dirname } from "../deps/std_path.ts";
import { UsageError } from "../errors.ts";
import { hasContent, namesIn } from "../files.ts";
import { OWN_FOLDER, splitPath, stemOf } from "../paths.ts";
import { shellWord } from "../printable.ts";
import { commandText } from "../shell.ts";
import { DividedInputs } from "./divided_inputs.ts";
import {
  isLocked,
  MOVED_FOLDER,
  movedResultsOf,
  ownResultsIn,
  rescuedIn,
} from "./earlier_results.ts";
import { parsePlanName, readPlan } from "./plan_file.ts";

/**
 * Matches the results of a shard, or its rescued lines; captures its output's name and the number of
 * shards.
 */
const SHARD_RESULTS_NAME = /^(.*)-\d{5,}-of-(\d{5,})(?:\.rescued-\d+)?\.jsonl$/;

/** Shards or a run over whole files have answered rows that another division would send again. */
export class OtherDivisionError extends UsageError {}

/** Where an output is, and where runs over whole files would write. */
export interface OwnOutput {
  /** The stem that all shards of the output share: `out/x`. */
  readonly stem: string;
  /**
   * Whether the user gave the results a name of their own, as for another model: then shards of
   * other outputs in the folder do not matter.
   */
  readonly isNamed: boolean;
  /** Paths of the results that runs over whole files would write, whether or not they exist. */
  readonly wholeResults: readonly string[];
}

/** A division of inputs into shards. */
export interface Division {
  /** The path of the file with the borders; "" if it is gone. */
  readonly path: string;
  /** The stem that all its shards share: `out/x`. */
  readonly stem: string;
  /** The number of shards. */
  readonly count: number;
}

/** The divisions whose borders are pinned in the folder of an output with this stem. */
export async function divisionsBeside(stem: string): Promise<Division[]> {
  const { start } = splitPath(stem);
  const folder = `${start}${OWN_FOLDER}`;
  return (await namesIn(folder)).flatMap((file) => {
    const plan = parsePlanName(file);
    if (plan === undefined) return [];
    return [{ path: `${folder}/${file}`, stem: `${start}${plan.name}`, count: plan.shards }];
  });
}

/** The divisions of an output whose borders are gone, by the run files of its shards. */
async function divisionsWithoutBorders(
  stem: string,
  pinned: readonly Division[],
): Promise<Division[]> {
  const { start, name } = splitPath(stem);
  const lost = new Map<number, Division>();
  for (const file of await namesIn(dirname(stem))) {
    const [, outputName, digits] = SHARD_RESULTS_NAME.exec(file) ?? [], count = Number(digits);
    if (outputName !== name || lost.has(count)) continue;
    if (pinned.some((division) => division.stem === stem && division.count === count)) continue;
    // Datasets have files of such names, too, which may be inputs of other runs.
    const shard = stemOf(file).replace(/\.rescued-\d+$/, "");
    const isShard = await isShardOf(`${start}${shard}.run.json`, count);
    if (isShard) lost.set(count, { path: "", stem, count });
  }
  return [...lost.values()];
}

async function isShardOf(runJson: string, count: number): Promise<boolean> {
  try {
    return JSON.parse(await Deno.readTextFile(runJson)).identity.shards === count;
  } catch {
    return false;
  }
}

/** Throws if shards would send rows again that other shards or a run over whole files have sent. */
export async function refuseOtherDivisions(
  { stem, isNamed, wholeResults }: OwnOutput,
  files: readonly string[],
  count: number,
): Promise<void> {
  const divisions = await divisionsBeside(stem);
  const whole = await ownResultsIn(wholeResults) ?? await rescuedIn(wholeResults);
  const isOwn = (division: Division) => division.stem === stem && division.count === count;
  if (!divisions.some(isOwn)) divisions.push(...await divisionsWithoutBorders(stem, divisions));
  // If its borders are lost, they are made again, and are the same as long as the input is.
  const own = divisions.find(isOwn);
  const others = divisions.filter((division) => division !== own);
  const moved = whole === undefined ? await movedResultsOf(wholeResults) : undefined;
  if (whole === undefined && moved === undefined && others.length === 0) return;
  if (own !== undefined && await firstAnswers(own) !== undefined) return;
  const begun = await BegunDivisions.read(others, { isNamed });
  const answers = await begun.find(stem, files);
  const what = `"${stem}.jsonl" in ${count} shards`;
  if (answers !== undefined) throw await refused(what, answers);
  if (moved !== undefined) throw refusedMoved(what, moved);
  if (whole === undefined) return;
  const needsName = whole === `${stem}.jsonl` || whole.endsWith(".ndjson");
  const place = needsName ? ` and with -o ${shellWord(whole)}` : "";
  throw new OtherDivisionError(
    `Cannot run "${stem}.jsonl" in ${count} shards: "${whole}" holds answers of a run without ` +
      "--shard or of a merge, which would be paid for again. Continue without " +
      `--shard${place}, or name another output`,
  );
}

/**
 * Throws if a run over whole files would send rows again that shards have sent, or whose answers
 * are in a merge of several files. Files whose results have answers may be continued.
 */
export async function refuseShards(
  { stem, isNamed, wholeResults }: OwnOutput,
  runs: readonly { readonly files: readonly string[]; readonly results: string }[],
): Promise<void> {
  const own = new Set(runs.map(({ results }) => results));
  const merged = await ownResultsIn(wholeResults.filter((path) => !own.has(path)));
  const divisions = await divisionsBeside(stem);
  divisions.push(...await divisionsWithoutBorders(stem, divisions));
  const hasMoved = (await namesIn(`${splitPath(stem).start}${MOVED_FOLDER}`)).length > 0;
  if (merged === undefined && divisions.length === 0 && !hasMoved) return;
  const begun = await BegunDivisions.read(divisions, { isNamed });
  for (const { files, results } of runs) {
    if (await hasContent(results)) continue;
    if (merged !== undefined) throw refusedMerged(results, merged);
    const answers = await begun.find(stemOf(results), files);
    if (answers !== undefined) throw await refused(`"${results}" without --shard`, answers);
    const moved = await movedResultsOf([results]);
    if (moved !== undefined) throw refusedMoved(`"${results}"`, moved);
  }
}

function refusedMoved(what: string, moved: string): OtherDivisionError {
  return new OtherDivisionError(
    `Cannot run ${what}: a merge has moved its answers to "${moved}", and they would be paid for ` +
      "again. Continue the merged results with -o and their name, move the files back, or name " +
      "another output",
  );
}

function refusedMerged(results: string, merged: string): OtherDivisionError {
  return new OtherDivisionError(
    `Cannot run into "${results}": "${merged}" holds answers to these inputs, which would be ` +
      `paid for again. Continue it with -o ${shellWord(merged)}, or name another output`,
  );
}

/** Results with answers, and the division they belong to. */
interface Answers {
  readonly division: Division;
  readonly path: string;
  /** Whether a run is writing to the results, which may hold no answers yet. */
  readonly isRunning: boolean;
}

/** The divisions that hold answers, or soon will. */
class BegunDivisions {
  readonly #byStem = new Map<string, Answers>();
  readonly #inputs = new DividedInputs<Answers>();

  /** @param isNamed Whether divisions count only with the stem that is looked for. */
  static async read(
    divisions: readonly Division[],
    { isNamed }: Pick<OwnOutput, "isNamed">,
  ): Promise<BegunDivisions> {
    const begun = new BegunDivisions();
    for (const division of divisions) {
      const answers = await firstAnswers(division);
      if (answers === undefined) continue;
      begun.#byStem.set(division.stem, answers);
      const plan = isNamed || division.path === "" ? undefined : await readPlan(division.path);
      await begun.#inputs.add(answers, plan?.inputs ?? []);
    }
    return begun;
  }

  /** The answers of a division of the output with this stem, or of one of the files. */
  async find(stem: string, files: readonly string[]): Promise<Answers | undefined> {
    const ofOutput = this.#byStem.get(stem);
    if (ofOutput !== undefined) return ofOutput;
    for (const file of files) {
      const ofFile = await this.#inputs.ownerOf(file);
      if (ofFile !== undefined) return ofFile;
    }
    return undefined;
  }
}

/** The first results of a division that hold answers, or soon will. A merge may have moved them. */
async function firstAnswers(division: Division): Promise<Answers | undefined> {
  const { start, name } = splitPath(division.stem);
  for (const place of [start, `${start}${MOVED_FOLDER}`]) {
    for (const file of await namesIn(place || ".")) {
      const [, outputName, digits] = SHARD_RESULTS_NAME.exec(file) ?? [];
      if (outputName !== name || Number(digits) !== division.count) continue;
      const path = `${place}${file}`;
      const isRunning = await isLocked(path);
      if (isRunning || await hasContent(path)) return { division, path, isRunning };
    }
  }
  return undefined;
}

async function refused(
  what: string,
  { division, path, isRunning }: Answers,
): Promise<OtherDivisionError> {
  if (isRunning) {
    return new OtherDivisionError(
      `Cannot run ${what}: a run is writing to "${path}", one of ${division.count} shards, whose rows ` +
        "would be paid for twice. Continue those shards with the inputs that they were given, or name " +
        "another output folder",
    );
  }
  return new OtherDivisionError(
    `Cannot run ${what}: "${path}" and others hold answers of ${division.count} shards, which would be ` +
      "paid for again. Continue those shards with the inputs that they were given. To send all rows " +
      `again, name another output folder. To continue without --shard, ${await wayOut(
        division,
        path,
      )}`,
  );
}

/** A merge that has moved the shards may have been continued: its answers are in no shard. */
async function wayOut(division: Division, path: string): Promise<string> {
  const merged = `${division.stem}.jsonl`, isMoved = path.includes(MOVED_FOLDER);
  // The input of the shards may be in this folder, too.
  if (isMoved && await ownResultsIn([merged]) !== undefined) {
    return `run the inputs of those shards with -o ${shellWord(merged)}`;
  }
  const unlessMoved = isMoved ? "run their inputs with -o and the merged results, or " : "";
  return `${unlessMoved}${mergeAdvice(division, "--partial")}`;
}

/** How to continue without `--shard` from the answers of a division. */
function mergeAdvice({ stem, count }: Division, flag: "--partial" | "--no-proof"): string {
  const { start, name } = splitPath(stem);
  const merged = `${start}merged/${name}.jsonl`;
  const merge = commandText(
    ...["merge", `${stem}.jsonl`, "--shards", String(count), flag, "-o", merged],
  );
  return `merge what is there:\n  ${merge}\nand run the inputs of those shards with -o ${
    shellWord(merged)
  }`;
}

/** What a user can do if the input of a division has changed, other than restore the input. */
export async function changedInputAdvice(division: Division, inputs: number): Promise<string> {
  if (await firstAnswers(division) === undefined) {
    return `or remove "${division.path}": no shard has answered yet`;
  }
  const again = "or name another output folder to send all rows again";
  // To continue the results of several inputs, a run needs the run file that only a proven merge
  // writes.
  if (inputs > 1) return again;
  return `${again}. To send only what has changed, ${mergeAdvice(division, "--no-proof")}`;
}
