import { assertEquals, assertLess } from "../../lib/deps/std_assert.ts";
import { TeacherError } from "../../lib/errors.ts";
import { FakeClock, settled } from "../support/fake_clock.ts";
import { completionOf, FedSource, Fixture, rowOf, rowsOf } from "./engine_fixture.ts";

const broken = (retryAfterMs?: number) => new TeacherError("Broken", { status: 500, retryAfterMs });
const timeout = () => new TeacherError("Too slow", { type: "timeout", retryable: true });
const later = (retryAfterMs: number) => new TeacherError("Later", { status: 429, retryAfterMs });

Deno.test("Engine.run() retries a row while attempts are left, then fails it", async () => {
  const fixture = new Fixture({ rows: rowsOf(1), maxAttempts: 3 });
  await fixture.start();
  for (let attempt = 1; attempt <= 3; attempt++) {
    assertEquals(fixture.attempts, attempt);
    await refuseAndWait(fixture, "0", broken());
  }
  await fixture.ended;
  const [{ failure, attempts, completion, firstFailedAt, settledAt }] = fixture.outcomes;
  assertEquals(failure, { type: "server", message: "Broken", status: 500 });
  assertEquals(attempts, 3);
  assertEquals(completion, undefined);
  assertEquals(firstFailedAt! <= settledAt, true);
  assertEquals(fixture.failures.length, 3);
});

Deno.test("Engine.run() resends at once, without counting an attempt, when the request has changed", async () => {
  const notices: string[] = [];
  const fixture = new Fixture({
    rows: rowsOf(1),
    maxAttempts: 1,
    onNotice: (message) => notices.push(message),
  });
  await fixture.start();
  const notice = "It is asked without response_format from now on";
  const adjusted = { status: 400, isAdjusted: true };
  await fixture.teacher.call("0").refuse(new TeacherError("No", { ...adjusted, notice }));
  await fixture.teacher.call("0").refuse(new TeacherError("No", adjusted));
  await fixture.finish();
  assertEquals(fixture.outcomes.map(({ failure, attempts }) => [failure, attempts]), [
    [undefined, 3],
  ]);
  assertEquals(notices, [notice]);
});

Deno.test("Engine.run() sends a row again only once after a gateway's timeout, and notifies once", async () => {
  using clock = new FakeClock();
  const notices: string[] = [];
  const onNotice = (message: string) => notices.push(message);
  const fixture = new Fixture({ rows: rowsOf(1), maxAttempts: 5, onNotice, now: clock.now });
  await fixture.start();
  const error = new TeacherError("A gateway did not wait", { status: 504, notice: "Too slow" });
  for (let attempt = 1; attempt <= 2; attempt++) {
    await clock.advance(60_000);
    await fixture.teacher.call("0").refuse(error);
  }
  await fixture.ended;
  const [{ failure, attempts }] = fixture.outcomes;
  assertEquals([failure?.type, failure?.status, attempts], ["server", 504, 2]);
  assertEquals(notices, ["Too slow"]);
});

Deno.test("Engine.run() records when a row that succeeded first failed", async () => {
  const fixture = new Fixture({ rows: rowsOf(1) });
  await fixture.start();
  await refuseAndWait(fixture, "0", broken());
  await fixture.finish();
  const [{ failure, attempts, firstFailedAt }] = fixture.outcomes;
  assertEquals({ failure, attempts }, { failure: undefined, attempts: 2 });
  assertEquals(typeof firstFailedAt, "number");
});

Deno.test("Engine.run() fails a row at once when the error is not retryable", async () => {
  const fixture = new Fixture({ rows: rowsOf(1) });
  await fixture.start();
  await fixture.teacher.call("0").refuse(new TeacherError("No such field", { status: 400 }));
  await fixture.ended;
  const [{ failure, attempts }] = fixture.outcomes;
  assertEquals(failure, { type: "request", message: "No such field", status: 400 });
  assertEquals(attempts, 1);
});

