/**
 * Evidence for the cause of failures, which may be a teacher (repeated rejections and other bad
 * answers) or the settings of a run (useless answers). Includes advice for the user.
 *
 * @module
 */

import { NO_REASON } from "../answer.ts";
import type { TeacherError } from "../errors.ts";
import { formatCount } from "../figures.js";
import { LONG_ID, posixWord } from "../printable.ts";
import type { Failure, Outcome } from "../row.ts";
import type { EngineOptions } from "./engine_options.ts";
import { type Classification, OTHER_SERVER } from "./errors/mod.ts";
import type { Endpoint } from "./flow/mod.ts";
import { NO_OUTCOMES, type Work } from "./work.ts";

/** A teacher that has not given a good answer yet is halted after this many rows were rejected or
 * badly answered. */
const FIRST_LIMIT = 3;
/** Replaces `FIRST_LIMIT` once the teacher has given a good answer, or from the start with
 * `isTrusted`. */
const LATER_LIMIT = 20;

export interface FailedCall {
  readonly error: TeacherError;
  readonly classification: Classification;
  readonly failure: Failure;
}

export type FailedOutcome = Outcome & { readonly failure: Failure };

export interface HeldRow {
  readonly outcome: FailedOutcome;
  readonly work: Work;
}

/** The number of bad answers after which a row counts against its teacher. One is enough if it
 * leaves no doubt (`isCertain`), as a web page does, or if the row has no attempts left. */
const BAD_ANSWERS_PER_ROW = 2;

export interface EvidenceOptions {
  /** Whether `laterLimit` applies from the start, for example because key, model and parameters are
   * known to work. */
  readonly isTrusted: boolean;
  /** How many rows must count against a teacher before it is halted, once it has given a good
   * answer. With Infinity, a teacher that has given a good answer is never halted.
   * @default LATER_LIMIT */
  readonly laterLimit?: number;
  /** Whether rows are held back until the cause is known. If false, rows fail at once but still
   * count against the teacher. */
  readonly holdsRows: boolean;
}

/** Rows that one teacher answered badly in the same way since its last good answer. With
 * `holdsRows`, rows without attempts left are held back, and fail unless the teacher turns out to
 * be the cause. */
export class RepeatedBadAnswers {
  /** Whether the teacher is the cause. Once true, this stays true. */
  isConclusive = false;
  readonly #holdsRows: boolean;
  readonly #laterLimit: number;
  /** The number of bad answers by the row's `source`, so that the samples of one row count
   * together. */
  readonly #badAnswers = new Map<string, number>();
  #held: HeldRow[] = [];
  /** The number of rows that count against the teacher. */
  count = 0;
  #limit: number;

  constructor({ isTrusted, laterLimit = LATER_LIMIT, holdsRows }: EvidenceOptions) {
    this.#holdsRows = holdsRows;
    this.#laterLimit = laterLimit;
    this.#limit = isTrusted ? laterLimit : FIRST_LIMIT;
  }

  /** @param isCertain Whether this answer alone is enough for the row to count. */
  add({ row }: Work, isCertain: boolean): void {
    const before = this.#badAnswers.get(row.source) ?? 0;
    const after = isCertain ? BAD_ANSWERS_PER_ROW : before + 1;
    this.#badAnswers.set(row.source, after);
    if (before < BAD_ANSWERS_PER_ROW && after >= BAD_ANSWERS_PER_ROW) this.count++;
    this.isConclusive ||= this.count >= this.#limit;
  }

