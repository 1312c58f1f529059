/**
 * Decides whether failures are the teacher's fault. If so, halts the teacher. The rows held back as
 * evidence then go to another teacher, or stay pending.
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
import { NO_OUTCOMES, type Work } from "./work.ts";

interface TeacherBlameOptions extends Omit<AttemptsOptions, "onSendAgain"> {
  /** Called for each held row once its teacher is halted. */
  readonly onSendAgain: (work: Work, failure: Failure) => void;
}

export interface FailedCall {
  readonly error: TeacherError;
  readonly classification: Classification;
  readonly failure: Failure;
}

type Evidence = {
  readonly rejections: RepeatedRejections;
  /** Rows with answers whose finish reason is missing or unknown. */
  readonly endings: RepeatedAnswers;
  /** Rows that something other than a teacher seems to have answered, such as a web server. */
  readonly otherServer: RepeatedAnswers;
  /** Rows that timed out before the teacher has answered any. They are held until it answers, or is
   * found to be down; they never halt it. */
  readonly timeouts: RepeatedAnswers;
};

type EvidenceKind = Exclude<keyof Evidence, "timeouts">;

export class TeacherBlame {
  readonly #options: TeacherBlameOptions;
  readonly #evidence = new Map<Endpoint, Evidence>();
  readonly #absent: AbsentTeachers;
  /** Outcomes of held rows whose teachers have left the run. */
  #orphaned: Outcome[] = [];

  constructor(options: TeacherBlameOptions) {
    this.#options = options;
    this.#absent = new AbsentTeachers(options);
  }

  /** Called for a failure that would hit every row, such as 401. Halts the teacher. */
  allRowsRejected(endpoint: Endpoint, failure: Failure, advice: string | undefined): void {
    this.#halt(endpoint, "rejects all rows", failure, advice);
  }

  /** Called for each attempt that failed before any of the answer arrived. Halts the teacher once
   * the run gives up on an address where no server answers. */
  failed(endpoint: Endpoint, { error, failure }: FailedCall): void {
    const advice = this.#absent.failed(endpoint, error);
    if (advice !== undefined) this.#halt(endpoint, "cannot be reached", failure, advice);
  }

  /** Counts a failed attempt of a row that is sent again. Returns whether the teacher is halted. */
  sentAgain(work: Work, call: FailedCall): boolean {
    const { endpoint } = work;
    const { cause, otherServer } = call.classification;
    const kind = evidenceIn(call, endpoint);
    if (kind !== undefined) {
      // With several teachers, the row goes to another one next. So this teacher may never give it
      // a second answer without a known finish reason, which would make the row count.
      const isOneEnough = cause === "ending" && this.#options.hasSeveralTeachers();
      const isCertain = isOneEnough || otherServer === "certain";
      this.#evidenceAgainst(endpoint)[kind].add(work, isCertain);
      this.#haltIfConclusive(endpoint, call, kind);
    }
    if (endpoint.isDown) this.#releaseTimeouts(endpoint);
    return endpoint.isHalted;
  }

  /** Counts the last attempt of a row. Returns the outcomes of rows that have failed. This row is
   * among them unless it is held back. */
  spent(work: Work, call: FailedCall, outcome: FailedOutcome): readonly Outcome[] {
    const { endpoint } = work;
    const kind = evidenceIn(call, endpoint);
    if (kind === undefined) {
      const isTimeout = call.classification.cause === "timeout" &&
        work.faults < this.#options.retryPolicy.maxAttempts;
      if (!isTimeout || endpoint.hasAnswered || endpoint.isDown) return [outcome];
      return this.#evidenceAgainst(endpoint).timeouts.addLast({ outcome, work });
    }
    const failed = this.#evidenceAgainst(endpoint)[kind].addLast({ outcome, work });
    this.#haltIfConclusive(endpoint, call, kind);
    this.#releaseIfHalted(endpoint);
    return failed;
  }

  /** Called when any teacher has answered, at least in part. */
  answered(): void {
    this.#absent.answered();
  }

  /** Called when a teacher has finished an answer, which the checks may still reject. */
  answeredCompletely(endpoint: Endpoint): void {
    const { endings, otherServer } = this.#evidenceAgainst(endpoint);
    endings.answeredWell();
    otherServer.answeredWell();
  }

  /** Called when an answer is accepted, except one that an earlier run received. Returns the
   * outcomes of held rows that have failed. */
  succeeded(endpoint: Endpoint): readonly Outcome[] {
    const { rejections, endings, otherServer, timeouts } = this.#evidenceAgainst(endpoint);
    const fromRejections = rejections.succeeded(), fromEndings = endings.failHeld();
    const fromOtherServer = otherServer.failHeld(), fromTimeouts = timeouts.failHeld();
    const fromDeparted = this.#takeOrphaned();
    const count = fromEndings.length + fromOtherServer.length + fromTimeouts.length +
      fromDeparted.length;
    if (count === 0) return fromRejections;
    return [fromRejections, fromEndings, fromOtherServer, fromTimeouts, fromDeparted].flat();
  }

