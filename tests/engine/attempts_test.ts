import { assertEquals, assertGreater, assertMatch } from "../../lib/deps/std_assert.ts";
import { Silence } from "../../lib/engine/engine_state.ts";
import { AnswerPolicy } from "../../lib/engine/answers/policy.ts";
import { Attempts, type AttemptsOptions } from "../../lib/engine/attempts.ts";
import { Endpoint } from "../../lib/engine/flow/endpoint.ts";
import { RetryPolicy } from "../../lib/engine/retry_policy.ts";
import { Budget } from "../../lib/engine/answers/budget.ts";
import { type AttemptResult, Work } from "../../lib/engine/work.ts";
import { TeacherError } from "../../lib/errors.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { seededRandom } from "../support/simulated_load.ts";
import {
  completionOf,
  endpointOf,
  FakeTeacher,
  Fixture,
  rowOf,
  rowsOf,
  SILENT,
} from "./engine_fixture.ts";

function poolOf(soonestMs: AttemptsOptions["pool"]["soonestMs"]): AttemptsOptions["pool"] {
  return { soonestMs, hasSeveral: false, areOthersAbsent: true };
}

/** Attempts at one teacher, without an engine, and their events in order. */
function attemptsOf(options: Partial<AttemptsOptions> = {}) {
  const told: string[] = [];
  const teacher = new FakeTeacher();
  const endpoint = new Endpoint(endpointOf(teacher), {
    concurrency: 9,
    isExploring: false,
    isCareful: false,
    now: () => 0,
    wallClock: () => 0,
    random: () => 0,
  });
  const attempts = new Attempts({
    listener: {
      ...SILENT,
      attempt: () => told.push("attempt"),
      attemptAnswered: () => told.push("answered"),
      attemptFailed: ({ action }) => told.push(action),
      rowReleased() {},
    },
    pool: poolOf((waits) => Math.max(...waits.values())),
    policy: new AnswerPolicy({ onTruncated: "error", checks: [], params: {} }),
    budget: new Budget(),
    retryPolicy: new RetryPolicy({ random: () => 0 }),
    silence: new Silence(() => 0),
    isCareful: true,
    now: () => 0,
    rowNow: () => 0,
    signal: new AbortController().signal,
    onEnd: () => told.push("end"),
    onHalt: () => told.push("halt"),
    onSendAgain: () => {},
    onEndpointHalt: () => told.push("endpoint halt"),
    unfinishedAction: () => told.includes("halt") ? "halted" : "retried",
    ...options,
  });
  const workOf = (uid: string): Work => {
    const work = new Work(rowOf(uid), 0, {});
    work.endpoint = endpoint;
    work.takeSlot();
    return work;
  };
  return { attempts, teacher, endpoint, told, workOf };
}

Deno.test("Attempts.make() returns the outcome of a row that was answered", async () => {
  const { attempts, teacher, endpoint, told, workOf } = attemptsOf();
  const work = workOf("a");
  const made = attempts.make(work);
  assertEquals([attempts.inFlight, endpoint.inFlight], [1, 1]);
  await teacher.call("a").answer({ response: "yes" });
  const result = await made;
  assertEquals(result.kind === "answered" && result.outcome.completion?.response, "yes");
  assertEquals([attempts.inFlight, endpoint.inFlight], [0, 0]);
  assertEquals(told, ["attempt", "end", "answered"]);
});

Deno.test("Attempts.make() counts the cost of a partial answer, which may use up the budget", async () => {
  const budget = new Budget({ priceOf: () => 2, maxCostUsd: 2 });
  const { attempts, teacher, told, workOf } = attemptsOf({ budget });
  const work = workOf("a");
  const made = attempts.make(work);
  const partial = completionOf({ response: "half of" });
  await teacher.call("a").refuse(new TeacherError("It broke", { type: "network", partial }));
  await made;
  assertEquals([work.costUsd, budget.costUsd, told.includes("halt")], [2, 2, true]);
});

Deno.test("Attempts.make() halts a teacher after twenty rejected rows once it has answered one", async () => {
  const { attempts, teacher, told, workOf } = attemptsOf();
  const answered = attempts.make(workOf("a"));
  await teacher.call("a").answer();
  await answered;
  for (let i = 1; i <= 20; i++) {
    const made = attempts.make(workOf(String(i)));
    await teacher.call(String(i)).refuse(new TeacherError("No such field", { status: 400 }));
    await made;
    assertEquals(told.includes("endpoint halt"), i === 20, String(i));
  }
});

