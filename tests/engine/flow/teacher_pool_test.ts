/** Which of several teachers is sent the next attempt, and when. @module */

import { assert, assertAlmostEquals, assertEquals } from "../../../lib/deps/std_assert.ts";
import type { Endpoint } from "../../../lib/engine/flow/endpoint.ts";
import { TeacherPool, type TeacherPoolOptions } from "../../../lib/engine/flow/teacher_pool.ts";
import { classify } from "../../../lib/engine/errors/classify.ts";
import { TeacherError } from "../../../lib/errors.ts";
import type { Teacher } from "../../../lib/teacher/teacher.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { seededRandom } from "../../support/simulated_load.ts";
import { completionOf, endpointOf } from "../engine_fixture.ts";

function teacherOf(address: string): Teacher {
  return { address, complete: () => Promise.reject(new Error("No one asks")) };
}

const A = teacherOf("a"), B = teacherOf("b");
/** Nothing is left of a limit. */
const later = (retryAfterMs: number) =>
  new TeacherError("Later", { status: 429, retryAfterMs, isExhausted: true });

function fleetOf(options: Partial<TeacherPoolOptions> = {}): TeacherPool {
  return new TeacherPool({
    teachers: [endpointOf(A), endpointOf(B)],
    concurrency: 20,
    isExploring: false,
    isCareful: false,
    now: () => 0,
    wallClock: () => 0,
    random: () => 0,
    onReady: () => {},
    onTick: () => {},
    ...options,
  });
}

/** Sends one attempt; gives who got it. */
function send(pool: TeacherPool, preferred?: Endpoint): Endpoint {
  const endpoint = pool.pick(preferred)!;
  endpoint.take();
  return endpoint;
}

const FIRST = { ticket: 1, startedAt: 0 };

function fail(endpoint: Endpoint, error: TeacherError): void {
  endpoint.failed(FIRST, error, classify(error), true);
}

for (const concurrency of [1, 2, 3, 4, 7, 10, 20, 41]) {
  for (const [weightA, weightB] of [[3, 1], [1, 1], [0.2, 0.5]]) {
    Deno.test(`load is shared as ${weightA} to ${weightB} with ${concurrency} in flight`, () => {
      const pool = fleetOf({
        concurrency,
        teachers: [
          endpointOf(A, { weight: weightA }),
          endpointOf(B, { weight: weightB }),
        ],
      });
      const random = seededRandom();
      const inFlight: Endpoint[] = [];
      for (let attempt = 0; attempt < 4_000; attempt++) {
        inFlight.push(send(pool));
        if (inFlight.length < concurrency) continue;
        const [ended] = inFlight.splice(Math.floor(random() * inFlight.length), 1);
        ended.answered(FIRST, completionOf());
      }
      const [toA, toB] = pool.statuses().map(({ answered }) => answered);
      assertAlmostEquals(toA / (toA + toB), weightA / (weightA + weightB), 0.02);
    });
  }
}

Deno.test("more goes to the teacher that is quicker, not to the one that answers last", () => {
  const pool = fleetOf();
  const [slow] = [send(pool)];
  const quick = send(pool);
  assert(slow !== quick);
  while (slow.inFlight < 10) send(pool);
  for (let attempt = 0; attempt < 50; attempt++) {
    while (quick.inFlight > 0) quick.answered(FIRST, completionOf());
    assert(send(pool) === quick);
  }
});

Deno.test("a row stays with the preferred teacher while that may be asked", () => {
  const pool = fleetOf({ teachers: [endpointOf(A, { maxConcurrency: 3 }), endpointOf(B)] });
  const first = send(pool);
  assertEquals(first.teacher, A);
  assert(send(pool, first) === first);
  assert(send(pool, first) === first);
  assertEquals(send(pool, first).teacher, B);
});

