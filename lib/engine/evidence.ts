/**
 * Evidence against one teacher: repeated rejections, repeated bad answers, and addresses where no
 * server answers; and evidence against the settings of a run: useless answers.
 *
 * @module
 */

import type { TeacherError } from "../errors.ts";
import { formatCount } from "../figures.ts";
import { LONG_ID } from "../printable.ts";
import type { Failure, Outcome } from "../row.ts";
import type { EngineOptions } from "./engine_options.ts";
import type { Endpoint } from "./flow/mod.ts";
import { NO_OUTCOMES, type Work } from "./work.ts";

/** A teacher is halted after it has rejected or badly answered this many rows. `FIRST_LIMIT`
 * applies until it has given a good answer, `LATER_LIMIT` from then on. */
export const FIRST_LIMIT = 3;
const LATER_LIMIT = 20;

export type FailedOutcome = Outcome & { readonly failure: Failure };

export interface HeldRow {
  readonly outcome: FailedOutcome;
  readonly work: Work;
}

/** A row counts against its teacher after this many bad answers, or after a single certain one. */
const BAD_ANSWERS_PER_ROW = 2;

export interface SuspicionOptions {
  /** Whether key, model and parameters are assumed to be valid: then `laterLimit` applies from the
   * start. */
  readonly isProven: boolean;
  /** After how many rows a teacher that has given a good answer counts as the cause; Infinity
   * for never. @default LATER_LIMIT */
  readonly laterLimit?: number;
  /** Whether rows are held back until the cause is known. Otherwise, rows fail at once, and still
   * count against the teacher. */
  readonly holdsRows: boolean;
}

/** Rows that one teacher answered badly since its last good answer, all in the same way. Rows
 * without attempts left are held back: they fail unless the teacher turns out to be the cause. */
export class RepeatedAnswers {
  /** Whether the teacher is the cause. Once true, this stays true. */
  isConclusive = false;
  readonly #holdsRows: boolean;
  readonly #laterLimit: number;
  /** Bad answers by the `source` of their row, so that the samples of one row count together. */
  readonly #badAnswers = new Map<string, number>();
  #held: HeldRow[] = [];
  #count = 0;
  #limit: number;

