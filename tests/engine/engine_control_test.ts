import { assertEquals, assertLess } from "../../lib/deps/std_assert.ts";
import { TeacherError } from "../../lib/errors.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { FedSource, Fixture, rowsOf } from "./engine_fixture.ts";

/** An error that concerns only one row. */
const later = (retryAfterMs: number) => new TeacherError("Later", { status: 500, retryAfterMs });

Deno.test("Engine.setConcurrency() starts more lanes at once", async () => {
  const fixture = new Fixture({ rows: rowsOf(30), concurrency: 2 });
  await fixture.start();
  for (const concurrency of [5, 6, 12]) {
    fixture.engine.setConcurrency(concurrency);
    await fixture.teacher.open[0].answer();
    assertEquals(fixture.teacher.open.length, concurrency);
  }
  await fixture.finish();
  assertEquals(fixture.teacher.most, 12);
});

Deno.test("Engine.setConcurrency() lets lanes finish their call before they leave", async () => {
  const fixture = new Fixture({ rows: rowsOf(30), concurrency: 6 });
  await fixture.start();
  fixture.engine.setConcurrency(2);
  for (const left of [5, 4, 3, 2, 2, 2]) {
    await fixture.teacher.open[0].answer();
    assertEquals(fixture.teacher.open.length, left);
  }
  await fixture.finish();
  assertEquals(fixture.outcomes.length, 30);
});

Deno.test("Engine.setConcurrency() may lower and raise the limit before a lane has noticed", async () => {
  const fixture = new Fixture({ rows: rowsOf(40), concurrency: 6 });
  await fixture.start();
  for (const concurrency of [1, 8, 3, 5]) fixture.engine.setConcurrency(concurrency);
  for (let i = 0; i < 20; i++) await fixture.teacher.open[0].answer();
  assertEquals(fixture.teacher.open.length, 5);
  fixture.engine.setConcurrency(1);
  fixture.engine.setConcurrency(9);
  await fixture.teacher.open[0].answer();
  assertEquals(fixture.teacher.open.length, 9);
  await fixture.finish();
});

Deno.test("Engine.setConcurrency() ends parked lanes", async () => {
  const source = new FedSource();
  const fixture = new Fixture({ source, concurrency: 8 });
  await fixture.start();
  fixture.engine.setConcurrency(2);
  await source.feed(rowsOf(6));
  assertEquals(fixture.teacher.open.length, 2);
  fixture.engine.setConcurrency(4);
  await source.end();
  assertEquals(fixture.teacher.open.length, 4);
  await fixture.finish();
});

Deno.test("Engine.closeGate() starts nothing, and calls in flight continue", async () => {
  const fixture = new Fixture({ rows: rowsOf(6), concurrency: 2 });
  await fixture.start();
  fixture.engine.closeGate("pause");
  await fixture.teacher.call("0").answer();
  assertEquals(fixture.teacher.uids, ["1"]);
  assertEquals(fixture.settledUids, ["0"]);
  assertEquals(fixture.teacher.call("1").signal.aborted, false);
  await fixture.teacher.call("1").answer();
  assertEquals(fixture.teacher.uids, []);
  fixture.engine.openGate("pause");
  await fixture.finish();
  assertEquals(fixture.outcomes.length, 6);
});

Deno.test("Engine.openGate() starts nothing while another gate is closed", async () => {
  const fixture = new Fixture({ rows: rowsOf(3), concurrency: 2 });
  fixture.engine.closeGate("pause");
  fixture.engine.closeGate("disk");
  fixture.engine.closeGate("disk");
  await fixture.start();
  assertEquals(fixture.teacher.uids, []);
  assertEquals(fixture.engine.state, "paused");
  fixture.engine.openGate("pause");
  fixture.engine.openGate("never closed");
  assertEquals(fixture.teacher.uids, []);
  assertEquals(fixture.engine.state, "disk_full");
  fixture.engine.openGate("disk");
  assertEquals(fixture.engine.state, "running");
  await fixture.finish();
});

