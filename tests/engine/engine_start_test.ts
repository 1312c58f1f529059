import { assertEquals } from "../../lib/deps/std_assert.ts";
import { TeacherError } from "../../lib/errors.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { Fixture, rowsOf } from "./engine_fixture.ts";

/** Answers all calls in flight; returns their number. */
async function answerAll({ teacher }: Fixture): Promise<number> {
  const calls = [...teacher.open];
  for (const call of calls) await call.answer();
  return calls.length;
}

Deno.test("Engine.run() starts with one call, and has three times as many in flight after each answer", async () => {
  using clock = new FakeClock();
  const fixture = new Fixture({
    rows: rowsOf(800),
    concurrency: 260,
    isCareful: true,
    now: clock.now,
  });
  await fixture.start();
  const inFlight: number[] = [];
  for (let answer = 0; answer < 9; answer++) {
    inFlight.push(fixture.teacher.open.length);
    await fixture.teacher.open[0].answer();
  }
  // Triples up to 128; then each answer adds one.
  assertEquals(inFlight, [1, 3, 9, 27, 81, 243, 244, 245, 246]);
  await answerAll(fixture);
  assertEquals(fixture.engine.limits.inFlight, 260);
  await fixture.finish();
});

Deno.test("Engine.run() continues with a careful start when nothing is refused for 10 s", async () => {
  using clock = new FakeClock();
  const fixture = new Fixture({
    rows: rowsOf(20),
    concurrency: 8,
    isCareful: true,
    now: clock.now,
  });
  await fixture.start();
  const inFlight: number[] = [];
  for (let wait = 0; wait < 5; wait++) {
    inFlight.push(fixture.teacher.open.length);
    await clock.advance(10_100);
  }
  assertEquals(inFlight, [1, 2, 4, 8, 8]);
  await fixture.finish();
});

Deno.test("Engine.run() sends at most seven requests if all are refused at once", async () => {
  using clock = new FakeClock();
  for (const status of [401, 400]) {
    const fixture = new Fixture({
      rows: rowsOf(200),
      concurrency: 100,
      isCareful: true,
      now: clock.now,
    });
    await fixture.start();
    while (!fixture.hasEnded) {
      await fixture.teacher.open[0].refuse(new TeacherError("No", { status }));
    }
    await fixture.ended;
    assertEquals(fixture.attempts, status === 401 ? 1 : 3);
    assertEquals(fixture.outcomes, []);
  }
});
