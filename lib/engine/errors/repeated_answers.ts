/**
 * Answers that speak against a teacher, row after row: it never says that they are whole, or what answers
 * at its address is no teacher at all. One of them may be an accident, so a row counts at its second time.
 *
 * @module
 */

import type { Outcome } from "../../row.ts";
import type { Work } from "../mod.ts";
import { FIRST_LIMIT, LATER_LIMIT, type RejectedRow } from "./repeated_rejections.ts";

/** How often a row has to be answered so. */
const TIMES = 2;

/** What is done with such answers. */
export interface RepeatedAnswersOptions {
  /** Whether the teacher has answered well before, in this run or in one that it continues. */
  readonly isProven: boolean;
  /** Whether a few rows of a teacher that has answered well prove nothing at all. */
  readonly onlyFirst: boolean;
  /** Whether rows that are out of attempts are held back until it is known who is to blame. */
  readonly holds: boolean;
}

/** Counts the rows of one teacher that were answered so since its last good answer. */
export class RepeatedAnswers {
  readonly #options: RepeatedAnswersOptions;
  /** How often each row was answered so, by where it comes from: the samples of one row are one row. */
  readonly #times = new Map<string, number>();
  #held: RejectedRow[] = [];
  #count = 0;
  #limit: number;
  #isConclusive = false;

  /** Nothing was answered yet. */
  constructor(options: RepeatedAnswersOptions) {
    this.#options = options;
    this.#limit = options.isProven ? this.#laterLimit : FIRST_LIMIT;
  }

  /** How many rows were answered so, each often enough. */
  get count(): number {
    return this.#count;
  }

  /** Whether the teacher is to blame. Once it is known it stays so. */
  get isConclusive(): boolean {
    return this.#isConclusive;
  }

  /** A row was answered so. `isCertain`: once is enough to be no accident. */
  add({ row }: Work, isCertain: boolean): void {
    const before = this.#times.get(row.source) ?? 0;
    const times = isCertain ? TIMES : before + 1;
    this.#times.set(row.source, times);
    if (before < TIMES && times >= TIMES) this.#count++;
    this.#isConclusive ||= this.#count >= this.#limit;
  }

  /** The same for a row that has no attempt left. What it gives back has failed. */
  addLast(row: RejectedRow): Outcome[] {
    this.add(row.work, true);
    if (!this.#options.holds && !this.#isConclusive) return [row.outcome];
    this.#held.push(row);
    return [];
  }

  /** The teacher has given a good answer: what was before proves nothing. */
  wasGood(): void {
    this.#limit = this.#laterLimit;
    if (this.#times.size === 0 || this.#isConclusive) return;
    this.#times.clear();
    this.#count = 0;
  }

  /** Gives back those that are held, which have failed; none once it is known that they are not to
   * blame. */
  clear(): Outcome[] {
    return this.#isConclusive || this.#held.length === 0
      ? NONE
      : this.#take().map(({ outcome }) => outcome);
  }

  /** Gives back the rows that are held once it is known that they are not to blame. */
  release(): Work[] {
    return this.#take().map(({ work }) => work);
  }

  get #laterLimit(): number {
    return this.#options.onlyFirst ? Infinity : LATER_LIMIT;
  }

  #take(): RejectedRow[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }
}

const NONE: Outcome[] = [];
