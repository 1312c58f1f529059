/**
 * Decides whether a teacher is to blame for failures, and if so, halts the teacher. The rows that
 * were held back are then sent to another teacher or stay pending.
 *
 * @module
 */

import type { Failure, Outcome } from "../row.ts";
import type { Teacher } from "../teacher/mod.ts";
import type { AttemptsOptions } from "./attempts.ts";
import { nameOf, WAIT_AFTER_ROWS_MS, WAIT_FOR_TEACHER_MS } from "./engine_state.ts";
import {
  evidenceIn,
  type EvidenceKind,
  type FailedCall,
  type FailedOutcome,
  haltWords,
  type HeldRow,
  RepeatedBadAnswers,
  RepeatedRejections,
} from "./evidence.ts";
import type { Endpoint } from "./flow/mod.ts";
import { NO_OUTCOMES, type Work } from "./work.ts";

/** Evidence against one teacher, by kind. */
interface Evidence {
  readonly rejections: RepeatedRejections;
  /** Rows with answers whose finish reason is missing or unknown. */
  readonly endings: RepeatedBadAnswers;
  /** Rows that something other than a teacher may have answered, such as a web server. */
  readonly otherServer: RepeatedBadAnswers;
  /** Rows that timed out before the teacher answered any row, or while it answered no row. They are
   * held until the teacher answers or turns out to be down. They never halt the teacher. */
  readonly timeouts: RepeatedBadAnswers;
  readonly all: readonly RepeatedBadAnswers[];
}

/** The error code for a host that does not exist. A temporary failure of DNS has a different code,
 * EAI_AGAIN. */
const NO_HOST = "ENOTFOUND";
/** Error codes for a host on which no server listens. ENETUNREACH is not included, because it means
 * that this machine has no network. */
const NOTHING_LISTENS = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ETIMEDOUT",
  "UND_ERR_CONNECT_TIMEOUT",
]);

export class TeacherBlame {
  readonly #options: AttemptsOptions;
  readonly #evidence = new Map<Endpoint, Evidence>();
  /** Teachers that were halted because they could not be reached. They may start later. */
  #lateStarters: Endpoint[] = [];
  #hasAnswered: boolean;
  /** Outcomes of held rows whose evidence was dropped, because the teacher left or rejoined. */
  #orphaned: readonly Outcome[] = NO_OUTCOMES;

  constructor(options: AttemptsOptions) {
    this.#options = options;
    this.#hasAnswered = options.hasAnsweredBefore ?? false;
  }

  /** Halts the teacher after a failure that would affect every row, such as a 401. */
  allRowsRejected(endpoint: Endpoint, failure: Failure, advice: string | undefined): void {
    this.#halt(endpoint, "rejects all rows", failure, advice);
  }