Deno.test("Engine.state says that answers wait for the disk also when no more is sent", async () => {
  const fixture = new Fixture({ rows: rowsOf(3), concurrency: 2 });
  await fixture.start();
  fixture.engine.closeGate("disk");
  fixture.engine.stop();
  assertEquals(fixture.engine.state, "disk_full");
  fixture.engine.closeGate("pause");
  assertEquals(fixture.engine.state, "disk_full");
  fixture.engine.openGate("disk");
  assertEquals(fixture.engine.state, "draining");
  await fixture.finish();
  assertEquals(fixture.engine.state, "halted");
});

Deno.test("Engine.closeGate() holds back rows that come from the source later", async () => {
  const source = new FedSource();
  const fixture = new Fixture({ source });
  await fixture.start();
  fixture.engine.closeGate("pause");
  await source.feed(rowsOf(3));
  assertEquals(fixture.teacher.uids, []);
  fixture.engine.openGate("pause");
  await source.end();
  await fixture.finish();
  assertEquals(fixture.outcomes.length, 3);
});

Deno.test("Engine.closeGate() holds back retries that become due, without spinning", async () => {
  using clock = new FakeClock();
  const fixture = new Fixture({ rows: rowsOf(1), now: clock.now });
  await fixture.start();
  await fixture.teacher.call("0").refuse(later(100));
  fixture.engine.closeGate("pause");
  await clock.advance(10_000);
  assertEquals(fixture.teacher.uids, []);
  // The limits are updated ten times a second.
  assertLess(clock.fired, 110);
  fixture.engine.openGate("pause");
  await clock.advance(0);
  assertEquals(fixture.teacher.uids, ["0"]);
  await fixture.finish();
});

Deno.test("Engine.run() wakes up twice a second while all lanes wait for the teacher", async () => {
  using clock = new FakeClock();
  const fixture = new Fixture({ rows: rowsOf(2), now: clock.now });
  await fixture.start();
  await clock.advance(1_000);
  const firedBefore = clock.fired;
  await clock.advance(60_000);
  assertLess(clock.fired - firedBefore, 125);
  // A failure may change the limit, which then grows with time.
  await fixture.teacher.call("0").refuse(later(1_000));
  const firedAfter = clock.fired;
  await clock.advance(100);
  assertEquals(clock.fired - firedAfter, 1);
  await clock.advance(60_000);
  await fixture.teacher.call("0").answer();
  await fixture.teacher.call("1").answer();
  await fixture.finish();
});

Deno.test("Engine.stop() finishes what is in flight and leaves the rest pending", async () => {
  const source = new FedSource();
  const fixture = new Fixture({ source, concurrency: 2 });
  await fixture.start();
  await source.feed(rowsOf(6));
  fixture.engine.stop();
  assertEquals(fixture.teacher.call("0").signal.aborted, false);
  await fixture.teacher.call("0").answer();
  assertEquals(fixture.hasEnded, false);
  await fixture.teacher.call("1").answer();
  await fixture.ended;
  assertEquals(fixture.settledUids, ["0", "1"]);
  assertEquals(fixture.teacher.asked.length, 2);
  assertEquals(source.isClosed, true);
});

Deno.test("Engine.stop() leaves a row pending whose attempt then fails", async () => {
  const fixture = new Fixture({ rows: rowsOf(4), concurrency: 2 });
  await fixture.start();
  fixture.engine.stop();
  await fixture.teacher.call("0").refuse(later(10));
  assertEquals(fixture.engine.waiting, 0);
  await fixture.teacher.call("1").refuse(new TeacherError("Bad", { status: 400 }));
  await fixture.ended;
  assertEquals(fixture.settledUids, ["1"]);
  assertEquals(fixture.failures.length, 2);
});

