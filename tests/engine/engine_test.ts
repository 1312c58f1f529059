import { assertEquals } from "../../lib/deps/std_assert.ts";
import { TeacherError } from "../../lib/errors.ts";
import { AnswerPolicy } from "../../lib/engine/answers/policy.ts";
import { Engine } from "../../lib/engine/engine.ts";
import { RetryPolicy } from "../../lib/engine/retry_policy.ts";
import { Budget } from "../../lib/engine/answers/budget.ts";
import type { Params, Teacher } from "../../lib/teacher/teacher.ts";
import { FakeClock, settled } from "../support/fake_clock.ts";
import {
  completionOf,
  endpointOf,
  FedSource,
  Fixture,
  rowOf,
  rowsOf,
  SILENT,
} from "./engine_fixture.ts";

Deno.test("Engine.run() ends at once without rows", async () => {
  const fixture = new Fixture({ rows: [] });
  await fixture.start();
  await fixture.ended;
  assertEquals(fixture.outcomes, []);
  assertEquals(fixture.engine.state, "done");
});

Deno.test("Engine.run() sends every row once and delivers every answer", async () => {
  const rows = rowsOf(50);
  const fixture = new Fixture({ rows, concurrency: 3 });
  await fixture.start();
  await fixture.finish();
  const outcomes = fixture.outcomes.toSorted((a, b) => a.sequence - b.sequence);
  assertEquals(outcomes.map(({ row }) => row), rows);
  assertEquals(outcomes.map(({ sequence }) => sequence), rows.map((_, index) => index));
  assertEquals(fixture.attempts, 50);
  assertEquals(fixture.outcomes[0].completion, completionOf());
  assertEquals(fixture.outcomes[0].failure, undefined);
  assertEquals(fixture.outcomes[0].firstFailedAt, undefined);
});

Deno.test("Engine.run() keeps exactly as many calls in flight as there are lanes", async () => {
  const fixture = new Fixture({ rows: rowsOf(40), concurrency: 5 });
  await fixture.start();
  // The first row is the slowest: in-order processing would leave the other lanes idle.
  for (let i = 0; i < 35; i++) {
    assertEquals(fixture.teacher.open.length, 5);
    assertEquals(fixture.engine.inFlight, 5);
    await fixture.teacher.open.findLast(({ request }) => request.uid !== "0")!.answer();
  }
  assertEquals(fixture.teacher.call("0").signal.aborted, false);
  await fixture.finish();
  assertEquals(fixture.teacher.most, 5);
  assertEquals(fixture.engine.inFlight, 0);
});

Deno.test("Engine.run() measures how long the attempts of a row took", async () => {
  using clock = new FakeClock();
  const fixture = new Fixture({ rows: rowsOf(1), now: clock.now });
  await fixture.start();
  await clock.advance(30);
  await fixture.teacher.call("0").refuse(retryable());
  await clock.advance(0);
  await clock.advance(12);
  await fixture.finish();
  const [{ busyMs, latencyMs, attempts }] = fixture.outcomes;
  assertEquals({ busyMs, latencyMs, attempts }, { busyMs: 42, latencyMs: 12, attempts: 2 });
});

Deno.test("Engine.run() holds a lane until the sink has taken its outcome", async () => {
  const taken = Promise.withResolvers<void>();
  const fixture = new Fixture({
    rows: rowsOf(2),
    concurrency: 1,
    sink: { put: () => taken.promise },
  });
  await fixture.start();
  await fixture.teacher.call("0").answer();
  assertEquals(fixture.teacher.uids, []);
  assertEquals(fixture.engine.inFlight, 0);
  taken.resolve();
  await settled();
  assertEquals(fixture.teacher.uids, ["1"]);
  await fixture.finish();
});

Deno.test("Engine.run() passes the messages of the row on unchanged", async () => {
  const row = rowOf("a");
  const fixture = new Fixture({ rows: [row] });
  await fixture.start();
  const { request } = fixture.teacher.call("a");
  assertEquals(request.messages === row.messages, true);
  await fixture.finish();
});

Deno.test("Engine.run() shares the run's parameter object with rows that have none", async () => {
  const params: Params = { temperature: 0.6 };
  const fixture = new Fixture({ rows: rowsOf(2), params });
  await fixture.start();
  for (const { request } of fixture.teacher.open) assertEquals(request.params === params, true);
  await fixture.finish();
});

Deno.test("Engine.run() prefers a row's parameters to those of the run", async () => {
  const params: Params = { temperature: 0.6, top_p: 0.9 };
  const own: Params = { temperature: 1, seed: 7 };
  const fixture = new Fixture({ rows: [rowOf("a", own), rowOf("b")], params });
  await fixture.start();
  assertEquals(fixture.teacher.call("a").request.params, { temperature: 1, top_p: 0.9, seed: 7 });
  assertEquals(fixture.teacher.call("b").request.params, params);
  assertEquals(params, { temperature: 0.6, top_p: 0.9 });
  await fixture.finish();
});

for (
  const [finishReason, response, type] of [
    ["length", "half of an", "truncated"],
    ["content_filter", "", "filtered"],
    ["stop", " \n", "empty"],
  ]
) {
  Deno.test(`Engine.run() keeps the answer that it paid for when it is ${type}`, async () => {
    const fixture = new Fixture({ rows: rowsOf(1) });
    await fixture.start();
    const usage = { promptTokens: 1, completionTokens: 1 };
    await fixture.teacher.call("0").answer({ finishReason, response, usage });
    await fixture.ended;
    const [{ completion, failure, attempts, firstFailedAt }] = fixture.outcomes;
    assertEquals(completion?.response, response);
    assertEquals(failure?.type, type);
    assertEquals(attempts, 1);
    assertEquals(typeof firstFailedAt, "number");
    assertEquals(fixture.failures, [failure!]);
  });
}

