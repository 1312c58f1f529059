/**
 * A teacher whose answers take simulated time, and a whole engine at work with it.
 *
 * @module
 */

import { TeacherError } from "../../lib/errors.ts";
import type { Row } from "../../lib/row.ts";
import type { Completion, Teacher, TeacherRequest } from "../../lib/teacher/teacher.ts";
import type { FakeClock } from "../support/fake_clock.ts";
import { completionOf, rowOf } from "./engine_fixture.ts";

/** What a `TimedTeacher` does with a request. */
export interface TimedTeacherOptions {
  /** How long an answer takes, in ms; called for each request that is answered. */
  latencyMs: (request: TeacherRequest) => number;
  /** How long an error takes, in ms. @default 20 */
  refusalMs?: number;
  /** The error that a request meets, or undefined when it is answered. `inFlight`: requests that are
   * being answered, without this one. */
  refuse?: (request: TeacherRequest, inFlight: number, now: number) => TeacherError | undefined;
  /** Contents of an answer. @default the fixture's plain one  */
  answer?: (request: TeacherRequest) => Partial<Completion>;
}

/** Answers in simulated time, and records its requests. */
export class TimedTeacher implements Teacher {
  readonly #clock: FakeClock;
  readonly #options: TimedTeacherOptions;
  /** When each request came. */
  readonly askedAt: number[] = [];
  /** For which row. */
  readonly asked: string[] = [];
  /** Requests that are being answered. */
  inFlight = 0;
  /** Requests that were answered. */
  answered = 0;
  /** Requests that were refused. */
  refused = 0;

  constructor(clock: FakeClock, options: TimedTeacherOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** How many requests came from `fromMs` on and before `untilMs`. */
  askedBetween(fromMs: number, untilMs: number): number {
    return this.askedAt.filter((at) => at >= fromMs && at < untilMs).length;
  }

  complete(request: TeacherRequest, signal: AbortSignal): Promise<Completion> {
    const { latencyMs, refusalMs = 20, refuse, answer } = this.#options;
    this.askedAt.push(this.#clock.now());
    this.asked.push(request.uid);
    const { promise, resolve, reject } = Promise.withResolvers<Completion>();
    const error = refuse?.(request, this.inFlight, this.#clock.now());
    if (error !== undefined) {
      this.refused++;
      setTimeout(() => reject(error), refusalMs);
      return promise;
    }
    this.inFlight++;
    setTimeout(() => {
      this.inFlight--;
      this.answered++;
      if (signal.aborted) reject(signal.reason);
      else resolve(completionOf(answer?.(request)));
    }, latencyMs(request));
    return promise;
  }
}

/** Too many requests. */
export function tooMany(retryAfterMs?: number): TeacherError {
  return new TeacherError("Too many requests", { status: 429, retryAfterMs });
}

/** More rows than a run will use. */
export async function* endlessRows(): AsyncGenerator<Row[]> {
  for (let from = 0;; from += 100) {
    yield Array.from({ length: 100 }, (_, i) => rowOf(`${from + i}`));
  }
}