Deno.test("Engine.run() fails a row at once when a teacher throws an error of another class", async () => {
  const fixture = new Fixture({ rows: rowsOf(3), concurrency: 3 });
  await fixture.start();
  await fixture.teacher.call("0").refuse(new TypeError("x is not a function"));
  await fixture.teacher.call("1").refuse("no");
  await fixture.teacher.call("2").refuse(undefined);
  await fixture.ended;
  assertEquals(fixture.outcomes.map(({ failure, attempts }) => [failure?.type, attempts]), [
    ["teacher", 1],
    ["teacher", 1],
    ["teacher", 1],
  ]);
  assertEquals(fixture.outcomes.map(({ failure }) => failure?.message), [
    "TypeError: x is not a function",
    "no",
    "Error: The teacher threw nothing",
  ]);
});

Deno.test("Engine.run() treats what complete() throws synchronously as a failure", async () => {
  const teacher = {
    complete(): never {
      throw new RangeError("Too long");
    },
  };
  const fixture = new Fixture({ rows: rowsOf(2), teacher });
  await fixture.start();
  await fixture.ended;
  assertEquals(fixture.outcomes.map(({ failure }) => failure?.type), ["teacher", "teacher"]);
});

Deno.test("Engine.run() retries only once after a timeout", async () => {
  const fixture = new Fixture({ rows: rowsOf(1), maxAttempts: 9 });
  await fixture.start();
  await refuseAndWait(fixture, "0", timeout());
  await refuseAndWait(fixture, "0", broken());
  assertEquals(fixture.outcomes.length, 0);
  await fixture.teacher.call("0").refuse(timeout());
  await fixture.ended;
  assertEquals(fixture.outcomes[0].failure?.type, "timeout");
  assertEquals(fixture.outcomes[0].attempts, 3);
});