Deno.test("Engine.run() accepts a tool call as an answer", async () => {
  const fixture = new Fixture({ rows: rowsOf(1) });
  await fixture.start();
  const toolCalls = [{ id: "1", function: { name: "add", arguments: "{}" } }];
  await fixture.teacher.call("0").answer({ response: "", finishReason: "tool_calls", toolCalls });
  await fixture.ended;
  assertEquals(fixture.outcomes[0].failure, undefined);
  assertEquals(fixture.outcomes[0].completion?.toolCalls, toolCalls);
});

Deno.test("Engine.run() wakes a parked lane when the source yields later", async () => {
  const source = new FedSource();
  const fixture = new Fixture({ source, concurrency: 3 });
  await fixture.start();
  assertEquals(fixture.teacher.uids, []);
  await source.feed(rowsOf(1));
  assertEquals(fixture.teacher.uids, ["0"]);
  await source.feed([rowOf("1"), rowOf("2"), rowOf("3")]);
  assertEquals(fixture.teacher.uids, ["0", "1", "2"]);
  await fixture.teacher.call("1").answer();
  assertEquals(fixture.teacher.uids, ["0", "2", "3"]);
  await source.end();
  await fixture.finish();
  assertEquals(fixture.outcomes.length, 4);
});

Deno.test("Engine.run() continues past empty batches", async () => {
  const source = new FedSource();
  const fixture = new Fixture({ source });
  await fixture.start();
  await source.feed([]);
  await source.feed([]);
  await source.feed(rowsOf(1));
  await source.end();
  await fixture.finish();
  assertEquals(fixture.settledUids, ["0"]);
});

Deno.test("Engine.run() pulls no batch before a lane wants one", async () => {
  const source = new FedSource();
  const fixture = new Fixture({ source, concurrency: 2 });
  await fixture.start();
  await source.feed(rowsOf(3));
  await source.feed([rowOf("x")]);
  assertEquals(fixture.teacher.uids, ["0", "1"]);
  assertEquals(source.pulls, 1);
  await fixture.teacher.call("0").answer();
  assertEquals(source.pulls, 1);
  await fixture.teacher.call("1").answer();
  assertEquals(source.pulls, 2);
  await source.end();
  await fixture.finish();
});

Deno.test("with `readsAhead`, Engine.run() pulls a batch once the first row before it is taken", async () => {
  const source = new FedSource();
  const fixture = new Fixture({ source, concurrency: 2, readsAhead: true });
  await fixture.start();
  await source.feed(rowsOf(3));
  assertEquals(source.pulls, 2);
  await source.feed([rowOf("x")]);
  await fixture.teacher.call("0").answer();
  assertEquals(fixture.teacher.uids, ["1", "2"]);
  assertEquals(source.pulls, 2);
  await source.end();
  await fixture.teacher.call("1").answer();
  await fixture.finish();
  assertEquals(fixture.settledUids.toSorted(), ["0", "1", "2", "x"]);
});

Deno.test("Engine.run() survives 2,000 lanes and 20,000 immediate rows", async () => {
  let most = 0;
  let open = 0;
  const teacher: Teacher = {
    async complete() {
      most = Math.max(most, ++open);
      await undefined;
      open--;
      return completionOf();
    },
  };
  const fixture = new Fixture({ rows: rowsOf(20_000), teacher, concurrency: 2_000 });
  await fixture.start();
  await fixture.ended;
  assertEquals(new Set(fixture.settledUids).size, 20_000);
  assertEquals(fixture.outcomes.length, 20_000);
  assertEquals(most <= 2_000, true);
});

Deno.test("Engine.run() keeps no more than its lanes busy when answers come at random", async () => {
  let seed = 1;
  const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  const fixture = new Fixture({ rows: rowsOf(300), concurrency: 7, maxAttempts: 3 });
  await fixture.start();
  while (!fixture.hasEnded) {
    const { open } = fixture.teacher;
    const call = open[Math.floor(random() * open.length)];
    if (call === undefined) await settled();
    else if (random() < 0.3) await call.refuse(retryable());
    else await call.answer();
  }
  await fixture.ended;
  assertEquals(fixture.teacher.most, 7);
  assertEquals(new Set(fixture.settledUids).size, 300);
  const attempts = fixture.outcomes.reduce((sum, outcome) => sum + outcome.attempts, 0);
  assertEquals(attempts, fixture.teacher.asked.length);
  assertEquals(attempts, fixture.attempts);
});

Deno.test("Engine.run() uses its own clock by default", async () => {
  const outcomes: number[] = [];
  const engine = new Engine({
    source: (async function* () {
      yield rowsOf(1);
    })(),
    teachers: [endpointOf({ complete: () => Promise.resolve(completionOf()) })],
    sink: { put: ({ latencyMs }) => Promise.resolve(void outcomes.push(latencyMs)) },
    listener: SILENT,
    params: {},
    concurrency: 1,
    isExploring: false,
    isCareful: true,
    retryPolicy: new RetryPolicy(),
    policy: new AnswerPolicy({ onTruncated: "error", checks: [], params: {} }),
    budget: new Budget(),
  });
  await engine.run();
  assertEquals(outcomes.length, 1);
  assertEquals(outcomes[0] >= 0 && outcomes[0] < 10_000, true);
});

function retryable() {
  return new TeacherError("Broken", { status: 500 });
}
