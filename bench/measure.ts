/**
 * What every measure shares: figures beside their baselines, taken in turns, and their medians.
 *
 * @module
 */

/** One row of the table. */
export interface Figure {
  /** What is measured. */
  readonly name: string;
  /** What Retort reached, with its unit. */
  readonly retort: string;
  /** What the baseline reached, and what it is. */
  readonly baseline: string;
  /** Retort's figure by the baseline's, once for each round; the table shows the median. */
  readonly ratios: readonly number[];
  /** What was to be reached. @default nothing */
  readonly target?: Target;
  /** What a reader has to know of it. */
  readonly note?: string;
}

/** What a figure is held against. */
export interface Target {
  /** In words: `≤ 1.3`. */
  readonly text: string;
  /** Whether it was reached. */
  readonly isMet: boolean;
}

/** One entry of `--only`. */
export interface Measure {
  /** What `--only` looks for. */
  readonly name: string;
  /** Takes it. */
  run(bench: Bench): Promise<Figure[]>;
}

/** How much is measured, and where files may be put. */
export interface Bench {
  /** A folder that is removed at the end. */
  readonly dir: string;
  /** Whether the scenarios are run whole. */
  readonly full: boolean;
  /** How many rows to take: the first number, or the second with `--full`; times `--scale`. */
  rows(scaled: number, whole: number): number;
  /** How many rounds to take: the number given, or that of `--rounds`. */
  rounds(usual: number): number;
}

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("Cannot take the median of nothing");
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** A value of each round and side. */
export interface Rounds<A, B> {
  /** Retort's. */
  readonly ours: readonly A[];
  /** The baseline's. */
  readonly theirs: readonly B[];
}

/** Takes two things in turns, A B B A, so that a machine that slows down slows both. */
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

/** Not more than `limit`, give or take nothing. */
export function atMost(value: number, limit: number, unit = ""): Target {
  return { text: `≤ ${limit}${unit}`, isMet: value <= limit };
}

/** Not less than `limit`. */
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
