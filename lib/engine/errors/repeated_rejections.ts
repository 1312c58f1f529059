/**
 * Rejections and answers that repeat: they show whether rows or their teacher are the cause, and why a teacher is
 * halted.
 *
 * @module
 */

import { LONG_ID } from "../../printable.ts";
import type { Failure, Outcome } from "../../row.ts";
import type { Teacher } from "../../teacher/mod.ts";
import type { Work } from "../mod.ts";

/** Rejections that end a run in which nothing has succeeded yet. */
const FIRST_LIMIT = 3;

/** Rejections that end any run. */
const LATER_LIMIT = 20;

/** What is done with rows that were refused. */
export interface RepeatedRejectionsOptions {
  /** Whether key, model and parameters are known to be right: a few refusals prove nothing then. */
  readonly isProven: boolean;
  /** Whether rows are held back until it is known who is to blame. Where a
   * consumer waits for them they are not, but they count anyway. */
  readonly holds: boolean;
}

/** A row that was refused. */
export interface RejectedRow {
  /** What becomes of it if it is to blame. */
  readonly outcome: Outcome & { readonly failure: Failure };
  /** What is done with it if it is not. */
  readonly work: Work;
}

/**
 * Holds back the failures of rows that one teacher refused alike until it is known whether the rows are
 * to blame. If they are not, none of them has failed: they go to another teacher or stay pending.
 */
export class RepeatedRejections {
  readonly #options: RepeatedRejectionsOptions;
  #held: RejectedRow[] = [];
  /** Where the rows come from that were refused: the samples of one row are one row. */
  readonly #sources = new Set<string>();
  #words = "";
  #limit: number;
  #isConclusive = false;

  /** No row is held yet. */
  constructor(options: RepeatedRejectionsOptions) {
    this.#options = options;
    this.#limit = options.isProven ? LATER_LIMIT : FIRST_LIMIT;
  }

  /** How many rows were refused alike. */
  get count(): number {
    return this.#sources.size;
  }

  /** Whether what was refused has nothing to do with the rows. Once it is known it stays so. */
  get isConclusive(): boolean {
    return this.#isConclusive;
  }

  /** Takes a row that was refused. What it gives back has failed: rows that were refused in other words
   * before, or this one where none is held. */
  add(rejected: RejectedRow): Outcome[] {
    const { outcome } = rejected;
    const words = `${outcome.failure.status} ${outcome.failure.message.replace(LONG_ID, "")}`;
    if (this.#isConclusive && words !== this.#words) return [outcome];
    const cleared = words === this.#words ? [] : this.clear();
    this.#words = words;
    this.#sources.add(outcome.row.source);
    this.#isConclusive ||= this.count >= this.#limit;
    if (this.#options.holds || this.#isConclusive) this.#held.push(rejected);
    else cleared.push(outcome);
    return cleared;
  }

  /** A row has succeeded: gives back those that were held, which are to blame themselves. */
  succeeded(): Outcome[] {
    this.#limit = LATER_LIMIT;
    return this.#sources.size === 0 ? NONE : this.clear();
  }

  /** Returns the rows that are held; none once it is known that they are not the cause. */
  clear(): Outcome[] {
    if (this.#isConclusive) return NONE;
    this.#sources.clear();
    return this.#take().map(({ outcome }) => outcome);
  }

  /** Returns the rows that are held once it is known that they are not to blame. */
  release(): Work[] {
    return this.#take().map(({ work }) => work);
  }

  #take(): RejectedRow[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }
}

const NONE: Outcome[] = [];

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

  /** Returns those that are held, which have failed; none once it is known that they are not to
   * blame. */
  clear(): Outcome[] {
    return this.#isConclusive || this.#held.length === 0
      ? NONE
      : this.#take().map(({ outcome }) => outcome);
  }

  /** Returns the rows that are held once it is known that they are not to blame. */
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

/** The same in two lengths. */
export interface HaltReason {
  /** Beside the teacher's name, with the cause first: `401: Incorrect API key provided`. */
  readonly cause: string;
  /** By itself: who does what, why, and the way out. */
  readonly sentence: string;
}

/**
 * Puts it into words.
 *
 * @param what What the teacher does, as in `refuses all rows`.
 * @param advice The way out, a sentence without a final period.
 */
export function haltReason(
  teacher: Teacher,
  what: string,
  { status, message }: Failure,
  advice: string | undefined,
): HaltReason {
  const place = teacher.address ? ` at ${teacher.address}` : "";
  const [cause, beside] = status === null
    ? [message, ""]
    : [`${status}: ${message}`, ` (${status})`];
  const words = `The teacher${place} ${what}${beside}: ${message}`;
  return { cause, sentence: advice === undefined ? words : joined(words, advice) };
}

/** The way out where `count` rows were refused with the same words. */
export function adviceForRefusals(count: number): string {
  const rows = count > FIRST_LIMIT ? "fix them or leave them out" : "add --no-careful-start";
  return `If a parameter is to blame, change or remove it (-p, --params); if the rows are, ${rows}`;
}

/** Two sentences, whatever the first ends with. */
function joined(first: string, second: string): string {
  const words = first.trimEnd();
  return /[!?。]$/.test(words) ? `${words} ${second}` : `${words.replace(/\.+$/, "")}. ${second}`;
}
