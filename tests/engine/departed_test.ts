import { assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { Budget } from "../../lib/engine/answers/budget.ts";
import { DepartedTeachers } from "../../lib/engine/flow/departed_teachers.ts";
import { sumOf } from "../../lib/figures.js";
import { TeacherError } from "../../lib/errors.ts";
import { makeTeacher } from "../progress/fixtures.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { endpointOf, FakeTeacher, Fixture, type FixtureOptions, rowsOf } from "./engine_fixture.ts";

Deno.test("DepartedTeachers keeps the sums of any number of teachers, and names the last 100", () => {
  const departed = new DepartedTeachers();
  for (let pod = 0; pod < 1_000; pod++) {
    departed.add(makeTeacher({ address: `http://10.0.0.${pod}`, answered: 3, cost_usd: 0.5 }));
  }
  const all = departed.allStatuses([makeTeacher({ answered: 1, cost_usd: 1 })]);
  assertEquals(all.length, 102);
  assertEquals(all[1].address, "http://10.0.0.999");
  assertEquals(
    all.slice(1).every(({ state, in_flight }) => state === "left" && in_flight === 0),
    true,
  );
  assertEquals(all.at(-1)!.teachers, 900);
  assertEquals(sumOf(all, ({ answered }) => answered), 3_001);
  assertEquals(sumOf(all, ({ cost_usd }) => cost_usd), 501);
});

Deno.test("DepartedTeachers shows counts that are added once a teacher is no longer named", () => {
  const departed = new DepartedTeachers();
  const counts = departed.add(makeTeacher({ address: "http://10.0.0.1", cost_usd: 1 }));
  for (let pod = 2; pod <= 200; pod++) {
    departed.add(makeTeacher({ address: `http://10.0.0.${pod}`, cost_usd: 1 }));
  }
  counts.cost_usd += 5;
  assertEquals(sumOf(departed.allStatuses([]), ({ cost_usd }) => cost_usd), 205);
});

Deno.test("Engine writes the failures that it held back because of a teacher that has left", async () => {
  const [a, b, c] = [new FakeTeacher(), new FakeTeacher(), new FakeTeacher()];
  const fixture = new Fixture({
    rows: rowsOf(6),
    teachers: [endpointOf(a), endpointOf(b)],
    concurrency: 2,
    isCareful: false,
    isProven: true,
  });
  await fixture.start();
  // Rejections like this one may be the teacher's fault, so the row waits for more of them.
  const error = new TeacherError("No", { type: "request", status: 400 });
  await b.open[0].refuse(error);
  assertEquals(fixture.outcomes.length, 0);
  fixture.engine.removeTeacher(b);
  await b.open[0]?.answer();
  fixture.engine.addTeacher(endpointOf(c));
  while (c.open.length === 0) await a.open[0].answer();
  await c.open[0].answer();
  assertEquals(fixture.failures.map(({ message }) => message), ["No"]);
  while (!fixture.hasEnded) await [...a.open, ...c.open][0].answer();
  await fixture.ended;
  assertEquals(fixture.outcomes.length, 6);
});

Deno.test("Engine forgets why a teacher was halted when it leaves and joins again", async () => {
  const [a, b] = [new FakeTeacher(), new FakeTeacher()];
  const teachers = [endpointOf(a), endpointOf(b)];
  const fixture = new Fixture({ rows: rowsOf(9), teachers, concurrency: 8, isCareful: false });
  await fixture.start();
  const stateOfA = () => fixture.engine.teacherStatuses()[0].state;
  const finishReason = "unheard_of";
  for (let row = 0; row < 3; row++) await a.open[0].answer({ finishReason });
  assertEquals(stateOfA(), "halted");
  fixture.engine.removeTeacher(a);
  fixture.engine.addTeacher(endpointOf(a));
  await a.open[0].answer({ finishReason });
  assertEquals(stateOfA(), "up");
  fixture.engine.abort();
  await fixture.ended;
});

interface WaitTrial extends Partial<FixtureOptions> {
  /** Rows that the good teacher answers before it leaves. @default 1 */
  readonly answers?: number;
}

const MINUTE_MS = 60_000;
const BAD_KEY = new TeacherError("Bad key", { type: "account", status: 401 });

/** One of two teachers is halted, the other one leaves the list. */
async function startWaiting(clock: FakeClock, { answers = 1, ...options }: WaitTrial = {}) {
  const [bad, good] = [new FakeTeacher(), new FakeTeacher()];
  const notices: string[] = [];
  const fixture = new Fixture({
    rows: rowsOf(9),
    teachers: [endpointOf(bad), endpointOf(good)],
    mayTeachersJoin: true,
    now: clock.now,
    wallClock: clock.now,
    onNotice: (notice) => notices.push(notice),
    ...options,
  });
  await fixture.start();
  await bad.open[0].refuse(BAD_KEY);
  for (let row = 0; row < answers; row++) await good.open[0].answer();
  fixture.engine.removeTeacher(good);
  while (answers > 0 && good.open.length > 0) await good.open[0].answer();
  notices.length = 0;
  await clock.advance(1_000);
  return { fixture, good, notices };
}

Deno.test("Engine waits for a teacher to join while only halted ones are left", async () => {
  using clock = new FakeClock();
  const { fixture, good, notices } = await startWaiting(clock);
  const reason = "all remaining teachers are halted: the teacher (401: Bad key)";
  assertEquals(notices, [
    `No teacher can be used: ${reason}. Waiting for 15m 00s (--wait waits longer) ` +
    "for one to join; Ctrl-C stops",
  ]);
  await clock.advance(14 * MINUTE_MS);
  assertEquals([fixture.engine.state, fixture.engine.backoff?.reason], ["backing_off", reason]);
  assertEquals(Math.round(fixture.engine.backoff!.until / MINUTE_MS), 15);
  fixture.engine.addTeacher(endpointOf(good));
  while (!fixture.hasEnded) {
    await clock.advance(100);
    while (good.open.length > 0) await good.open[0].answer();
  }
  assertEquals([fixture.engine.state, fixture.outcomes.length], ["done", 9]);
  assertEquals(notices.length, 1);
});

Deno.test("Engine halts once no teacher has joined in time", async () => {
  for (
    const [options, endsAfterMs, duration] of [
      [{}, 15 * MINUTE_MS, "15m 00s"],
      [{ waitForTeacherMs: 5_000 }, 15 * MINUTE_MS, "15m 00s"],
      [{ waitForTeacherMs: 20 * MINUTE_MS }, 20 * MINUTE_MS, "20m 00s"],
      [{ answers: 0 }, MINUTE_MS, "1m 00s"],
      [{ answers: 0, hasAnsweredBefore: true }, 15 * MINUTE_MS, "15m 00s"],
      [{ answers: 0, waitForTeacherMs: 5_000 }, 5_000, "5.0 s"],
    ] as const
  ) {
    using clock = new FakeClock();
    const { fixture } = await startWaiting(clock, options);
    await clock.advance(endsAfterMs - 2_000);
    assertEquals(fixture.engine.haltReason, undefined, duration);
    await clock.advance(3_000);
    assertEquals(
      fixture.engine.haltReason,
      `No teacher could be used for ${duration}: all remaining teachers are halted: ` +
        "the teacher (401: Bad key)",
    );
    fixture.engine.abort();
    await fixture.ended;
  }
});

Deno.test("Engine waits, too, if the last teacher that can be used is halted, and none is left", async () => {
  using clock = new FakeClock();
  const { fixture, good, notices } = await startWaiting(clock, { waitForTeacherMs: Infinity });
  fixture.engine.addTeacher(endpointOf(good));
  await clock.advance(1_000);
  await good.open[0].refuse(BAD_KEY);
  await clock.advance(1_000);
  assertStringIncludes(notices[1], "The teacher rejects all rows (401): Bad key");
  assertStringIncludes(notices[2], "(401: Bad key). Waiting for one to join; Ctrl-C stops");
  for (const teacher of fixture.teachers) fixture.engine.removeTeacher(teacher);
  await clock.advance(60 * MINUTE_MS);
  assertEquals(fixture.engine.backoff, { until: Infinity, reason: "no teacher is left" });
  fixture.engine.abort();
  await fixture.ended;
});

Deno.test("Engine does not count a pause as part of the wait for a teacher", async () => {
  using clock = new FakeClock();
  const { fixture } = await startWaiting(clock);
  await clock.advance(10 * MINUTE_MS);
  fixture.engine.closeGate("pause");
  await clock.advance(60 * MINUTE_MS);
  fixture.engine.openGate("pause");
  await clock.advance(14 * MINUTE_MS);
  assertEquals(fixture.engine.state, "backing_off");
  await clock.advance(2 * MINUTE_MS);
  assertEquals(fixture.engine.state, "halted");
  await fixture.ended;
});

Deno.test("Engine does not count the wait for a teacher against rows", async () => {
  using clock = new FakeClock();
  const { fixture, good } = await startWaiting(clock, {
    answers: 0,
    rowTimeoutMs: 5 * MINUTE_MS,
    waitForTeacherMs: Infinity,
  });
  while (good.open.length > 0) await good.open[0].refuse(new TeacherError("No", { status: 500 }));
  await clock.advance(10 * MINUTE_MS);
  fixture.engine.addTeacher(endpointOf(good));
  while (!fixture.hasEnded) {
    await clock.advance(100);
    while (good.open.length > 0) await good.open[0].answer();
  }
  assertEquals(fixture.outcomes.map(({ failure }) => failure), Array(9).fill(undefined));
});

Deno.test("Engine shows the cost of a teacher that has left, even if it is estimated later", async () => {
  const [a, b, c] = [1, 2, 3].map((port) =>
    Object.assign(new FakeTeacher(), { address: `http://localhost:${port === 2 ? 1 : port}` })
  );
  const priceOf = ({ usage }: { usage?: unknown }) => usage ? 0.5 : undefined;
  const fixture = new Fixture({
    rows: rowsOf(4),
    teachers: [endpointOf(a)],
    concurrency: 1,
    budget: new Budget({ priceOf }),
  });
  await fixture.start();
  // Two endpoints in succession at the same address, then one whose answers have a known cost.
  for (const [teacher, next] of [[a, b], [b, c]]) {
    fixture.engine.addTeacher(endpointOf(next));
    fixture.engine.removeTeacher(teacher);
    await teacher.open[0].answer();
    fixture.engine.teacherStatuses();
  }
  await c.open[0].answer({ usage: { promptTokens: 1, completionTokens: 1 } });
  const [present, left] = fixture.engine.teacherStatuses();
  assertEquals([left.state, left.answered], ["left", 2]);
  assertEquals([present.cost_usd, left.cost_usd], [0.5, 1]);
  while (!fixture.hasEnded) await c.open[0].answer();
  await fixture.ended;
});