  constructor({ isProven, laterLimit = LATER_LIMIT, holdsRows }: SuspicionOptions) {
    this.#holdsRows = holdsRows;
    this.#laterLimit = laterLimit;
    this.#limit = isProven ? laterLimit : FIRST_LIMIT;
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

  /** Counts a bad answer to a row without attempts left. Returns the outcomes of rows that have
   * failed, without this row if it is held back. */
  addLast(row: HeldRow): readonly Outcome[] {
    this.add(row.work, true);
    if (!this.#holdsRows && !this.isConclusive) return [row.outcome];
    this.#held.push(row);
    return NO_OUTCOMES;
  }

  /** Called when the teacher has given a good answer: earlier bad ones prove nothing. */
  answeredWell(): void {
    this.#limit = this.#laterLimit;
    this.forget();
  }

  protected forget(): void {
    if (this.isConclusive || this.#badAnswers.size === 0) return;
    this.#badAnswers.clear();
    this.#count = 0;
  }

  /** Fails the held rows and returns their outcomes; none if the teacher is the cause. */
  failHeld(): readonly Outcome[] {
    if (this.isConclusive || this.#held.length === 0) return NO_OUTCOMES;
    return this.releaseHeld().map(({ outcome }) => outcome);
  }

  releaseHeld(): HeldRow[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }
}

/** Rows that one teacher rejected in succession with the same message. A row counts after one
 * rejection, since it is not sent again. */
export class RepeatedRejections extends RepeatedAnswers {
  #statusAndMessage = "";

  /** If the status or message has changed, the rows held so far have failed. */
  override addLast(row: HeldRow): readonly Outcome[] {
    const { status, message } = row.outcome.failure;
    const statusAndMessage = `${status} ${message.replace(LONG_ID, "")}`;
    const isSame = statusAndMessage === this.#statusAndMessage;
    if (this.isConclusive && !isSame) return [row.outcome];
    const failed = isSame ? NO_OUTCOMES : this.failHeld();
    this.#statusAndMessage = statusAndMessage;
    return [...failed, ...super.addLast(row)];
  }

  /** Called when a row has succeeded: the held rows are at fault. Returns their outcomes. */
  succeeded(): readonly Outcome[] {
    const failed = this.failHeld();
    this.answeredWell();
    return failed;
  }

  override failHeld(): readonly Outcome[] {
    this.forget();
    return super.failHeld();
  }
}

/** After how many useless answers the user is told, and the run is halted. */
const USELESS_TO_TELL = 20;
const USELESS_TO_HALT = 1_000;

interface UselessAnswersOptions {
  /** Whether earlier rows were answered with the same settings: then nothing is counted. */
  readonly isProven?: boolean;
  /** Whether the run is halted at last. */
  readonly isCareful: boolean;
  readonly onNotice?: (message: string) => void;
  readonly onHalt: (reason: string) => void;
}

/** Counts truncated and empty answers until a whole one arrives. Otherwise, a token limit that is too
 * low, for example, would be noticed when all rows are paid for. */
export class UselessAnswers {
  readonly #options: UselessAnswersOptions;
  #hasWholeAnswer: boolean;
  #count = 0;

  constructor(options: UselessAnswersOptions) {
    this.#options = options;
    this.#hasWholeAnswer = options.isProven ?? false;
  }

  /** Called for each answer that is used. */
  answeredWell(): void {
    this.#hasWholeAnswer = true;
  }

  /** Called when a row has failed because of its answer. */
  failed({ type, message }: Failure): void {
    // A check has rejected a whole answer. Of hard tasks, few answers may pass.
    if (type === "rejected" || type === "refused") this.#hasWholeAnswer = true;
    if (this.#hasWholeAnswer || type !== "truncated" && type !== "empty") return;
    this.#count++;
    if (this.#count !== USELESS_TO_TELL && this.#count !== USELESS_TO_HALT) return;
    const { isCareful, onNotice, onHalt } = this.#options;
    const problem =
      `None of the ${formatCount(this.#count)} answers so far could be used, although ` +
      `they may be billed. The last: ${message}`;
    if (this.#count === USELESS_TO_TELL) onNotice?.(problem);
    else if (isCareful) onHalt(`${problem}. To send all rows anyway, add --no-careful-start`);
  }
}

type AbsentTeachersOptions = Pick<EngineOptions, "waitForTeacherMs" | "hasAnsweredBefore">;

/** The default of `waitForTeacherMs` if the host exists. */
const PATIENCE_MS = 60_000;

/** Error codes for a host that does not exist. EAI_AGAIN is a temporary DNS failure, so it is not
 * in this set. */
const NO_HOST = new Set(["ENOTFOUND"]);
/** Error codes for a host where no server listens. ENETUNREACH means that our own network is
 * unreachable, so it is not in this set. */
const NOTHING_LISTENS = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ETIMEDOUT",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** As long as no teacher has answered, gives up on teachers whose host does not exist, or that do
 * not start in time. */
export class AbsentTeachers {
  readonly #options: AbsentTeachersOptions;
  /** A weak map, because teachers that have left are not removed. */
  readonly #unreachableSince = new WeakMap<Endpoint, number>();
  #hasAnswered: boolean;

  constructor(options: AbsentTeachersOptions) {
    this.#options = options;
    this.#hasAnswered = options.hasAnsweredBefore ?? false;
  }

  answered(): void {
    this.#hasAnswered = true;
  }

  /** Returns advice once the run gives up on the teacher. */
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
        ? "Check the address (--base-url); --wait waits until the name can be looked up"
        : "Start it, or check the address (--base-url); --wait waits until it has started";
    }
    this.#unreachableSince.set(endpoint, since);
    endpoint.breaker.latestProbeAt = since + waitForTeacherMs;
    return undefined;
  }
}
