import { assertEquals } from "../../lib/deps/std_assert.ts";
import { Budget } from "../../lib/engine/answers/budget.ts";
import { DepartedTeachers } from "../../lib/engine/flow/departed_teachers.ts";
import { sumOf } from "../../lib/figures.ts";
import { TeacherError } from "../../lib/errors.ts";
import { makeTeacher } from "../progress/fixtures.ts";
import { settled } from "../support/fake_clock.ts";
import { endpointOf, FakeTeacher, Fixture, rowsOf } from "./engine_fixture.ts";

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

Deno.test("Engine halts a run when its last teacher that is not halted leaves", async () => {
  const [a, b] = [new FakeTeacher(), new FakeTeacher()];
  const fixture = new Fixture({
    rows: rowsOf(6),
    teachers: [endpointOf(a), endpointOf(b)],
    concurrency: 2,
    isCareful: false,
  });
  await fixture.start();
  await a.open[0].refuse(new TeacherError("Bad key", { type: "account", status: 401 }));
  assertEquals(fixture.engine.haltReason, undefined);
  fixture.engine.removeTeacher(b);
  // The calls in flight are paid for.
  while (b.open.length > 0) await b.open[0].answer();
  await fixture.ended;
  const reason = "All remaining teachers are halted: the teacher (401: Bad key)";
  assertEquals([fixture.engine.state, fixture.engine.haltReason], ["halted", reason]);
  assertEquals(fixture.outcomes.map(({ failure }) => failure), [undefined, undefined]);
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

Deno.test("Engine waits for another teacher while all teachers have left", async () => {
  const [a, b] = [new FakeTeacher(), new FakeTeacher()];
  const fixture = new Fixture({ rows: rowsOf(2), teachers: [endpointOf(a)], concurrency: 1 });
  await fixture.start();
  fixture.engine.removeTeacher(a);
  await a.open[0].answer();
  assertEquals([fixture.engine.state, b.open.length], ["running", 0]);
  fixture.engine.addTeacher(endpointOf(b));
  await settled();
  await b.open[0].answer();
  await fixture.ended;
  assertEquals(fixture.engine.state, "done");
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
