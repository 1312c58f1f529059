import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertLessOrEqual,
} from "../../../lib/deps/std_assert.ts";
import {
  ConcurrencyLimit,
  type ConcurrencyLimitOptions,
} from "../../../lib/engine/flow/concurrency.ts";
import {
  limitGate,
  RefusingServer,
  seededRandom,
  SimulatedLoad,
} from "../../support/simulated_load.ts";

/** A limit, its clock, and a teacher that keeps it busy. */
class Bench {
  readonly time = { now: 0 };
  readonly limit: ConcurrencyLimit;

  constructor(options: Partial<ConcurrencyLimitOptions> = {}) {
    const now = () => this.time.now;
    this.limit = new ConcurrencyLimit({
      ceiling: 1_000,
      isExploring: false,
      isCareful: true,
      now,
      ...options,
    });
  }

  /** One answer after another, each as the limit is used to the full; what it was after each. */
  answers(count: number): number[] {
    return Array.from({ length: count }, () => {
      const startedAt = ++this.time.now;
      this.limit.answered({
        startedAt,
        inFlight: this.limit.value,
        tokens: 1,
      });
      return this.limit.value;
    });
  }

  /** A refusal of an attempt that was made just before, and a while after whatever came before that. */
  refusal(inFlight = this.limit.value): number {
    const startedAt = this.time.now += 101;
    this.time.now++;
    this.limit.pressed({ startedAt, inFlight });
    return this.limit.value;
  }
}

Deno.test("ConcurrencyLimit stops at the ceiling, and follows it", () => {
  const bench = new Bench({ ceiling: 20 });
  assertEquals(bench.answers(30).at(-1), 20);
  bench.limit.setCeiling(5);
  assertEquals(bench.limit.value, 5);
  bench.limit.setCeiling(7);
  assertEquals(bench.limit.value, 7);
});

Deno.test("ConcurrencyLimit.restart() goes up to the ceiling where the teacher never answered before", () => {
  const bench = new Bench({ ceiling: 50 });
  for (let refusal = 0; refusal < 10; refusal++) bench.refusal();
  bench.limit.restart();
  assertEquals(bench.answers(100).at(-1), 50);
});

Deno.test("ConcurrencyLimit follows a capacity of 400, 100 and 400 within 60 s, with 90 % of the goodput", () => {
  for (const seed of [1, 2, 3]) {
    const { time, limit } = new Bench();
    const random = seededRandom(seed);
    const server = new RefusingServer(400, () => 1_000 + 4_000 * random());
    const load = new SimulatedLoad(time, server, limitGate(limit));
    for (const capacity of [400, 100, 400]) {
      server.capacity = capacity;
      load.run(60);
      for (let second = 0; second < 60; second++) {
        load.run(1);
        const share = load.inFlight / capacity;
        assert(share >= 0.8 && share <= 1.2, `${load.inFlight} in flight of ${capacity}`);
      }
      const later = load.run(60);
      assertGreaterOrEqual(later.answersPerS, 0.9 * capacity / 3);
      assertLessOrEqual(later.refused, 0.01 * 60 * later.answersPerS);
    }
  }
});
