/**
 * Decides whether failures are the teacher's fault, not the rows'. Such a teacher is halted, and
 * none of its rows has failed: they go to another teacher, or stay pending.
 *
 * @module
 */

import { NO_REASON } from "../endings.ts";
import type { TeacherError } from "../errors.ts";
import type { Failure, Outcome } from "../row.ts";
import type { Teacher } from "../teacher/mod.ts";
import type { EngineOptions } from "./engine_options.ts";
import { type Classification, OTHER_SERVER } from "./errors/mod.ts";
import {
  AbsentTeachers,
  FIRST_LIMIT,
  type RejectedRow,
  RepeatedAnswers,
  RepeatedRejections,
} from "./evidence.ts";
import { type Endpoint, hasLeft } from "./flow/mod.ts";
import { NO_OTHERS, sentOf, type Work } from "./work.ts";

export interface TeacherBlameOptions extends
  Pick<
    EngineOptions,
    "isCareful" | "isProven" | "holdsRejections" | "waitForTeacherMs" | "wasAnswered"
  >,
  Partial<Pick<EngineOptions, "teachers">> {
  /** Called when a teacher was halted: it receives nothing more. */
  readonly onEndpointHalt: (reason: string) => void;
  /** Called when a row that was held back because of a failure must be sent again. */
  readonly onSendAgain: (work: Work, failure: Failure) => void;
}

/** A failed attempt and its classification. */
export interface FailedCall {
  readonly error: TeacherError;
  readonly classification: Classification;
  readonly failure: Failure;
}

/** The outcome of a row that gets no further attempt. */
type FailedOutcome = Outcome & { readonly failure: Failure };

/** The evidence against one teacher. */
interface Records {
  /** Rows that were rejected with the same message. */
  readonly rejections: RepeatedRejections;
  /** Rows whose answers were not marked as complete. */
  readonly endings: RepeatedAnswers;
  /** Rows that something other than a teacher answered. */
  readonly otherServer: RepeatedAnswers;
}

/** Keeps the evidence against each teacher of a run. */
export class TeacherBlame {
  readonly #options: TeacherBlameOptions;
  readonly #records = new Map<Endpoint, Records>();
  readonly #absent: AbsentTeachers;
  /** Outcomes of rows that were held back because of teachers that have left since. */
  #orphaned: Outcome[] = [];

  constructor(options: TeacherBlameOptions) {
    this.#options = options;
    this.#absent = new AbsentTeachers(options);
  }

  /** Halts a teacher that rejects all rows. */
  haltForAllRows(endpoint: Endpoint, failure: Failure, advice: string | undefined): void {
    this.#halt(endpoint, "rejects all rows", failure, advice);
  }

  /** Called when an attempt has failed. Halts the teacher if no server answers at its address. */
  failed(endpoint: Endpoint, { error, failure }: FailedCall): void {
    const advice = this.#absent.failed(endpoint, error);
    if (advice !== undefined) this.#halt(endpoint, "cannot be reached", failure, advice);
  }

  /** Called when a row was rejected, perhaps through the teacher's fault. Returns the outcomes of
   * rows that have failed. */
  rejected(work: Work, outcome: FailedOutcome): readonly Outcome[] {
    const endpoint = sentOf(work).endpoint;
    const { rejections } = this.#recordsOf(endpoint);
    const failed = rejections.add({ outcome, work });
    if (!rejections.isConclusive) return failed;
    const { count } = rejections;
    const what = `rejected ${count} consecutive rows with the same message`;
    this.#halt(endpoint, what, outcome.failure, adviceForRejections(count));
    this.#release(rejections.release());
    return failed;
  }

  /** Called when a row must be sent again. Returns whether its teacher is halted. */
  sentAgain(work: Work, call: FailedCall): boolean {
    const endpoint = sentOf(work).endpoint;
    const { classification } = call;
    const answers = this.#evidence(work, classification);
    if (answers === undefined) return endpoint.isHalted;
    // With several teachers, the row goes to another one next, so this one gives it only one such
    // answer.
    const isOnce = classification.cause === "ending" && (this.#options.teachers?.length ?? 1) > 1;
    answers.add(work, isOnce || classification.isOtherServer === "certainly");
    this.#checkConclusive(work, call, answers);
    return endpoint.isHalted;
  }

  /** Called when a row has no attempt left. Returns the outcomes of rows that have failed. */
  spent(work: Work, call: FailedCall, outcome: FailedOutcome): readonly Outcome[] {
    const answers = this.#evidence(work, call.classification);
    if (answers === undefined) return [outcome];
    const failed = answers.addLast({ outcome, work });
    this.#checkConclusive(work, call, answers);
    return failed;
  }

  /** Called when a teacher has answered, at least in part. */
  answered(): void {
    this.#absent.answered();
  }

  /** Called when a teacher has given a complete answer, which may still be rejected. */
  answeredCompletely(endpoint: Endpoint): void {
    const { endings, otherServer } = this.#recordsOf(endpoint);
    endings.wasGood();
    otherServer.wasGood();
  }

  /** Called when an answer of a teacher is kept. Returns the outcomes of rows that were held back
   * and have failed. */
  succeeded(endpoint: Endpoint): readonly Outcome[] {
    const { rejections, endings, otherServer } = this.#recordsOf(endpoint);
    const failed = rejections.succeeded(),
      unproven = endings.clear(),
      foreign = otherServer.clear();
    const orphaned = this.#takeOrphaned();
    if (unproven.length === 0 && foreign.length === 0 && orphaned.length === 0) return failed;
    return [...failed, ...unproven, ...foreign, ...orphaned];
  }

  /** Called at the end of the run. Returns the outcomes of rows that were held back and have
   * failed. */
  failHeldBack(): readonly Outcome[] {
    return [...this.#takeOrphaned(), ...[...this.#records.values()].flatMap(cleared)];
  }

  /**
   * The evidence that a failed attempt adds to; undefined if it says nothing against the teacher.
   */
  #evidence(work: Work, { cause, isOtherServer }: Classification): RepeatedAnswers | undefined {
    const endpoint = sentOf(work).endpoint;
    if (cause === "ending") return this.#recordsOf(endpoint).endings;
    if (isOtherServer === undefined || endpoint.hasAnswered) return undefined;
    return this.#recordsOf(endpoint).otherServer;
  }

  #checkConclusive(
    work: Work,
    { error, classification: { cause }, failure }: FailedCall,
    answers: RepeatedAnswers,
  ): void {
    if (!answers.isConclusive) return;
    const [what, advice] = cause === "ending"
      ? [
        `did not mark its answers to ${answers.count} rows as complete`,
        adviceForEnding(error.partial?.finishReason),
      ]
      : isOtherServer(error)
      ? ["is not an OpenAI-compatible endpoint", OTHER_SERVER]
      : ["has answered no row, only this", NO_ANSWERS];
    this.#halt(sentOf(work).endpoint, what, failure, advice);
    this.#release(answers.release());
  }

