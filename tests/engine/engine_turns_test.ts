import {
  assertEquals,
  assertGreaterOrEqual,
  assertLessOrEqual,
} from "../../lib/deps/std_assert.ts";
import { TeacherError } from "../../lib/errors.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { seededRandom } from "../support/simulated_load.ts";
import { batchesOf, Fixture, rowsOf } from "./engine_fixture.ts";
import { TimedTeacher } from "./timed_teacher.ts";

/** A run of 2,000 rows of which 40 % fail once, after as long as an answer takes. */
function failingOnce(clock: FakeClock, rowTimeoutMs?: number) {
  const random = seededRandom();
  const rows = rowsOf(2_000);
  const failing = new Set(rows.filter(() => random() < 0.4).map(({ uid }) => uid));
  const askedFirst = new Set<string>();
  const retriedAt: number[] = [];
  const teacher = new TimedTeacher(clock, {
    latencyMs: () => 1_000,
    refusalMs: 1_000,
    refuse: ({ uid }) => {
      if (askedFirst.has(uid)) retriedAt.push(askedFirst.size);
      askedFirst.add(uid);
      return failing.delete(uid) ? new TeacherError("Broken", { status: 500 }) : undefined;
    },
  });
  const fixture = new Fixture({
    source: batchesOf(rows, 100),
    teacher,
    concurrency: 20,
    rowTimeoutMs,
    now: clock.now,
    random,
  });
  return { fixture, teacher, retriedAt };
}

Deno.test("Engine keeps neither new rows nor retries waiting for the others, and fails none", async () => {
  using clock = new FakeClock();
  const { fixture, retriedAt } = failingOnce(clock);
  await fixture.start();
  while (!fixture.hasEnded) await clock.advance(10_000);
  await fixture.ended;
  assertEquals(fixture.outcomes.length, 2_000);
  assertEquals(fixture.outcomes.filter(({ failure }) => failure !== undefined), []);
  // Nearly all of the 40 % that have failed by then.
  const before = (rows: number) => retriedAt.filter((asked) => asked <= rows).length;
  assertGreaterOrEqual(before(1_000), 0.36 * 1_000);
  assertGreaterOrEqual(before(1_990), 0.36 * 1_990);
});

Deno.test("Engine sends a new row between two retries, however many are due", async () => {
  using clock = new FakeClock();
  const fixture = new Fixture({
    source: batchesOf(rowsOf(400), 100),
    concurrency: 100,
    now: clock.now,
  });
  await fixture.start();
  for (const { refuse } of [...fixture.teacher.open]) {
    await refuse(new TeacherError("Broken", { status: 500 }));
  }
  const sent = fixture.teacher.asked.slice(100);
  await clock.advance(0);
  for (let answered = 0; answered < 100; answered++) {
    await fixture.teacher.open[0].answer();
    if (fixture.teacher.open.length === 0) break;
  }
  const after = fixture.teacher.asked.slice(100 + sent.length).map((uid) => Number(uid) >= 100);
  assertGreaterOrEqual(after.filter((isNew) => isNew).length, 0.4 * after.length);
  assertLessOrEqual(after.filter((isNew) => isNew).length, 0.6 * after.length);
  await fixture.finish();
});

Deno.test("Engine keeps no lane idle while anything is due: 40 % fail once", async () => {
  using clock = new FakeClock();
  const { fixture, teacher } = failingOnce(clock);
  await fixture.start();
  while (!fixture.hasEnded) await clock.advance(100);
  await fixture.ended;
  const wallMs = clock.now();
  const idealMs = teacher.askedAt.length * 1_000 / 20;
  assertLessOrEqual(wallMs, 1.05 * idealMs);
});

Deno.test("Engine takes all retries that are due when no new row is there", async () => {
  using clock = new FakeClock();
  const fixture = new Fixture({ rows: rowsOf(60), concurrency: 60, now: clock.now });
  await fixture.start();
  for (const { refuse } of [...fixture.teacher.open]) {
    await refuse(new TeacherError("Broken", { status: 500 }));
  }
  await clock.advance(0);
  assertEquals(fixture.teacher.open.length, 60);
  await fixture.finish();
});

Deno.test("Engine fails no row with a short deadline because the retry queue is full", async () => {
  using clock = new FakeClock();
  const { fixture } = failingOnce(clock, 30_000);
  await fixture.start();
  while (!fixture.hasEnded) await clock.advance(10_000);
  await fixture.ended;
  assertEquals(fixture.outcomes.length, 2_000);
  assertEquals(fixture.outcomes.filter(({ failure }) => failure !== undefined), []);
});
