/**
 * Checks that shards with answers get the same rows again if their plan file is lost: after
 * `cp out/* copy/`, for example, which leaves out `.retort`.
 *
 * @module
 */

import { basename } from "../deps/std_path.ts";
import { SourceError } from "../errors.ts";
import { namesIn, parseShardStem, splitPath, statOf } from "../files.ts";
import type { InputPiece } from "../formats/mod.ts";
import { commandText, shellWord } from "../printable.ts";
import { type Division, isOutputName, outputStem } from "./divisions.ts";
import { bytesAt } from "./earlier_answers.ts";
import { piecesOf, type ShardPlan } from "./plan.ts";

/**
 * Compares a new plan with the rows that the first and last lines of each shard's files name.
 *
 * @throws {SourceError} if the shard of a row has changed: it would be paid for again
 */
export async function requireSameRows(plan: ShardPlan, division: Division): Promise<void> {
  const { start } = splitPath(division.stem);
  for (const file of await namesIn(start || ".")) {
    if (!isOutputName(file, division)) continue;
    const pieces = piecesOf(plan, parseShardStem(outputStem(file))!.index);
    const moved = (await sourcesIn(`${start}${file}`)).find((source) => !isWithin(pieces, source));
    if (moved !== undefined) throw movedRowError(plan, division, `${start}${file}`, moved);
  }
}

/** Whether the row with this name, such as `in/x.jsonl:17` or `x.json[16]`, is in one of the pieces.
 * True for names that a user may have changed. */
function isWithin(pieces: readonly InputPiece[], source: string): boolean {
  const [, path, index, line] = /^(.*)(?:\[(\d+)\]|:(\d+))$/s.exec(source) ?? [];
  if (path === undefined) return true;
  const number = index === undefined ? Number(line) : Number(index) + 1;
  return pieces.some(({ path: piecePath, part }) =>
    basename(piecePath) === basename(path) &&
    (part === undefined || (part.from.number < number && number <= part.to.number))
  );
}

/** How many bytes are read at the beginning and at the end of a file. */
const READ_BYTES = 1 << 18;

async function sourcesIn(path: string): Promise<string[]> {
  const end = Math.max(0, ((await statOf(path))?.size ?? 0) - READ_BYTES);
  const sources: string[] = [];
  for (const offset of new Set([0, end])) {
    const text = new TextDecoder().decode(await bytesAt(path, offset, READ_BYTES));
    for (const line of text.split("\n")) {
      try {
        const source = JSON.parse(line).distill?.source;
        if (typeof source === "string") sources.push(source);
      } catch {
        // The line begins before or ends after what was read, or is damaged.
      }
    }
  }
  return sources;
}

function movedRowError(
  { inputs }: ShardPlan,
  { stem, path, count }: Division,
  file: string,
  source: string,
): SourceError {
  const [{ path: input }] = inputs, { start, name } = splitPath(stem);
  const mergedPath = `${start}merged/${name}.jsonl`;
  const merge = commandText("merge", `${stem}.jsonl`, "--no-proof", "-o", mergedPath);
  // Continuing a run over several inputs needs a run file, which a merge with `--no-proof` does not
  // write.
  const advice = inputs.length > 1
    ? ""
    : `. To send only what has changed, merge what is there:\n  ${merge}\nand run the inputs of ` +
      `those shards with -o ${shellWord(mergedPath)}`;
  return new SourceError(
    `Cannot divide "${input}" into ${count} shards again: the borders in "${path}" are lost, and ` +
      `the input has changed since: "${source}", which "${file}" answers, would be in another ` +
      "shard and paid for again. Restore the borders or the input, or name another output folder " +
      `to send all rows again${advice}`,
    { path: input },
  );
}
