/**
 * Whether what happens to rows is their teacher's doing: then it is asked no more, and none of them has
 * failed. They go to another teacher, or stay pending.
 *
 * @module
 */

import type { TeacherError } from "../errors.ts";
import type { Failure, Outcome } from "../row.ts";
import { NO_REASON } from "./answers/mod.ts";
import type { EngineOptions } from "./engine_options.ts";
import {
  adviceForRefusals,
  type Classification,
  haltReason,
  OTHER_SERVER,
  RepeatedAnswers,
  RepeatedRejections,
} from "./errors/mod.ts";
import type { Endpoint } from "./flow/mod.ts";
import { sentOf, type Work } from "./work.ts";

/** What it works with. */
export interface TeacherBlameOptions extends
  Pick<
    EngineOptions,
    "isCareful" | "isProven" | "holdsRejections" | "waitForTeacherMs" | "wasAnswered"
  >,
  Partial<Pick<EngineOptions, "teachers">> {
  /** A teacher will not be asked again. */
  readonly onEndpointHalt: (reason: string) => void;
  /** A row that was held back is to be asked again. */
  readonly onAgain: (work: Work) => void;
}

/** A row without a further attempt. */
type FailedOutcome = Outcome & { readonly failure: Failure };

interface Records {
  /** Rows that were refused in the same words. */
  readonly rejections: RepeatedRejections;
  /** Rows whose answers were never said to be whole. */
  readonly endings: RepeatedAnswers;
  /** Rows that something else than a teacher answered. */
  readonly others: RepeatedAnswers;
}

/** Keeps what speaks against each teacher of a run. */
export class TeacherBlame {
  readonly #options: TeacherBlameOptions;
  readonly #records = new Map<Endpoint, Records>();
  readonly #absent: AbsentTeachers;

  /** Nothing speaks against any of them yet. */
  constructor(options: TeacherBlameOptions) {
    this.#options = options;
    this.#absent = new AbsentTeachers(options);
  }

  /** The teacher refuses all rows, whatever they hold. */
  refusesAll(endpoint: Endpoint, failure: Failure, advice: string | undefined): void {
    this.#halt(endpoint, "refuses all rows", failure, advice);
  }

  /** An attempt has failed. The teacher may not be there at all, and is not asked any more then. */
  failed(endpoint: Endpoint, error: TeacherError): void {
    const advice = this.#absent.failed(endpoint, error);
    if (advice === undefined) return;
    const { type, message } = error;
    this.#halt(endpoint, "cannot be reached", { type, message, status: null }, advice);
  }

  /** A row was refused for what may not be its own fault. Returns what has failed. */
  rejected(work: Work, outcome: FailedOutcome): readonly Outcome[] {
    const endpoint = sentOf(work).endpoint;
    const { rejections } = this.#of(endpoint);
    const failed = rejections.add({ outcome, work });
    if (!rejections.isConclusive) return failed;
    const { count } = rejections;
    const what = `refused ${count} rows in a row with the same words`;
    this.#halt(endpoint, what, outcome.failure, adviceForRefusals(count));
    this.#release(rejections.release());
    return failed;
  }

  /** A row has to be asked again. Returns whether its teacher is not to be asked any more. */
  again(work: Work, error: TeacherError, classification: Classification): boolean {
    const endpoint = sentOf(work).endpoint;
    const answers = this.#speaking(work, classification);
    if (answers === undefined) return endpoint.isHalted;
    // Where there are others, the row is not asked there twice.
    const isOnce = classification.cause === "ending" && (this.#options.teachers?.length ?? 1) > 1;
    answers.add(work, isOnce || classification.isOtherServer === "certainly");
    this.#checkConclusive(work, error, classification, answers);
    return endpoint.isHalted;
  }

  /** A row has no attempt left. Returns what has failed. */
  last(
    work: Work,
    error: TeacherError,
    classification: Classification,
    outcome: FailedOutcome,
  ): readonly Outcome[] {
    const answers = this.#speaking(work, classification);
    if (answers === undefined) return [outcome];
    const failed = answers.addLast({ outcome, work });
    this.#checkConclusive(work, error, classification, answers);
    return failed;
  }

  /** A teacher has answered, be it with part of an answer. */
  answered(): void {
    this.#absent.answered();
  }

  /** A teacher has given a whole answer, which need not be one that is kept. */
  wasWhole(endpoint: Endpoint): void {
    const { endings, others } = this.#of(endpoint);
    endings.wasGood();
    others.wasGood();
  }

  /** An answer of a teacher is kept. Returns the rows that were held back and have failed. */
  succeeded(endpoint: Endpoint): readonly Outcome[] {
    const { rejections, endings, others } = this.#of(endpoint);
    const failed = rejections.succeeded(), unproven = endings.clear(), foreign = others.clear();
    if (unproven.length === 0 && foreign.length === 0) return failed;
    return [...failed, ...unproven, ...foreign];
  }

  /** The run is over: gives back the rows that were held back and have failed. */
  clear(): readonly Outcome[] {
    return [...this.#records.values()].flatMap(({ rejections, endings, others }) => [
      ...rejections.clear(),
      ...endings.clear(),
      ...others.clear(),
    ]);
  }

