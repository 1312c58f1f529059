import { assert, assertAlmostEquals, assertEquals } from "../../lib/deps/std_assert.ts";
import { TeacherError } from "../../lib/errors.ts";
import type { Row } from "../../lib/row.ts";
import { FakeClock, settled } from "../support/fake_clock.ts";
import { seededRandom } from "../support/simulated_load.ts";
import { endpointOf, FakeTeacher, Fixture, rowOf, rowsOf, startPair } from "./engine_fixture.ts";
import { endlessRows, TimedTeacher } from "./timed_teacher.ts";

const broken = () => new TeacherError("Broken", { status: 500 });

for (const concurrency of [2, 10, 50]) {
  Deno.test(`Engine shares rows by weight, 3 to 1 at concurrency ${concurrency}`, async () => {
    using clock = new FakeClock();
    const random = seededRandom();
    const teachers = [3, 1].map((weight) => ({
      weight,
      teacher: new TimedTeacher(clock, { latencyMs: () => 1_000 * (0.5 + random()) }),
    }));
    const fixture = new Fixture({
      source: endlessRows(),
      concurrency,
      isCareful: true,
      teachers: teachers.map(({ teacher, weight }) => endpointOf(teacher, { weight })),
      now: clock.now,
      random,
    });
    await fixture.start();
    await clock.advance(200_000 / concurrency * 10);
    const [toA, toB] = teachers.map(({ teacher }) => teacher.answered);
    assertAlmostEquals(toA / (toA + toB), 0.75, 0.025);
    fixture.engine.abort();
    await clock.advance(5_000);
    await fixture.ended;
  });
}

Deno.test("Engine sends a slow teacher what it can take, and keeps all lanes busy", async () => {
  using clock = new FakeClock();
  const [quick, slow] = [20, 200].map((ms) => new TimedTeacher(clock, { latencyMs: () => ms }));
  const fixture = new Fixture({
    source: endlessRows(),
    concurrency: 20,
    teachers: [endpointOf(quick), endpointOf(slow)],
    now: clock.now,
  });
  await fixture.start();
  await clock.advance(10_000);
  assertAlmostEquals(quick.answered / slow.answered, 10, 0.5);
  assertAlmostEquals(quick.answered + slow.answered, 10 * (500 + 50), 55);
  fixture.engine.abort();
  await clock.advance(1_000);
  await fixture.ended;
});

Deno.test("Engine picks the teacher with the fewest calls in flight", async () => {
  const [a, b, c] = [new FakeTeacher(), new FakeTeacher(), new FakeTeacher()];
  const fixture = new Fixture({
    rows: rowsOf(40),
    concurrency: 9,
    teachers: [endpointOf(a), endpointOf(b), endpointOf(c, { maxConcurrency: 2 })],
  });
  await fixture.start();
  assertEquals([a.open.length, b.open.length, c.open.length].toSorted(), [2, 3, 4]);
  assertEquals(c.open.length, 2);
  for (let answer = 0; answer < 8; answer++) {
    const emptied = a.open.length > 0 ? a : b;
    await emptied.open[0].answer();
  }
  assertEquals(a.open.length + b.open.length, 7);
  assertEquals(Math.abs(a.open.length - b.open.length), 1);
  fixture.engine.abort();
  await fixture.ended;
});

Deno.test("Engine records in each outcome which teacher answered", async () => {
  const { a, b, fixture } = await startPair({ rows: rowsOf(2) });
  const asked = new Map([[a.asked[0], a], [b.asked[0], b]]);
  await a.open[0].answer();
  await b.open[0].answer();
  await fixture.ended;
  for (const { row, teacher } of fixture.outcomes) {
    assertEquals(teacher === asked.get(row.uid), true);
  }
});

