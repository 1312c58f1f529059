import { assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { AnswerPolicy } from "../../lib/engine/answers/policy.ts";
import { TeacherError } from "../../lib/errors.ts";
import type { Completion } from "../../lib/teacher/teacher.ts";
import { FakeClock, settled } from "../support/fake_clock.ts";
import {
  completionOf,
  endpointOf,
  FakeTeacher,
  Fixture,
  type FixtureOptions,
  rowOf,
  rowsOf,
} from "./engine_fixture.ts";

const badKey = () => new TeacherError("Incorrect API key provided", { status: 401 });
const badRequest = (message = "max_tokens is not supported with this model") =>
  new TeacherError(message, { status: 400 });
const unknownModel = () =>
  new TeacherError("The model does not exist", { status: 404, code: "model_not_found" });

class Named extends FakeTeacher {
  readonly model = "m";
  constructor(readonly address: string) {
    super();
  }
}

Deno.test("Engine halts when the teacher refuses the key, and what is in flight keeps its answers", async () => {
  const named = new Named("http://a/v1");
  const run = new Fixture({ rows: rowsOf(20), concurrency: 4, teacher: named });
  await run.start();
  await named.call("1").refuse(badKey());
  assertEquals(run.engine.state, "draining");
  assertEquals(
    run.engine.haltReason,
    "The teacher at http://a/v1 rejects all rows (401): Incorrect API key provided. " +
      "Check the API key (OPENAI_API_KEY, or what --api-key-env, --api-key-file or --header names)",
  );
  await named.call("0").answer();
  await named.call("2").refuse(badKey());
  await named.call("3").answer();
  await run.ended;
  assertEquals(run.settledUids, ["0", "3"]);
  assertEquals(named.asked.length, 4);
  assertEquals(run.failed.map(({ action, failure }) => [action, failure.type]), [
    ["halted", "account"],
    ["halted", "account"],
  ]);
  assertEquals(run.engine.state, "halted");
  const { state, reason } = run.engine.teacherStatuses()[0];
  assertEquals([state, reason], ["halted", "401: Incorrect API key provided"]);
});

Deno.test("Engine has no reason for a stop by the user, nor for a halt after it", async () => {
  const fixture = new Fixture({ rows: rowsOf(9), concurrency: 2 });
  await fixture.start();
  fixture.engine.stop();
  await fixture.teacher.call("0").refuse(badKey());
  await fixture.teacher.call("1").answer();
  await fixture.ended;
  assertEquals(fixture.engine.haltReason, undefined);
});

Deno.test("Engine.halt() keeps the first reason", async () => {
  const fixture = new Fixture({ rows: rowsOf(9) });
  await fixture.start();
  fixture.engine.halt("The deadline has passed");
  fixture.engine.halt("Another");
  await fixture.finish();
  assertEquals(fixture.engine.haltReason, "The deadline has passed");
  assertEquals(fixture.settledUids.toSorted(), ["0", "1"]);
});

Deno.test("Engine continues with one of two teachers when the other refuses the key", async () => {
  using clock = new FakeClock();
  const notices: string[] = [];
  const [bad, good] = [new Named("http://bad/v1"), new Named("http://good/v1")];
  const fixture = new Fixture({
    rows: rowsOf(9),
    concurrency: 2,
    teachers: [endpointOf(bad), endpointOf(good)],
    onNotice: (message) => notices.push(message),
    now: clock.now,
  });
  await fixture.start();
  await bad.open[0].refuse(badKey());
  while (!fixture.hasEnded) {
    await clock.advance(1);
    while (good.open.length > 0) await good.open[0].answer();
  }
  await fixture.ended;
  assertEquals(notices.length, 1);
  assertStringIncludes(notices[0], "The teacher at http://bad/v1 rejects all rows (401)");
  assertEquals(bad.asked, ["0"]);
  assertEquals(fixture.outcomes.map(({ failure }) => failure), Array(9).fill(undefined));
  assertEquals(fixture.outcomes.every(({ teacher }) => teacher === good), true);
  assertEquals(fixture.failed.map(({ uid, action }) => [uid, action]), [["0", "retried"]]);
  assertEquals(fixture.engine.state, "done");
  assertEquals(fixture.engine.haltReason, undefined);
});

Deno.test("Engine halts when the last of several teachers does", async () => {
  using clock = new FakeClock();
  const [a, b] = [new Named("http://a/v1"), new Named("http://b/v1")];
  const fixture = new Fixture({
    rows: rowsOf(9),
    concurrency: 2,
    teachers: [endpointOf(a), endpointOf(b)],
    now: clock.now,
  });
  await fixture.start();
  await a.open[0].refuse(badKey());
  await b.open[0].refuse(new TeacherError("You have no credit", { status: 402 }));
  for (const { open } of [a, b]) while (open.length > 0) await open[0].refuse(badKey());
  await fixture.ended;
  assertStringIncludes(fixture.engine.haltReason!, "http://b/v1 rejects all rows (402)");
  assertEquals(fixture.outcomes, []);
  assertEquals(fixture.engine.state, "halted");
});

Deno.test("Engine halts for an unknown model, but only fails the row if the row names the model", async () => {
  const own = new Fixture({ rows: [rowOf("own", { model: "x" }), ...rowsOf(3)] });
  await own.start();
  await own.teacher.call("own").refuse(unknownModel());
  await own.finish();
  assertEquals(own.outcomes.map(({ row, failure }) => [row.uid, failure?.type]).toSorted(), [
    ["0", undefined],
    ["1", undefined],
    ["2", undefined],
    ["own", "request"],
  ]);
  assertEquals(own.engine.haltReason, undefined);
  const all = new Fixture({ rows: rowsOf(3), concurrency: 1 });
  await all.start();
  await all.teacher.call("0").refuse(unknownModel());
  await all.ended;
  assertEquals(all.outcomes, []);
  assertStringIncludes(all.engine.haltReason!, "Check the name of the model (--model)");
});

Deno.test("Engine halts at the third refusal with the same message, and the rows stay pending", async () => {
  const fixture = new Fixture({ rows: rowsOf(20), concurrency: 5, isCareful: true });
  await fixture.start();
  for (const uid of ["0", "1", "2"]) await fixture.teacher.call(uid).refuse(badRequest());
  await fixture.ended;
  assertEquals(
    fixture.engine.haltReason,
    "The teacher rejected 3 consecutive rows with the same message (400): " +
      "max_tokens is not supported with this model. If a parameter is to blame, change or remove it " +
      "(-p, --params); if the rows are, add --no-careful-start",
  );
  assertEquals(fixture.teacher.asked, ["0", "1", "2"]);
  assertEquals([fixture.outcomes, fixture.toldFailed], [[], 0]);
  assertEquals(fixture.released.map(({ action }) => action), Array(3).fill("halted"));
  assertEquals(fixture.engine.state, "halted");
});

Deno.test("Engine lets calls in flight finish when it halts for refusals", async () => {
  const fixture = new Fixture({ rows: rowsOf(40), concurrency: 25 });
  await fixture.start();
  for (let row = 0; row < 20; row++) {
    await fixture.teacher.call(String(row)).refuse(badRequest());
  }
  assertEquals(fixture.engine.state, "draining");
  const count = fixture.teacher.asked.length;
  const [same, other] = fixture.teacher.uids;
  await fixture.teacher.call(same).refuse(badRequest());
  await fixture.teacher.call(other).refuse(badRequest("Your prompt is too long"));
  await fixture.finish();
  assertEquals(fixture.teacher.asked.length, count);
  const failed = fixture.outcomes.filter(({ failure }) => failure !== undefined);
  assertEquals(failed.map(({ row }) => row.uid), [other]);
  assertEquals(fixture.toldFailed, 1);
  assertEquals(fixture.engine.state, "halted");
});

Deno.test("Engine sends rows to another teacher that one refused with the same message", async () => {
  const healthy = new FakeTeacher(), misled = new FakeTeacher();
  const fixture = new Fixture({
    rows: rowsOf(12),
    concurrency: 2,
    isCareful: true,
    teachers: [endpointOf(healthy), endpointOf(misled)],
  });
  await fixture.start();
  while (!fixture.hasEnded) {
    if (misled.open.length > 0) await misled.open[0].refuse(badRequest());
    else await healthy.open[0].answer();
  }
  await fixture.ended;
  assertEquals(misled.asked.length, 3);
  assertEquals(fixture.outcomes.filter(({ failure }) => failure !== undefined), []);
  assertEquals(fixture.released.map(({ action }) => action), Array(3).fill("retried"));
  assertEquals(fixture.toldFailed, 0);
  assertEquals([fixture.outcomes.length, fixture.engine.state], [12, "done"]);
});

Deno.test("Engine halts at the twentieth refusal with the same message once a row has succeeded", async () => {
  const fixture = new Fixture({ rows: rowsOf(60), concurrency: 1 });
  await fixture.start();
  await fixture.teacher.open[0].answer();
  for (let row = 1; row < 20; row++) await fixture.teacher.open[0].refuse(badRequest());
  assertEquals(fixture.engine.haltReason, undefined);
  await fixture.teacher.open[0].refuse(badRequest());
  await fixture.ended;
  assertStringIncludes(fixture.engine.haltReason!, "rejected 20 consecutive rows");
  assertEquals(fixture.settledUids, ["0"]);
});

Deno.test("Engine fails each refused row once when refusals differ or others succeed", async () => {
  const fixture = new Fixture({ rows: rowsOf(12), concurrency: 1 });
  await fixture.start();
  const words = ["a", "a", "b", "b", "c", "", "d", "d", "d", "d", "", "e"];
  for (const word of words) {
    const [call] = fixture.teacher.open;
    await (word === "" ? call.answer() : call.refuse(badRequest(`Word ${word}`)));
  }
  await fixture.ended;
  const settledRows = fixture.outcomes.map(({ row, failure }) => [row.uid, failure?.message ?? ""]);
  assertEquals(
    settledRows.toSorted(([a], [b]) => Number(a) - Number(b)),
    words.map((word, index) => [String(index), word && `Word ${word}`]),
  );
  assertEquals(fixture.engine.state, "done");
  assertEquals(fixture.failed.map(({ action }) => action), Array(10).fill("failed"));
});

Deno.test("Engine fails refused rows at the end of a run, and when it is stopped", async () => {
  const done = new Fixture({ rows: rowsOf(2), concurrency: 1 });
  await done.start();
  for (let row = 0; row < 2; row++) await done.teacher.open[0].refuse(badRequest());
  await done.ended;
  assertEquals(done.settledUids, ["0", "1"]);
  assertEquals(done.engine.state, "done");
  const stopped = new Fixture({ rows: rowsOf(9), concurrency: 1 });
  await stopped.start();
  for (let row = 0; row < 2; row++) await stopped.teacher.open[0].refuse(badRequest());
  stopped.engine.stop();
  await settled();
  assertEquals(stopped.outcomes, []);
  await stopped.finish();
  assertEquals(stopped.settledUids.toSorted(), ["0", "1", "2"]);
});

for (
  const [what, error, verb] of [
    ["refuses the key", badKey(), "rejects all rows"],
    [
      "cannot be reached any more",
      new TeacherError("Connection refused", { code: "ECONNREFUSED", isUnreachable: true }),
      "cannot be reached",
    ],
  ] as const
) {
  Deno.test(`Engine leaves refused rows pending when their teacher then ${what}`, async () => {
    const fixture = new Fixture({ rows: rowsOf(20), concurrency: 4, waitForTeacherMs: 0 });
    await fixture.start();
    for (const uid of ["0", "1"]) await fixture.teacher.call(uid).refuse(badRequest());
    await fixture.teacher.call("2").refuse(error);
    assertStringIncludes(fixture.engine.haltReason!, verb);
    assertEquals(fixture.released.map(({ action }) => action), ["halted", "halted"]);
    while (!fixture.hasEnded) await fixture.teacher.open[0].refuse(badRequest());
    await fixture.ended;
    assertEquals([fixture.outcomes, fixture.toldFailed], [[], 0]);
  });
}

Deno.test("Engine leaves rows pending whose answers were not complete when their teacher then refuses the key", async () => {
  const fixture = new Fixture({ rows: rowsOf(3), concurrency: 3, maxAttempts: 1 });
  await fixture.start();
  for (const uid of ["0", "1"]) await fixture.teacher.call(uid).answer({ finishReason: "" });
  await fixture.teacher.call("2").refuse(badKey());
  await fixture.ended;
  assertEquals(fixture.outcomes.filter(({ next }) => next === undefined), []);
  assertEquals(fixture.toldFailed, 0);
});

Deno.test("Engine leaves rows pending that another server answered when their teacher then refuses the key", async () => {
  const page = new TeacherError("A web page", { type: "response", status: 200, code: "web_page" });
  const fixture = new Fixture({ rows: rowsOf(3), concurrency: 3, maxAttempts: 1 });
  await fixture.start();
  for (const uid of ["0", "1"]) await fixture.teacher.call(uid).refuse(page);
  await fixture.teacher.call("2").refuse(badKey());
  await fixture.ended;
  assertEquals([fixture.outcomes, fixture.toldFailed], [[], 0]);
});

Deno.test("Engine fails rows at once that another server answered after their teacher had answered", async () => {
  const page = new TeacherError("A web page", { type: "response", status: 200, code: "web_page" });
  const fixture = new Fixture({ rows: rowsOf(6), concurrency: 2, maxAttempts: 1 });
  await fixture.start();
  await fixture.teacher.call("0").answer();
  for (const uid of ["1", "2", "3", "4"]) await fixture.teacher.call(uid).refuse(page);
  assertEquals(fixture.settledUids.toSorted(), ["0", "1", "2", "3", "4"]);
  await fixture.teacher.call("5").answer();
  await fixture.ended;
});

Deno.test("Engine sends refused rows to another teacher when theirs then refuses the key", async () => {
  const good = new FakeTeacher(), bad = new FakeTeacher();
  const fixture = new Fixture({
    rows: rowsOf(12),
    concurrency: 2,
    teachers: [endpointOf(good), endpointOf(bad)],
  });
  await fixture.start();
  for (const error of [badRequest(), badRequest(), badKey()]) {
    while (bad.open.length === 0) await good.open[0].answer();
    await bad.open[0].refuse(error);
  }
  while (!fixture.hasEnded) await good.open[0].answer();
  await fixture.ended;
  assertEquals(fixture.outcomes.map(({ failure }) => failure), Array(12).fill(undefined));
});

Deno.test("Engine leaves refused rows pending when the sink breaks", async () => {
  const settledUids: string[] = [];
  const fixture = new Fixture({
    rows: rowsOf(9),
    concurrency: 2,
    sink: {
      put({ row }) {
        settledUids.push(row.uid);
        return Promise.reject(new Error("Disk gone"));
      },
    },
  });
  await fixture.start();
  await fixture.teacher.call("0").refuse(badRequest("One"));
  await fixture.teacher.call("1").refuse(badRequest("Two"));
  await fixture.ended.catch(() => {});
  assertEquals(settledUids, ["0"]);
});

for (
  const [what, error, type] of [
    [
      "a filter, by its words",
      new TeacherError("The prompt was filtered", { status: 400 }),
      "filtered",
    ],
    [
      "a filter, by its code",
      new TeacherError("No", { status: 422, code: "moderation_blocked" }),
      "filtered",
    ],
    [
      "a filter with status 200",
      new TeacherError("No", {
        type: "response",
        status: 200,
        code: "content_filter",
      }),
      "filtered",
    ],
    ["their length", new TeacherError("No", { status: 413 }), "request"],
  ] as const
) {
  Deno.test(`Engine fails rows because of ${what}, however many follow each other`, async () => {
    const fixture = new Fixture({ rows: rowsOf(30), concurrency: 1 });
    await fixture.start();
    for (let i = 0; i < 30; i++) await fixture.teacher.call(`${i}`).refuse(error);
    await fixture.ended;
    assertEquals([fixture.engine.state, fixture.engine.haltReason], ["done", undefined]);
    assertEquals(fixture.outcomes.map(({ failure }) => failure?.type), Array(30).fill(type));
  });
}

Deno.test("Engine is not halted when the calls in flight answered all rows", async () => {
  const fixture = new Fixture({ rows: rowsOf(2), rowCount: 2 });
  await fixture.start();
  fixture.engine.halt("The budget is spent");
  assertEquals(fixture.engine.haltReason, "The budget is spent");
  await fixture.finish();
  assertEquals([fixture.engine.state, fixture.engine.haltReason], ["done", undefined]);
});

/** Runs 1,100 rows, one at a time, whose answers are truncated except some. */
async function runTruncated(
  answerOf: (uid: string) => Completion,
  options: Partial<FixtureOptions> = {},
): Promise<{ fixture: Fixture; notices: string[] }> {
  const notices: string[] = [];
  const fixture = new Fixture({
    rows: rowsOf(1_100),
    concurrency: 1,
    isCareful: true,
    params: { max_tokens: 5 },
    teacher: { complete: ({ uid }) => Promise.resolve(answerOf(uid)) },
    onNotice: (notice) => notices.push(notice),
    ...options,
  });
  await fixture.start();
  await fixture.ended;
  return { fixture, notices };
}

const truncated = () => completionOf({ finishReason: "length" });
const PROBLEM = "The answer stopped at the token limit (max_tokens 5)";

Deno.test("Engine gives a notice of 20 useless answers from the start, and halts after 1,000", async () => {
  const { fixture, notices } = await runTruncated(truncated);
  assertEquals(notices, [
    `None of the answers to 20 rows so far could be used, although they may be billed. The last: ${PROBLEM}`,
  ]);
  assertEquals(
    fixture.engine.haltReason,
    `None of the answers to 1,000 rows so far could be used, although they may be billed. The last: ${PROBLEM}` +
      ". To send all rows anyway, add --no-careful-start",
  );
  assertEquals(fixture.outcomes.length, 1_000);
});

for (
  const [what, answerOf, options] of [
    ["one answer was used", (uid) => uid === "9" ? completionOf() : truncated(), {}],
    ["a check has rejected a whole answer", (uid) => uid === "9" ? completionOf() : truncated(), {
      policy: new AnswerPolicy({
        onTruncated: "error",
        checks: [() => "wrong"],
        params: { max_tokens: 5 },
      }),
    }],
    [
      "the model has refused in a whole answer",
      (uid) => uid === "9" ? completionOf({ response: "I can't help with that." }) : truncated(),
      {
        policy: new AnswerPolicy({
          onTruncated: "error",
          isRefusal: (text) => text.startsWith("I can't"),
          checks: [],
          params: { max_tokens: 5 },
        }),
      },
    ],
    ["earlier rows were answered with these settings", truncated, { isProven: true }],
  ] as [string, (uid: string) => Completion, Partial<FixtureOptions>][]
) {
  Deno.test(`Engine counts no useless answers once ${what}`, async () => {
    const { fixture, notices } = await runTruncated(answerOf, options);
    assertEquals([fixture.engine.state, notices], ["done", []]);
  });
}

Deno.test("Engine counts empty answers with tokens as useless", async () => {
  const empty = completionOf({ response: "", usage: { promptTokens: 1, completionTokens: 2 } });
  const { notices } = await runTruncated(() => empty, { rows: rowsOf(30), maxAttempts: 1 });
  assertEquals(notices.map((notice) => notice.slice(0, 30)), ["None of the answers to 20 rows"]);
});

Deno.test("Engine counts a row with several useless answers once", async () => {
  const policy = new AnswerPolicy({ onTruncated: "error", resample: 2, checks: [], params: {} });
  const empty = completionOf({ response: "", usage: { promptTokens: 1, completionTokens: 2 } });
  const some = await runTruncated(() => empty, { rows: rowsOf(19), policy });
  assertEquals([some.fixture.attempts, some.notices], [57, []]);
  const { notices } = await runTruncated(() => empty, { rows: rowsOf(20), policy });
  assertEquals(notices.map((notice) => notice.slice(0, 30)), ["None of the answers to 20 rows"]);
});

Deno.test("Engine sends all rows without a careful start, whose answers are useless", async () => {
  const { fixture, notices } = await runTruncated(truncated, { isCareful: false });
  assertEquals([fixture.engine.state, notices.length], ["done", 1]);
});
