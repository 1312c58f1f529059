import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import { TeacherError } from "../../lib/errors.ts";
import {
  type Deadline,
  deadlineError,
  Deadlines,
  type TimedAttempt,
} from "../../lib/teacher/interruptions.ts";
import { FakeClock } from "../support/fake_clock.ts";

class Probe implements TimedAttempt {
  readonly expired: Promise<Deadline>;
  expire!: (deadline: Deadline) => void;

  constructor(
    readonly startedAt: number,
    readonly lastTokenAt = -1,
    readonly completeAt = -1,
    readonly timeoutMs = 50_000,
    readonly isConnected = true,
  ) {
    this.expired = new Promise((resolve) => this.expire = resolve);
  }

  checkEnd(): void {}
}

Deno.test("Deadlines end exactly those attempts whose time is up", async () => {
  const now = 100_000;
  const deadlines = new Deadlines({
    timeoutMs: 50_000,
    connectTimeoutMs: 1_000,
    streamIdleTimeoutMs: 100,
    now: () => now,
  });
  const late = new Probe(50_000);
  const silent = new Probe(99_000, 99_900);
  const draining = new Probe(0, 0, 98_000);
  const hurried = new Probe(99_500, -1, -1, 500);
  const unconnected = new Probe(99_000, -1, -1, 50_000, false);
  const fine = [
    new Probe(50_001),
    new Probe(99_000, 99_901),
    new Probe(0, 0, 98_001),
    new Probe(99_501, -1, -1, 500),
    new Probe(99_001, -1, -1, 50_000, false),
  ];
  const ended: Probe[] = [];
  for (const probe of fine) probe.expired.then(() => ended.push(probe));
  const over = [late, silent, draining, hurried, unconnected];
  for (const probe of [...over, ...fine]) deadlines.add(probe);
  assertEquals(await Promise.all(over.map((probe) => probe.expired)), [
    "attempt",
    "idle",
    "drain",
    "attempt",
    "connect",
  ]);
  assertEquals(ended, []);
  for (const probe of [...over, ...fine]) deadlines.delete(probe);
  // The sanitizers would find a timer that is left.
  assertEquals(deadlines.size, 0);
});

/** Deadlines of 50 s; `ended` lists the attempts whose time is up. */
function watched(clock: FakeClock, ...probes: Probe[]) {
  const deadlines = new Deadlines({
    timeoutMs: 50_000,
    connectTimeoutMs: 50_000,
    streamIdleTimeoutMs: 50_000,
    now: clock.now,
  });
  const ended: Probe[] = [];
  for (const probe of probes) {
    deadlines.add(probe);
    probe.expire = () => {
      ended.push(probe);
      deadlines.delete(probe);
    };
  }
  return { deadlines, ended };
}

Deno.test("Deadlines do not count the time in which the process was stopped", async () => {
  using clock = new FakeClock();
  const silent = new Probe(0), stream = new Probe(0, 0, -1, 500_000), answered = new Probe(0);
  const { deadlines, ended } = watched(clock, silent, stream, answered);
  await clock.advance(30_000);
  await clock.sleep(120_000);
  // Many answers take longer to be read than the interval between two sweeps.
  await clock.advance(10_000);
  assertEquals(ended, []);
  deadlines.delete(answered);
  await clock.advance(11_000);
  assertEquals(ended, [silent, stream]);
});

Deno.test("Deadlines first let answers be read that came while the process was stopped", async () => {
  using clock = new FakeClock();
  const answered = new Probe(0), silent = new Probe(0);
  const { deadlines, ended } = watched(clock, answered, silent);
  await clock.advance(49_000);
  await clock.sleep(120_000);
  // Its answer is read after the timers of the first turn.
  deadlines.delete(answered);
  await clock.advance(500);
  assertEquals(ended, [silent]);
});

Deno.test("Deadlines count all of an attempt that began when the process continued", async () => {
  using clock = new FakeClock();
  const first = new Probe(0), { deadlines, ended } = watched(clock, first);
  await clock.sleep(120_000);
  const late = new Probe(deadlines.now());
  late.expire = () => deadlines.delete(late);
  deadlines.add(late);
  await clock.advance(49_000);
  assertEquals([ended, deadlines.size], [[first], 1]);
  await clock.advance(2_000);
  assertEquals(deadlines.size, 0);
});

Deno.test("Deadlines count the time in which the event loop is often late", async () => {
  using clock = new FakeClock();
  const silent = new Probe(0), stream = new Probe(0, 0, -1, 500_000);
  const { ended } = watched(clock, silent, stream);
  for (let second = 0; second < 52; second += 2) await clock.sleep(2_000);
  assertEquals(ended, [silent, stream]);
});

Deno.test("Deadlines continue after a time without attempts", async () => {
  using clock = new FakeClock();
  const { deadlines } = watched(clock);
  await clock.advance(600_000);
  const probe = new Probe(deadlines.now()), before = deadlines.now();
  deadlines.add(probe);
  assertEquals(deadlines.now(), before);
  await clock.advance(49_000);
  assertEquals(deadlines.now() - before, 49_000);
  deadlines.delete(probe);
});

Deno.test("deadlineError() says which limit was exceeded", () => {
  const limits = {
    timeoutMs: 60_000,
    connectTimeoutMs: 1_000,
    streamIdleTimeoutMs: 2_000,
    now: () => 0,
  };
  const teachers = deadlineError("attempt", "host:1", 60_000, limits),
    rows = deadlineError("attempt", "host:1", 1_234.5, limits),
    streams = deadlineError("idle", "host:1", 60_000, limits);
  assert(teachers instanceof TeacherError && teachers.type === "timeout");
  assertEquals(streams.message, "No token from host:1 for 2 s");
  assertEquals(teachers.message, "No complete answer from host:1 within 60 s");
  assertEquals(rows.message, "The row's time is up: no complete answer from host:1 within 1.2 s");
});
