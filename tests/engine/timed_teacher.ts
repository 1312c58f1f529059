/**
 * A teacher whose answers take simulated time, and an engine that works with it.
 *
 * @module
 */

import { TeacherError } from "../../lib/errors.ts";
import type { Row } from "../../lib/row.ts";
import type { Completion, Teacher, TeacherRequest } from "../../lib/teacher/teacher.ts";
import type { FakeClock } from "../support/fake_clock.ts";
import { completionOf, rowOf } from "./engine_fixture.ts";

export interface TimedTeacherOptions {
  /** The time of an answer in milliseconds; called for each request that is answered. */
  latencyMs: (request: TeacherRequest) => number;
  /** The time until an error, in milliseconds. @default 20 */
  refusalMs?: number;
  /** The error for a request; undefined if it is answered. `inFlight` counts the requests that are
   * being answered, without this one. */
  refuse?: (request: TeacherRequest, inFlight: number, now: number) => TeacherError | undefined;
  /** Fields of an answer. @default none are changed */
  answer?: (request: TeacherRequest) => Partial<Completion>;
}

/** Answers in simulated time, and records its requests. */
export class TimedTeacher implements Teacher {
  readonly #clock: FakeClock;
  readonly #options: TimedTeacherOptions;
  /** When each request arrived, on the fake clock. */
  readonly askedAt: number[] = [];
  /** The uid of each request. */
  readonly asked: string[] = [];
  /** Requests that are being answered. */
  inFlight = 0;
  /** Requests that were answered. */
  answered = 0;
  /** Requests that were rejected. */
  refused = 0;

  constructor(clock: FakeClock, options: TimedTeacherOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** How many requests arrived from `fromMs` on and before `untilMs`. */
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

/** A 429. */
export function tooMany(retryAfterMs?: number): TeacherError {
  return new TeacherError("Too many requests", { status: 429, retryAfterMs });
}

/** More rows than a run will use. */
export async function* endlessRows(): AsyncGenerator<Row[]> {
  for (let from = 0;; from += 100) {
    yield Array.from({ length: 100 }, (_, i) => rowOf(`${from + i}`));
  }
}