Deno.test("Engine.run() waits no less than the teacher asks for", async () => {
  using clock = new FakeClock();
  const fixture = new Fixture({ rows: rowsOf(1), now: clock.now });
  await fixture.start();
  await fixture.teacher.call("0").refuse(later(5_000));
  await clock.advance(4_999);
  assertEquals(fixture.teacher.uids, []);
  await clock.advance(1);
  assertEquals(fixture.teacher.uids, ["0"]);
  await fixture.finish();
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("Engine.run() adds its own jitter to what the teacher asks for", async () => {
  using clock = new FakeClock();
  const fixture = new Fixture({ rows: rowsOf(1), now: clock.now, random: () => 0.5 });
  await fixture.start();
  await fixture.teacher.call("0").refuse(later(5_000));
  await clock.advance(5_249);
  assertEquals(fixture.teacher.uids, []);
  await clock.advance(1);
  assertEquals(fixture.teacher.uids, ["0"]);
  await fixture.finish();
});

Deno.test("Engine.run() waits for a day at most, whatever the teacher asks for", async () => {
  using clock = new FakeClock();
  const fixture = new Fixture({ rows: rowsOf(1), now: clock.now });
  await fixture.start();
  await fixture.teacher.call("0").refuse(later(3 * 2 ** 31));
  const dayMs = 24 * 60 * 60 * 1_000;
  await clock.sleep(dayMs - 1);
  assertEquals(fixture.teacher.uids, []);
  await clock.advance(1);
  assertEquals(fixture.teacher.uids, ["0"]);
  await fixture.finish();
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("Engine.run() lets others continue while a row waits", async () => {
  using clock = new FakeClock();
  const fixture = new Fixture({ rows: rowsOf(5), concurrency: 1, now: clock.now });
  await fixture.start();
  await fixture.teacher.call("0").refuse(broken(1_000));
  assertEquals(fixture.engine.waiting, 1);
  for (const uid of ["1", "2", "3", "4"]) await fixture.teacher.call(uid).answer();
  assertEquals(fixture.teacher.uids, []);
  assertEquals(fixture.hasEnded, false);
  await clock.advance(1_000);
  await fixture.finish();
  assertEquals(fixture.settledUids, ["1", "2", "3", "4", "0"]);
  assertEquals(fixture.engine.waiting, 0);
});

Deno.test("Engine.run() alternates between due retries and new rows, the longest due first", async () => {
  using clock = new FakeClock();
  const fixture = new Fixture({ rows: rowsOf(9), concurrency: 3, now: clock.now });
  await fixture.start();
  await fixture.teacher.call("0").refuse(broken(3_000));
  await fixture.teacher.call("1").refuse(broken(1_000));
  await fixture.teacher.call("2").refuse(broken(2_000));
  assertEquals(fixture.teacher.uids, ["3", "4", "5"]);
  await clock.advance(2_500);
  for (const uid of ["3", "4", "5"]) await fixture.teacher.call(uid).answer();
  assertEquals(fixture.teacher.uids, ["1", "6", "2"]);
  await clock.advance(500);
  await fixture.teacher.call("1").answer();
  await fixture.teacher.call("6").answer();
  assertEquals(fixture.teacher.uids, ["2", "0", "7"]);
  await fixture.finish();
});

Deno.test("Engine.run() does not spin while a due retry waits for a lane", async () => {
  using clock = new FakeClock();
  const fixture = new Fixture({ rows: rowsOf(2), concurrency: 1, now: clock.now });
  await fixture.start();
  await fixture.teacher.call("0").refuse(broken(10));
  await clock.advance(10);
  const firedBefore = clock.fired;
  await clock.advance(60_000);
  // The limits are updated ten times a second.
  assertLess(clock.fired - firedBefore, 610);
  await fixture.teacher.call("1").answer();
  assertEquals(fixture.teacher.uids, ["0"]);
  await fixture.finish();
});

for (const [concurrency, bound] of [[2, 1_000], [300, 1_200]]) {
  Deno.test(`Engine.run() takes only due retries once ${bound} rows wait at concurrency ${concurrency}`, async () => {
    using clock = new FakeClock();
    const source = new FedSource();
    let isBusy = true;
    const asked: string[] = [];
    const fixture = new Fixture({
      source,
      concurrency,
      now: clock.now,
      teacher: {
        complete({ uid }) {
          asked.push(uid);
          // Every eighth row is answered, so this is no outage.
          const isRefused = isBusy && Number(uid) % 8 < 7;
          return isRefused
            ? Promise.reject(broken(1_000 + asked.length))
            : Promise.resolve(completionOf());
        },
      },
    });
    await fixture.start();
    await source.feed(rowsOf(2 * bound));
    await source.feed([rowOf("last")]);
    await source.end();
    assertEquals(fixture.engine.waiting, bound);
    const count = asked.length;
    assertEquals(count - fixture.outcomes.length, bound);
    assertEquals(source.pulls, 1);
    // A row comes back, is rejected, and returns to the queue: no new row may take its place.
    await clock.advance(1_001);
    assertEquals(asked.length, count + 1);
    assertEquals(asked.at(-1), "0");
    assertEquals(fixture.engine.waiting, bound);
    isBusy = false;
    await clock.advance(1);
    // One row was answered, which freed a place for new rows; those were answered too.
    assertEquals(asked[count + 1], "1");
    assertEquals(asked.length > count + 2, true);
    await clock.advance(10_000);
    await fixture.ended;
    assertEquals(fixture.outcomes.length, 2 * bound + 1);
    assertEquals(clock.pendingTimers, 0);
  });
}

Deno.test("Engine.run() counts rows that lanes hold towards the size of the retry queue", async () => {
  using clock = new FakeClock();
  const fixture = new Fixture({ rows: rowsOf(1_010), concurrency: 10, now: clock.now });
  await fixture.start();
  while (fixture.engine.waiting < 995) {
    await fixture.teacher.open[0].refuse(broken(60_000));
  }
  assertEquals(fixture.engine.inFlight, 5);
  while (fixture.teacher.open.length > 0) await fixture.teacher.open[0].refuse(broken(60_000));
  assertEquals(fixture.engine.waiting, 1_000);
  fixture.engine.stop();
  await fixture.ended;
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("Engine.run() leaves no timer behind when rows still wait at its end", async () => {
  // Real timers, because the sanitizer of the test runner checks those.
  const fixture = new Fixture({ rows: rowsOf(1) });
  await fixture.start();
  await fixture.teacher.call("0").refuse(broken(3_600_000));
  fixture.engine.stop();
  await fixture.ended;
  assertEquals(fixture.outcomes, []);
});

/** Rejects a call, and lets its retry begin, which is due at once without jitter. */
async function refuseAndWait(fixture: Fixture, uid: string, error: TeacherError): Promise<void> {
  const { attempts } = fixture;
  await fixture.teacher.call(uid).refuse(error);
  while (!fixture.hasEnded && fixture.attempts === attempts) await settled();
}
