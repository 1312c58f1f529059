/**
 * Refuses a shard if another division or a run over whole files has started since the shard was
 * checked. Each run claims its output first and then looks for others, so at least one of two sees
 * the other.
 *
 * @module
 */

import { exists, stemOf } from "../files.ts";
import { isLockHeld } from "../sink/mod.ts";
import { delay } from "../timer.ts";
import { divisionsBeside } from "./divisions.ts";
import { DividedAnswers, firstAnswers, ownResultsIn } from "./earlier_answers.ts";
import {
  answersInShardsError,
  OtherDivisionError,
  type OwnOutput,
  wholeAnswersError,
} from "./other_divisions.ts";
import { areAnswersNear, type Shard } from "./shard.ts";

export interface StartedShard {
  readonly shard: Shard;
  readonly files: readonly string[];
  /** Ends the wait for other runs without an error. */
  readonly signal: AbortSignal;
}

/** Maximum time to wait until another run ends because it has found this shard. */
const WAIT_FOR_END_MS = 2_000;
const POLL_MS = 100;

/** Throws if another run would send the same rows. Call it once the shard has claimed its output.
 * Shards of one division do not wait for each other. */
export async function refuseStarted(output: OwnOutput, own: StartedShard): Promise<void> {
  const { stem, wholeResults } = output, { shard, signal } = own;
  const hasStarted = await areAnswersNear(stem, shard);
  // `firstAnswers` counts locked results, too, but those of this shard do not exist yet.
  const isContinued = async () =>
    hasStarted || await firstAnswers({ path: "", stem, count: shard.count }) !== undefined;
  const find = async () =>
    await runningWhole(output, own) ?? (hasStarted ? undefined : await otherDivision(output, own));
  const endsAt = performance.now() + WAIT_FOR_END_MS;
  let other = await find();
  if (other !== undefined && !other.isSameOutput && await isContinued()) return;
  while (other?.mayYield && performance.now() < endsAt && !signal.aborted) {
    await delay(POLL_MS);
    other = await find();
  }
  if (signal.aborted) return;
  if (other !== undefined) throw other.error;
  const wholePath = await ownResultsIn(wholeResults);
  if (wholePath === undefined || await isContinued()) return;
  throw wholeAnswersError(nameOf(output, shard), stem, wholePath);
}

interface OtherRun {
  /** Why the shard is refused while the other run continues. */
  readonly error: OtherDivisionError;
  /** Whether the other run may end because it finds this shard. */
  readonly mayYield: boolean;
  /** Whether the other run writes to the path of the merged shards. If not, it may read another
   * input with the same name. */
  readonly isSameOutput: boolean;
}

async function runningWhole(
  output: OwnOutput,
  { shard }: StartedShard,
): Promise<OtherRun | undefined> {
  const { stem, wholeResults } = output;
  const isSame = (path: string) => stemOf(path) === stem;
  const running = await runningOutput(wholeResults.filter(isSame)) ??
    await runningOutput(wholeResults);
  if (running === undefined) return undefined;
  const error = new OtherDivisionError(
    `Cannot run ${nameOf(output, shard)}: a run without --shard, or a merge, is writing to ` +
      `"${running}.jsonl", and rows would be paid for twice. Wait until it ends, or name another ` +
      "output",
  );
  return { error, mayYield: true, isSameOutput: isSame(`${running}.jsonl`) };
}

async function otherDivision(
  output: OwnOutput,
  { shard, files }: StartedShard,
): Promise<OtherRun | undefined> {
  const { stem, isNamed } = output;
  const divisions = await divisionsBeside(stem, () => false);
  const others = divisions.filter((one) => one.stem !== stem || one.count !== shard.count);
  if (others.length === 0) return undefined;
  const divided = await DividedAnswers.read(others, { ignoresInputs: isNamed, findsRuns: true });
  const answers = await divided.find(stem, files);
  if (answers === undefined) return undefined;
  const { division, isRunning } = answers;
  // Of two divisions that find each other, the one with fewer shards continues.
  const isFirst = division.count < shard.count ||
    (division.count === shard.count && division.stem < stem);
  const error = await answersInShardsError(nameOf(output, shard), answers);
  return { error, mayYield: isRunning && !isFirst, isSameOutput: false };
}

function nameOf({ stem }: OwnOutput, { count }: Shard): string {
  return `"${stem}.jsonl" in ${count} shards`;
}

/** The stem of the first of some results paths that a run has locked, even before it writes
 * results. */
async function runningOutput(results: readonly string[]): Promise<string | undefined> {
  // `x.jsonl` and `x.ndjson` have the same lock.
  const stems = [...new Set(results.map(stemOf))];
  const areThere = await Promise.all(stems.map((stem) => exists(`${stem}.lock`)));
  for (const stem of stems.filter((_, i) => areThere[i])) {
    if (await isLockHeld(`${stem}.lock`)) return stem;
  }
  return undefined;
}