Deno.test("Engine sends the samples of a row to the same teacher, one after the other", async () => {
  using clock = new FakeClock();
  const rows: Row[] = [];
  for (let index = 0; index < 60; index++) {
    for (let sample = 0; sample < 4; sample++) {
      rows.push({ ...rowOf(sample === 0 ? `${index}` : `${index}#${sample}`), sample });
    }
  }
  const random = seededRandom();
  const askedFirst = new Map<string, string>();
  const teachers = ["a", "b", "c"].map((address) =>
    Object.assign(
      new TimedTeacher(clock, {
        latencyMs: () => 1_000 * (0.5 + random()),
        refuse: ({ uid }) => {
          if (askedFirst.has(uid)) return undefined;
          askedFirst.set(uid, address);
          // Retries come in between.
          return random() < 0.2 ? broken() : undefined;
        },
      }),
      { address },
    )
  );
  const fixture = new Fixture({
    rows,
    concurrency: 12,
    teachers: teachers.map((teacher) => endpointOf(teacher, { maxConcurrency: 12 })),
    now: clock.now,
    random,
  });
  await fixture.start();
  while (!fixture.hasEnded) await clock.advance(1_000);
  await fixture.ended;
  const together = rows.filter(({ uid }) => {
    return askedFirst.get(uid) === askedFirst.get(uid.split("#")[0]);
  });
  assertEquals(together.length, rows.length);
  const share = teachers.map(({ answered }) => answered / rows.length);
  for (const one of share) assertAlmostEquals(one, 1 / 3, 0.1);
});

Deno.test("Engine.setConcurrency() changes what all teachers may have in flight, up to their own limits", async () => {
  const [a, b] = [new FakeTeacher(), new FakeTeacher()];
  const fixture = new Fixture({
    rows: rowsOf(200),
    concurrency: 4,
    teachers: [endpointOf(a), endpointOf(b, { maxConcurrency: 5 })],
  });
  await fixture.start();
  const inFlight = () => [a.open.length, b.open.length];
  assertEquals(inFlight(), [2, 2]);
  fixture.engine.setConcurrency(30);
  await a.open[0].answer();
  assertEquals(inFlight(), [25, 5]);
  assertEquals(fixture.engine.limits.inFlight, 30);
  fixture.engine.setConcurrency(3);
  assertEquals(fixture.engine.limits.inFlight, 3);
  while (a.open.length + b.open.length > 3) {
    const { open } = a.open.length > 0 ? a : b;
    await open[0].answer();
  }
  await b.open[0].answer();
  assertEquals(a.open.length + b.open.length, 3);
  fixture.engine.setConcurrency(9);
  await b.open[0].answer();
  assertEquals(a.open.length + b.open.length, 9);
  fixture.engine.abort();
  await fixture.ended;
});

Deno.test("Engine.setConcurrency() applies to teachers that join later, too", async () => {
  const fixture = new Fixture({ rows: rowsOf(100), concurrency: 1 });
  await fixture.start();
  const joined = new FakeTeacher();
  fixture.engine.setConcurrency(9);
  fixture.engine.addTeacher(endpointOf(joined));
  fixture.engine.removeTeacher(fixture.teacher);
  await settled();
  // A teacher that joins starts carefully.
  for (let answers = 0; answers < 9; answers++) await joined.open[0].answer();
  assertEquals(joined.open.length, 8);
  await fixture.teacher.open[0].answer();
  assertEquals(joined.open.length, 9);
  fixture.engine.abort();
  await fixture.ended;
});

Deno.test("Engine sends a row that one teacher defers for an hour to the first that will take it", async () => {
  using clock = new FakeClock();
  const [a, b] = [new FakeTeacher(), new FakeTeacher()];
  const later = (retryAfterMs: number) => new TeacherError("Later", { status: 429, retryAfterMs });
  const fixture = new Fixture({ rows: rowsOf(2), teachers: [endpointOf(a), endpointOf(b)] });
  await fixture.start();
  await b.call("1").refuse(later(1_000));
  await clock.advance(0);
  assertEquals(a.uids, ["0", "1"]);
  await a.call("0").refuse(later(3_600_000));
  await a.call("1").refuse(later(3_600_000));
  await clock.advance(0);
  assertEquals([a.uids, b.uids, fixture.engine.waiting], [[], ["0"], 1]);
  await b.call("0").refuse(later(1_000));
  await clock.advance(999);
  assertEquals([a.uids, b.uids], [[], []]);
  await clock.advance(101);
  while (b.open.length > 0) await b.open[0].answer();
  await fixture.ended;
  assertEquals(clock.now(), 1_100);
});

/** An exhausted limit. */
const usedUp = (retryAfterMs: number, status = 429) =>
  new TeacherError("Later", { status, retryAfterMs, isExhausted: true });
const gone = () => new TeacherError("No one listens", { type: "network", isUnreachable: true });