  /** What the answer speaks of, where it speaks against the teacher. */
  #speaking(work: Work, { cause, isOtherServer }: Classification): RepeatedAnswers | undefined {
    const endpoint = sentOf(work).endpoint;
    if (cause === "ending") return this.#of(endpoint).endings;
    if (isOtherServer === undefined || endpoint.hasAnswered) return undefined;
    return this.#of(endpoint).others;
  }

  #checkConclusive(
    work: Work,
    error: TeacherError,
    { cause }: Classification,
    answers: RepeatedAnswers,
  ): void {
    if (!answers.isConclusive) return;
    const { type, message, status = null, partial } = error;
    const failure: Failure = { type, message, status };
    const [what, advice] = cause === "ending"
      ? [
        `did not mark its answers to ${answers.count} rows as complete`,
        adviceForEnding(partial?.finishReason),
      ]
      : isForeign(error)
      ? ["is not an OpenAI-compatible endpoint", OTHER_SERVER]
      : ["has answered no row, only this", NO_ANSWERS];
    this.#halt(sentOf(work).endpoint, what, failure, advice);
    this.#release(answers.release());
  }

  #release(works: readonly Work[]): void {
    for (const work of works) this.#options.onAgain(work);
  }

  #halt(endpoint: Endpoint, what: string, failure: Failure, advice: string | undefined): void {
    if (endpoint.isHalted) return;
    const { cause, sentence } = haltReason(endpoint.teacher, what, failure, advice);
    endpoint.halt(cause);
    this.#options.onEndpointHalt(sentence);
  }

  #of(endpoint: Endpoint): Records {
    let records = this.#records.get(endpoint);
    if (records === undefined) {
      const { isCareful, isProven = false, holdsRejections: holds = true } = this.#options;
      records = {
        rejections: new RepeatedRejections({ isProven: isProven || !isCareful, holds }),
        endings: new RepeatedAnswers({ isProven, onlyFirst: false, holds }),
        others: new RepeatedAnswers({ isProven, onlyFirst: true, holds }),
      };
      this.#records.set(endpoint, records);
    }
    return records;
  }
}

/** The way out where a server has words for each row that are not known. */
const NO_ANSWERS = "Check the address (--base-url), the key and the account";

/** Whether what came is that of another kind of server, whatever it says. */
function isForeign({ code }: TeacherError): boolean {
  return code === "web_page" || code === "other_api";
}

/** The flag that takes such answers. */
function adviceForEnding(finishReason = ""): string {
  const word = finishReason === "" ? NO_REASON : finishReason;
  const shown = /^[\w.:-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
  return `If they are complete anyway, add --accept-ending ${shown}`;
}

/** What it goes by. */
export type AbsentTeachersOptions = Pick<EngineOptions, "waitForTeacherMs" | "wasAnswered">;

/** How long an address that has never answered may refuse connections, in milliseconds. */
const PATIENCE_MS = 60_000;

/** What the system says of a connection that cannot be made because of the other side. A name that cannot be
 * looked up now (EAI_AGAIN) and a network that is not there (ENETUNREACH) are our side's. */
const NO_HOST = new Set(["ENOTFOUND"]);
const NOTHING_LISTENS = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ETIMEDOUT",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** Finds out which teachers of a run are not there. */
class AbsentTeachers {
  readonly #options: AbsentTeachersOptions;
  readonly #since = new Map<Endpoint, number>();
  #wasAnswered: boolean;

  /** Nothing is known yet. */
  constructor(options: AbsentTeachersOptions) {
    this.#options = options;
    this.#wasAnswered = options.wasAnswered ?? false;
  }

  /** A teacher has answered: from now on all of them are waited for. */
  answered(): void {
    this.#wasAnswered = true;
  }

  /** An attempt at a teacher has failed. Returns what to do about it where the teacher is not waited for any
   * longer. */
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
