/**
 * Decides whether failures are the teacher's fault. If so, the teacher is halted, and the rows held
 * back as evidence go to another teacher, or stay pending.
 *
 * @module
 */

import { NO_REASON } from "../answer.ts";
import type { TeacherError } from "../errors.ts";
import { posixWord } from "../printable.ts";
import type { Failure, Outcome } from "../row.ts";
import type { Teacher } from "../teacher/mod.ts";
import type { AttemptsOptions } from "./attempts.ts";
import { nameOf } from "./engine_state.ts";
import { type Classification, OTHER_SERVER } from "./errors/mod.ts";
import {
  AbsentTeachers,
  type FailedOutcome,
  FIRST_LIMIT,
  RepeatedAnswers,
  RepeatedRejections,
} from "./evidence.ts";
import type { Endpoint } from "./flow/mod.ts";
import { NO_OUTCOMES, sentOf, type Work } from "./work.ts";

export interface TeacherBlameOptions extends
  Pick<
    AttemptsOptions,
    | "isCareful"
    | "isProven"
    | "holdsRejections"
    | "waitForTeacherMs"
    | "hasAnsweredBefore"
    | "hasSeveralTeachers"
    | "onEndpointHalt"
  > {
  /** Called for each held row when its teacher is halted. */
  readonly onSendAgain: (work: Work, failure: Failure) => void;
}

export interface FailedCall {
  readonly error: TeacherError;
  readonly classification: Classification;
  readonly failure: Failure;
}

interface Evidence {
  readonly rejections: RepeatedRejections;
  /** Rows with answers that lack a known finish reason. */
  readonly endings: RepeatedAnswers;
  /** Rows answered by something other than a teacher. */
  readonly otherServer: RepeatedAnswers;
}

export class TeacherBlame {
  readonly #options: TeacherBlameOptions;
  readonly #evidence = new Map<Endpoint, Evidence>();
  readonly #absent: AbsentTeachers;
  /** Outcomes of held rows whose teachers have left. */
  #orphaned: Outcome[] = [];

  constructor(options: TeacherBlameOptions) {
    this.#options = options;
    this.#absent = new AbsentTeachers(options);
  }

  rejectsAllRows(endpoint: Endpoint, failure: Failure, advice: string | undefined): void {
    this.#halt(endpoint, "rejects all rows", failure, advice);
  }

  /** Called for each failed attempt. Halts the teacher if no server answers at its address. */
  failed(endpoint: Endpoint, { error, failure }: FailedCall): void {
    const advice = this.#absent.failed(endpoint, error);
    if (advice !== undefined) this.#halt(endpoint, "cannot be reached", failure, advice);
  }

  /** Counts a rejected row, because the teacher may be the cause. Returns the outcomes of rows
   * that have failed. */
  rejected(work: Work, outcome: FailedOutcome): readonly Outcome[] {
    const endpoint = sentOf(work).endpoint;
    const { rejections } = this.#evidenceAgainst(endpoint);
    const failed = rejections.addLast({ outcome, work });
    if (rejections.isConclusive) {
      const { count } = rejections;
      const what = `rejected ${count} consecutive rows with the same message`;
      this.#halt(endpoint, what, outcome.failure, adviceForRejections(count));
    }
    this.#releaseIfHalted(endpoint);
    return failed;
  }

  /** Counts a failed attempt of a row that is sent again. Returns whether the teacher is halted. */
  sentAgain(work: Work, call: FailedCall): boolean {
    const endpoint = sentOf(work).endpoint;
    const { classification } = call;
    const badAnswers = this.#badAnswersLike(work, classification);
    if (badAnswers === undefined) return endpoint.isHalted;
    // With several teachers, the row goes to another one next: this one may never give it a second
    // such answer.
    const isOneEnough = classification.cause === "ending" && this.#options.hasSeveralTeachers();
    badAnswers.add(work, isOneEnough || classification.otherServer === "certain");
    this.#haltIfConclusive(work, call, badAnswers);
    return endpoint.isHalted;
  }

  /** Counts the last attempt of a row. Returns the outcomes of rows that have failed. */
  spent(work: Work, call: FailedCall, outcome: FailedOutcome): readonly Outcome[] {
    const badAnswers = this.#badAnswersLike(work, call.classification);
    if (badAnswers === undefined) return [outcome];
    const failed = badAnswers.addLast({ outcome, work });
    this.#haltIfConclusive(work, call, badAnswers);
    this.#releaseIfHalted(sentOf(work).endpoint);
    return failed;
  }

  /** Called when a teacher has answered, at least in part. */
  answered(): void {
    this.#absent.answered();
  }

  /** Called when a teacher has finished an answer, which the checks may still reject. */
  answeredCompletely(endpoint: Endpoint): void {
    const { endings, otherServer } = this.#evidenceAgainst(endpoint);
    endings.answeredWell();
    otherServer.answeredWell();
  }

  /** Called when an answer is accepted. Returns the outcomes of held rows that have failed. */
  succeeded(endpoint: Endpoint): readonly Outcome[] {
    const { rejections, endings, otherServer } = this.#evidenceAgainst(endpoint);
    const fromRejections = rejections.succeeded(), fromEndings = endings.failHeld();
    const fromOtherServer = otherServer.failHeld(), fromDeparted = this.#takeOrphaned();
    const count = fromEndings.length + fromOtherServer.length + fromDeparted.length;
    if (count === 0) return fromRejections;
    return [...fromRejections, ...fromEndings, ...fromOtherServer, ...fromDeparted];
  }