Deno.test("Attempts.make() says when the next attempt is due, or that there is none", async () => {
  const { attempts, teacher, workOf } = attemptsOf();
  const work = workOf("a");
  const first = attempts.make(work);
  await teacher.call("a").refuse(new TeacherError("Later", { status: 500, retryAfterMs: 700 }));
  assertEquals([dueOf(await first), work.faults, work.waits], [700, 1, 1]);
  work.takeSlot();
  const second = attempts.make(work);
  await teacher.call("a").refuse(new TeacherError("Bad key", { status: 401 }));
  assertEquals([dueOf(await second), work.faults], [0, 1]);
});

function dueOf(result: AttemptResult): number | undefined {
  return result.kind === "retry" ? result.delayMs : undefined;
}

Deno.test("Attempts.make() delays a row as long as its teacher asks, unless another one has room", async () => {
  for (const [soonestMs, dueInMs] of [[900, 900], [300, 300], [0, 0]]) {
    const { attempts, teacher, workOf } = attemptsOf({ pool: poolOf(() => soonestMs) });
    const made = attempts.make(workOf("a"));
    await teacher.call("a").refuse(new TeacherError("Slow", { status: 429, retryAfterMs: 900 }));
    assertEquals(dueOf(await made), dueInMs);
  }
});

Deno.test("Attempts.make() frees the teacher's slot only once it is known what follows", async () => {
  const { attempts, teacher, told, workOf } = attemptsOf({
    budget: new Budget({ maxCompletionTokens: 5 }),
  });
  const answered = attempts.make(workOf("a"));
  await teacher.call("a").answer({ usage: { promptTokens: 1, completionTokens: 5 } });
  await answered;
  assertEquals(told.splice(0), ["attempt", "halt", "end", "answered"]);
  const refused = attempts.make(workOf("b"));
  await teacher.call("b").refuse(new TeacherError("Bad key", { status: 401 }));
  await refused;
  assertEquals(told.splice(0), ["attempt", "endpoint halt", "halted", "end"].with(2, "retried"));
});

Deno.test("Attempts.make() reports nothing for an aborted attempt", async () => {
  const calls = new AbortController();
  const { attempts, endpoint, told, workOf } = attemptsOf({ signal: calls.signal });
  const made = attempts.make(workOf("a"));
  calls.abort();
  assertEquals(await made, { kind: "pending" });
  assertEquals([attempts.inFlight, endpoint.inFlight], [0, 0]);
  assertEquals(told.filter((word) => word !== "end"), ["attempt"]);
});

Deno.test("Attempts counts throttled attempts and faults separately, and neither halts nor connections", async () => {
  const { attempts, teacher, endpoint, workOf } = attemptsOf();
  const work = workOf("a");
  endpoint.abandoned();
  const errors = [
    new TeacherError("Slow", { status: 429 }),
    new TeacherError("Broken", { status: 500 }),
    new TeacherError("Too slow", { type: "timeout" }),
    new TeacherError("Refused", { type: "network", isUnreachable: true }),
    new TeacherError("Bad key", { status: 401 }),
  ];
  for (const error of errors) {
    work.takeSlot();
    const made = attempts.make(work);
    await teacher.call("a").refuse(error);
    await made;
  }
  const { throttled, faults, timeouts, waits } = work;
  assertEquals({ throttled, faults, timeouts, waits, attempts: work.attempts }, {
    throttled: 1,
    faults: 2,
    timeouts: 1,
    waits: 4,
    attempts: 5,
  });
});