Deno.test("Engine uses the first of several teachers that is available again, and reports until when all cool down", async () => {
  using clock = new FakeClock();
  const { a, b, fixture } = await startPair({
    rows: rowsOf(20),
    concurrency: 4,
    now: clock.now,
    wallClock: () => 1_000_000 + clock.now(),
  });
  await a.open[0].refuse(usedUp(5_000));
  assertEquals(fixture.engine.backoff, undefined);
  await b.open[0].refuse(usedUp(3_000, 529));
  while (a.open.length + b.open.length > 0) await (a.open[0] ?? b.open[0]).answer();
  assertEquals(fixture.engine.backoff, { until: 1_003_000, reason: "529: Later" });
  await clock.advance(2_999);
  assertEquals([a.open.length, b.open.length], [0, 0]);
  await clock.advance(1);
  assertEquals([a.open.length, b.open.length > 0], [0, true]);
  assertEquals(fixture.engine.backoff, undefined);
  // The longer of two requested waits counts.
  while (b.open.length > 0) await b.open[0].refuse(usedUp(60_000));
  await clock.advance(1_999);
  assertEquals([a.open.length, b.open.length], [0, 0]);
  await clock.advance(1);
  assertEquals([a.open.length > 0, b.open.length], [true, 0]);
  fixture.engine.abort();
  await fixture.ended;
});

Deno.test("Engine gives a teacher that joins the same share of its rate limit as the others", async () => {
  using clock = new FakeClock();
  const [a, b] = ["a", "b"].map((address) =>
    Object.assign(new TimedTeacher(clock, { latencyMs: () => 10 }), { address })
  );
  const fixture = new Fixture({
    source: endlessRows(),
    teachers: [endpointOf(a, { rpm: 60 })],
    now: clock.now,
  });
  fixture.engine.setRateShare(0.1);
  await fixture.start();
  fixture.engine.addTeacher(endpointOf(b, { rpm: 60 }));
  await clock.advance(59_000);
  assertEquals([a.asked.length, b.asked.length], [6, 6]);
  fixture.engine.abort();
  await clock.advance(100);
  await fixture.ended;
});

Deno.test("Engine changes the weight and limit of a teacher that stays, and recognizes a teacher that has left", async () => {
  using clock = new FakeClock();
  const [a, b] = ["a", "b"].map((address) =>
    Object.assign(new TimedTeacher(clock, { latencyMs: () => 100 }), { address })
  );
  const fixture = new Fixture({
    source: endlessRows(),
    teachers: [endpointOf(a), endpointOf(b)],
    concurrency: 40,
    isCareful: false,
    now: clock.now,
  });
  await fixture.start();
  await clock.advance(1_000);
  assertEquals([a.inFlight, b.inFlight], [20, 20]);
  fixture.engine.changeTeacher(endpointOf(a, { weight: 3 }));
  await clock.advance(1_000);
  assertEquals([a.inFlight, b.inFlight], [30, 10]);
  fixture.engine.changeTeacher(endpointOf(a, { weight: 3, maxConcurrency: 5 }));
  await clock.advance(1_000);
  assertEquals([a.inFlight, b.inFlight], [5, 35]);
  fixture.engine.removeTeacher(a);
  await clock.advance(50);
  // Calls that are still in flight there count against its limit.
  fixture.engine.addTeacher(endpointOf(a, { maxConcurrency: 5 }));
  const { answered } = fixture.engine.teacherStatuses()[0];
  assert(answered > 0);
  for (let step = 0; step < 40; step++) {
    await clock.advance(25);
    assert(a.inFlight <= 5);
  }
  assertEquals([a.inFlight, fixture.engine.teacherStatuses().length], [5, 2]);
  // Its counts stay in the sums: once it has left, and when it is listed again at the same address.
  fixture.engine.removeTeacher(b);
  await clock.advance(200);
  const answers = () => {
    const sum = fixture.engine.teacherStatuses().reduce((all, { answered }) => all + answered, 0);
    return [sum, fixture.outcomes.length];
  };
  const statesOf = () => fixture.engine.teacherStatuses().map((one) => [one.address, one.state]);
  assertEquals(statesOf(), [["a", "up"], ["b", "left"]]);
  assertEquals(...answers() as [number, number]);
  const again = new TimedTeacher(clock, { latencyMs: () => 100 });
  fixture.engine.addTeacher(endpointOf(Object.assign(again, { address: "b" })));
  await clock.advance(1_000);
  assertEquals(statesOf(), [["a", "up"], ["b", "up"]]);
  assertEquals(...answers() as [number, number]);
  fixture.engine.abort();
  await clock.advance(200);
  await fixture.ended;
});

