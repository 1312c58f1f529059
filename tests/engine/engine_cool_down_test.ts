import { assert, assertEquals, assertGreater } from "../../lib/deps/std_assert.ts";
import { TeacherError } from "../../lib/errors.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { batchesOf, Fixture, rowsOf, startPair } from "./engine_fixture.ts";

const tooMany = (retryAfterMs?: number) =>
  new TeacherError("Too many requests", { status: 429, retryAfterMs });

/** An exhausted limit, so that all rows have to wait. */
const usedUp = (retryAfterMs: number, status = 429) =>
  new TeacherError("Too many requests", { status, retryAfterMs, isExhausted: true });

Deno.test("Engine delays the one row that a teacher defers, and sends it others meanwhile", async () => {
  using clock = new FakeClock();
  const fixture = new Fixture({ rows: rowsOf(20), concurrency: 4, now: clock.now });
  await fixture.start();
  await fixture.teacher.call("1").refuse(tooMany(5_000));
  assertEquals(fixture.teacher.uids, ["0", "2", "3", "4"]);
  assertEquals([fixture.engine.state, fixture.engine.backoff], ["running", undefined]);
  await clock.advance(4_999);
  while (fixture.teacher.open.length > 0) await fixture.teacher.open[0].answer();
  assertEquals(fixture.outcomes.length, 19);
  assertEquals(fixture.engine.state, "backing_off");
  assertEquals(fixture.engine.backoff?.reason, "all remaining rows are waiting to be retried");
  await clock.advance(1);
  assertEquals(fixture.teacher.uids, ["1"]);
  await fixture.finish();
  assertEquals(fixture.states, ["backing_off", "running", "done"].slice(0, fixture.states.length));
});

for (
  const [name, refused, error] of [
    ["from the third refusal in a row", ["0", "1", "2"], tooMany(5_000)],
    ["from the third in the order of sending", ["3", "1", "2"], tooMany(5_000)],
    ["at once where nothing is left of a limit", ["1"], usedUp(5_000)],
  ] as const
) {
  Deno.test(`Engine sends nothing to a teacher until its Retry-After is over, ${name}`, async () => {
    using clock = new FakeClock();
    const fixture = new Fixture({ rows: rowsOf(20), concurrency: 6, now: clock.now });
    await fixture.start();
    for (const uid of refused) await fixture.teacher.call(uid).refuse(error);
    assertEquals(fixture.engine.state, "backing_off");
    assertEquals(fixture.engine.backoff?.reason, "429: Too many requests");
    const beforeMs = Date.now(), { until } = fixture.engine.backoff!, afterMs = Date.now();
    assert(until > beforeMs + 4_900 && until < afterMs + 5_100, `until ${until}`);
    const underWay = [...fixture.teacher.open];
    for (const { answer } of underWay) await answer();
    assertEquals(fixture.outcomes.length, underWay.length);
    await clock.advance(4_999);
    assertEquals(fixture.teacher.uids, []);
    assertEquals(fixture.engine.state, "backing_off");
    await clock.advance(1);
    assertGreater(fixture.teacher.open.length, 0);
    assertEquals(fixture.engine.state, "running");
    assertEquals(fixture.engine.backoff, undefined);
    assertEquals(fixture.states, ["backing_off", "running"]);
    for (; !fixture.hasEnded; await clock.advance(1_000)) {
      while (fixture.teacher.open.length > 0) await fixture.teacher.open[0].answer();
    }
    assertEquals(fixture.outcomes.filter(({ failure }) => failure !== undefined), []);
    assertEquals(clock.pendingTimers, 0);
  });
}

Deno.test("Engine counts refusals as consecutive only if their requests were sent one after the other", async () => {
  using clock = new FakeClock();
  const fixture = new Fixture({ rows: rowsOf(40), concurrency: 12, now: clock.now });
  await fixture.start();
  for (const uid of ["1", "3", "5", "7"]) await fixture.teacher.call(uid).refuse(tooMany(5_000));
  assertEquals(fixture.engine.state, "running");
  fixture.engine.abort();
  await fixture.ended;
});

Deno.test("Engine counts refusals with an answer between them as not consecutive", async () => {
  using clock = new FakeClock();
  const source = batchesOf(rowsOf(100), 100);
  const fixture = new Fixture({ source, concurrency: 1, now: clock.now });
  await fixture.start();
  for (let round = 0; round < 4; round++) {
    await fixture.teacher.open[0].refuse(tooMany(60_000));
    await fixture.teacher.open[0].refuse(tooMany(60_000));
    assertEquals([round, fixture.engine.state], [round, "running"]);
    for (let row = 0; row < 10; row++) await fixture.teacher.open[0].answer();
  }
  fixture.engine.abort();
  await fixture.ended;
});

