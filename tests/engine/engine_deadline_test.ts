import { assertAlmostEquals, assertEquals } from "../../lib/deps/std_assert.ts";
import { TeacherError } from "../../lib/errors.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { endpointOf, FakeTeacher, Fixture, rowsOf } from "./engine_fixture.ts";

const broken = (retryAfterMs?: number) => new TeacherError("Broken", { status: 500, retryAfterMs });
const gone = () => new TeacherError("Refused", { type: "network", isUnreachable: true });
const tooMany = (retryAfterMs?: number) =>
  new TeacherError("Too many requests", { status: 429, retryAfterMs });

Deno.test("Engine tells the teacher how much of a row's time is left", async () => {
  using clock = new FakeClock();
  const fixture = new Fixture({ rows: rowsOf(1), rowTimeoutMs: 10_000, now: clock.now });
  await fixture.start();
  assertEquals(fixture.teacher.call("0").request.timeoutMs, 10_000);
  await clock.advance(3_000);
  await fixture.teacher.call("0").refuse(broken(1_000));
  await clock.advance(1_000);
  assertEquals(fixture.teacher.call("0").request.timeoutMs, 6_000);
  await fixture.finish();
  const plain = new Fixture({ rows: rowsOf(1), now: clock.now });
  await plain.start();
  assertEquals(plain.teacher.call("0").request.timeoutMs, undefined);
  await plain.finish();
});

Deno.test("Engine fails a row whose next attempt would come after its deadline", async () => {
  using clock = new FakeClock();
  const fixture = new Fixture({ rows: rowsOf(2), rowTimeoutMs: 10_000, now: clock.now });
  await fixture.start();
  await clock.advance(2_000);
  await fixture.teacher.call("0").refuse(broken(8_000));
  await fixture.teacher.call("1").refuse(broken(7_999));
  assertEquals(fixture.settledUids, ["0"]);
  assertEquals(fixture.outcomes[0].failure, {
    type: "timeout",
    message: "The row was not answered within 10 s (--row-timeout), in 1 attempt; " +
      "the last one: Broken",
    status: null,
  });
  assertEquals(fixture.failed[0].action, "failed");
  assertEquals(fixture.failed[0].failure, { type: "server", message: "Broken", status: 500 });
  await clock.advance(7_999);
  assertEquals(fixture.teacher.call("1").request.timeoutMs, 1);
  await fixture.finish();
});

Deno.test("Engine fails a row whose turn comes after its deadline, without a call", async () => {
  using clock = new FakeClock();
  const fixture = new Fixture({
    rows: rowsOf(2),
    concurrency: 1,
    rowTimeoutMs: 10_000,
    now: clock.now,
  });
  await fixture.start();
  await clock.advance(500);
  await fixture.teacher.call("0").refuse(broken(1_000));
  await clock.advance(12_000);
  await fixture.teacher.call("1").answer();
  await fixture.ended;
  const [, { row, failure, attempts, latencyMs }] = fixture.outcomes;
  assertEquals([row.uid, failure?.type, attempts, latencyMs], ["0", "timeout", 1, 500]);
  assertEquals(
    failure?.message,
    "The row was not answered within 10 s (--row-timeout), in 1 attempt",
  );
  // One attempt, which failed: a row that was not sent counts as neither.
  assertEquals([fixture.teacher.asked.length, fixture.attempts, fixture.failed.length], [2, 2, 1]);
  assertEquals(fixture.engine.teacherStatuses()[0].in_flight, 0);
});

Deno.test("Engine gives a row its full time again after an outage", async () => {
  using clock = new FakeClock();
  const fixture = new Fixture({
    rows: rowsOf(4),
    concurrency: 4,
    rowTimeoutMs: 10_000,
    now: clock.now,
  });
  await fixture.start();
  // This row waits for its turn when the teacher goes down.
  await fixture.teacher.call("0").refuse(broken(7_000));
  await clock.advance(5_000);
  for (const uid of ["1", "2", "3"]) await fixture.teacher.call(uid).refuse(gone());
  // Probes that hang: the last one is for the row that was due last, long after its time.
  await clock.advance(60_000);
  const left = fixture.teacher.open.map(({ request }) =>
    [request.uid, request.timeoutMs!] as const
  );
  assertEquals(left.map(([uid]) => uid), ["1", "2", "3", "0"]);
  for (const [uid, ms] of left) assertAlmostEquals(ms, uid === "0" ? 5_000 : 10_000, 200);
  await fixture.finish();
  assertEquals(fixture.outcomes.map(({ failure }) => failure), Array(4).fill(undefined));
});

Deno.test("Engine does not count cool-downs and pauses against a row's deadline", async () => {
  using clock = new FakeClock();
  const fixture = new Fixture({ rows: rowsOf(2), rowTimeoutMs: 10_000, now: clock.now });
  await fixture.start();
  await clock.advance(1_000);
  await fixture.teacher.call("0").refuse(tooMany(60_000));
  await fixture.teacher.call("1").refuse(broken(500));
  assertEquals(fixture.outcomes, []);
  await clock.advance(30_000);
  fixture.engine.closeGate("pause");
  await clock.advance(600_000);
  fixture.engine.openGate("pause");
  const left: number[] = [];
  for (; !fixture.hasEnded; await clock.advance(10)) {
    for (const { request, answer } of [...fixture.teacher.open]) {
      left.push(request.timeoutMs!);
      await answer();
    }
  }
  assertEquals(left.length, 2);
  assertEquals(left.every((ms) => ms > 8_400 && ms <= 9_000), true, left.join());
});

Deno.test("Engine gives the slot of a row that is past its deadline to the next one", async () => {
  using clock = new FakeClock();
  const teacher = new FakeTeacher();
  const fixture = new Fixture({
    rows: rowsOf(3),
    teachers: [endpointOf(teacher, { rpm: 6 })],
    concurrency: 1,
    rowTimeoutMs: 15_000,
    now: clock.now,
  });
  await fixture.start();
  await teacher.call("0").refuse(broken(11_000));
  await clock.advance(10_000);
  assertEquals(teacher.uids, ["1"]);
  await clock.advance(20_000);
  await teacher.call("1").answer();
  assertEquals(teacher.uids, ["2"]);
  await teacher.call("2").answer();
  await fixture.ended;
  assertEquals(fixture.settledUids, ["1", "0", "2"]);
});
