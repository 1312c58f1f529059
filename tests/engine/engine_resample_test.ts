import { assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { AnswerPolicy } from "../../lib/engine/answers/policy.ts";
import { Budget } from "../../lib/engine/answers/budget.ts";
import { TeacherError } from "../../lib/errors.ts";
import type { Completion } from "../../lib/teacher/teacher.ts";
import { FakeClock, settled } from "../support/fake_clock.ts";
import { completionOf, Fixture, type FixtureOptions, rowsOf } from "./engine_fixture.ts";

/** One dollar per completion token. */
const priceOf = ({ usage }: Pick<Completion, "usage">) => usage?.completionTokens;
const usage = (completionTokens: number) => ({ promptTokens: 1, completionTokens });

/** Accepts only "yes", with three tries at most. */
function resampling(options: FixtureOptions = {}): Fixture {
  const params = { seed: 7 };
  return new Fixture({
    params,
    policy: new AnswerPolicy({
      onTruncated: "error",
      resample: 2,
      checks: [({ response }) => response === "yes" ? undefined : "It is not yes"],
      params,
    }),
    budget: new Budget({ priceOf }),
    ...options,
  });
}

Deno.test("Engine resends a row whose answer was rejected, with another seed", async () => {
  using clock = new FakeClock();
  const fixture = resampling({ rows: rowsOf(1), now: clock.now });
  await fixture.start();
  const seeds: unknown[] = [];
  for (const [index, response] of ["no", "perhaps", "yes"].entries()) {
    const call = fixture.teacher.call("0");
    seeds.push(call.request.params.seed);
    await call.answer({ response, usage: usage(10 + index) });
    await clock.advance(0);
  }
  await fixture.ended;
  assertEquals(seeds, [7, 1_007, 2_007]);
  const [{ completion, failure, attempts, costUsd }] = fixture.outcomes;
  assertEquals([completion?.response, failure, attempts, costUsd], ["yes", undefined, 3, 33]);
  // The cost of a teacher includes answers that were not accepted.
  assertEquals(fixture.engine.teacherStatuses().map(({ cost_usd }) => cost_usd), [33]);
  assertEquals(
    fixture.failed.map(({ action, failure, completion, isThrottled }) => [
      action,
      failure.type,
      completion?.response,
      isThrottled,
    ]),
    [["retried", "rejected", "no", false], ["retried", "rejected", "perhaps", false]],
  );
  assertEquals(fixture.answered.map(({ response }) => response), ["yes"]);
});

Deno.test("Engine knows no cost of a row once the cost of one of its answers is unknown", async () => {
  // In the teacher's cost, an answer of unknown cost counts as much as the mean of those of known
  // cost, also if it came first.
  for (const counted of [[10, undefined], [undefined, 10]]) {
    using clock = new FakeClock();
    const fixture = resampling({ rows: rowsOf(1), now: clock.now });
    await fixture.start();
    for (const [index, tokens] of counted.entries()) {
      const response = ["no", "yes"][index];
      const answered = tokens === undefined ? null : usage(tokens);
      await fixture.teacher.call("0").answer({ response, usage: answered });
      await clock.advance(0);
    }
    await fixture.ended;
    assertEquals(fixture.outcomes.map(({ costUsd }) => costUsd), [null]);
    const costs = fixture.engine.teacherStatuses().map(({ cost_usd }) => cost_usd);
    assertEquals(costs, [20]);
  }
});

Deno.test("Engine says of an answer as long as its token limit that it was truncated", async () => {
  const fixture = new Fixture({
    rows: rowsOf(2),
    onTruncated: "keep",
    params: { max_tokens: 5 },
  });
  await fixture.start();
  for (const [uid, tokens] of [["0", 5], ["1", 4]] as const) {
    await fixture.teacher.call(uid).answer({ finishReason: "stop", usage: usage(tokens) });
  }
  await fixture.ended;
  assertEquals(fixture.outcomes.map(({ ending, failure }) => [ending, failure]), [
    ["limit", undefined],
    ["whole", undefined],
  ]);
});

Deno.test("Engine fails a row whose answers were all rejected, with the last one", async () => {
  using clock = new FakeClock();
  const fixture = resampling({ rows: rowsOf(1), now: clock.now });
  await fixture.start();
  for (const response of ["a", "b", "c"]) {
    await fixture.teacher.call("0").answer({ response, usage: usage(1) });
    await clock.advance(0);
  }
  await fixture.ended;
  const [{ completion, failure, attempts, costUsd, firstFailedAt }] = fixture.outcomes;
  assertEquals([completion?.response, failure?.type, attempts, costUsd], ["c", "rejected", 3, 3]);
  assertEquals(failure?.message, "It is not yes");
  assertEquals(typeof firstFailedAt, "number");
  assertEquals(fixture.failed.map(({ action }) => action), ["retried", "retried", "failed"]);
  assertEquals(fixture.answered, []);
});

Deno.test("Engine keeps a rejected answer with the failure of a later attempt", async () => {
  using clock = new FakeClock();
  const fixture = resampling({ rows: rowsOf(1), maxAttempts: 1, now: clock.now });
  await fixture.start();
  await fixture.teacher.call("0").answer({ response: "no" });
  await clock.advance(0);
  await fixture.teacher.call("0").refuse(new TeacherError("Broken", { status: 500 }));
  await fixture.ended;
  const [{ completion, failure }] = fixture.outcomes;
  assertEquals([completion?.response, failure?.type], ["no", "server"]);
});

Deno.test("Engine resends a row whose answer was cut off with twice the token limit", async () => {
  using clock = new FakeClock();
  const params = { max_tokens: 100, temperature: 0 };
  const fixture = new Fixture({
    rows: rowsOf(1),
    params,
    policy: new AnswerPolicy({
      onTruncated: "escalate",
      maxTokensCap: 300,
      checks: [],
      params,
    }),
    now: clock.now,
  });
  await fixture.start();
  const limits: unknown[] = [];
  while (!fixture.hasEnded) {
    const call = fixture.teacher.call("0");
    limits.push(call.request.params.max_tokens);
    await call.answer({ response: "half of", finishReason: "length" });
    await clock.advance(0);
  }
  await fixture.ended;
  assertEquals(limits, [100, 200, 300]);
  assertEquals(params.max_tokens, 100);
  assertEquals(fixture.outcomes[0].failure?.type, "truncated");
  assertEquals(fixture.failed.map(({ completion }) => completion !== undefined), [
    true,
    true,
    true,
  ]);
});

Deno.test("Engine waits for a slow check without holding a slot at the teacher", async () => {
  const checked = Promise.withResolvers<string | undefined>();
  const fixture = new Fixture({
    rows: rowsOf(2),
    concurrency: 2,
    policy: new AnswerPolicy({
      onTruncated: "error",
      checks: [(_, { uid }) => uid === "0" ? checked.promise : undefined],
      params: {},
    }),
  });
  await fixture.start();
  await fixture.teacher.call("0").answer();
  // The answer that is being checked counts: it is paid for but not written.
  assertEquals([fixture.engine.inFlight, fixture.outcomes.length], [2, 0]);
  await fixture.teacher.call("1").answer();
  assertEquals(fixture.settledUids, ["1"]);
  assertEquals(fixture.hasEnded, false);
  checked.resolve("Wrong");
  await fixture.ended;
  assertEquals(fixture.outcomes[1].failure?.message, "Wrong");
});

Deno.test("Engine halts when the budget is used up, and calls in flight finish", async () => {
  const fixture = new Fixture({
    rows: rowsOf(20),
    concurrency: 4,
    budget: new Budget({ priceOf, maxCostUsd: 10 }),
  });
  await fixture.start();
  await fixture.teacher.call("0").answer({ usage: usage(4) });
  assertEquals(fixture.teacher.open.length, 4);
  await fixture.teacher.call("1").answer({ usage: usage(6) });
  assertEquals(fixture.engine.state, "draining");
  assertEquals(fixture.teacher.open.length, 3);
  assertStringIncludes(fixture.engine.haltReason!, "--max-cost");
  while (fixture.teacher.open.length > 0) {
    await fixture.teacher.open[0].answer({ usage: usage(5) });
  }
  await fixture.ended;
  assertEquals(fixture.teacher.asked.length, 5);
  assertEquals(fixture.outcomes.length, 5);
  assertEquals(fixture.outcomes.reduce((sum, { costUsd }) => sum + costUsd!, 0), 25);
  assertEquals(fixture.engine.state, "halted");
});

Deno.test("Engine keeps the answer of a row that it may not resend because the budget is used up", async () => {
  const fixture = resampling({
    keeps: true,
    rows: rowsOf(2),
    concurrency: 1,
    budget: new Budget({ priceOf, maxCostUsd: 5 }),
  });
  await fixture.start();
  await fixture.teacher.call("0").answer({ response: "no", usage: usage(5) });
  await fixture.ended;
  const [{ failure, completion, next }] = fixture.kept;
  assertEquals([failure?.type, completion?.response], ["rejected", "no"]);
  assertEquals(next, { resample: 1, maxTokens: undefined });
  assertEquals(fixture.outcomes, []);
  assertEquals(fixture.failed.map(({ action }) => action), ["halted"]);
});

Deno.test("Engine resends a row only once the sink has taken the rejected answer", async () => {
  const written = Promise.withResolvers<void>();
  const steps: string[] = [];
  const fixture = resampling({
    rows: rowsOf(1),
    sink: {
      put: ({ completion }) => {
        steps.push(`put ${completion?.response}`);
        return Promise.resolve();
      },
      keep: ({ completion }) => {
        steps.push(`keep ${completion?.response}`);
        return written.promise;
      },
    },
    onAttempt: (unwritten) => void steps.push(`attempt ${unwritten}`),
  });
  await fixture.start();
  await fixture.teacher.call("0").answer({ response: "no" });
  assertEquals([fixture.teacher.open.length, fixture.engine.inFlight], [0, 0]);
  assertEquals(fixture.engine.unwritten, 1);
  written.resolve();
  await settled();
  await fixture.teacher.call("0").answer({ response: "yes" });
  await fixture.ended;
  assertEquals(steps, ["attempt 1", "keep no", "attempt 1", "put yes"]);
});

Deno.test("Engine keeps answers that came before the teacher refused all rows", async () => {
  const fixture = resampling({ rows: rowsOf(1), keeps: true });
  await fixture.start();
  const partial = completionOf({ response: "half of an", finishReason: "" });
  const error = new TeacherError("No credit left", { status: 402, partial });
  await fixture.teacher.call("0").refuse(error);
  await fixture.ended;
  assertEquals(fixture.kept.map(({ completion }) => completion), [partial]);
  assertEquals([fixture.outcomes, fixture.engine.state], [[], "halted"]);
});

Deno.test("Engine gives a sink that keeps no answers the last answer of each row that stays pending", async () => {
  const fixture = resampling({ rows: rowsOf(2), concurrency: 1 });
  await fixture.start();
  fixture.engine.closeGate("pause");
  await fixture.teacher.call("0").answer({ response: "no", usage: usage(5) });
  assertEquals([fixture.outcomes.length, fixture.engine.waiting], [0, 1]);
  fixture.engine.stop();
  await fixture.ended;
  const [{ row, failure, completion, next }] = fixture.outcomes;
  assertEquals([row.uid, failure?.type, completion?.response], ["0", "rejected", "no"]);
  assertEquals([next?.resample, fixture.outcomes.length], [1, 1]);
});

Deno.test("Engine writes the partial answer of a rejected row at once, while it is held back", async () => {
  const fixture = resampling({ rows: rowsOf(2), keeps: true });
  await fixture.start();
  const partial = completionOf({ response: "half of an", finishReason: "" });
  const error = new TeacherError("No such field", { status: 400, retryable: false, partial });
  await fixture.teacher.call("0").refuse(error);
  assertEquals(fixture.outcomes, []);
  assertEquals(fixture.kept.map(({ completion }) => completion), [partial]);
  await fixture.finish();
  const failed = fixture.outcomes.find(({ row }) => row.uid === "0")!;
  assertEquals([failed.failure?.type, failed.completion], ["request", partial]);
});
