/**
 * Teachers that may never come up, in simulated time.
 *
 * @module
 */

import { assertEquals, assertMatch, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import type { EngineOptions } from "../../lib/engine/engine_options.ts";
import { TeacherError } from "../../lib/errors.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { completionOf, endpointOf, FakeTeacher, Fixture, rowsOf } from "./engine_fixture.ts";
import { endlessRows, TimedTeacher } from "./timed_teacher.ts";

const MINUTE_MS = 60_000;

function unreachable(code: string): TeacherError {
  return new TeacherError(`Cannot connect to one:80: ${code}`, {
    type: "network",
    code,
    isUnreachable: true,
  });
}

/** A teacher that refuses connections until `thereAtMs`, and then answers. */
function teacherAt(clock: FakeClock, address: string, code: string, thereAtMs: number) {
  const teacher = new TimedTeacher(clock, {
    latencyMs: () => 1_000,
    refusalMs: 1,
    refuse: (_, __, now) => now < thereAtMs ? unreachable(code) : undefined,
  });
  const complete = teacher.complete.bind(teacher);
  return { address, complete, askedAt: teacher.askedAt };
}

/** A teacher that answers until its key is revoked, and is then halted. */
function revokedAt(clock: FakeClock, revokedAtMs: number): TimedTeacher {
  const revoked = new TeacherError("Bad key", { status: 401 });
  return new TimedTeacher(clock, {
    latencyMs: () => 1_000,
    refuse: (_, __, now) => now < revokedAtMs ? undefined : revoked,
  });
}

interface Trial extends Partial<EngineOptions> {
  readonly code: string;
  readonly thereAtMs?: number;
}

/** Runs for at most ten simulated minutes. Returns when the run ended, and why. */
async function run({ code, thereAtMs = Infinity, ...options }: Trial) {
  using clock = new FakeClock();
  const notices: string[] = [];
  const teacher = teacherAt(clock, "http://one/v1", code, thereAtMs);
  const fixture = new Fixture({
    rows: rowsOf(30),
    teacher,
    concurrency: 4,
    isCareful: true,
    now: clock.now,
    onNotice: (message) => notices.push(message),
    ...options,
  });
  await fixture.start();
  while (!fixture.hasEnded && clock.now() < 10 * MINUTE_MS) await clock.advance(100);
  const { hasEnded, engine, outcomes } = fixture;
  const reason = engine.haltReason, endedAtMs = clock.now();
  engine.abort();
  await fixture.ended;
  return { hasEnded, reason, outcomes, endedAtMs, notices, askedAt: teacher.askedAt };
}

Deno.test("Engine halts at once when the host of its only teacher does not exist", async () => {
  const { reason, endedAtMs, askedAt, outcomes } = await run({ code: "ENOTFOUND" });
  assertEquals([endedAtMs, askedAt.length, outcomes], [100, 1, []]);
  assertEquals(
    reason,
    "The teacher at http://one/v1 cannot be reached: Cannot connect to one:80: ENOTFOUND. " +
      "Check the address (--base-url); --wait waits until the name can be looked up",
  );
});

Deno.test("Engine halts when nothing has accepted a connection for 60 s, and says before what it waits for", async () => {
  for (const code of ["ECONNREFUSED", "EHOSTUNREACH", "UND_ERR_CONNECT_TIMEOUT"]) {
    const { reason, endedAtMs, notices, outcomes } = await run({ code });
    assertEquals([endedAtMs, outcomes], [60_100, []], code);
    assertStringIncludes(reason!, "cannot be reached: Cannot connect to one:80");
    assertStringIncludes(reason!, "--wait waits until it has started");
    assertEquals(notices.length, 1);
    assertMatch(notices[0], /Retrying for 60 s \(--wait waits longer\); Ctrl-C stops$/);
  }
});

Deno.test("Engine waits when its own network is down", async () => {
  for (const code of ["EAI_AGAIN", "ENETUNREACH", ""]) {
    const { hasEnded, notices } = await run({ code });
    assertEquals(hasEnded, false, code);
    assertMatch(notices[0], /Retrying; Ctrl-C stops$/);
  }
});

Deno.test("Engine waits if a row of the same output was answered before", async () => {
  for (const code of ["ENOTFOUND", "ECONNREFUSED"]) {
    const { hasEnded } = await run({ code, hasAnsweredBefore: true });
    assertEquals(hasEnded, false, code);
  }
});

Deno.test("Engine waits as long as configured for a teacher that is still starting", async () => {
  for (const code of ["ENOTFOUND", "ECONNREFUSED"]) {
    const found = await run({ code, waitForTeacherMs: Infinity, thereAtMs: 5 * MINUTE_MS });
    assertEquals([found.hasEnded, found.outcomes.length], [true, 30], code);
    const soon = await run({ code, waitForTeacherMs: 5_000, thereAtMs: 4_000 });
    assertEquals([soon.hasEnded, soon.outcomes.length], [true, 30], code);
    const { endedAtMs, reason } = await run({ code, waitForTeacherMs: 2 * MINUTE_MS });
    assertEquals(endedAtMs, 2 * MINUTE_MS + 100, code);
    assertStringIncludes(reason!, "cannot be reached");
  }
});

Deno.test("Engine continues with one of two teachers when the other is absent", async () => {
  using clock = new FakeClock();
  const notices: string[] = [];
  const absent = teacherAt(clock, "http://absent/v1", "ENOTFOUND", Infinity);
  const there = teacherAt(clock, "http://there/v1", "", 0);
  const fixture = new Fixture({
    rows: rowsOf(30),
    teachers: [endpointOf(absent), endpointOf(there)],
    concurrency: 4,
    now: clock.now,
    onNotice: (message) => notices.push(message),
  });
  await fixture.start();
  while (!fixture.hasEnded) await clock.advance(1_000);
  await fixture.ended;
  assertEquals(fixture.outcomes.length, 30);
  assertEquals(fixture.outcomes.filter(({ failure }) => failure !== undefined), []);
  assertEquals(notices.length, 1);
  assertStringIncludes(notices[0], "http://absent/v1 cannot be reached");
});

Deno.test("Engine continues with a teacher that starts late when the other stays absent", async () => {
  using clock = new FakeClock();
  const notices: string[] = [];
  const absent = teacherAt(clock, "http://absent/v1", "ECONNREFUSED", Infinity);
  const late = teacherAt(clock, "http://late/v1", "ECONNREFUSED", 10_000);
  const fixture = new Fixture({
    source: endlessRows(),
    teachers: [absent, late, revokedAt(clock, 0)].map((teacher) => endpointOf(teacher)),
    concurrency: 4,
    now: clock.now,
    onNotice: (message) => notices.push(message),
  });
  await fixture.start();
  await clock.advance(30 * MINUTE_MS);
  assertEquals(notices.filter((notice) => notice.includes("cannot be reached")), []);
  const states = fixture.engine.teacherStatuses().map(({ state }) => state);
  assertEquals(states, ["down", "up", "halted"]);
  fixture.engine.abort();
  await clock.advance(MINUTE_MS);
  await fixture.ended;
});

Deno.test("Engine waits for a teacher that is lost after it has answered", async () => {
  using clock = new FakeClock();
  const teacher = new TimedTeacher(clock, {
    latencyMs: () => 1_000,
    refuse: (_, __, now) => now > 5_000 && now < 600_000 ? unreachable("ECONNREFUSED") : undefined,
  });
  const fixture = new Fixture({ rows: rowsOf(50), teacher, concurrency: 4, now: clock.now });
  await fixture.start();
  await clock.advance(15 * MINUTE_MS);
  await fixture.ended;
  assertEquals(fixture.outcomes.length, 50);
});

Deno.test("Engine waits for a teacher that is lost once it has answered in part", async () => {
  using clock = new FakeClock();
  const absent = unreachable("ECONNREFUSED"), partial = completionOf({ finishReason: "" });
  const errors = [absent, new TeacherError("It broke", { type: "network", partial })];
  const teacher = new TimedTeacher(clock, {
    latencyMs: () => 1_000,
    refuse: (_, __, now) => errors.shift() ?? (now < 40 * MINUTE_MS ? absent : undefined),
  });
  const teachers = [teacher, revokedAt(clock, 0)].map((teacher) => endpointOf(teacher));
  const fixture = new Fixture({ rows: rowsOf(9), teachers, concurrency: 1, now: clock.now });
  await fixture.start();
  await clock.advance(45 * MINUTE_MS);
  assertEquals(fixture.engine.teacherStatuses().map(({ state }) => state), ["up", "halted"]);
  assertEquals(fixture.outcomes.length, 9);
  await fixture.ended;
});

Deno.test("Engine waits again for an absent teacher that was halted and joins again", async () => {
  using clock = new FakeClock();
  const [absent, good] = [new FakeTeacher(), new FakeTeacher()];
  const fixture = new Fixture({
    rows: rowsOf(9),
    teachers: [endpointOf(absent), endpointOf(good)],
    concurrency: 6,
    now: clock.now,
  });
  await fixture.start();
  const refused = () => absent.open[0].refuse(unreachable("ECONNREFUSED"));
  const state = () => fixture.engine.teacherStatuses()[0].state;
  await refused();
  await clock.advance(MINUTE_MS);
  await refused();
  assertEquals(state(), "halted");
  fixture.engine.removeTeacher(absent);
  fixture.engine.addTeacher(endpointOf(absent));
  await refused();
  assertEquals(state(), "down");
  fixture.engine.abort();
  await fixture.ended;
});

Deno.test("Engine does not wait twice for the teachers of a list, none of which can be reached", async () => {
  for (const waitForTeacherMs of [undefined, 3 * MINUTE_MS]) {
    const options = { code: "ECONNREFUSED", mayTeachersJoin: true, waitForTeacherMs };
    const { reason, endedAtMs, notices } = await run(options);
    assertEquals(endedAtMs, (waitForTeacherMs ?? MINUTE_MS) + 100);
    assertStringIncludes(reason!, "No teacher could be used for");
    assertEquals(notices.filter((notice) => notice.includes("for one to join")), []);
  }
});

Deno.test("Engine waits for a teacher to join once the last one that may be there has left a list", async () => {
  using clock = new FakeClock();
  const absent = teacherAt(clock, "http://absent/v1", "ECONNREFUSED", Infinity);
  const unknown = teacherAt(clock, "http://unknown/v1", "EAI_AGAIN", Infinity);
  const fixture = new Fixture({
    rows: rowsOf(9),
    teachers: [endpointOf(absent), endpointOf(unknown)],
    mayTeachersJoin: true,
    concurrency: 4,
    now: clock.now,
  });
  await fixture.start();
  await clock.advance(5 * MINUTE_MS);
  fixture.engine.removeTeacher(unknown);
  await clock.advance(MINUTE_MS / 2);
  assertEquals(fixture.engine.haltReason, undefined);
  await clock.advance(MINUTE_MS);
  assertStringIncludes(fixture.engine.haltReason!, "No teacher could be used for 1m 00s");
  await fixture.ended;
});

Deno.test("Engine keeps probing an absent teacher of a list once the one that answered has left", async () => {
  using clock = new FakeClock();
  const loading = teacherAt(clock, "http://loading/v1", "ECONNREFUSED", 25 * MINUTE_MS);
  const leaving = teacherAt(clock, "http://leaving/v1", "", 0);
  const fixture = new Fixture({
    rows: rowsOf(900),
    teachers: [endpointOf(loading), endpointOf(leaving)],
    mayTeachersJoin: true,
    concurrency: 4,
    now: clock.now,
  });
  await fixture.start();
  await clock.advance(MINUTE_MS / 2);
  fixture.engine.removeTeacher(leaving);
  await clock.advance(35 * MINUTE_MS);
  await fixture.ended;
  assertEquals(fixture.outcomes.length, 900);
});

Deno.test("Engine halts when only a teacher is left that was never reached", async () => {
  for (const waitForTeacherMs of [undefined, 20 * MINUTE_MS]) {
    using clock = new FakeClock();
    const absent = teacherAt(clock, "http://absent/v1", "ECONNREFUSED", Infinity);
    const other = teacherAt(clock, "http://other/v1", "ECONNREFUSED", Infinity);
    const halted = new TimedTeacher(clock, {
      latencyMs: () => 1_000,
      refusalMs: 1,
      refuse: (_, __, now) =>
        now < MINUTE_MS / 2 ? undefined : new TeacherError("Bad key", {
          type: "account",
          status: 401,
        }),
    });
    const fixture = new Fixture({
      rows: rowsOf(900),
      teachers: [absent, other, halted].map((teacher) => endpointOf(teacher)),
      concurrency: 4,
      now: clock.now,
      waitForTeacherMs,
    });
    await fixture.start();
    const waitMs = waitForTeacherMs ?? 15 * MINUTE_MS;
    await clock.advance(waitMs - MINUTE_MS);
    assertEquals(fixture.engine.haltReason, undefined);
    await clock.advance(2 * MINUTE_MS);
    assertStringIncludes(fixture.engine.haltReason!, "/v1 cannot be reached: Cannot connect");
    await fixture.ended;
    assertEquals(fixture.outcomes.filter(({ failure }) => failure !== undefined), []);
  }
});

Deno.test("Engine keeps waiting for a late teacher while another one answers that was late, too", async () => {
  for (const code of ["ECONNREFUSED", "ENOTFOUND"]) {
    using clock = new FakeClock();
    const notices: string[] = [];
    const early = teacherAt(clock, "http://early/v1", "ECONNREFUSED", MINUTE_MS / 2);
    const late = teacherAt(clock, "http://late/v1", code, 30 * MINUTE_MS);
    const fixture = new Fixture({
      rows: rowsOf(9_000),
      teachers: [early, late, revokedAt(clock, 0)].map((teacher) => endpointOf(teacher)),
      concurrency: 4,
      now: clock.now,
      waitForTeacherMs: MINUTE_MS,
      onNotice: (message) => notices.push(message),
    });
    await fixture.start();
    await clock.advance(32 * MINUTE_MS);
    assertEquals(notices.filter((notice) => notice.includes("cannot be reached")), []);
    assertEquals(fixture.engine.teacherStatuses()[1].state, "up");
    fixture.engine.abort();
    await clock.advance(2_000);
    await fixture.ended;
  }
});

Deno.test("Engine gives a late teacher its full time to start once the last other teacher is halted", async () => {
  using clock = new FakeClock();
  const revoked = revokedAt(clock, 60 * MINUTE_MS);
  const late = teacherAt(clock, "http://late/v1", "ECONNREFUSED", 70 * MINUTE_MS);
  const fixture = new Fixture({
    source: endlessRows(),
    teachers: [endpointOf(revoked), endpointOf(late)],
    concurrency: 4,
    now: clock.now,
  });
  await fixture.start();
  await clock.advance(72 * MINUTE_MS);
  assertEquals(fixture.engine.teacherStatuses().map(({ state }) => state), ["halted", "up"]);
  fixture.engine.abort();
  await clock.advance(MINUTE_MS);
  await fixture.ended;
});

Deno.test("Engine does not count the time before an error as time without a server", async () => {
  using clock = new FakeClock();
  const absent = unreachable("ECONNREFUSED"), broken = new TeacherError("Oh", { status: 500 });
  const restarting = new TimedTeacher(clock, {
    latencyMs: () => 1_000,
    refuse: (_, __, now) => {
      if (now >= 30 * MINUTE_MS) return undefined;
      return now >= 10 * MINUTE_MS && now < 20 * MINUTE_MS ? broken : absent;
    },
  });
  const fixture = new Fixture({
    source: endlessRows(),
    teachers: [revokedAt(clock, MINUTE_MS), restarting].map((teacher) => endpointOf(teacher)),
    concurrency: 4,
    now: clock.now,
  });
  await fixture.start();
  await clock.advance(32 * MINUTE_MS);
  assertEquals(fixture.engine.teacherStatuses().map(({ state }) => state), ["halted", "up"]);
  fixture.engine.abort();
  await clock.advance(MINUTE_MS);
  await fixture.ended;
});

Deno.test("Engine uses a teacher that starts late once another teacher has answered", async () => {
  for (const code of ["ECONNREFUSED", "ENOTFOUND"]) await startLate(code);
});

async function startLate(code: string): Promise<void> {
  using clock = new FakeClock();
  const late = teacherAt(clock, "http://late/v1", code, 3 * MINUTE_MS);
  const joining = teacherAt(clock, "http://joining/v1", "", 0);
  const refusing = new TimedTeacher(clock, {
    latencyMs: () => 1_000,
    refuse: () => new TeacherError("Bad key", { type: "account", status: 401 }),
  });
  const fixture = new Fixture({
    rows: rowsOf(900),
    teachers: [endpointOf(late), endpointOf(refusing)],
    mayTeachersJoin: true,
    concurrency: 4,
    now: clock.now,
  });
  await fixture.start();
  const lateState = () => fixture.engine.teacherStatuses()[0].state;
  await clock.advance(code === "ENOTFOUND" ? 100 : 1.5 * MINUTE_MS);
  assertEquals(lateState(), "halted");
  fixture.engine.addTeacher(endpointOf(joining));
  await clock.advance(MINUTE_MS);
  assertEquals(lateState(), "down");
  await clock.advance(2.3 * MINUTE_MS);
  assertEquals(lateState(), "up");
  while (!fixture.hasEnded) await clock.advance(1_000);
  await fixture.ended;
  assertEquals(fixture.outcomes.filter(({ failure }) => failure !== undefined), []);
}