Deno.test("Engine obeys the Retry-After of a 503 and a 529, and the longest of several", async () => {
  using clock = new FakeClock();
  const fixture = new Fixture({ rows: rowsOf(20), concurrency: 3, now: clock.now });
  await fixture.start();
  for (const [uid, status, retryAfterMs] of [["0", 503, 1_000], ["1", 529, 4_000], ["2", 503, 0]]) {
    await fixture.teacher.call(String(uid)).refuse(usedUp(Number(retryAfterMs), Number(status)));
  }
  await clock.advance(3_999);
  assertEquals(fixture.teacher.asked.length, 3);
  await clock.advance(1);
  assertGreater(fixture.teacher.asked.length, 3);
  fixture.engine.abort();
  await fixture.ended;
});

Deno.test("Engine reports the end of a cool-down in time even if no lane waits for it", async () => {
  using clock = new FakeClock();
  const fixture = new Fixture({ rows: rowsOf(9), concurrency: 2, now: clock.now });
  await fixture.start();
  fixture.engine.setConcurrency(1);
  await fixture.teacher.call("0").refuse(usedUp(2_000));
  assertEquals(fixture.engine.inFlight, 1);
  await clock.advance(100);
  assertEquals(fixture.states.splice(0), ["backing_off"]);
  await clock.advance(2_000);
  assertEquals(fixture.states.splice(0), ["running"]);
  fixture.engine.abort();
  await fixture.ended;
});

Deno.test("Engine asks another teacher while one is cooling down", async () => {
  using clock = new FakeClock();
  const { a, b, fixture } = await startPair({ rows: rowsOf(20), concurrency: 4, now: clock.now });
  assertEquals([a.open.length, b.open.length], [2, 2]);
  await a.open[0].refuse(usedUp(60_000));
  assertEquals([a.open.length, b.open.length], [1, 3]);
  await a.open[0].answer();
  assertEquals([a.open.length, b.open.length], [0, 4]);
  assertEquals(fixture.engine.state, "running");
  fixture.engine.abort();
  await fixture.ended;
});

Deno.test("Engine sends even the last row to another teacher instead of waiting for the first", async () => {
  using clock = new FakeClock();
  const { a, b, fixture } = await startPair({ rows: rowsOf(1), now: clock.now });
  await a.open[0].refuse(tooMany(3 * 3_600_000));
  await clock.advance(0);
  assertEquals(b.uids, ["0"]);
  // With no teacher left, the row waits for the first that becomes available.
  await b.open[0].refuse(tooMany(60_000));
  await clock.advance(59_999);
  assertEquals([a.uids, b.uids], [[], []]);
  await clock.advance(1);
  assertEquals(b.uids, ["0"]);
  await b.open[0].answer();
  await fixture.ended;
});

Deno.test("Engine waits for the end of a cool-down that is over before it was paused", async () => {
  using clock = new FakeClock();
  const fixture = new Fixture({ rows: rowsOf(4), concurrency: 1, now: clock.now });
  await fixture.start();
  await fixture.teacher.call("0").refuse(usedUp(1_000));
  fixture.engine.closeGate("pause");
  assertEquals(fixture.engine.state, "paused");
  await clock.advance(60_000);
  assertEquals(fixture.teacher.asked.length, 1);
  fixture.engine.openGate("pause");
  await clock.advance(0);
  assertEquals(fixture.teacher.asked.length, 2);
  fixture.engine.abort();
  await fixture.ended;
});

for (
  const [what, error] of [
    ["429", new TeacherError("Too many requests", { status: 429 })],
    ["400 with a code of its own", new TeacherError("No", { status: 400, code: "daily_limit" })],
    ["400 with words", new TeacherError("The daily token quota is used up", { status: 400 })],
    ["403, as of Google", new TeacherError("No", { status: 403, code: "RESOURCE_EXHAUSTED" })],
    ["498, as of Groq", new TeacherError("Flex tier capacity exceeded", { status: 498 })],
    ["200", new TeacherError("No", { type: "response", status: 200, code: "rate_limit" })],
  ] as const
) {
  Deno.test(`Engine waits 90 minutes for a quota, and no row fails: ${what}`, async () => {
    using clock = new FakeClock();
    const fixture = new Fixture({ rows: rowsOf(5), concurrency: 5, now: clock.now });
    await fixture.start();
    while (clock.now() < 90 * 60_000) {
      for (const call of [...fixture.teacher.open]) await call.refuse(error);
      await clock.advance(5_000);
    }
    assertEquals(fixture.outcomes, []);
    assertEquals(
      new Set(fixture.failed.map(({ failure }) => failure.type)),
      new Set(["rate_limit"]),
    );
    while (!fixture.hasEnded) {
      for (const call of [...fixture.teacher.open]) await call.answer();
      await clock.advance(1_000);
    }
    assertEquals(fixture.outcomes.map(({ failure }) => failure), Array(5).fill(undefined));
  });
}
