/**
 * Pairs of a chosen and a rejected answer to one row, for DPO.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { parseField } from "../where/mod.ts";
import type { Example } from "./example.ts";
import type { TrainingRow } from "./training_row.ts";

/** Scores an answer: the larger, the better. NaN for an answer without a score. */
export type Score = (example: Example) => number;

/** Counts of what an export of pairs left out, by reason. */
export interface LeftOut {
  /** Rows with a single scored answer. */
  single: number;
  /** Rows whose answers all have the same score. */
  tied: number;
  /** Answers without a number in the field of `--prefer`. */
  unscored: number;
}

/**
 * Returns the score for a value of `--prefer`.
 *
 * @throws {UsageError} if the value is not a field
 */
export function scoreOf(prefer: string): Score {
  if (prefer === "shortest") return ({ response }) => -response.length;
  if (prefer === "longest") return ({ response }) => response.length;
  let field;
  try {
    field = parseField(prefer);
  } catch (cause) {
    throw new UsageError(
      `Cannot use --prefer "${prefer}": it must be shortest, longest, or a numeric field`,
      { cause },
    );
  }
  return ({ result }) => {
    const value = field(result, result.distill as object);
    return typeof value === "number" ? value : NaN;
  };
}

/**
 * Returns the best and the worst of the answers to one row; undefined if there is no pair. Counts
 * in `leftOut` what is not used, and why.
 */
export function pairOf(
  answers: readonly Example[],
  score: Score,
  leftOut: LeftOut,
): readonly [chosen: Example, rejected: Example] | undefined {
  const scored = answers.map((example) => ({ example, score: score(example) }))
    .filter(({ score }) => !Number.isNaN(score));
  leftOut.unscored += answers.length - scored.length;
  if (scored.length < 2) {
    if (scored.length === 1) leftOut.single++;
    return undefined;
  }
  scored.sort((a, b) => b.score - a.score);
  const [best, worst] = [scored[0], scored.at(-1)!];
  if (best.score !== worst.score) return [best.example, worst.example];
  leftOut.tied++;
  return undefined;
}

/** Makes the row of a pair from the rows of its two answers. */
export function preferenceRow(chosen: TrainingRow, rejected: TrainingRow): TrainingRow {
  const { completion, tools, ...rest } = chosen;
  const pair = { ...rest, chosen: completion, rejected: rejected.completion };
  return tools === undefined ? pair : { ...pair, tools };
}
