/**
 * Requests that are refused with the same words, one after the other: then it is not the rows that are
 * wrong but what they all share, a parameter or a header.
 *
 * @module
 */

import type { Failure, Outcome } from "../../row.ts";
import type { Work } from "../mod.ts";

/** So many end a run in which nothing has succeeded yet. */
export const FIRST_LIMIT = 3;

/** So many end any run. */
export const LATER_LIMIT = 20;

/** Ids of requests and answers differ from message to message. */
const IDS = /\b(?=[a-z_-]*\d)\w[\w-]{11,}/gi;

/** What is done with rows that were refused. */
export interface RepeatedRejectionsOptions {
  /** Whether key, model and parameters are known to be right: a few refusals prove nothing then. */
  readonly isProven: boolean;
  /** Whether rows are held back until it is known who is to blame. Where somebody waits for them they are
   * not, but they count all the same. */
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

  /** Nobody is suspected yet. */
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
  add(suspect: RejectedRow): Outcome[] {
    const { outcome } = suspect;
    const words = `${outcome.failure.status} ${outcome.failure.message.replace(IDS, "")}`;
    if (this.#isConclusive && words !== this.#words) return [outcome];
    const cleared = words === this.#words ? [] : this.clear();
    this.#words = words;
    this.#sources.add(outcome.row.source);
    this.#isConclusive ||= this.count >= this.#limit;
    if (this.#options.holds || this.#isConclusive) this.#held.push(suspect);
    else cleared.push(outcome);
    return cleared;
  }

  /** A row has succeeded: gives back those that were held, which are to blame themselves. */
  succeeded(): Outcome[] {
    this.#limit = LATER_LIMIT;
    return this.#sources.size === 0 ? NOBODY : this.clear();
  }

  /** Gives back those that are held; nobody once it is known that the rows are not to blame. */
  clear(): Outcome[] {
    if (this.#isConclusive) return NOBODY;
    this.#sources.clear();
    return this.#take().map(({ outcome }) => outcome);
  }

  /** Gives back the rows that are held once it is known that they are not to blame. */
  acquit(): Work[] {
    return this.#take().map(({ work }) => work);
  }

  #take(): RejectedRow[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }
}

const NOBODY: Outcome[] = [];
