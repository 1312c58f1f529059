/**
 * Collects evidence against one teacher: rejections and answers that repeat, and addresses where no
 * server answers.
 *
 * @module
 */

import type { TeacherError } from "../errors.ts";
import { LONG_ID } from "../printable.ts";
import type { Failure, Outcome } from "../row.ts";
import type { EngineOptions } from "./engine_options.ts";
import type { Endpoint } from "./flow/mod.ts";
import type { Work } from "./work.ts";

/** Rejections that halt a teacher that has not answered yet. */
export const FIRST_LIMIT = 3;

/** Rejections that halt any teacher. */
const LATER_LIMIT = 20;

export interface RepeatedRejectionsOptions {
  /** Whether key, model and parameters are taken to be right, so that a few rejections prove
   * nothing. */
  readonly isProven: boolean;
  /** Whether rows are held back until the cause is known. Not if a consumer waits for each row;
   * their rejections still count. */
  readonly holds: boolean;
}

export interface RejectedRow {
  /** The failed outcome, reported if the row is the cause. */
  readonly outcome: Outcome & { readonly failure: Failure };
  /** The row, to be sent again if it is not the cause. */
  readonly work: Work;
}

/** Holds back rows that one teacher rejected alike until it is known whether the rows are the
 * cause. If they are not, none has failed: they go to another teacher or stay pending. */
export class RepeatedRejections {
  readonly #options: RepeatedRejectionsOptions;
  #held: RejectedRow[] = [];
  /** The `source` of each rejected row, so that the samples of one row count once. */
  readonly #sources = new Set<string>();
  #words = "";
  #limit: number;
  #isConclusive = false;

  constructor(options: RepeatedRejectionsOptions) {
    this.#options = options;
    this.#limit = options.isProven ? LATER_LIMIT : FIRST_LIMIT;
  }

  /** How many rows were rejected alike. */
  get count(): number {
    return this.#sources.size;
  }

  /** Whether the teacher is the cause. Never becomes false again. */
  get isConclusive(): boolean {
    return this.#isConclusive;
  }

