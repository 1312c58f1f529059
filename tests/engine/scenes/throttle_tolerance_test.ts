/**
 * Tests of lib/engine/flow/throttle_tolerance.ts: throttling that does not depend on what is sent
 * does not slow a run.
 *
 * @module
 */

import { assertGreaterOrEqual, assertLessOrEqual } from "../../../lib/deps/std_assert.ts";
import { LoadControl } from "../../../lib/engine/flow/load_control.ts";
import {
  RefusingServer,
  seededRandom,
  type SimulatedAttempt,
  type SimulatedGate,
  SimulatedLoad,
  type SimulatedServer,
  type SimulatedTime,
} from "../../support/simulated_load.ts";

const COMPLETION = { response: "", finishReason: "stop", usage: null, model: "m" };

interface Scene {
  /** How many attempts the teacher works on at once. @default any number */
  readonly capacity?: (seconds: number) => number;
  /** The share of attempts that it throttles whatever is sent. */
  readonly share: (seconds: number) => number;
  readonly latencyMs: number;
  readonly ceiling: number;
  readonly isCareful?: boolean;
}

interface Course {
  /** Answers per second in each half minute. */
  readonly answersPerS: number[];
  readonly refused: number[];
  readonly limits: number[];
}

/** Throttles a share of attempts whatever is sent. */
class FlakyServer implements SimulatedServer {
  readonly #inner: RefusingServer;
  readonly #isRefused: (now: number) => boolean;

  constructor(inner: RefusingServer, isRefused: (now: number) => boolean) {
    this.#inner = inner;
    this.#isRefused = isRefused;
  }

  take(now: number, attempt: SimulatedAttempt): boolean {
    return !this.#isRefused(now) && this.#inner.take(now, attempt);
  }

  nextAt(): number | undefined {
    return this.#inner.nextAt();
  }

  finish(): SimulatedAttempt {
    return this.#inner.finish();
  }
}

/** The load of one teacher as an endpoint controls it. */
function gateOf(load: LoadControl, time: SimulatedTime): SimulatedGate {
  return {
    mayStart: (inFlight) => inFlight < load.limit && load.delayMs(time.now) === 0,
    delayMs: () => load.delayMs(time.now),
    started: ({ ticket }) => load.sent(ticket),
    answered: (attempt, inFlight) => load.answered(attempt, inFlight, COMPLETION),
    refused: (attempt, inFlight) => {
      load.failed(undefined);
      load.congested(attempt, inFlight, { type: "rate_limit" });
    },
    tick: () => load.tick(true),
  };
}

/** Plays five minutes. */
function courseOf(scene: Scene): Course {
  const { capacity = () => Infinity, share, latencyMs, ceiling, isCareful = false } = scene;
  const time = { now: 0 };
  const random = seededRandom(7);
  const control = new LoadControl({
    ceiling,
    isExploring: false,
    isCareful,
    now: () => time.now,
    wallClock: () => time.now,
    random,
  });
  const inner = new RefusingServer(capacity(0), () => latencyMs);
  const server = new FlakyServer(inner, (now) => random() < share(now / 1_000));
  const load = new SimulatedLoad(time, server, gateOf(control, time));
  const course: Course = { answersPerS: [], refused: [], limits: [] };
  for (let half = 0; half < 10; half++) {
    inner.capacity = capacity(time.now / 1_000);
    const { answersPerS, refused } = load.run(30);
    course.answersPerS.push(answersPerS);
    course.refused.push(refused);
    course.limits.push(control.limit);
  }
  return course;
}

for (const share of [0.001, 0.01, 0.03, 0.05, 0.1, 0.2, 0.4, 0.6]) {
  for (const [latencyMs, isCareful] of [[1_000, false], [50, true]] as const) {
    const words = `${share * 100} % of the attempts, answers after ${latencyMs} ms`;
    Deno.test(`a teacher that refuses ${words}, is kept busy anyway`, () => {
      const ceiling = 100;
      const { answersPerS } = courseOf({ share: () => share, latencyMs, ceiling, isCareful });
      const ideal = ceiling / (latencyMs + 20 * share / (1 - share)) * 1_000;
      const last = answersPerS.slice(6);
      assertGreaterOrEqual(last.reduce((sum, one) => sum + one) / last.length, 0.95 * ideal);
    });
  }
}

Deno.test("a replica that is gone for a while costs its share, and nothing after that", () => {
  const { answersPerS } = courseOf({
    share: (seconds) => seconds > 60 && seconds < 150 ? 0.4 : 0,
    latencyMs: 1_000,
    ceiling: 100,
  });
  for (const perS of answersPerS) assertGreaterOrEqual(perS, 85);
});

Deno.test("a teacher that is full is not sent more because of that", () => {
  for (const share of [0, 0.01, 0.3]) {
    const { answersPerS, limits, refused } = courseOf({
      capacity: () => 60,
      share: () => share,
      latencyMs: 1_000,
      ceiling: 400,
    });
    // If both kinds of throttling occur together, the limit can be found only by trying.
    const isFlaky = share > 0.1;
    for (const limit of limits.slice(2)) assertLessOrEqual(limit, isFlaky ? 120 : 70);
    const last = answersPerS.slice(2);
    assertGreaterOrEqual(last.reduce((sum, one) => sum + one) / last.length, isFlaky ? 40 : 50);
    const mostRefused = 30 * 60 * (share / (1 - share) + (isFlaky ? 0.4 : 0.1));
    const counts = refused.slice(2).sort((a, b) => a - b);
    // In one half minute, the run finds out again that the limit of a flaky teacher is the cause.
    assertLessOrEqual(counts.at(isFlaky ? -2 : -1)!, mostRefused);
    assertLessOrEqual(counts.at(-1)!, 1.25 * mostRefused);
  }
});

Deno.test("a capacity of 400, 100 and 400 is followed, flaky or not", () => {
  for (const share of [0, 0.01]) {
    const { limits } = courseOf({
      capacity: (seconds) => seconds >= 120 && seconds < 210 ? 100 : 400,
      share: () => share,
      latencyMs: 5_000,
      ceiling: 1_000,
      isCareful: true,
    });
    for (const [limit, capacity] of [[limits[3], 400], [limits[6], 100], [limits[9], 400]]) {
      assertGreaterOrEqual(limit, 0.8 * capacity, `share ${share}: ${limits}`);
      assertLessOrEqual(limit, 1.2 * capacity, `share ${share}: ${limits}`);
    }
  }
});
