/**
 * An engine with a teacher and a sink that the test controls.
 *
 * @module
 */

import { AnswerPolicy, type OnTruncated } from "../../lib/engine/answers/policy.ts";
import type { EndpointOptions } from "../../lib/engine/flow/endpoint.ts";
import { Engine } from "../../lib/engine/engine.ts";
import type { EngineOptions } from "../../lib/engine/engine_options.ts";
import type { FailedAttempt, ReleasedRow } from "../../lib/progress/mod.ts";
import { RetryPolicy } from "../../lib/engine/retry_policy.ts";
import { Budget } from "../../lib/engine/answers/budget.ts";
import type { RunState } from "../../lib/progress/events.ts";
import type { Failure, Outcome, Row } from "../../lib/row.ts";
import type { Completion, Params, Teacher, TeacherRequest } from "../../lib/teacher/teacher.ts";
import { settled } from "../support/fake_clock.ts";

export function rowOf(uid: string, params?: Params): Row {
  return {
    uid,
    promptHash: "0123456789abcdef",
    messages: [{ role: "user", content: uid }],
    params,
    text: `{"uid":"${uid}"}`,
    clashes: [],
    input: 0,
    source: `rows:${uid}`,
    sample: 0,
  };
}

/** Rows `0`, `1`, … */
export function rowsOf(count: number, params?: Params): Row[] {
  return Array.from({ length: count }, (_, index) => rowOf(String(index), params));
}

/** A good answer, with `fields` changed. */
export function completionOf(fields: Partial<Completion> = {}): Completion {
  return { response: "42", finishReason: "stop", usage: null, model: "fake", ...fields };
}

/** A call that the test answers. */
export interface Call {
  readonly request: TeacherRequest;
  readonly signal: AbortSignal;
  answer(fields?: Partial<Completion>): Promise<void>;
  /** Rejects with `error`. */
  refuse(error: unknown): Promise<void>;
}

/** A teacher whose calls the test answers. Aborted calls reject, unless `heedsSignal` is false. */
export class FakeTeacher implements Teacher {
  /** Calls in flight, in the order of arrival. */
  readonly open: Call[] = [];
  /** The uid of every call, in the order of arrival. */
  readonly asked: string[] = [];
  /** Peak number of calls in flight so far. */
  most = 0;
  heedsSignal = true;

  complete(request: TeacherRequest, signal: AbortSignal): Promise<Completion> {
    const { promise, resolve, reject } = Promise.withResolvers<Completion>();
    const leave = () => {
      const at = this.open.indexOf(call);
      if (at !== -1) this.open.splice(at, 1);
    };
    const call: Call = {
      request,
      signal,
      answer: (fields) => {
        resolve(completionOf(fields));
        leave();
        return settled();
      },
      refuse: (error) => {
        reject(error);
        leave();
        return settled();
      },
    };
    this.open.push(call);
    this.asked.push(request.uid);
    this.most = Math.max(this.most, this.open.length);
    signal.addEventListener("abort", () => {
      if (!this.heedsSignal) return;
      reject(signal.reason);
      leave();
    });
    return promise;
  }

  call(uid: string): Call {
    const found = this.open.find(({ request }) => request.uid === uid);
    if (found === undefined) throw new Error(`No call is in flight for ${uid}`);
    return found;
  }

  get uids(): string[] {
    return this.open.map(({ request }) => request.uid);
  }
}

export const SILENT: EngineOptions["listener"] = {
  attempt() {},
  attemptAnswered() {},
  attemptFailed() {},
  rowReleased() {},
  stateChanged() {},
};

/** Options of the engine, all with defaults that suit most tests. */
export interface FixtureOptions extends Partial<Omit<EngineOptions, "source" | "retryPolicy">> {
  /** The only teacher. @default a `FakeTeacher` */
  teacher?: Teacher;
  /** What happens to a truncated answer. @default "error" */
  onTruncated?: OnTruncated;
  /** Rows, or batches of them. */
  rows?: readonly Row[];
  /** Replaces `rows`. */
  source?: AsyncIterable<readonly Row[]>;
  /** Whether the sink keeps answers before their row is sent again. @default false  */
  keeps?: boolean;
  /** Attempts per row. @default 5 */
  maxAttempts?: number;
  /** The jitter. @default 0: waits only as long as the teacher requests */
  random?: () => number;
}

/** A running engine, and all its events. */
export class Fixture {
  readonly engine: Engine;
  readonly teacher = new FakeTeacher();
  readonly teachers: readonly Teacher[];
  readonly outcomes: Outcome[] = [];
  /** Answers that the sink kept, with `keeps`. */
  readonly kept: Outcome[] = [];
  readonly answered: Completion[] = [];
  readonly failures: Failure[] = [];
  readonly failed: FailedAttempt[] = [];
  readonly released: ReleasedRow[] = [];
  readonly states: RunState[] = [];
  attempts = 0;
  hasEnded = false;
  #run: Promise<void> | undefined;