  /** Adds a rejected row. Returns the outcomes of rows that have failed: of earlier ones if their
   * status or message differs, or of this one if it is not held back. */
  add(rejected: RejectedRow): Outcome[] {
    const { outcome } = rejected;
    const words = `${outcome.failure.status} ${outcome.failure.message.replace(LONG_ID, "")}`;
    if (this.#isConclusive && words !== this.#words) return [outcome];
    const failed = words === this.#words ? [] : this.clear();
    this.#words = words;
    this.#sources.add(outcome.row.source);
    this.#isConclusive ||= this.count >= this.#limit;
    if (this.#options.holds || this.#isConclusive) this.#held.push(rejected);
    else failed.push(outcome);
    return failed;
  }

  /** Called when a row has succeeded, so that the held rows must be the cause. Returns what
   * `clear` returns. */
  succeeded(): Outcome[] {
    this.#limit = LATER_LIMIT;
    return this.#sources.size === 0 ? NONE : this.clear();
  }

  /** Returns the outcomes of the held rows; none if the teacher is the cause. */
  clear(): Outcome[] {
    if (this.#isConclusive) return NONE;
    this.#sources.clear();
    return this.#take().map(({ outcome }) => outcome);
  }

  /** Returns the held rows, to be sent again because the teacher is the cause. */
  release(): RejectedRow[] {
    return this.#take();
  }

  #take(): RejectedRow[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }
}

const NONE: Outcome[] = [];

/** Bad answers to one row after which it counts against its teacher. */
const BAD_ANSWERS_PER_ROW = 2;

export interface RepeatedAnswersOptions {
  /** Whether the teacher has given good answers before, in this run or in one that it continues. */
  readonly isProven: boolean;
  /** Whether bad answers prove nothing once the teacher has given a good one. */
  readonly onlyFirst: boolean;
  /** Whether rows without attempts left are held back until the cause is known. */
  readonly holds: boolean;
}

/** Counts the rows of one teacher with bad answers of one kind since its last good answer. */
export class RepeatedAnswers {
  readonly #options: RepeatedAnswersOptions;
  /** Bad answers by the `source` of their row, so that the samples of one row count together. */
  readonly #times = new Map<string, number>();
  #held: RejectedRow[] = [];
  #count = 0;
  #limit: number;
  #isConclusive = false;

  constructor(options: RepeatedAnswersOptions) {
    this.#options = options;
    this.#limit = options.isProven ? this.#laterLimit : FIRST_LIMIT;
  }

  /** How many rows count against the teacher. */
  get count(): number {
    return this.#count;
  }

  /** Whether the teacher is the cause. Never becomes false again. */
  get isConclusive(): boolean {
    return this.#isConclusive;
  }

  /**
   * Counts a bad answer to a row.
   *
   * @param isCertain Whether this answer alone is enough for the row to count.
   */
  add({ row }: Work, isCertain: boolean): void {
    const before = this.#times.get(row.source) ?? 0;
    const times = isCertain ? BAD_ANSWERS_PER_ROW : before + 1;
    this.#times.set(row.source, times);
    if (before < BAD_ANSWERS_PER_ROW && times >= BAD_ANSWERS_PER_ROW) this.#count++;
    this.#isConclusive ||= this.#count >= this.#limit;
  }

  /** Counts the last bad answer to a row without attempts left. Returns the outcomes of rows that
   * have failed. */
  addLast(row: RejectedRow): Outcome[] {
    this.add(row.work, true);
    if (!this.#options.holds && !this.#isConclusive) return [row.outcome];
    this.#held.push(row);
    return [];
  }

  /** Called when the teacher has given a good answer: earlier bad ones prove nothing. */
  wasGood(): void {
    this.#limit = this.#laterLimit;
    if (this.#times.size === 0 || this.#isConclusive) return;
    this.#times.clear();
    this.#count = 0;
  }

  /** Returns the outcomes of the held rows; none if the teacher is the cause. */
  clear(): Outcome[] {
    return this.#isConclusive || this.#held.length === 0
      ? NONE
      : this.#take().map(({ outcome }) => outcome);
  }

  /** Returns the held rows, to be sent again because the teacher is the cause. */
  release(): RejectedRow[] {
    return this.#take();
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

export type AbsentTeachersOptions = Pick<EngineOptions, "waitForTeacherMs" | "wasAnswered">;

/** How long connections may be refused before any teacher has answered, if `waitForTeacherMs` is
 * not set. */
const PATIENCE_MS = 60_000;

/** Codes for a host that does not exist. EAI_AGAIN, a temporary DNS failure, is not one. */
const NO_HOST = new Set(["ENOTFOUND"]);
/** Codes for an address where no server listens. ENETUNREACH, an unreachable network, is not one:
 * that is on our side. */
const NOTHING_LISTENS = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ETIMEDOUT",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** Finds teachers that do not exist or never start. */
export class AbsentTeachers {
  readonly #options: AbsentTeachersOptions;
  /** Weak, because teachers that have left are never removed. */
  readonly #since = new WeakMap<Endpoint, number>();
  #wasAnswered: boolean;

  constructor(options: AbsentTeachersOptions) {
    this.#options = options;
    this.#wasAnswered = options.wasAnswered ?? false;
  }

  /** Called when a teacher has answered: from now on every teacher is waited for. */
  answered(): void {
    this.#wasAnswered = true;
  }

  /** Called when an attempt has failed. Returns advice once its teacher is no longer waited for,
   * else undefined. */
  failed(endpoint: Endpoint, { code = "", isUnreachable }: TeacherError): string | undefined {
    const isUnknown = NO_HOST.has(code);
    if (!isUnreachable) this.#since.delete(endpoint);
    if (this.#wasAnswered || !isUnreachable || !isUnknown && !NOTHING_LISTENS.has(code)) {
      return undefined;
    }
    const { waitForTeacherMs = isUnknown ? 0 : PATIENCE_MS } = this.#options;
    const { now } = endpoint;
    const since = this.#since.get(endpoint) ?? now;
    if (now - since >= waitForTeacherMs) {
      return isUnknown
        ? "Check the address (--base-url); --wait waits until the name is there"
        : "Start it, or check the address (--base-url); --wait waits until it is there";
    }
    this.#since.set(endpoint, since);
    endpoint.probeBy(since + waitForTeacherMs);
    return undefined;
  }
}