Deno.test("no teacher is picked when all are busy, and no timer runs then", () => {
  using clock = new FakeClock();
  const pool = fleetOf({ concurrency: 2, now: clock.now });
  for (let attempt = 0; attempt < 4; attempt++) send(pool);
  assertEquals(pool.pick(), undefined);
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("a lane is called when the first teacher may be asked again", async () => {
  using clock = new FakeClock();
  const ready: number[] = [];
  const pool = fleetOf({ now: clock.now, onReady: () => ready.push(clock.now()) });
  const [a, b] = [send(pool), send(pool)];
  fail(a, later(5_000));
  assert(pool.pick() === b);
  assertEquals(clock.pendingTimers, 0);
  fail(b, later(3_000));
  assertEquals(pool.pick(), undefined);
  assertEquals(pool.pick(), undefined);
  assertEquals(clock.pendingTimers, 1);
  await clock.advance(2_999);
  assertEquals(ready, []);
  await clock.advance(1);
  assertEquals(ready, [3_000]);
  assert(pool.pick() === b);
  pool.close();
});

Deno.test("a lane is called sooner where another teacher is ready sooner", async () => {
  using clock = new FakeClock();
  const ready: number[] = [];
  const pool = fleetOf({
    teachers: [endpointOf(A), endpointOf(B, { maxConcurrency: 1 })],
    now: clock.now,
    onReady: () => ready.push(clock.now()),
  });
  const [a, b] = [send(pool), send(pool)];
  fail(a, later(8_000));
  assertEquals(pool.pick(), undefined);
  fail(b, later(3_000));
  assertEquals(pool.pick(), undefined);
  assertEquals(clock.pendingTimers, 1);
  await clock.advance(3_000);
  assertEquals(ready, [3_000]);
  pool.close();
});

Deno.test("a lane is called again where it takes longer than it was said at first", async () => {
  using clock = new FakeClock();
  const ready: number[] = [];
  const pool = fleetOf({
    teachers: [endpointOf(A)],
    now: clock.now,
    onReady: () => ready.push(clock.now()),
  });
  const endpoint = send(pool);
  send(pool);
  fail(endpoint, later(3_000));
  pool.pick();
  fail(endpoint, later(8_000));
  await clock.advance(3_000);
  assertEquals(ready, [3_000]);
  assertEquals(pool.pick(), undefined);
  await clock.advance(60_000);
  assertEquals(ready, [3_000, 8_000]);
});

Deno.test("users are told until when all teachers rest, and why", () => {
  let now = 0;
  const pool = fleetOf({ now: () => now, wallClock: () => 1_000_000 + now });
  const [a, b] = [send(pool), send(pool)];
  assertEquals(pool.rest, undefined);
  fail(a, later(5_000));
  assertEquals(pool.rest, undefined);
  const overloaded = { status: 529, retryAfterMs: 9_000, isExhausted: true };
  fail(b, new TeacherError("Overloaded", overloaded));
  assertEquals(pool.rest, { until: 1_005_000, inMs: 5_000, reason: "429: Later" });
  now = 5_000;
  assertEquals(pool.rest, undefined);
  a.halt("The key is wrong");
  assertEquals(pool.rest, { until: 1_009_000, inMs: 4_000, reason: "529: Overloaded" });
  assertEquals(pool.isHalted, false);
  b.halt("No credit");
  assertEquals(pool.rest, undefined);
  assertEquals(pool.isHalted, true);
});

Deno.test("a halted teacher gets nothing and counts for no limit", () => {
  const pool = fleetOf();
  assertEquals(pool.limit, 40);
  const halted = send(pool);
  halted.halt("The key is wrong");
  assertEquals(pool.limit, 20);
  for (let attempt = 0; attempt < 20; attempt++) assert(send(pool) !== halted);
  assertEquals(pool.pick(), undefined);
});

Deno.test("another concurrency changes the limits of all, each up to its own", () => {
  const pool = fleetOf({ teachers: [endpointOf(A, { maxConcurrency: 8 }), endpointOf(B)] });
  assertEquals(pool.limit, 28);
  pool.setConcurrency(50);
  assertEquals(pool.limit, 58);
  pool.setConcurrency(2);
  assertEquals(pool.limit, 4);
});

Deno.test("a teacher that joins takes the same share of its rate limit as the others", () => {
  let now = 0;
  const pool = fleetOf({ teachers: [endpointOf(A, { rpm: 60 })], now: () => now });
  pool.setRateShare(0.1);
  pool.add(endpointOf(B, { rpm: 60 }));
  const sent = new Map<Teacher, number>();
  for (; now < 60_000; now += 100) {
    const endpoint = pool.pick();
    if (endpoint === undefined) continue;
    endpoint.take();
    endpoint.answered({ ticket: endpoint.attempts, startedAt: now }, completionOf());
    sent.set(endpoint.teacher, (sent.get(endpoint.teacher) ?? 0) + 1);
  }
  pool.close();
  assertEquals([sent.get(A), sent.get(B)], [6, 6]);
});

Deno.test("limits are updated ten times a second while the pool is open, and no timer stays behind", async () => {
  using clock = new FakeClock();
  let ticks = 0;
  const pool = fleetOf({ teachers: [endpointOf(A)], now: clock.now, onTick: () => ticks++ });
  pool.open();
  pool.open();
  await clock.advance(1_000);
  assertEquals(ticks, 10);
  fail(send(pool), later(60_000));
  pool.pick();
  assertEquals(clock.pendingTimers, 1);
  pool.close();
  assertEquals([clock.pendingTimers, clock.pendingIntervals], [0, 0]);
});

Deno.test("a lane is called when time has raised a limit", async () => {
  using clock = new FakeClock();
  let ready = 0;
  const pool = fleetOf({
    teachers: [endpointOf(A)],
    isCareful: true,
    now: clock.now,
    onReady: () => ready++,
  });
  pool.open();
  send(pool);
  await clock.advance(9_900);
  assertEquals([pool.limit, ready], [1, 0]);
  await clock.advance(200);
  assertEquals([pool.limit, ready], [2, 1]);
  pool.close();
});

Deno.test("a teacher is probed that is down although more hangs there than its share", () => {
  let now = 0;
  const pool = fleetOf({ now: () => now });
  const sent = Array.from({ length: 30 }, () => send(pool));
  const [inA, inB] = [A, B].map((teacher) => sent.filter((one) => one.teacher === teacher));
  for (let i = 0; i < 3; i++) {
    fail(inA[i], new TeacherError("No one listens", { type: "network", isUnreachable: true }));
  }
  assertEquals([inA[0].isDown, inA[0].inFlight], [true, 12]);
  for (const endpoint of inB.slice(5)) endpoint.answered(FIRST, completionOf());
  assertEquals(send(pool).teacher, B);
  now = 2_000;
  assertEquals(send(pool).teacher, A);
  assertEquals(send(pool).teacher, B);
});
