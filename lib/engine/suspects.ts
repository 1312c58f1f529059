/**
 * Requests that are refused with the same words, one after the other: then it is not the rows that are
 * wrong but what they all share, a parameter or a header.
 *
 * @module
 */

import type { Failure, Outcome } from "../row.ts";

/** So many end a run in which nothing has succeeded yet. */
const FIRST_LIMIT = 3;

/** So many end any run. */
const LATER_LIMIT = 20;

/** Ids of requests and answers differ from message to message. */
const IDS = /\b(?=[a-z_-]*\d)\w[\w-]{11,}/gi;

/**
 * Holds back the failures of rows that were refused alike until it is known whether the rows are to
 * blame. If they are not, the run is halted and they stay pending: none is lost to a wrong parameter.
 */
export class Suspects {
  #held: Outcome[] = [];
  #words = "";
  #limit = FIRST_LIMIT;

  /** Takes an outcome whose request was refused. What it gives back is settled by now: rows that were
   * refused in other words before. */
  add(outcome: Outcome & { readonly failure: Failure }): Outcome[] {
    const { status, message } = outcome.failure;
    const words = `${status} ${message.replace(IDS, "")}`;
    if (this.isConclusive && words !== this.#words) return [outcome];
    const cleared = words === this.#words ? [] : this.clear();
    this.#words = words;
    this.#held.push(outcome);
    return cleared;
  }

  /** How many are held. */
  get count(): number {
    return this.#held.length;
  }

  /** Whether what was refused has nothing to do with the rows. */
  get isConclusive(): boolean {
    return this.#held.length >= this.#limit;
  }

  /** A row has succeeded: gives back those that were held, which are to blame themselves. */
  succeeded(): Outcome[] {
    if (this.isConclusive) return NOBODY;
    this.#limit = LATER_LIMIT;
    return this.clear();
  }

  /** Gives back those that are held; nobody once it is known that the rows are not to blame. */
  clear(): Outcome[] {
    if (this.#held.length === 0 || this.isConclusive) return NOBODY;
    const held = this.#held;
    this.#held = [];
    return held;
  }
}

const NOBODY: Outcome[] = [];