  /** Called for each attempt that failed without a partial answer. Halts a teacher whose host does
   * not exist, or that does not start in time. Once any teacher has answered, the others get more
   * time. Their time runs only while a teacher is halted and no server is found for any other
   * teacher. */
  failed(endpoint: Endpoint, { error: { code = "", isUnreachable }, failure }: FailedCall): void {
    const isUnknownHost = code === NO_HOST;
    const isAbsent = isUnreachable && (isUnknownHost || NOTHING_LISTENS.has(code));
    const { hasAnsweredBefore, pool, mayTeachersJoin } = this.#options;
    const hasAnswered = endpoint.hasAnswered || endpoint.hasAnsweredPartly;
    if (hasAnsweredBefore || !isAbsent || hasAnswered || endpoint.isHalted) return;
    const since = endpoint.absentSince ??= endpoint.now;
    if (this.#hasAnswered && !pool.areOthersAbsent) {
      // The wait begins when no teacher is left that may answer.
      endpoint.absentSince = endpoint.now;
      return;
    }
    const { waitForTeacherMs = isUnknownHost ? 0 : WAIT_FOR_TEACHER_MS } = this.#options;
    const waitMs = Math.max(waitForTeacherMs, this.#hasAnswered ? WAIT_AFTER_ROWS_MS : 0);
    if (endpoint.now - since < waitMs) {
      endpoint.breaker.latestProbeAt = since + waitMs;
      return;
    }
    const advice = isUnknownHost
      ? "Check the address (--base-url); --wait waits until the name can be looked up"
      : "Start it, or check the address (--base-url); --wait waits until it has started";
    this.#halt(endpoint, "cannot be reached", failure, advice);
    // The host name of a new pod may be resolvable only some time after the pod has joined.
    if (!isUnknownHost || mayTeachersJoin) this.#lateStarters.push(endpoint);
  }

  /** Counts a failed attempt at a row that is sent again. Returns whether the teacher is halted. */
  sentAgain(work: Work, call: FailedCall): boolean {
    const { endpoint } = work;
    const { cause, otherServer } = call.classification;
    const kind = evidenceIn(call, endpoint);
    if (kind !== undefined) {
      // With several teachers, the row goes to another teacher next. It may never return to this
      // teacher for the second bad answer that would make the row count.
      const isOneEnough = cause === "ending" && this.#options.pool.hasSeveral;
      const isCertain = isOneEnough || otherServer === "certain";
      this.#evidenceAgainst(endpoint)[kind].add(work, isCertain);
      this.#haltIfConclusive(endpoint, call, kind);
    }
    if (endpoint.isDown) this.#releaseTimeouts(endpoint);
    return endpoint.isHalted;
  }

  /** Counts the last attempt at a row. Returns the outcomes of rows that fail now, which include
   * this row unless it is held back. */
  spent(work: Work, call: FailedCall, outcome: FailedOutcome): readonly Outcome[] {
    const { endpoint } = work;
    const kind = evidenceIn(call, endpoint);
    if (kind === undefined) {
      const isTimeout = call.classification.cause === "timeout" &&
        work.faults < this.#options.retryPolicy.maxAttempts;
      const isUp = endpoint.hasAnswered && endpoint.breaker.hasRespondedSince(work.startedAt);
      if (!isTimeout || isUp || endpoint.isDown) return [outcome];
      return this.#evidenceAgainst(endpoint).timeouts.addLast({ outcome, work });
    }
    const failed = this.#evidenceAgainst(endpoint)[kind].addLast({ outcome, work });
    this.#haltIfConclusive(endpoint, call, kind);
    this.#releaseIfHalted(endpoint);
    return failed;
  }

  /** Called before a teacher joins or rejoins, because a halted teacher may have been repaired. */
  joins(teacher: Teacher): void {
    this.#forget((endpoint) => endpoint.teacher === teacher && endpoint.isHalted);
  }

  /** Called when any teacher has answered, at least in part. */
  answered(): void {
    if (this.#hasAnswered && this.#lateStarters.length === 0) return;
    this.#hasAnswered = true;
    // Unreachable teachers get more time from now on, including those that were halted before.
    for (const endpoint of this.#lateStarters) endpoint.resume();
    this.#lateStarters = [];
  }

  /** Called when a teacher has finished an answer, which the checks may still reject. */
  answeredCompletely(endpoint: Endpoint): void {
    const { endings, otherServer } = this.#evidenceAgainst(endpoint);
    endings.answeredWell();
    otherServer.answeredWell();
  }

  /** Called when an answer is accepted, unless an earlier run received that answer. Returns the
   * outcomes of held rows, which fail now. */
  succeeded(endpoint: Endpoint): readonly Outcome[] {
    const evidence = this.#evidenceAgainst(endpoint);
    evidence.rejections.answeredWell();
    return failHeldIn(evidence, this.#takeOrphaned());
  }

  /** Called at the end of the run. Fails the rows that are still held, and returns their
   * outcomes. */
  failHeldAtEnd(): readonly Outcome[] {
    let failed = this.#takeOrphaned();
    for (const evidence of this.#evidence.values()) failed = failHeldIn(evidence, failed);
    return failed;
  }

  #haltIfConclusive(endpoint: Endpoint, call: FailedCall, kind: EvidenceKind): void {
    const { count, isConclusive } = this.#evidenceAgainst(endpoint)[kind];
    if (!isConclusive) return;
    const [what, advice] = haltWords(kind, count, call.error, endpoint.hasAnswered);
    this.#halt(endpoint, what, call.failure, advice);
  }

  /** Sends the held rows of a halted teacher again, because the rows may not be at fault: a 401,
   * for example, may follow two equal rejections. This is called again for rows that were in flight
   * when the teacher was halted. */
  #releaseIfHalted(endpoint: Endpoint): void {
    if (!endpoint.isHalted) return;
    const all = this.#evidence.get(endpoint)?.all ?? [];
    this.#sendAgain(all.flatMap((repeated) => repeated.releaseHeld()));
  }

  /** Sends held rows again if they timed out because the teacher was down. */
  #releaseTimeouts(endpoint: Endpoint): void {
    const held = this.#evidence.get(endpoint)?.timeouts.releaseHeld() ?? [];
    for (const { work } of held) work.timeouts = 0;
    this.#sendAgain(held);
  }

  #sendAgain(held: readonly HeldRow[]): void {
    const { listener, onSendAgain, unfinishedAction } = this.#options;
    for (const { work, outcome: { failure } } of held) {
      listener.rowReleased({ failure, action: unfinishedAction() });
      onSendAgain(work);
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
      // Forgetting teachers that have left limits the memory of long runs in which many join and
      // leave.
      this.#forget(({ hasLeft }) => hasLeft);
      const { isCareful, isProven = false, holdsRejections: holdsRows = true } = this.#options;
      const options = { holdsRows, isTrusted: isProven };
      const rejections = new RepeatedRejections({ holdsRows, isTrusted: isProven || !isCareful });
      const endings = new RepeatedBadAnswers(options);
      const otherServer = new RepeatedBadAnswers({ ...options, laterLimit: Infinity });
      const timeouts = new RepeatedBadAnswers({ holdsRows, isTrusted: true, laterLimit: Infinity });
      const all = [rejections, endings, otherServer, timeouts];
      evidence = { rejections, endings, otherServer, timeouts, all };
      this.#evidence.set(endpoint, evidence);
    }
    return evidence;
  }

  #forget(isForgotten: (endpoint: Endpoint) => boolean): void {
    for (const [endpoint, evidence] of this.#evidence) {
      if (!isForgotten(endpoint)) continue;
      this.#orphaned = failHeldIn(evidence, this.#orphaned);
      this.#evidence.delete(endpoint);
    }
  }

  #takeOrphaned(): readonly Outcome[] {
    const orphaned = this.#orphaned;
    this.#orphaned = NO_OUTCOMES;
    return orphaned;
  }
}

/** Fails the held rows. Returns `failed` with their outcomes added. This is on the hot path, so a
 * new list is created only if rows are held. */
function failHeldIn({ all }: Evidence, failed: readonly Outcome[]): readonly Outcome[] {
  for (const repeated of all) {
    const outcomes = repeated.failHeld();
    if (outcomes.length > 0) failed = [...failed, ...outcomes];
  }
  return failed;
}

/**
 * Returns why a teacher was halted: a short cause that is shown next to the teacher's name
 * (`401: Incorrect API key provided`), and a complete sentence.
 *
 * @param what What the teacher does, such as `rejects all rows`.
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

function joinSentences(first: string, second: string): string {
  const words = first.trimEnd();
  return /[!?。]$/.test(words) ? `${words} ${second}` : `${words.replace(/\.+$/, "")}. ${second}`;
}
