/**
 * Shared code of the measurements: figures and baselines, measured alternately, and their medians.
 *
 * @module
 */

/** One row of the table. */
export interface Figure {
  /** The name of the figure. */
  readonly name: string;
  /** Retort's figure, with its unit. */
  readonly retort: string;
  /** The baseline's figure, and its name. */
  readonly baseline: string;
  /** Retort's figure divided by the baseline's, for each round; the table shows the median. */
  readonly ratios: readonly number[];
  /** The target. @default none */
  readonly target?: Target;
  /** A note for readers. */
  readonly note?: string;
}

/** The target of a figure. */
export interface Target {
  /** As text: `≤ 1.3`. */
  readonly text: string;
  /** Whether it was reached. */
  readonly isMet: boolean;
}

/** One entry of `--only`. */
export interface Measure {
  /** The name that `--only` matches. */
  readonly name: string;
  /** Measures it. */
  run(bench: Bench): Promise<Figure[]>;
}

/** The size of the measurements, and the folder for their files. */
export interface Bench {
  /** A folder that is removed at the end. */
  readonly dir: string;
  /** Whether the scenarios run in full size. */
  readonly full: boolean;
  /** The number of rows: the first number, or the second with `--full`; times `--scale`. */
  rows(scaled: number, whole: number): number;
  /** The number of rounds: the given number, or that of `--rounds`. */
  rounds(usual: number): number;
}

/** The median: the middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("Cannot take the median of nothing");
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** The values of both sides, one per round. */
export interface Rounds<A, B> {
  /** Retort's. */
  readonly ours: readonly A[];
  /** The baseline's. */
  readonly theirs: readonly B[];
}

/** Measures two things alternately, A B B A, so that a machine that slows down affects both. */
export async function alternate<A, B>(
  rounds: number,
  ours: (round: number) => Promise<A> | A,
  theirs: (round: number) => Promise<B> | B,
): Promise<Rounds<A, B>> {
  const taken = { ours: [] as A[], theirs: [] as B[] };
  for (let round = 0; round < rounds; round++) {
    if (round % 2 === 1) taken.theirs.push(await theirs(round));
    taken.ours.push(await ours(round));
    if (round % 2 === 0) taken.theirs.push(await theirs(round));
  }
  return taken;
}

/** The ratio of each round. */
export function ratiosOf(ours: readonly number[], theirs: readonly number[]): number[] {
  return ours.map((value, round) => value / theirs[round]);
}

/** A target of at most `limit`. */
export function atMost(value: number, limit: number, unit = ""): Target {
  return { text: `≤ ${limit}${unit}`, isMet: value <= limit };
}

/** A target of at least `limit`. */
export function atLeast(value: number, limit: number, unit = ""): Target {
  return { text: `≥ ${limit}${unit}`, isMet: value >= limit };
}

/** A number that the user reads: `12,345`, `3.14`, `0.013`. */
export function figure(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: value !== 0 && Math.abs(value) < 0.1 ? 4 : digits,
  });
}