Deno.test("Engine.stop() ends a run that is paused, that waits, or that has nothing to read", async () => {
  using clock = new FakeClock();
  const paused = new Fixture({ rows: rowsOf(2) });
  paused.engine.closeGate("pause");
  await paused.start();
  const waiting = new Fixture({ rows: rowsOf(1), now: clock.now });
  await waiting.start();
  await waiting.teacher.call("0").refuse(later(60_000));
  const idle = new Fixture({ source: new FedSource() });
  await idle.start();
  for (const fixture of [paused, waiting, idle]) {
    assertEquals(fixture.hasEnded, false);
    fixture.engine.stop();
    await fixture.ended;
    assertEquals(fixture.outcomes, []);
    assertEquals(fixture.engine.state, "halted");
  }
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("Engine.stop() before run() makes a run without a call", async () => {
  const fixture = new Fixture({ rows: rowsOf(2) });
  fixture.engine.stop();
  fixture.engine.stop();
  await fixture.start();
  await fixture.ended;
  assertEquals(fixture.teacher.asked, []);
});

Deno.test("Engine.abort() cancels the calls in flight and leaves their rows pending", async () => {
  const fixture = new Fixture({ rows: rowsOf(6), concurrency: 3 });
  await fixture.start();
  const calls = [...fixture.teacher.open];
  const reason = new Error("Enough");
  fixture.engine.abort(reason);
  for (const { signal } of calls) assertEquals(signal.reason, reason);
  await fixture.ended;
  assertEquals(fixture.outcomes, []);
  assertEquals(fixture.failures, []);
  assertEquals(fixture.teacher.asked.length, 3);
  assertEquals(fixture.engine.inFlight, 0);
});

Deno.test("Engine.abort() keeps an answer that arrives anyway", async () => {
  const fixture = new Fixture({ rows: rowsOf(3), concurrency: 1 });
  fixture.teacher.heedsSignal = false;
  await fixture.start();
  fixture.engine.abort();
  assertEquals(fixture.hasEnded, false);
  await fixture.teacher.call("0").answer();
  await fixture.ended;
  assertEquals(fixture.settledUids, ["0"]);
});

Deno.test("Engine.abort() after stop() aborts what was being waited for", async () => {
  const fixture = new Fixture({ rows: rowsOf(3), concurrency: 2 });
  await fixture.start();
  fixture.engine.stop();
  await fixture.teacher.call("0").answer();
  fixture.engine.abort();
  await fixture.ended;
  assertEquals(fixture.settledUids, ["0"]);
});

Deno.test("Engine reports every change of state, from running to done", async () => {
  using clock = new FakeClock();
  const fixture = new Fixture({ rows: rowsOf(3), concurrency: 1, now: clock.now });
  assertEquals(fixture.engine.state, "running");
  await fixture.start();
  assertEquals(fixture.states, []);
  await fixture.teacher.call("0").refuse(later(100));
  await fixture.teacher.call("1").answer();
  await fixture.teacher.call("2").answer();
  assertEquals(fixture.states.splice(0), ["backing_off"]);
  await clock.advance(100);
  assertEquals(fixture.states.splice(0), ["running"]);
  fixture.engine.closeGate("pause");
  assertEquals(fixture.states.splice(0), ["paused"]);
  fixture.engine.openGate("pause");
  assertEquals(fixture.states.splice(0), ["running"]);
  fixture.engine.stop();
  assertEquals(fixture.states.splice(0), ["draining"]);
  await fixture.teacher.call("0").answer();
  await fixture.ended;
  assertEquals(fixture.states, ["done"]);
});

Deno.test("Engine goes from running to done when all rows are settled", async () => {
  const fixture = new Fixture({ rows: rowsOf(3) });
  await fixture.start();
  await fixture.finish();
  assertEquals(fixture.states, ["done"]);
});

Deno.test("Engine is halted, not done, when rows were left pending", async () => {
  const stopped = new Fixture({ rows: rowsOf(9) });
  await stopped.start();
  stopped.engine.stop();
  await stopped.finish();
  assertEquals(stopped.states, ["draining", "halted"]);
  const aborted = new Fixture({ rows: rowsOf(2) });
  await aborted.start();
  aborted.engine.abort();
  await aborted.ended;
  assertEquals(aborted.engine.state, "halted");
});

Deno.test("Engine ends behind a closed gate when there are no more rows", async () => {
  const fixture = new Fixture({ rows: rowsOf(2) });
  await fixture.start();
  fixture.engine.closeGate("pause");
  await fixture.teacher.call("0").answer();
  await fixture.teacher.call("1").answer();
  await fixture.ended;
  assertEquals([fixture.engine.state, fixture.outcomes.length], ["done", 2]);
});
