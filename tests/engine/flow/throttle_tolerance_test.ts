/** Tests of lib/engine/flow/throttle_tolerance.ts: what a teacher refuses whatever is sent does not slow a run. @module */

import {
  assertEquals,
  assertGreaterOrEqual,
  assertLessOrEqual,
} from "../../../lib/deps/std_assert.ts";
import { ConcurrencyLimit } from "../../../lib/engine/flow/concurrency.ts";
import { ThrottleTolerance, type Verdict } from "../../../lib/engine/flow/throttle_tolerance.ts";
import {
  RefusingServer,
  seededRandom,
  type SimulatedAttempt,
  type SimulatedGate,
  SimulatedLoad,
  type SimulatedServer,
  type SimulatedTime,
} from "../../support/simulated_load.ts";

interface Scene {
  /** Attempts that the teacher answers at once. */
  readonly capacity?: (seconds: number) => number;
  /** The share of attempts that it refuses whatever is sent. */
  readonly share: (seconds: number) => number;
  readonly latencyMs: number;
  readonly ceiling: number;
  readonly isCareful?: boolean;
}

interface Course {
  /** Answers a second, in each half minute. */
  readonly answersPerS: number[];
  readonly refused: number[];
  readonly limits: number[];
}

/** Refuses some attempts whatever is sent. */
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

/** What a channel does with refusals. */
function gateOf(limit: ConcurrencyLimit, time: SimulatedTime): SimulatedGate {
  const share = new ThrottleTolerance();
  return {
    mayStart: (inFlight) => inFlight < limit.value,
    started: () => share.sent(time.now, limit.value),
    answered: ({ startedAt, tokens }, inFlight) =>
      limit.answered({ startedAt, inFlight, tokens, latencyMs: 0 }),
    refused: ({ startedAt }, inFlight) => {
      const verdict = share.refused(startedAt, time.now, limit.value);
      if (verdict === "excess") limit.pressed({ startedAt, inFlight });
      else if (verdict === "vain") limit.resume(share.sizeBefore);
    },
    tick: () => limit.tick(),
  };
}

/** Five minutes. */
function courseOf(scene: Scene): Course {
  const { capacity = () => Infinity, share, latencyMs, ceiling, isCareful = false } = scene;
  const time = { now: 0 };
  const random = seededRandom(7);
  const limit = new ConcurrencyLimit({
    ceiling,
    isExploring: false,
    isCareful,
    now: () => time.now,
    random,
  });
  const inner = new RefusingServer(capacity(0), () => latencyMs);
  const server = new FlakyServer(inner, (now) => random() < share(now / 1_000));
  const load = new SimulatedLoad(time, server, gateOf(limit, time));
  const course: Course = { answersPerS: [], refused: [], limits: [] };
  for (let half = 0; half < 10; half++) {
    inner.capacity = capacity(time.now / 1_000);
    const { answersPerS, refused } = load.run(30);
    course.answersPerS.push(answersPerS);
    course.refused.push(refused);
    course.limits.push(limit.value);
  }
  return course;
}

for (const share of [0.001, 0.01, 0.03, 0.05, 0.1, 0.2, 0.4, 0.6]) {
  for (const [latencyMs, isCareful] of [[1_000, false], [50, true]] as const) {
    const words = `${share * 100} % of the attempts, answers after ${latencyMs} ms`;
    Deno.test(`a teacher that refuses ${words}, is kept busy all the same`, () => {
      const ceiling = 100;
      const { answersPerS } = courseOf({ share: () => share, latencyMs, ceiling, isCareful });
      const ideal = ceiling / (latencyMs + 20 * share / (1 - share)) * 1_000;
      const last = answersPerS.slice(6);
      assertGreaterOrEqual(last.reduce((sum, one) => sum + one) / last.length, 0.5 * ideal);
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
    for (const limit of limits.slice(2)) assertLessOrEqual(limit, 70);
    for (const perS of answersPerS.slice(2)) assertGreaterOrEqual(perS, 50);
    for (const count of refused.slice(2)) {
      assertLessOrEqual(count, 30 * 60 * (share / (1 - share) + 0.1));
    }
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

/** What becomes of refusals one after the other. */
function verdicts(share: ThrottleTolerance, count: number): Verdict[] {
  return Array.from({ length: count }, (_, i) => {
    share.sent(i, 10);
    return share.refused(i, i, 10);
  });
}

Deno.test("RefusalShare takes the second refusal of two attempts for too much", () => {
  assertEquals(verdicts(new ThrottleTolerance(), 2), ["usual", "excess"]);
});

Deno.test("RefusalShare takes three in a row for too much, whatever went before", () => {
  const share = new ThrottleTolerance();
  for (let now = 0; now < 1_000; now++) share.sent(now, 10);
  assertEquals(verdicts(share, 3), ["usual", "usual", "excess"]);
});

Deno.test("RefusalShare finds out with one attempt at a time, whose clock is a little ahead", () => {
  const share = new ThrottleTolerance();
  const found = new Set<Verdict>();
  let now = 0;
  for (let attempt = 0; attempt < 300; attempt++) {
    share.sent(now, 1);
    if (attempt % 3 === 0) found.add(share.refused(now + 0.4, now + 1, 1));
    now += 200;
  }
  assertEquals(found.has("vain"), true);
});
