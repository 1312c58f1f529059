/**
 * Evidence against one teacher: rejections and answers that repeat, and addresses where no server
 * answers.
 *
 * @module
 */

import type { TeacherError } from "../errors.ts";
import { LONG_ID } from "../printable.ts";
import type { Failure, Outcome } from "../row.ts";
import type { EngineOptions } from "./engine_options.ts";
import type { Endpoint } from "./flow/mod.ts";
import { NO_OUTCOMES, type Work } from "./work.ts";

/** Rejected or badly answered rows that halt a teacher that has not proven itself. */
export const FIRST_LIMIT = 3;

/** Rejected or badly answered rows that halt a proven teacher. */
export const LATER_LIMIT = 20;

export type FailedOutcome = Outcome & { readonly failure: Failure };

export interface HeldRow {
  readonly outcome: FailedOutcome;
  readonly work: Work;
}

/** Holds back rows that have failed unless their teacher is the cause, which is not known yet. */
class SuspectedTeacher {
  /** Whether the teacher is known to be the cause. Never becomes false again. */
  isConclusive = false;
  #held: HeldRow[] = [];

  hold(row: HeldRow): void {
    this.#held.push(row);
  }

  /** The outcomes of the held rows, which have failed; none if the teacher is the cause. */
  failHeld(): readonly Outcome[] {
    if (this.isConclusive || this.#held.length === 0) return NO_OUTCOMES;
    return this.releaseHeld().map(({ outcome }) => outcome);
  }

  /** The held rows, to be sent again because the teacher is the cause. */
  releaseHeld(): HeldRow[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }
}

export interface RepeatedRejectionsOptions {
  /** Whether key, model and parameters are taken to be right, so a few rejections prove nothing. */
  readonly isProven: boolean;
  /** Whether rows are held back until the cause is known. False if a consumer waits for each row;
   * their rejections still count. */
  readonly holdsRows: boolean;
}

/** Rows that one teacher rejected in succession with the same message. */
export class RepeatedRejections extends SuspectedTeacher {
  readonly #holdsRows: boolean;
  /** The `source` of each rejected row, so that the samples of one row count once. */
  readonly #sources = new Set<string>();
  /** Status and message of the rejected rows, without ids. */
  #statusAndMessage = "";
  #limit: number;

  constructor({ isProven, holdsRows }: RepeatedRejectionsOptions) {
    super();
    this.#holdsRows = holdsRows;
    this.#limit = isProven ? LATER_LIMIT : FIRST_LIMIT;
  }

  get count(): number {
    return this.#sources.size;
  }

  /** Returns the outcomes of rows that have failed: of earlier ones if their status or message
   * differs, or of this one if it is not held back. */
  add(row: HeldRow): readonly Outcome[] {
    const { outcome } = row, { status, message } = outcome.failure;
    const statusAndMessage = `${status} ${message.replace(LONG_ID, "")}`;
    const isSame = statusAndMessage === this.#statusAndMessage;
    if (this.isConclusive && !isSame) return [outcome];
    const failed = isSame ? NO_OUTCOMES : this.failHeld();
    this.#statusAndMessage = statusAndMessage;
    this.#sources.add(outcome.row.source);
    this.isConclusive ||= this.count >= this.#limit;
    if (!this.#holdsRows && !this.isConclusive) return [...failed, outcome];
    this.hold(row);
    return failed;
  }

  /** Called when a row has succeeded, which proves that the held rows are the cause. Returns their
   * outcomes. */
  succeeded(): readonly Outcome[] {
    this.#limit = LATER_LIMIT;
    return this.#sources.size === 0 ? NO_OUTCOMES : this.failHeld();
  }

  override failHeld(): readonly Outcome[] {
    if (!this.isConclusive) this.#sources.clear();
    return super.failHeld();
  }
}

/** Bad answers to one row after which it counts against its teacher. */
const BAD_ANSWERS_PER_ROW = 2;

interface RepeatedAnswersOptions extends RepeatedRejectionsOptions {
  /** The number of rows that proves that a teacher is the cause once it has given a good answer;
   * Infinity if none does. */
  readonly laterLimit: number;
}

/** Rows to which one teacher gave bad answers of one kind since its last good answer. Those without
 * attempts left are held back. */
export class RepeatedAnswers extends SuspectedTeacher {
  readonly #options: RepeatedAnswersOptions;
  /** Bad answers by the `source` of their row, so that the samples of one row count together. */
  readonly #badAnswers = new Map<string, number>();
  #count = 0;
  #limit: number;

  constructor(options: RepeatedAnswersOptions) {
    super();
    this.#options = options;
    this.#limit = options.isProven ? options.laterLimit : FIRST_LIMIT;
  }

  get count(): number {
    return this.#count;
  }

  /** @param isCertain Whether this answer alone is enough for the row to count. */
  add({ row }: Work, isCertain: boolean): void {
    const before = this.#badAnswers.get(row.source) ?? 0;
    const after = isCertain ? BAD_ANSWERS_PER_ROW : before + 1;
    this.#badAnswers.set(row.source, after);
    if (before < BAD_ANSWERS_PER_ROW && after >= BAD_ANSWERS_PER_ROW) this.#count++;
    this.isConclusive ||= this.#count >= this.#limit;
  }

  /** Counts a bad answer to a row that has no attempt left. Returns the outcome of the row, unless
   * it is held back. */
  addLast(row: HeldRow): readonly Outcome[] {
    this.add(row.work, true);
    if (!this.#options.holdsRows && !this.isConclusive) return [row.outcome];
    this.hold(row);
    return NO_OUTCOMES;
  }

  /** Called when the teacher has given a good answer: earlier bad ones prove nothing. */
  answeredWell(): void {
    this.#limit = this.#options.laterLimit;
    if (this.#badAnswers.size === 0 || this.isConclusive) return;
    this.#badAnswers.clear();
    this.#count = 0;
  }
}

type AbsentTeachersOptions = Pick<EngineOptions, "waitForTeacherMs" | "hasAnsweredBefore">;

/** How long an unreachable teacher is waited for, if `waitForTeacherMs` is not set and the host
 * exists. */
const PATIENCE_MS = 60_000;

/** The host does not exist. EAI_AGAIN, a temporary DNS failure, is not in this set. */
const NO_HOST = new Set(["ENOTFOUND"]);
/** No server listens. ENETUNREACH, an unreachable network, is on our side and not in this set. */
const NOTHING_LISTENS = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ETIMEDOUT",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** Teachers that do not exist or never start. */
export class AbsentTeachers {
  readonly #options: AbsentTeachersOptions;
  /** Weak, because teachers that have left are never removed. */
  readonly #unreachableSince = new WeakMap<Endpoint, number>();
  /** Whether any teacher has answered, in this run or before. */
  #hasAnswered: boolean;

  constructor(options: AbsentTeachersOptions) {
    this.#options = options;
    this.#hasAnswered = options.hasAnsweredBefore ?? false;
  }

  /** From now on every teacher is waited for. */
  answered(): void {
    this.#hasAnswered = true;
  }

  /** Returns advice once the teacher is no longer waited for. */
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
