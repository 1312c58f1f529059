import { assert, assertEquals, assertLessOrEqual } from "../../../lib/deps/std_assert.ts";
import { CircuitBreaker } from "../../../lib/engine/flow/circuit_breaker.ts";

const MINUTE_MS = 60_000;

/** A teacher's health on a clock that is moved by hand. */
class Bench {
  now = 0;
  readonly health: CircuitBreaker;

  constructor(random = 0) {
    this.health = new CircuitBreaker({ now: () => this.now, random: () => random });
  }

  /** The first attempts of so many rows fail, one every `everyMs`. */
  fail(rows: number, cause: "fault" | "load" | "timeout" | "unreachable" = "fault", everyMs = 100) {
    const counted: boolean[] = [];
    for (let row = 0; row < rows; row++) {
      this.now += everyMs;
      this.health.asked();
      counted.push(this.health.failed(cause, this.now, true));
    }
    return counted;
  }
}

Deno.test("Health is down once ten rows have failed one after the other", () => {
  const bench = new Bench();
  assertEquals(bench.fail(9), Array(9).fill(true));
  assertEquals(bench.health.isDown, false);
  assertEquals(bench.health.failed("fault", bench.now, true), false);
  assertEquals(bench.health.isDown, true);
});

Deno.test("Health does not count rows that have failed before", () => {
  const bench = new Bench();
  bench.fail(9);
  for (const cause of ["fault", "timeout", "load"] as const) {
    for (let time = 0; time < 100; time++) {
      bench.now += 100;
      assertEquals(bench.health.failed(cause, bench.now, false), true);
    }
  }
  assertEquals(bench.health.isDown, false);
  assertEquals(bench.fail(1, "timeout"), [false]);
});

Deno.test("Health is not down while others are answered", () => {
  const bench = new Bench();
  for (let time = 0; time < 100; time++) {
    bench.fail(9);
    assertEquals(bench.health.answered(bench.now), false);
  }
  assertEquals(bench.health.isDown, false);
});

Deno.test("Health takes no burst for an outage", () => {
  const bench = new Bench();
  bench.fail(1_000, "fault", 0.2);
  bench.health.answered(bench.now);
  bench.fail(1_000, "load", 4);
  assertEquals(bench.health.isDown, false);
  // A refusal for load says nothing of its row.
  assertEquals(bench.fail(9), Array(9).fill(true));
});

Deno.test("Health is down where nearly all fails, although older attempts are still answered", () => {
  const bench = new Bench();
  for (let row = 0; !bench.health.isDown && row < 100; row++) {
    bench.fail(1, "fault", 40);
    bench.health.failed("fault", bench.now, true);
    // Half a minute old.
    bench.health.answered(bench.now - 30_000);
  }
  assertEquals(bench.health.isDown, true);
  assertLessOrEqual(bench.now, 400);
});

Deno.test("Health is not down where one in five attempts fails at once and the others take long", () => {
  const bench = new Bench();
  for (let row = 0; row < 500; row++) {
    bench.now += 20;
    bench.health.asked();
    if (row % 5 === 0) bench.health.failed("fault", bench.now, true);
    // What was sent long before is answered.
    else bench.health.answered(bench.now - 30_000);
  }
  assertEquals(bench.health.isDown, false);
});

Deno.test("Health is down when nothing but refusals for load came for 5 s", () => {
  const bench = new Bench();
  for (let time = 0; time < 9; time++) bench.fail(1, "load", 500);
  assertEquals(bench.health.isDown, false);
  bench.fail(1, "load", 500);
  assertEquals(bench.health.isDown, false);
  assertEquals(bench.fail(1, "load", 500), [false]);
});

Deno.test("Health takes three connections that cannot be made for an outage, of whatever row", () => {
  const bench = new Bench();
  bench.fail(1, "unreachable", 0);
  bench.fail(1, "unreachable", 0);
  assertEquals(bench.health.isDown, false);
  assertEquals(bench.fail(1, "unreachable", 0), [false]);
});

Deno.test("Health lets a probe go every second at most, and less often as time passes", () => {
  for (const random of [0, 0.999]) {
    const bench = new Bench(random);
    bench.fail(10);
    const probes: number[] = [];
    for (const end = bench.now + 10 * MINUTE_MS; bench.now < end; bench.now += 10) {
      if (bench.now < bench.health.probeAt) continue;
      probes.push(bench.now);
      bench.health.asked();
      bench.health.failed("fault", bench.now, true);
    }
    const waits = probes.slice(1).map((at, index) => at - probes[index]);
    assert(waits.every((wait) => wait >= 1_000 && wait <= 18_010), waits.join());
    assert(waits.slice(10).every((wait) => wait >= 15_000), waits.join());
  }
});

Deno.test("Health counts nothing against a row while it is down, up to a quarter of an hour", () => {
  const bench = new Bench();
  bench.fail(10);
  const downAt = bench.now;
  const causes = ["load", "fault", "timeout", "unreachable"] as const;
  for (const cause of causes) assertEquals(bench.health.failed(cause, bench.now, true), false);
  bench.now = downAt + 15 * MINUTE_MS - 1;
  for (const cause of causes) assertEquals(bench.health.failed(cause, bench.now, true), false);
  bench.now++;
  // A refusal for load and a connection that cannot be made say nothing of a row, however often.
  assertEquals(causes.map((cause) => bench.health.failed(cause, bench.now, true)), [
    false,
    true,
    true,
    false,
  ]);
});

Deno.test("Health is back with an answer to a probe, and starts to count anew", () => {
  const bench = new Bench();
  bench.fail(10);
  bench.now = bench.health.probeAt;
  bench.health.asked();
  assertEquals(bench.health.answered(bench.now), true);
  assertEquals(bench.health.isDown, false);
  assertEquals(bench.health.answered(bench.now), false);
  assertEquals(bench.fail(9), Array(9).fill(true));
  assertEquals(bench.fail(10).at(-1), false);
});

Deno.test("Health lets a probe go at once when an attempt from before the outage is answered", () => {
  const bench = new Bench();
  bench.fail(10);
  for (let probe = 0; probe < 20; probe++) bench.health.asked();
  assertEquals(bench.health.probeAt - bench.now, 15_000);
  assertEquals(bench.health.answered(0), false);
  assertEquals(bench.health.isDown, true);
  assertEquals(bench.health.probeAt, bench.now);
  bench.health.asked();
  assertEquals(bench.health.probeAt, bench.now + 1_000);
});

Deno.test("Health is to be probed at once where a probe was not made after all", () => {
  const bench = new Bench();
  bench.fail(3, "unreachable");
  bench.now = bench.health.probeAt;
  bench.health.asked();
  assert(bench.health.probeAt > bench.now);
  bench.health.unasked();
  assertEquals(bench.health.probeAt, bench.now);
});