  /** Called at the end of the run: fails all rows that are still held. */
  failHeldAtEnd(): readonly Outcome[] {
    return [...this.#takeOrphaned(), ...[...this.#evidence.values()].flatMap(failHeldIn)];
  }

  #haltIfConclusive(endpoint: Endpoint, call: FailedCall, kind: EvidenceKind): void {
    const { count, isConclusive } = this.#evidenceAgainst(endpoint)[kind];
    if (!isConclusive) return;
    const [what, advice] = HALT_WORDS[kind](count, call.error);
    this.#halt(endpoint, what, call.failure, advice);
  }

  /** Sends the held rows of a halted teacher again: they may not be at fault, as when a 401 follows
   * two equal rejections. `spent` calls this too, because attempts that were in flight at the halt
   * may add rows. */
  #releaseIfHalted(endpoint: Endpoint): void {
    const evidence = this.#evidence.get(endpoint);
    if (!endpoint.isHalted || evidence === undefined) return;
    const held = Object.values(evidence).flatMap((repeated) => repeated.releaseHeld());
    for (const { work, outcome } of held) this.#options.onSendAgain(work, outcome.failure);
  }

  /** Sends held rows again that timed out because the teacher was down. */
  #releaseTimeouts(endpoint: Endpoint): void {
    for (const { work, outcome } of this.#evidence.get(endpoint)?.timeouts.releaseHeld() ?? []) {
      work.timeouts = 0;
      this.#options.onSendAgain(work, outcome.failure);
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
        timeouts: new RepeatedAnswers({ isProven: true, laterLimit: Infinity, holdsRows }),
      };
      this.#evidence.set(endpoint, evidence);
    }
    return evidence;
  }

  /** Bounds the memory of long runs in which many teachers join and leave. */
  #forgetDeparted(): void {
    for (const [endpoint, evidence] of this.#evidence) {
      if (!endpoint.hasLeft) continue;
      this.#orphaned.push(...failHeldIn(evidence));
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

function failHeldIn(evidence: Evidence): Outcome[] {
  return Object.values(evidence).flatMap((repeated) => repeated.failHeld());
}

/** Returns the kind of evidence that a failed attempt gives against its teacher, if any. */
function evidenceIn({ classification }: FailedCall, endpoint: Endpoint): EvidenceKind | undefined {
  const { cause, otherServer } = classification;
  // The request may have been rejected for something that all rows share, such as a parameter.
  if (cause === "request") return "rejections";
  if (cause === "ending") return "endings";
  return otherServer === undefined || endpoint.hasAnswered ? undefined : "otherServer";
}

type HaltWords = readonly [what: string, advice: string];

/** For each kind of evidence: what the teacher did with `count` rows, of which `error` is the last
 * failure, and what the user can do. */
const HALT_WORDS: Readonly<
  Record<EvidenceKind, (count: number, error: TeacherError) => HaltWords>
> = {
  rejections: (count, { message }) => [
    `rejected ${count} consecutive rows with the same message`,
    adviceForRejections(count, message),
  ],
  endings: (count, { partial }) => [
    `did not mark its answers to ${count} rows as complete`,
    adviceForEnding(partial?.finishReason),
  ],
  otherServer: (_, { code }) =>
    OTHER_SERVER_CODES.has(code ?? "")
      ? ["is not an OpenAI-compatible endpoint", OTHER_SERVER]
      : ["has not answered any row; last error", NO_ANSWERS],
};

const OTHER_SERVER_CODES = new Set(["web_page", "other_api", "no_http"]);

/** For a server that answers each row with a 2xx response that has neither an answer nor a known
 * error. */
const NO_ANSWERS = "Check the address (--base-url), the key and the account";

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

export function adviceForRejections(count: number, message = ""): string {
  // A count above `FIRST_LIMIT` means that `LATER_LIMIT` applied. --no-careful-start only selects
  // `LATER_LIMIT`, so it would not help.
  const rows = count > FIRST_LIMIT ? "fix them or leave them out" : "add --no-careful-start";
  // OpenAI's newer models take tools together with reasoning only at `/responses`.
  const endpoint = /\buse \/v1\/responses\b/.test(message) ? ", or add --endpoint responses" : "";
  return `If a parameter is to blame, change or remove it (-p, --params)${endpoint}; if the rows are, ` +
    rows;
}

function joinSentences(first: string, second: string): string {
  const words = first.trimEnd();
  return /[!?。]$/.test(words) ? `${words} ${second}` : `${words.replace(/\.+$/, "")}. ${second}`;
}