Deno.test("Engine probes a teacher that is down even if more calls hang there than its share", async () => {
  using clock = new FakeClock();
  const { a, b, fixture } = await startPair({ rows: rowsOf(200), concurrency: 30, now: clock.now });
  for (let n = 0; n < 3; n++) await a.open[0].refuse(gone());
  assertEquals(fixture.engine.teacherStatuses().map(({ state }) => state), ["down", "up"]);
  const hanging = a.open.length;
  assert(hanging > 10);
  for (let n = 0; n < 30; n++) await b.open[0].answer();
  assertEquals(a.open.length, hanging);
  await clock.advance(2_000);
  await b.open[0].answer();
  assertEquals(a.open.length, hanging + 1);
  fixture.engine.abort();
  await fixture.ended;
});

Deno.test("Engine.teacherStatuses() returns the status of each teacher", async () => {
  using clock = new FakeClock();
  const teacher = Object.assign(new FakeTeacher(), { address: "http://one/v1", model: "m" });
  const fixture = new Fixture({
    rows: rowsOf(200),
    concurrency: 100,
    teachers: [endpointOf(teacher, { weight: 3 }), endpointOf(new FakeTeacher(), { weight: 0.01 })],
    now: clock.now,
    wallClock: clock.now,
  });
  const status = () => fixture.engine.teacherStatuses()[0];
  const at = (ms: number) => new Date(ms).toISOString();
  assertEquals(status(), {
    ...{ address: "http://one/v1", model: "m", weight: 3, state: "up", until: null, reason: null },
    ...{ in_flight: 0, limit: 100, answered: 0, failed: 0, completion_tokens: 0, cost_usd: 0 },
  });
  await fixture.start();
  await teacher.open[0].answer({ usage: { promptTokens: 5, completionTokens: 7 } });
  await teacher.open[0].refuse(usedUp(5_000));
  const { answered, failed, completion_tokens: tokens, in_flight: inFlight } = status();
  assertEquals([answered, failed, tokens, inFlight], [1, 1, 7, teacher.open.length]);
  const { state, until, reason } = status();
  assertEquals([state, until, reason], ["cooling_down", at(5_000), "429: Later"]);
  await clock.advance(5_000);
  assertEquals(status().state, "up");
  while (status().state !== "down") await teacher.open[0].refuse(gone());
  assertEquals([status().until, status().reason], [at(6_000), "No one listens"]);
  await teacher.open[0].refuse(new TeacherError("No credit", { status: 402 }));
  assertEquals([status().state, status().until], ["halted", null]);
  fixture.engine.abort();
  await fixture.ended;
});

Deno.test("a teacher whose limit is raised gets more at once, while its calls still run", async () => {
  const fixture = new Fixture({ rows: rowsOf(10), concurrency: 4 });
  const { teacher, engine } = fixture;
  engine.changeTeacher(endpointOf(teacher, { maxConcurrency: 1 }));
  await fixture.start();
  assertEquals(teacher.open.length, 1);
  engine.changeTeacher(endpointOf(teacher, { maxConcurrency: 3 }));
  await settled();
  assertEquals(teacher.open.length, 3);
  engine.abort();
  await fixture.ended;
});

Deno.test("a teacher that is listed again with a higher limit starts carefully", async () => {
  const fixture = new Fixture({ rows: rowsOf(20), concurrency: 10 });
  const { teacher, engine } = fixture;
  engine.changeTeacher(endpointOf(teacher, { maxConcurrency: 1 }));
  await fixture.start();
  const other = new FakeTeacher();
  engine.addTeacher(endpointOf(other, { maxConcurrency: 1 }));
  engine.removeTeacher(teacher);
  engine.addTeacher(endpointOf(teacher, { maxConcurrency: 9 }));
  await settled();
  assertEquals(teacher.open.length, 1);
  await teacher.open[0].answer();
  await settled();
  assert(teacher.open.length > 1 && teacher.open.length < 9);
  engine.abort();
  await fixture.ended;
});

