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
import { NO_OUTCOMES, type Work } from "./work.ts";

/** Rows with rejections or bad answers that halt a teacher that has not proven itself. */
export const FIRST_LIMIT = 3;

/** Rows with rejections or bad answers that halt a proven teacher. */
export const LATER_LIMIT = 20;

export interface RepeatedRejectionsOptions {
  /** Whether key, model and parameters are taken to be right, so a few rejections prove nothing. */
  readonly isProven: boolean;
  /** Whether rows are held back until the cause is known. False if a consumer waits for each row;
   * their rejections still count. */
  readonly holdsRows: boolean;
}

/** The outcome of a row that gets no further attempt. */
export type FailedOutcome = Outcome & { readonly failure: Failure };

/** A row that has failed, unless its teacher is the cause. */
export interface HeldRow {
  /** The failed outcome, reported if the row is the cause. */
  readonly outcome: FailedOutcome;
  /** The row, to be sent again if its teacher is the cause. */
  readonly work: Work;
}

/** Holds back rows that one teacher rejected alike until it is known whether they or the teacher
 * are the cause. If it is the teacher, none has failed: they go to another one or stay pending. */
export class RepeatedRejections {
  readonly #options: RepeatedRejectionsOptions;
  #held: HeldRow[] = [];
  /** The `source` of each rejected row, so that the samples of one row count once. */
  readonly #sources = new Set<string>();
  /** Status and message of the held rows, without ids. */
  #statusAndMessage = "";
  /** The number of rows that proves that the teacher is the cause. */
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
  add(row: HeldRow): readonly Outcome[] {
    const { outcome } = row, { status, message } = outcome.failure;
    const statusAndMessage = `${status} ${message.replace(LONG_ID, "")}`;
    const isSame = statusAndMessage === this.#statusAndMessage;
    if (this.#isConclusive && !isSame) return [outcome];
    const failed = isSame ? NO_OUTCOMES : this.failHeld();
    this.#statusAndMessage = statusAndMessage;
    this.#sources.add(outcome.row.source);
    this.#isConclusive ||= this.count >= this.#limit;
    if (!this.#options.holdsRows && !this.#isConclusive) return [...failed, outcome];
    this.#held.push(row);
    return failed;
  }

  /** Called when a row has succeeded, which proves that the held rows are the cause. Returns their
   * outcomes. */
  succeeded(): readonly Outcome[] {
    this.#limit = LATER_LIMIT;
    return this.#sources.size === 0 ? NO_OUTCOMES : this.failHeld();
  }

  /** Returns the outcomes of the held rows, which have failed; none if the teacher is the cause. */
  failHeld(): readonly Outcome[] {
    if (this.#isConclusive) return NO_OUTCOMES;
    this.#sources.clear();
    return this.releaseHeld().map(({ outcome }) => outcome);
  }

  /** Returns the held rows, to be sent again because the teacher is the cause. */
  releaseHeld(): HeldRow[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }
}

/** Bad answers to one row after which it counts against its teacher. */
const BAD_ANSWERS_PER_ROW = 2;

export interface RepeatedAnswersOptions {
  /** Whether an earlier run got good answers with the same key, model and parameters. */
  readonly isProven: boolean;
  /** The number of rows that proves that a teacher is the cause once it has given a good answer;
   * Infinity if none does. */
  readonly laterLimit: number;
  /** Whether rows without attempts left are held back until the cause is known. */
  readonly holdsRows: boolean;
}

/** Counts the rows of one teacher with bad answers of one kind since its last good answer, and
 * holds back those without attempts left. */
export class RepeatedAnswers {
  readonly #options: RepeatedAnswersOptions;
  /** Bad answers by the `source` of their row, so that the samples of one row count together. */
  readonly #badAnswers = new Map<string, number>();
  #held: HeldRow[] = [];
  #count = 0;
  /** The number of rows that proves that the teacher is the cause. */
  #limit: number;
  #isConclusive = false;

  constructor(options: RepeatedAnswersOptions) {
    this.#options = options;
    this.#limit = options.isProven ? options.laterLimit : FIRST_LIMIT;
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
    const before = this.#badAnswers.get(row.source) ?? 0;
    const after = isCertain ? BAD_ANSWERS_PER_ROW : before + 1;
    this.#badAnswers.set(row.source, after);
    if (before < BAD_ANSWERS_PER_ROW && after >= BAD_ANSWERS_PER_ROW) this.#count++;
    this.#isConclusive ||= this.#count >= this.#limit;
  }

  /** Counts a bad answer to a row that has no attempt left. Returns the outcome of the row, unless
   * it is held back. */
  addLast(row: HeldRow): readonly Outcome[] {
    this.add(row.work, true);
    if (!this.#options.holdsRows && !this.#isConclusive) return [row.outcome];
    this.#held.push(row);
    return NO_OUTCOMES;
  }

  /** Called when the teacher has given a good answer: earlier bad ones prove nothing. */
  answeredWell(): void {
    this.#limit = this.#options.laterLimit;
    if (this.#badAnswers.size === 0 || this.#isConclusive) return;
    this.#badAnswers.clear();
    this.#count = 0;
  }

  /** Returns the outcomes of the held rows, which have failed; none if the teacher is the cause. */
  failHeld(): readonly Outcome[] {
    if (this.#isConclusive || this.#held.length === 0) return NO_OUTCOMES;
    return this.releaseHeld().map(({ outcome }) => outcome);
  }

  /** Returns the held rows, to be sent again because the teacher is the cause. */
  releaseHeld(): HeldRow[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }
}

export type AbsentTeachersOptions = Pick<EngineOptions, "waitForTeacherMs" | "hasAnsweredBefore">;

/** How long a run waits for a teacher that cannot be reached before any has answered, if
 * `waitForTeacherMs` is not set and the host exists. */
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
  /** Since when each teacher is unreachable. Weak, because teachers that have left are never
   * removed. */
  readonly #unreachableSince = new WeakMap<Endpoint, number>();
  /** Whether any teacher has answered, in this run or before. */
  #hasAnswered: boolean;

  constructor(options: AbsentTeachersOptions) {
    this.#options = options;
    this.#hasAnswered = options.hasAnsweredBefore ?? false;
  }

  /** Called when a teacher has answered: from now on every teacher is waited for. */
  answered(): void {
    this.#hasAnswered = true;
  }

  /** Called when an attempt has failed. Returns advice once its teacher is no longer waited for,
   * else undefined. */
  failed(endpoint: Endpoint, { code = "", isUnreachable }: TeacherError): string | undefined {
    const isUnknownHost = NO_HOST.has(code);
    if (!isUnreachable) this.#unreachableSince.delete(endpoint);
    if (this.#hasAnswered || !isUnreachable || !isUnknownHost && !NOTHING_LISTENS.has(code)) {
      return undefined;
    }
    const { waitForTeacherMs = isUnknownHost ? 0 : PATIENCE_MS } = this.#options;
    const { now } = endpoint;
    const since = this.#unreachableSince.get(endpoint) ?? now;
    if (now - since >= waitForTeacherMs) {
      return isUnknownHost
        ? "Check the address (--base-url); --wait waits until the name is there"
        : "Start it, or check the address (--base-url); --wait waits until it is there";
    }
    this.#unreachableSince.set(endpoint, since);
    endpoint.probeBy(since + waitForTeacherMs);
    return undefined;
  }
}