Deno.test("Attempts reports each attempt once, whatever its outcome", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    using clock = new FakeClock();
    const random = seededRandom(seed);
    const fixture = new Fixture({
      rows: rowsOf(150),
      concurrency: 12,
      teachers: [endpointOf(new FakeTeacher()), endpointOf(new FakeTeacher())].slice(seed % 2),
      policy: new AnswerPolicy({
        onTruncated: "escalate",
        resample: 1,
        checks: [
          ({ response }) => response === "bad" ? "Bad" : undefined,
          ({ response }) => Promise.resolve(response === "worse" ? "Worse" : undefined),
        ],
        params: { max_tokens: 10 },
      }),
      params: { max_tokens: 10 },
      rowTimeoutMs: 20_000,
      random,
      now: clock.now,
    });
    const opened = new Map<string, number>();
    let aborted = 0;
    const teachers = fixture.teachers as FakeTeacher[];
    await fixture.start();
    for (let step = 0; !fixture.hasEnded; step++) {
      const open = teachers.flatMap((teacher) => teacher.open);
      const call = open[Math.floor(random() * open.length)];
      if (step === 250) {
        aborted = open.length;
        fixture.engine.abort();
      } else if (call === undefined) {
        await clock.advance(500);
      } else {
        const { uid } = call.request;
        opened.set(uid, (opened.get(uid) ?? 0) + 1);
        await ENDINGS[Math.floor(random() * ENDINGS.length)](call);
      }
      await clock.advance(random() * 300);
    }
    await fixture.ended;
    const told = fixture.answered.length + fixture.failed.length;
    assertEquals(fixture.attempts, told + aborted);
    assertGreater(told, 100);
    const failedOf = (uid: string) => fixture.failed.filter((one) => one.uid === uid).length;
    for (const { row, attempts, failure, next } of fixture.outcomes) {
      // The last attempt of a row that is pending may have been aborted.
      if (next !== undefined) continue;
      assertEquals(attempts, opened.get(row.uid));
      assertEquals(failedOf(row.uid), failure === undefined ? attempts - 1 : attempts);
    }
    assertEquals(new Set(fixture.settledUids).size, fixture.outcomes.length);
    const inFlight = fixture.engine.teacherStatuses().map(({ in_flight }) => in_flight);
    assertEquals(inFlight, teachers.map(() => 0));
    assertEquals([clock.pendingTimers, clock.pendingIntervals], [0, 0]);
  }
});

type Ending = (call: FakeTeacher["open"][number]) => Promise<void>;
const refuse = (options: ConstructorParameters<typeof TeacherError>[1]): Ending => (call) =>
  call.refuse(new TeacherError(`No: ${options?.status} ${call.request.uid}`, options));
const ENDINGS: readonly Ending[] = [
  ...Array<Ending>(6).fill((call) => call.answer()),
  (call) => call.answer({ response: "bad" }),
  (call) => call.answer({ response: "worse" }),
  (call) => call.answer({ finishReason: "length" }),
  refuse({ status: 500 }),
  refuse({ status: 503 }),
  refuse({ status: 429, retryAfterMs: 300 }),
  refuse({ status: 400 }),
  refuse({ type: "timeout" }),
  refuse({ type: "network", isUnreachable: true }),
  (call) => call.refuse(new TypeError(`x of ${call.request.uid} is not a function`)),
];

Deno.test("Attempts say that a teacher answers as another model than in an earlier run", async () => {
  for (const before of ["large", "small", undefined]) {
    const notices: string[] = [];
    const { attempts, teacher, workOf } = attemptsOf({
      onNotice: (text) => notices.push(text),
      lastModelOf: () => before,
    });
    for (const uid of ["a", "b"]) {
      const made = attempts.make(workOf(uid));
      await teacher.open[0].answer({ model: "small" });
      await made;
    }
    assertEquals(notices.length, before === "large" ? 1 : 0);
    if (before === "large") assertMatch(notices[0], /as the model "small" instead of "large"/);
  }
});

Deno.test("Attempts say once that a teacher answers as another model, but not of rows that name theirs", async () => {
  const notices: string[] = [];
  const { attempts, teacher, workOf } = attemptsOf({ onNotice: (text) => notices.push(text) });
  const answer = async (uid: string, model: string, asked?: string) => {
    const work = workOf(uid);
    const row = { ...work.row, ...asked !== undefined && { params: { model: asked } } };
    const made = attempts.make(Object.assign(work, { row }));
    await teacher.open[0].answer({ model });
    await made;
  };
  await answer("a", "large");
  await answer("b", "other", "other");
  await answer("c", "");
  assertEquals(notices, []);
  for (const uid of ["d", "e"]) await answer(uid, "small");
  await answer("f", "large");
  assertEquals(notices.length, 1);
  assertMatch(notices[0], /now answers as the model "small" instead of "large"/);
  await answer("g", "it's");
  await answer("h", "last");
  assertMatch(notices[2], /To export .+ --where 'model_returned == "it'\\''s"'$/);
});