Deno.test("Engine says that a teacher is lost only if others are there now, whatever was at the start", async () => {
  using clock = new FakeClock();
  const notices: string[] = [];
  const [a, b] = ["a", "b"].map((address) => Object.assign(new FakeTeacher(), { address }));
  const fixture = new Fixture({
    rows: rowsOf(50),
    teachers: [endpointOf(a)],
    concurrency: 8,
    now: clock.now,
    onNotice: (message) => notices.push(message),
  });
  await fixture.start();
  await a.open[0].answer();
  fixture.engine.addTeacher(endpointOf(b));
  await settled();
  for (let n = 0; n < 3; n++) await a.open[0].refuse(gone());
  assertEquals(notices, ["Lost the teacher at a (No one listens); the others continue"]);
  fixture.engine.removeTeacher(a);
  while (a.open.length > 0) await a.open[0].answer();
  await b.open[0].answer();
  for (let n = 0; n < 3; n++) await b.open[0].refuse(gone());
  assertEquals(fixture.engine.teacherStatuses()[0].state, "down");
  assertEquals(notices.length, 1);
  fixture.engine.abort();
  await fixture.ended;
});

Deno.test("Engine seldom wakes for a row that one teacher has put off while the other is full", async () => {
  using clock = new FakeClock();
  const [a, b] = [new FakeTeacher(), new FakeTeacher()];
  const fixture = new Fixture({
    rows: rowsOf(60),
    teachers: [endpointOf(a), endpointOf(b, { maxConcurrency: 2 })],
    concurrency: 50,
    now: clock.now,
  });
  await fixture.start();
  for (let i = 0; i < 5; i++) await a.open[0].answer();
  await a.open[0].refuse(new TeacherError("Slow", { status: 429, retryAfterMs: 60_000 }));
  while (a.open.length > 0) await a.open[0].answer();
  assertEquals([fixture.engine.waiting, b.open.length], [1, 2]);
  const before = clock.fired;
  await clock.advance(10_000);
  assertEquals(clock.fired - before < 300, true);
  await b.open[0].answer();
  await clock.advance(200);
  assertEquals([fixture.engine.waiting, b.open.length], [0, 2]);
  while (b.open.length > 0) await b.open[0].answer();
  await fixture.ended;
});

Deno.test("with affinity, Engine probes a teacher that was down while the other has room", async () => {
  using clock = new FakeClock();
  const [a, b] = [1, 2].map((n) => Object.assign(new FakeTeacher(), { address: `http://${n}` }));
  const fixture = new Fixture({
    rows: rowsOf(2_000),
    teachers: [endpointOf(a), endpointOf(b)],
    concurrency: 10,
    affinity: "prefix",
    now: clock.now,
  });
  await fixture.start();
  const gone = new TeacherError("Refused", { type: "network", isUnreachable: true });
  const pass = async (seconds: number) => {
    for (let n = 0; n < seconds; n++) {
      await clock.advance(1_000);
      for (const call of [...b.open]) await call.answer();
      for (const call of [...a.open]) await call.refuse(gone);
    }
    return a.asked.length;
  };
  for (const call of [...a.open]) await call.refuse(gone);
  // The first probes are retries of the refused rows. Later ones can only be new rows.
  const early = await pass(30), late = await pass(60);
  assert(late >= early + 3, `${early} and ${late} requests`);
  while (a.open.length === 0) {
    await clock.advance(1_000);
    await b.open[0].answer();
  }
  assertEquals(fixture.engine.teacherStatuses()[0].state, "down");
  await a.open[0].answer();
  assertEquals(fixture.engine.teacherStatuses()[0].state, "up");
  while (!fixture.hasEnded) await [...a.open, ...b.open][0].answer();
  await fixture.ended;
});

Deno.test("rows whose answers show that their teacher finishes no answer go to another teacher", async () => {
  const { a, b, fixture } = await startPair({ rows: rowsOf(8), maxAttempts: 1, keeps: true });
  while (!fixture.hasEnded) {
    await a.open[0]?.answer({ finishReason: "" });
    await b.open[0]?.answer();
    await settled();
  }
  await fixture.ended;
  assertEquals(a.asked.length, 3);
  assertEquals(fixture.settledUids.toSorted(), rowsOf(8).map(({ uid }) => uid));
  assertEquals(fixture.outcomes.filter(({ failure }) => failure !== undefined), []);
});