  #release(rows: readonly RejectedRow[]): void {
    for (const { work, outcome } of rows) this.#options.onSendAgain(work, outcome.failure);
  }

  #halt(endpoint: Endpoint, what: string, failure: Failure, advice: string | undefined): void {
    if (endpoint.isHalted) return;
    const { cause, sentence } = haltReason(endpoint.teacher, what, failure, advice);
    endpoint.halt(cause);
    this.#options.onEndpointHalt(sentence);
  }

  #recordsOf(endpoint: Endpoint): Records {
    let records = this.#records.get(endpoint);
    if (records === undefined) {
      this.#forgetDeparted();
      const { isCareful, isProven = false, holdsRejections: holds = true } = this.#options;
      records = {
        rejections: new RepeatedRejections({ isProven: isProven || !isCareful, holds }),
        endings: new RepeatedAnswers({ isProven, onlyFirst: false, holds }),
        otherServer: new RepeatedAnswers({ isProven, onlyFirst: true, holds }),
      };
      this.#records.set(endpoint, records);
    }
    return records;
  }

  /** A run of days sees any number of teachers: the evidence against those that have left is
   * complete, as at the end of the run. */
  #forgetDeparted(): void {
    for (const [endpoint, records] of this.#records) {
      if (!hasLeft(endpoint)) continue;
      this.#orphaned.push(...cleared(records));
      this.#records.delete(endpoint);
    }
  }

  #takeOrphaned(): readonly Outcome[] {
    if (this.#orphaned.length === 0) return NO_OTHERS;
    const orphaned = this.#orphaned;
    this.#orphaned = [];
    return orphaned;
  }
}

/** The outcomes of rows that were held back and have failed. */
function cleared({ rejections, endings, otherServer }: Records): Outcome[] {
  return [...rejections.clear(), ...endings.clear(), ...otherServer.clear()];
}

/** Advice if a server answers every row with an unknown error. */
const NO_ANSWERS = "Check the address (--base-url), the key and the account";

/** Whether the response comes from another kind of server. */
function isOtherServer({ code }: TeacherError): boolean {
  return code === "web_page" || code === "other_api" || code === "no_http";
}

/** Advice to accept answers with this finish reason. */
function adviceForEnding(finishReason = ""): string {
  const word = finishReason === "" ? NO_REASON : finishReason;
  const shown = /^[\w.:-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
  return `If they are complete anyway, add --accept-ending ${shown}`;
}

/** Why a teacher was halted, in two lengths. */
export interface HaltReason {
  /** Shown beside the teacher's name, with the cause first: `401: Incorrect API key provided`. */
  readonly cause: string;
  /** Shown alone: what the teacher does, why, and the advice. */
  readonly sentence: string;
}

/**
 * Says why a teacher was halted.
 *
 * @param what What the teacher does: `rejects all rows`.
 * @param advice What the user can do, a sentence without a final period; undefined for none.
 */
export function haltReason(
  teacher: Teacher,
  what: string,
  { status, message }: Failure,
  advice: string | undefined,
): HaltReason {
  const place = teacher.address ? ` at ${teacher.address}` : "";
  const [cause, suffix] = status === null
    ? [message, ""]
    : [`${status}: ${message}`, ` (${status})`];
  const words = `The teacher${place} ${what}${suffix}: ${message}`;
  return { cause, sentence: advice === undefined ? words : joinSentences(words, advice) };
}

/** Advice if `count` rows were rejected with the same message. */
export function adviceForRejections(count: number): string {
  const rows = count > FIRST_LIMIT ? "fix them or leave them out" : "add --no-careful-start";
  return `If a parameter is to blame, change or remove it (-p, --params); if the rows are, ${rows}`;
}

/** Joins two sentences, whatever the first ends with. */
function joinSentences(first: string, second: string): string {
  const words = first.trimEnd();
  return /[!?。]$/.test(words) ? `${words} ${second}` : `${words.replace(/\.+$/, "")}. ${second}`;
}
