import { assert, assertAlmostEquals, assertEquals } from "../../lib/deps/std_assert.ts";
import type { Channel } from "../../lib/engine/channel.ts";
import { Fleet, type FleetOptions } from "../../lib/engine/fleet.ts";
import { judge } from "../../lib/engine/judgement.ts";
import { TeacherError } from "../../lib/errors.ts";
import type { Teacher } from "../../lib/teacher/teacher.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { seededRandom } from "../support/simulated_load.ts";
import { channelOf, completionOf } from "./engine_fixture.ts";

function teacherOf(address: string): Teacher {
  return { address, complete: () => Promise.reject(new Error("Nobody asks")) };
}

const A = teacherOf("a"), B = teacherOf("b");
const later = (retryAfterMs: number) => new TeacherError("Later", { status: 429, retryAfterMs });

function fleetOf(options: Partial<FleetOptions> = {}): Fleet {
  return new Fleet({
    teachers: [channelOf(A), channelOf(B)],
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
function send(fleet: Fleet, preferred?: Channel): Channel {
  const channel = fleet.pick(preferred)!;
  channel.take();
  return channel;
}

function fail(channel: Channel, error: TeacherError): void {
  channel.failed(0, error, judge(error), true);
}

for (const concurrency of [1, 2, 3, 4, 7, 10, 20, 41]) {
  for (const [weightA, weightB] of [[3, 1], [1, 1], [0.2, 0.5]]) {
    Deno.test(`Fleet shares load as ${weightA} to ${weightB} with ${concurrency} in flight`, () => {
      const fleet = fleetOf({
        concurrency,
        teachers: [
          channelOf(A, { weight: weightA }),
          channelOf(B, { weight: weightB }),
        ],
      });
      const random = seededRandom();
      const inFlight: Channel[] = [];
      for (let attempt = 0; attempt < 4_000; attempt++) {
        inFlight.push(send(fleet));
        if (inFlight.length < concurrency) continue;
        const [ended] = inFlight.splice(Math.floor(random() * inFlight.length), 1);
        ended.answered(0, 0, completionOf());
      }
      const [toA, toB] = fleet.statuses().map(({ answered }) => answered);
      assertAlmostEquals(toA / (toA + toB), weightA / (weightA + weightB), 0.02);
    });
  }
}

Deno.test("Fleet gives more to the teacher that is quicker, not to the one that answers last", () => {
  const fleet = fleetOf();
  const [slow] = [send(fleet)];
  const quick = send(fleet);
  assert(slow !== quick);
  while (slow.inFlight < 10) send(fleet);
  for (let attempt = 0; attempt < 50; attempt++) {
    while (quick.inFlight > 0) quick.answered(0, 0, completionOf());
    assert(send(fleet) === quick);
  }
});

Deno.test("Fleet.pick() stays with the preferred teacher while that may be asked", () => {
  const fleet = fleetOf({ teachers: [channelOf(A, { maxConcurrency: 3 }), channelOf(B)] });
  const first = send(fleet);
  assertEquals(first.teacher, A);
  assert(send(fleet, first) === first);
  assert(send(fleet, first) === first);
  assertEquals(send(fleet, first).teacher, B);
});

Deno.test("Fleet.pick() gives nobody when all are busy, and waits for no time then", () => {
  using clock = new FakeClock();
  const fleet = fleetOf({ concurrency: 2, now: clock.now });
  for (let attempt = 0; attempt < 4; attempt++) send(fleet);
  assertEquals(fleet.pick(), undefined);
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("Fleet.pick() calls back when the first teacher may be asked again", async () => {
  using clock = new FakeClock();
  const ready: number[] = [];
  const fleet = fleetOf({ now: clock.now, onReady: () => ready.push(clock.now()) });
  const [a, b] = [send(fleet), send(fleet)];
  fail(a, later(5_000));
  assert(fleet.pick() === b);
  assertEquals(clock.pendingTimers, 0);
  fail(b, later(3_000));
  assertEquals(fleet.pick(), undefined);
  assertEquals(fleet.pick(), undefined);
  assertEquals(clock.pendingTimers, 1);
  await clock.advance(2_999);
  assertEquals(ready, []);
  await clock.advance(1);
  assertEquals(ready, [3_000]);
  assert(fleet.pick() === b);
  fleet.close();
});

Deno.test("Fleet.pick() calls back sooner where another teacher is ready sooner", async () => {
  using clock = new FakeClock();
  const ready: number[] = [];
  const fleet = fleetOf({
    teachers: [channelOf(A), channelOf(B, { maxConcurrency: 1 })],
    now: clock.now,
    onReady: () => ready.push(clock.now()),
  });
  const [a, b] = [send(fleet), send(fleet)];
  fail(a, later(8_000));
  assertEquals(fleet.pick(), undefined);
  fail(b, later(3_000));
  assertEquals(fleet.pick(), undefined);
  assertEquals(clock.pendingTimers, 1);
  await clock.advance(3_000);
  assertEquals(ready, [3_000]);
  fleet.close();
});

Deno.test("Fleet.pick() calls back again where it takes longer than it was said at first", async () => {
  using clock = new FakeClock();
  const ready: number[] = [];
  const fleet = fleetOf({
    teachers: [channelOf(A)],
    now: clock.now,
    onReady: () => ready.push(clock.now()),
  });
  const channel = send(fleet);
  send(fleet);
  fail(channel, later(3_000));
  fleet.pick();
  fail(channel, later(8_000));
  await clock.advance(3_000);
  assertEquals(ready, [3_000]);
  assertEquals(fleet.pick(), undefined);
  await clock.advance(60_000);
  assertEquals(ready, [3_000, 8_000]);
});

Deno.test("Fleet.rest says until when all teachers rest, and why", () => {
  let now = 0;
  const fleet = fleetOf({ now: () => now, wallClock: () => 1_000_000 + now });
  const [a, b] = [send(fleet), send(fleet)];
  assertEquals(fleet.rest, undefined);
  fail(a, later(5_000));
  assertEquals(fleet.rest, undefined);
  fail(b, new TeacherError("Overloaded", { status: 529, retryAfterMs: 9_000 }));
  assertEquals(fleet.rest, { until: 1_005_000, inMs: 5_000, reason: "429: Later" });
  now = 5_000;
  assertEquals(fleet.rest, undefined);
  a.halt("The key is wrong");
  assertEquals(fleet.rest, { until: 1_009_000, inMs: 4_000, reason: "529: Overloaded" });
  assertEquals(fleet.isHalted, false);
  b.halt("No credit");
  assertEquals(fleet.rest, undefined);
  assertEquals(fleet.isHalted, true);
});

Deno.test("Fleet gives no halted teacher anything, and leaves it out of its limit", () => {
  const fleet = fleetOf();
  assertEquals(fleet.limit, 40);
  const halted = send(fleet);
  halted.halt("The key is wrong");
  assertEquals(fleet.limit, 20);
  for (let attempt = 0; attempt < 20; attempt++) assert(send(fleet) !== halted);
  assertEquals(fleet.pick(), undefined);
});

Deno.test("Fleet.setConcurrency() changes the limits of all, each up to its own", () => {
  const fleet = fleetOf({ teachers: [channelOf(A, { maxConcurrency: 8 }), channelOf(B)] });
  assertEquals(fleet.limit, 28);
  fleet.setConcurrency(50);
  assertEquals(fleet.limit, 58);
  fleet.setConcurrency(2);
  assertEquals(fleet.limit, 4);
});

Deno.test("Fleet ticks ten times a second while it is open, and leaves no timer behind", async () => {
  using clock = new FakeClock();
  let ticks = 0;
  const fleet = fleetOf({ teachers: [channelOf(A)], now: clock.now, onTick: () => ticks++ });
  fleet.open();
  fleet.open();
  await clock.advance(1_000);
  assertEquals(ticks, 10);
  fail(send(fleet), later(60_000));
  fleet.pick();
  assertEquals(clock.pendingTimers, 1);
  fleet.close();
  assertEquals([clock.pendingTimers, clock.pendingIntervals], [0, 0]);
});

Deno.test("Fleet calls back when time has raised a limit", async () => {
  using clock = new FakeClock();
  let ready = 0;
  const fleet = fleetOf({
    teachers: [channelOf(A)],
    isCareful: true,
    now: clock.now,
    onReady: () => ready++,
  });
  fleet.open();
  send(fleet);
  await clock.advance(9_900);
  assertEquals([fleet.limit, ready], [1, 0]);
  await clock.advance(200);
  assertEquals([fleet.limit, ready], [2, 1]);
  fleet.close();
});

Deno.test("Fleet probes a teacher that is down although more hangs there than its share", () => {
  let now = 0;
  const fleet = fleetOf({ now: () => now });
  const sent = Array.from({ length: 30 }, () => send(fleet));
  const [inA, inB] = [A, B].map((teacher) => sent.filter((one) => one.teacher === teacher));
  for (let i = 0; i < 3; i++) {
    fail(inA[i], new TeacherError("Nobody listens", { type: "network", isUnreachable: true }));
  }
  assertEquals([inA[0].isDown, inA[0].inFlight], [true, 12]);
  for (const channel of inB.slice(5)) channel.answered(0, 0, completionOf());
  assertEquals(send(fleet).teacher, B);
  now = 2_000;
  assertEquals(send(fleet).teacher, A);
  assertEquals(send(fleet).teacher, B);
});