  constructor(options: FixtureOptions = {}) {
    const { rows = [], random = () => 0, maxAttempts, onTruncated = "error", ...rest } = options;
    const { teacher = this.teacher, keeps = false, ...others } = rest;
    const keep = (outcome: Outcome) => {
      this.kept.push(outcome);
      return Promise.resolve();
    };
    this.teachers = others.teachers?.map((one) => one.teacher) ?? [teacher];
    this.engine = new Engine({
      source: batchesOf(rows),
      teachers: [endpointOf(teacher)],
      sink: {
        put: (outcome) => {
          this.outcomes.push(outcome);
          return Promise.resolve();
        },
        keep: keeps ? keep : undefined,
      },
      listener: {
        attempt: () => this.attempts++,
        attemptAnswered: (completion) => this.answered.push(completion),
        attemptFailed: (failed) => {
          this.failures.push(failed.failure);
          this.failed.push(failed);
        },
        rowReleased: (released) => this.released.push(released),
        stateChanged: () => this.states.push(this.engine.state),
      },
      params: {},
      concurrency: 2,
      isExploring: false,
      isCareful: false,
      retryPolicy: new RetryPolicy({ random, maxAttempts }),
      policy: new AnswerPolicy({ onTruncated, checks: [], params: others.params ?? {} }),
      budget: new Budget(),
      random,
      ...others,
    });
  }

  /** Starts the run and waits until it is idle. */
  async start(): Promise<void> {
    this.#run = this.engine.run();
    // A test that awaits `ended` sees an error; until then it is handled here.
    const note = () => void (this.hasEnded = true);
    this.#run.then(note, note);
    await settled();
  }

  /** Attempts that were reported as the last one of a failed row. */
  get toldFailed(): number {
    return this.failed.filter(({ action }) => action === "failed").length - this.released.length;
  }

  /** Settles with the run. */
  get ended(): Promise<void> {
    return this.#run!;
  }

  /** Answers every call until the run has ended. */
  async finish(): Promise<void> {
    await settled();
    while (this.teacher.open.length > 0) await this.teacher.open[0].answer();
    await this.ended;
  }

  /** The uids of the outcomes in their order. */
  get settledUids(): string[] {
    return this.outcomes.map(({ row }) => row.uid);
  }
}

/** Endpoint options with defaults for tests. */
export function endpointOf(
  teacher: Teacher,
  options: Partial<EndpointOptions> = {},
): EndpointOptions {
  return { teacher, weight: 1, maxConcurrency: 100_000, ...options };
}

/** Rows in batches, as a source yields them. */
export async function* batchesOf(rows: readonly Row[], size = 7): AsyncGenerator<readonly Row[]> {
  for (let at = 0; at < rows.length; at += size) yield rows.slice(at, at + size);
}

/** A source that yields what the test feeds it. */
export class FedSource {
  readonly #batches: (readonly Row[])[] = [];
  #signal = Promise.withResolvers<void>();
  #ended = false;
  #error: { readonly error: unknown } | undefined;
  pulls = 0;
  /** Whether the source was closed or has ended. */
  isClosed = false;

  /** Yields one batch. */
  async feed(rows: readonly Row[]): Promise<void> {
    this.#batches.push(rows);
    await this.#notify();
  }

  async end(): Promise<void> {
    this.#ended = true;
    await this.#notify();
  }

  async fail(error: unknown): Promise<void> {
    this.#error = { error };
    await this.#notify();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly Row[]> {
    try {
      while (true) {
        this.pulls++;
        while (this.#batches.length === 0) {
          if (this.#error !== undefined) throw this.#error.error;
          if (this.#ended) return;
          await this.#signal.promise;
          this.#signal = Promise.withResolvers<void>();
        }
        yield this.#batches.shift()!;
      }
    } finally {
      this.isClosed = true;
    }
  }

  async #notify(): Promise<void> {
    this.#signal.resolve();
    await settled();
  }
}

/** Starts an engine with two teachers. */
export async function startPair(
  options: FixtureOptions,
): Promise<{ a: FakeTeacher; b: FakeTeacher; fixture: Fixture }> {
  const [a, b] = [new FakeTeacher(), new FakeTeacher()];
  const fixture = new Fixture({ ...options, teachers: [endpointOf(a), endpointOf(b)] });
  await fixture.start();
  return { a, b, fixture };
}