  /** Counts a bad answer to a row without attempts left. Returns the outcomes of rows that fail
   * now, which do not include this row if it is held back. */
  addLast(row: HeldRow): readonly Outcome[] {
    this.add(row.work, true);
    if (!this.#holdsRows && !this.isConclusive) return [row.outcome];
    this.#held.push(row);
    return NO_OUTCOMES;
  }

  /** Called when the teacher has given a good answer. Earlier bad answers then prove nothing. */
  answeredWell(): void {
    this.#limit = this.#laterLimit;
    this.forget();
  }

  protected forget(): void {
    if (this.isConclusive || this.#badAnswers.size === 0) return;
    this.#badAnswers.clear();
    this.count = 0;
  }

  /** Fails the held rows and returns their outcomes. If the teacher is the cause, fails no rows. */
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

/** Rows that one teacher rejected in succession with the same message. One rejection is enough for
 * a row to count, because a rejected row is not sent again. */
export class RepeatedRejections extends RepeatedBadAnswers {
  #statusAndMessage = "";

  /** Counts a rejection. If its status or message differs from the last one, the rows held so far
   * fail. If the teacher is already known to be the cause, only this row fails. */
  override addLast(row: HeldRow): readonly Outcome[] {
    const { status, message } = row.outcome.failure;
    const statusAndMessage = `${status} ${message.replace(LONG_ID, "")}`;
    const isRepeated = statusAndMessage === this.#statusAndMessage;
    if (this.isConclusive && !isRepeated) return [row.outcome];
    this.#statusAndMessage = statusAndMessage;
    if (isRepeated) return super.addLast(row);
    this.forget();
    return [...this.failHeld(), ...super.addLast(row)];
  }
}

/** The kinds of evidence that can halt a teacher. */
export type EvidenceKind = "rejections" | "endings" | "otherServer";

/** Returns the kind of evidence that a failed attempt gives against its teacher, or undefined if it
 * gives none. */
export function evidenceIn(
  { classification }: FailedCall,
  endpoint: Endpoint,
): EvidenceKind | undefined {
  const { cause, otherServer } = classification;
  // The cause may be something that all rows share, such as a parameter.
  if (cause === "request") return "rejections";
  if (cause === "ending") return "endings";
  return otherServer === undefined || endpoint.hasAnswered ? undefined : "otherServer";
}

/** Describes what the teacher did with `count` rows. Includes advice for the user if there is any.
 * The error belongs to the last of these rows.
 *
 * @param hasAnswered Whether the teacher has given a good answer. */
export function haltWords(
  kind: EvidenceKind,
  count: number,
  { message, partial, code = "" }: TeacherError,
  hasAnswered: boolean,
): [what: string, advice?: string] {
  if (kind === "rejections") {
    const what = `rejected ${count} consecutive rows with the same message`;
    return [what, adviceForRejections(count, message)];
  }
  if (kind === "endings") {
    const word = posixWord(partial?.finishReason || NO_REASON);
    const what = `did not mark its answers to ${count} rows as complete`;
    // If `doubt` is set, the server probably interrupted these answers, because it has marked
    // others as complete. The user must not be advised to accept them.
    if (hasAnswered && partial?.doubt !== undefined) return [what];
    return [what, `If they are complete anyway, add --accept-ending ${word}`];
  }
  return OTHER_SERVER_CODES.has(code)
    ? ["is not an OpenAI-compatible endpoint", OTHER_SERVER]
    : ["has not answered any row; last error", NO_ANSWERS];
}

const OTHER_SERVER_CODES = new Set(["web_page", "other_api", "no_http"]);

/** Advice for a server whose 2xx responses contain neither an answer nor a known error. */
const NO_ANSWERS = "Check the address (--base-url), the key and the account";

export function adviceForRejections(count: number, message = ""): string {
  // A count above `FIRST_LIMIT` means that `LATER_LIMIT` applied already. For rejected rows,
  // --no-careful-start only selects `LATER_LIMIT`, so it would not help.
  const rows = count > FIRST_LIMIT ? "fix them or leave them out" : "add --no-careful-start";
  // OpenAI's newer models accept tools together with reasoning only at `/responses`.
  const endpoint = /\buse \/v1\/responses\b/.test(message) ? ", or add --endpoint responses" : "";
  return `If a parameter is to blame, change or remove it (-p, --params)${endpoint}; if the rows are, ` +
    rows;
}

/** The number of rows with useless answers after which the user gets a notice. */
const NOTICE_AFTER = 20;
/** The number of rows with useless answers after which a run with a careful start is halted. */
const HALT_AFTER = 1_000;

interface UselessAnswersOptions extends Pick<EngineOptions, "isProven" | "isCareful" | "onNotice"> {
  readonly onHalt: (reason: string) => void;
}

/** Counts rows whose answers are truncated or empty until the first useful answer. Without this
 * count, a token limit that is too low, for example, would be noticed only after all rows were paid
 * for. */
export class UselessAnswers {
  readonly #options: UselessAnswersOptions;
  #hasUsefulAnswer: boolean;
  #count = 0;

  constructor(options: UselessAnswersOptions) {
    this.#options = options;
    this.#hasUsefulAnswer = options.isProven ?? false;
  }

  /** Called when an answer is accepted, unless an earlier run received that answer. */
  accepted(): void {
    this.#hasUsefulAnswer = true;
  }

  /** Called when a row fails whose last answer was not accepted. The failure is that of the
   * answer. */
  failed({ type, message }: Failure): void {
    // Only answers that may be used are checked, so the settings produce usable answers. On hard
    // tasks, few of them may pass.
    if (type === "rejected" || type === "refused") this.#hasUsefulAnswer = true;
    if (this.#hasUsefulAnswer || type !== "truncated" && type !== "empty") return;
    this.#count++;
    if (this.#count !== NOTICE_AFTER && this.#count !== HALT_AFTER) return;
    const { isCareful, onNotice, onHalt } = this.#options;
    const problem =
      `None of the answers to ${formatCount(this.#count)} rows so far could be used, although ` +
      `they may be billed. The last: ${message}`;
    if (this.#count === NOTICE_AFTER) onNotice?.(problem);
    else if (isCareful) onHalt(`${problem}. To send all rows anyway, add --no-careful-start`);
  }
}
