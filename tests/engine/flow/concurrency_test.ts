import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
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

/** A limit, its clock, and a teacher who keeps it busy. */
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
  answers(count: number, inFlight?: number): number[] {
    return Array.from({ length: count }, () => {
      const startedAt = ++this.time.now;
      this.limit.answered({
        startedAt,
        inFlight: inFlight ?? this.limit.value,
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

  /** Time in which nothing comes back. */
  wait(seconds: number): number {
    for (let tick = 0; tick < 10 * seconds; tick++) {
      this.time.now += 100;
      this.limit.tick();
    }
    return this.limit.value;
  }
}

Deno.test("Limit starts at one, triples with each answer up to 128, then doubles with each round of them", () => {
  const bench = new Bench();
  assertEquals(bench.limit.value, 1);
  assertEquals(bench.answers(7), [3, 9, 27, 81, 243, 244, 245]);
  assertEquals(bench.answers(245).at(-1), 490);
});

Deno.test("Limit starts at the ceiling, or at 32 when it explores, where nobody wants it careful", () => {
  assertEquals(new Bench({ isCareful: false }).limit.value, 1_000);
  assertEquals(new Bench({ isCareful: false, isExploring: true }).limit.value, 32);
  assertEquals(new Bench({ isCareful: false, isExploring: true, ceiling: 8 }).limit.value, 8);
});

Deno.test("Limit stops at the ceiling, and follows it", () => {
  const bench = new Bench({ ceiling: 20 });
  assertEquals(bench.answers(30).at(-1), 20);
  bench.limit.setCeiling(5);
  assertEquals(bench.limit.value, 5);
  bench.limit.setCeiling(7);
  assertEquals(bench.limit.value, 7);
});

Deno.test("Limit doubles after every 10 s in which nothing was refused", () => {
  const bench = new Bench();
  assertEquals(bench.wait(9.9), 1);
  assertEquals([bench.wait(0.1), bench.wait(10), bench.wait(10)], [2, 4, 8]);
  bench.answers(1);
  assertEquals(bench.limit.value, 24);
  assertEquals(bench.wait(10), 48);
});

Deno.test("Limit does not raise a careful start that is not used", () => {
  const bench = new Bench();
  bench.answers(7);
  bench.wait(2);
  assertEquals(bench.answers(20, 3).at(-1), 245);
  assertEquals(bench.wait(60), 245);
});

Deno.test("Limit.pressed() leaves 85 % of what was in flight", () => {
  const bench = new Bench({ isCareful: false, ceiling: 100 });
  assertEquals(bench.refusal(60), 51);
  assertEquals(bench.answers(5).at(-1), 51);
});

Deno.test("Limit.pressed() ends a careful start when it has come no further than the last time", () => {
  const bench = new Bench();
  bench.answers(5);
  assertEquals(bench.limit.value, 243);
  // The first steps come in bursts, which say little of what is taken.
  assertEquals(bench.refusal(), 206);
  assertEquals(bench.answers(160).at(-1), 366);
  assertEquals(bench.refusal(), 311);
  assertEquals(bench.answers(95).at(-1), 406);
  assertEquals(bench.refusal(), 345);
  assertEquals(bench.answers(5).at(-1), 345);
});

Deno.test("Limit goes on with a refused start when an attempt is answered that was made after that", () => {
  const bench = new Bench();
  bench.answers(3);
  const startedAt = bench.time.now;
  assertEquals(bench.refusal(), 22);
  bench.limit.answered({ startedAt, inFlight: 22, tokens: 1 });
  assertEquals(bench.limit.value, 22);
  bench.time.now++;
  assertEquals(bench.answers(2), [23, 24]);
});

Deno.test("Limit.pressed() takes all refusals of a burst for one", () => {
  const bench = new Bench({ isCareful: false, ceiling: 100 });
  bench.time.now = 500;
  for (let refusal = 0; refusal < 100; refusal++) {
    bench.limit.pressed({ startedAt: 400 + refusal, inFlight: 100 - refusal });
    bench.time.now++;
  }
  assertEquals(bench.limit.value, 85);
  // Places were free again before the last of them had come.
  bench.limit.pressed({ startedAt: 590, inFlight: 60 });
  assertEquals(bench.limit.value, 85);
  assertEquals(bench.refusal(), 72);
});

Deno.test("Limit.pressed() leaves one at least, and takes one at least from two or more", () => {
  const bench = new Bench({ isCareful: false, ceiling: 4 });
  const values = [4, ...Array.from({ length: 5 }, () => bench.refusal())];
  assertEquals(values, [4, 3, 2, 1, 1, 1]);
});

Deno.test("Limit is back where it was refused after 15 s of use, and goes on from there", () => {
  const bench = new Bench({ isCareful: false, ceiling: 1_000 });
  bench.refusal(100);
  assertEquals(bench.limit.value, 85);
  assertGreaterOrEqual(bench.wait(15.1), 100);
  assertLessOrEqual(bench.wait(5), 101);
  assertGreater(bench.wait(35), 380);
  assertEquals(bench.wait(60), 1_000);
});

Deno.test("Limit does not grow while it is not used, nor while nothing is in flight", () => {
  const bench = new Bench({ isCareful: false, ceiling: 1_000 });
  bench.refusal(100);
  bench.answers(1);
  bench.time.now += 600_000;
  bench.limit.tick();
  assertEquals(bench.limit.value, 85, "a pause");
  bench.wait(2);
  bench.answers(2, 10);
  assertLess(bench.wait(600), 95, "an idle run");
  bench.answers(1);
  assertGreater(bench.wait(30), 99, "in use again");
});

Deno.test("Limit.restart() is careful up to what the teacher took before the outage", () => {
  const bench = new Bench({ isCareful: false, ceiling: 1_000 });
  bench.refusal(200);
  bench.wait(15);
  bench.answers(1);
  const before = bench.limit.value;
  for (let refusal = 0; refusal < 40; refusal++) bench.refusal();
  assertEquals(bench.limit.value, 1);
  bench.limit.restart();
  assertEquals(bench.answers(5), [2, 4, 8, 16, 17]);
  assertEquals(bench.answers(1_000).at(-1), before);
});

Deno.test("Limit.restart() goes up to the ceiling where the teacher never answered before", () => {
  const bench = new Bench({ ceiling: 50 });
  for (let refusal = 0; refusal < 10; refusal++) bench.refusal();
  bench.limit.restart();
  assertEquals(bench.answers(100).at(-1), 50);
});

Deno.test("Limit follows a capacity of 400, 100 and 400 within 60 s, with 90 % of the goodput", () => {
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

Deno.test("Limit goes on from a size as a careful start does, forgetting what it was cut for", () => {
  const bench = new Bench({ isCareful: false, ceiling: 100 });
  bench.refusal();
  bench.wait(1);
  for (let cut = 0; cut < 20; cut++) bench.refusal();
  assertLess(bench.limit.value, 10);
  bench.limit.resume(40);
  assertEquals(bench.limit.value, 40);
  assertEquals(bench.answers(80).at(-1), 100);
  assertEquals(bench.wait(60), 100);
});
