import { assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { SinkError, SourceError, TeacherError } from "../../lib/errors.ts";
import type { Outcome, Row } from "../../lib/row.ts";
import type { Completion } from "../../lib/teacher/teacher.ts";
import { completionOf, FedSource, Fixture, rowsOf, SILENT } from "./engine_fixture.ts";

Deno.test("Engine.run() rejects with what the sink throws, after its lanes have ended", async () => {
  const error = new SinkError("Disk gone");
  const taken: Outcome[] = [];
  const fixture = new Fixture({
    rows: rowsOf(9),
    concurrency: 3,
    sink: {
      put(outcome) {
        if (outcome.row.uid === "1") return Promise.reject(error);
        taken.push(outcome);
        return Promise.resolve();
      },
    },
  });
  await fixture.start();
  const [{ signal }] = fixture.teacher.open;
  await fixture.teacher.call("0").answer();
  await fixture.teacher.call("1").answer();
  assertEquals(await assertRejects(() => fixture.ended, SinkError), error);
  assertEquals(signal.aborted, true);
  assertEquals(fixture.teacher.open.length, 0);
  assertEquals(fixture.engine.inFlight, 0);
  assertEquals(taken.map(({ row }) => row.uid), ["0"]);
  assertEquals(fixture.engine.state, "halted");
});

Deno.test("Engine.run() rejects with the first error of the sink, not with those after it", async () => {
  let count = 0;
  const fixture = new Fixture({
    rows: rowsOf(3),
    concurrency: 3,
    sink: { put: () => Promise.reject(new SinkError(`No ${++count}`)) },
  });
  fixture.teacher.heedsSignal = false;
  await fixture.start();
  for (const uid of ["2", "1", "0"]) await fixture.teacher.call(uid).answer();
  await assertRejects(() => fixture.ended, SinkError, "No 1");
  assertEquals(count, 3);
});

Deno.test("Engine.run() also rejects with what a sink throws synchronously", async () => {
  const fixture = new Fixture({
    rows: rowsOf(3),
    sink: {
      put(): never {
        throw new SinkError("Closed");
      },
    },
  });
  await fixture.start();
  await fixture.teacher.call("0").answer();
  await assertRejects(() => fixture.ended, SinkError, "Closed");
});

Deno.test("Engine.run() finishes what is in flight when the source throws, then rejects with it", async () => {
  const source = new FedSource();
  const fixture = new Fixture({ source, concurrency: 3 });
  await fixture.start();
  await source.feed(rowsOf(2));
  const error = new SourceError("Line 3 is no row");
  await source.fail(error);
  assertEquals(fixture.hasEnded, false);
  assertEquals(fixture.engine.state, "draining");
  await fixture.teacher.call("0").answer();
  await fixture.teacher.call("1").answer();
  assertEquals(await assertRejects(() => fixture.ended, SourceError), error);
  assertEquals(fixture.settledUids, ["0", "1"]);
});

Deno.test("Engine.run() rejects with what the source throws at its start", async () => {
  const fixture = new Fixture({
    source: {
      [Symbol.asyncIterator]: () => ({
        next: (): Promise<IteratorResult<readonly Row[]>> => Promise.reject(new SourceError("No")),
      }),
    },
  });
  await fixture.start();
  await assertRejects(() => fixture.ended, SourceError, "No");
});

Deno.test("Engine.run() rejects with what the source throws while it is closed", async () => {
  async function* source() {
    try {
      yield rowsOf(5);
    } finally {
      // deno-lint-ignore no-unsafe-finally -- a file that cannot be closed does this
      throw new SourceError("Cannot close");
    }
  }
  const fixture = new Fixture({ source: source() });
  await fixture.start();
  fixture.engine.stop();
  await fixture.teacher.call("0").answer();
  await fixture.teacher.call("1").answer();
  await assertRejects(() => fixture.ended, SourceError, "Cannot close");
});

Deno.test("Engine.run() ends with the error of a listener rather than hang", async () => {
  const fixture = new Fixture({
    rows: rowsOf(5),
    listener: {
      attempt() {
        throw new TypeError("Bad listener");
      },
      attemptAnswered() {},
      attemptFailed() {},
      rowReleased() {},
      stateChanged() {},
    },
  });
  await fixture.start();
  await assertRejects(() => fixture.ended, TypeError, "Bad listener");
});

Deno.test("Engine.run() fails the row when a teacher returns something that is not a completion", async () => {
  // A good answer first: repeated rejections with the same message from the start would halt the
  // run.
  const answers: unknown[] = [completionOf(), undefined, null, {}, { response: 7 }, "text"];
  const fixture = new Fixture({
    rows: rowsOf(answers.length),
    concurrency: 1,
    teacher: {
      complete: ({ uid }) => Promise.resolve(answers[Number(uid)] as Completion),
    },
  });
  await fixture.start();
  await fixture.ended;
  assertEquals(fixture.outcomes.length, answers.length);
  const outcomes = fixture.outcomes.toSorted((a, b) => a.sequence - b.sequence);
  assertEquals(outcomes.map(({ failure }) => failure?.type), [
    undefined,
    "response",
    "response",
    "response",
    "response",
    "response",
  ]);
});

Deno.test("Engine.run() may be stopped from its own listener", async () => {
  const fixture: Fixture = new Fixture({
    rows: rowsOf(9),
    concurrency: 2,
    listener: { ...SILENT, attemptFailed: () => fixture.engine.stop() },
  });
  await fixture.start();
  await fixture.teacher.call("0").refuse(new TeacherError("Bad field", { status: 400 }));
  await fixture.teacher.call("1").answer();
  await fixture.ended;
  assertEquals(fixture.settledUids, ["0", "1"]);
  assertEquals(fixture.teacher.asked.length, 2);
});

Deno.test("Engine.run() does not wait for a source that is silent when it is stopped", async () => {
  const source = new FedSource();
  const fixture = new Fixture({ source });
  await fixture.start();
  fixture.engine.stop();
  await fixture.ended;
  assertEquals(source.isClosed, false);
  // Rows after the end are not sent.
  await source.feed(rowsOf(2));
  assertEquals(fixture.teacher.asked, []);
  assertEquals(source.isClosed, true);
});
