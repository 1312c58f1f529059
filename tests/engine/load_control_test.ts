import { assertEquals, assertGreater } from "../../lib/deps/std_assert.ts";
import { CircuitBreaker } from "../../lib/engine/flow/circuit_breaker.ts";
import { LoadControl } from "../../lib/engine/flow/load_control.ts";

Deno.test("LoadControl counts no throttling while a quota is used up, whatever its status and advice", () => {
  let time = 1_000;
  const load = new LoadControl({
    ceiling: 100,
    isExploring: false,
    isCareful: false,
    now: () => time,
    wallClock: () => time,
    random: () => 0.5,
  });
  let ticket = 0;
  const throttle = (type: "rate_limit" | "server", more = {}) => {
    const attempt = { ticket: ++ticket, startedAt: time, inFlightAtStart: 1 };
    load.sent(ticket);
    return load.congested(attempt, 1, { type, ...more });
  };
  assertEquals(throttle("rate_limit", { isExhausted: true }), "closed");
  assertEquals(load.limit, 1);
  for (const [type, more] of [["server", {}], ["rate_limit", { retryAfterMs: 500 }]] as const) {
    const probeAt = load.closedUntil!;
    assertEquals(load.delayMs(time), probeAt - time);
    assertEquals(load.isSteady(probeAt), false);
    time = probeAt;
    assertEquals(throttle(type, more), "closed");
    assertGreater(load.closedUntil!, time);
  }
  assertGreater(load.coolUntil, time);
});

Deno.test("CircuitBreaker does not probe again at once after the latest time for a probe", () => {
  let time = 0;
  const breaker = new CircuitBreaker({ now: () => time, random: () => 0 });
  for (let attempt = 0; attempt < 3; attempt++) breaker.failed("unreachable", time, true);
  breaker.latestProbeAt = 500;
  assertEquals([breaker.isDown, breaker.probeAt], [true, 500]);
  time = 500;
  breaker.sent();
  assertGreater(breaker.probeAt, time);
});