  failHeldBack(): readonly Outcome[] {
    return [...this.#takeOrphaned(), ...[...this.#evidence.values()].flatMap(failAllHeld)];
  }

  /** The evidence that a failed attempt adds to; undefined if the teacher is not suspected. */
  #badAnswersLike(work: Work, { cause, otherServer }: Classification): RepeatedAnswers | undefined {
    const endpoint = sentOf(work).endpoint;
    if (cause === "ending") return this.#evidenceAgainst(endpoint).endings;
    if (otherServer === undefined || endpoint.hasAnswered) return undefined;
    return this.#evidenceAgainst(endpoint).otherServer;
  }

  #haltIfConclusive(
    work: Work,
    { error, classification: { cause }, failure }: FailedCall,
    badAnswers: RepeatedAnswers,
  ): void {
    if (!badAnswers.isConclusive) return;
    const [what, advice] = cause === "ending"
      ? [
        `did not mark its answers to ${badAnswers.count} rows as complete`,
        adviceForEnding(error.partial?.finishReason),
      ]
      : isOtherServer(error)
      ? ["is not an OpenAI-compatible endpoint", OTHER_SERVER]
      : ["has answered no row, only this", NO_ANSWERS];
    this.#halt(sentOf(work).endpoint, what, failure, advice);
  }

  /** Sends the held rows of a halted teacher again: they may not be at fault, as when a 401
   * follows two equal rejections. Calls in flight may add more rows. */
  #releaseIfHalted(endpoint: Endpoint): void {
    const evidence = this.#evidence.get(endpoint);
    if (!endpoint.isHalted || evidence === undefined) return;
    const { rejections, endings, otherServer } = evidence;
    for (const suspected of [rejections, endings, otherServer]) {
      for (const { work, outcome } of suspected.releaseHeld()) {
        this.#options.onSendAgain(work, outcome.failure);
      }
    }
  }

  #halt(endpoint: Endpoint, what: string, failure: Failure, advice: string | undefined): void {
    if (endpoint.isHalted) return;
    const { cause, sentence } = haltReason(endpoint.teacher, what, failure, advice);
    endpoint.halt(cause);
    this.#options.onEndpointHalt(sentence);
    this.#releaseIfHalted(endpoint);
  }

  #evidenceAgainst(endpoint: Endpoint): Evidence {
    let evidence = this.#evidence.get(endpoint);
    if (evidence === undefined) {
      this.#forgetDeparted();
      const { isCareful, isProven = false, holdsRejections: holdsRows = true } = this.#options;
      evidence = {
        rejections: new RepeatedRejections({ isProven: isProven || !isCareful, holdsRows }),
        endings: new RepeatedAnswers({ isProven, holdsRows }),
        otherServer: new RepeatedAnswers({ isProven, laterLimit: Infinity, holdsRows }),
      };
      this.#evidence.set(endpoint, evidence);
    }
    return evidence;
  }

  /** Bounds the memory of long runs, in which many teachers join and leave. */
  #forgetDeparted(): void {
    for (const [endpoint, evidence] of this.#evidence) {
      if (!endpoint.hasLeft) continue;
      this.#orphaned.push(...failAllHeld(evidence));
      this.#evidence.delete(endpoint);
    }
  }

  #takeOrphaned(): readonly Outcome[] {
    if (this.#orphaned.length === 0) return NO_OUTCOMES;
    const orphaned = this.#orphaned;
    this.#orphaned = [];
    return orphaned;
  }
}

function failAllHeld({ rejections, endings, otherServer }: Evidence): Outcome[] {
  return [...rejections.failHeld(), ...endings.failHeld(), ...otherServer.failHeld()];
}

/** For a server that answers every row with an unknown error. */
const NO_ANSWERS = "Check the address (--base-url), the key and the account";

function isOtherServer({ code }: TeacherError): boolean {
  return code === "web_page" || code === "other_api" || code === "no_http";
}

function adviceForEnding(finishReason = ""): string {
  const word = posixWord(finishReason === "" ? NO_REASON : finishReason);
  return `If they are complete anyway, add --accept-ending ${word}`;
}

/**
 * Returns why a teacher was halted: the cause, shown beside the teacher's name
 * (`401: Incorrect API key provided`), and a sentence that stands alone.
 *
 * @param what What the teacher does: `rejects all rows`.
 */
export function haltReason(
  teacher: Teacher,
  what: string,
  { status, message }: Failure,
  advice: string | undefined,
): { readonly cause: string; readonly sentence: string } {
  const [cause, suffix] = status === null
    ? [message, ""]
    : [`${status}: ${message}`, ` (${status})`];
  const words = `The ${nameOf(teacher)} ${what}${suffix}: ${message}`;
  return { cause, sentence: advice === undefined ? words : joinSentences(words, advice) };
}

export function adviceForRejections(count: number): string {
  // A teacher that is halted only after more rows was trusted, so --no-careful-start would not
  // help.
  const rows = count > FIRST_LIMIT ? "fix them or leave them out" : "add --no-careful-start";
  return `If a parameter is to blame, change or remove it (-p, --params); if the rows are, ${rows}`;
}

function joinSentences(first: string, second: string): string {
  const words = first.trimEnd();
  return /[!?。]$/.test(words) ? `${words} ${second}` : `${words.replace(/\.+$/, "")}. ${second}`;
}
