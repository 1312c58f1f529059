import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLessOrEqual,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { TeacherError, UNREADABLE_FILE } from "../../lib/errors.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { seededRandom } from "../support/simulated_load.ts";
import { batchesOf, endpointOf, Fixture, type FixtureOptions, rowsOf } from "./engine_fixture.ts";
import { endlessRows, TimedTeacher } from "./timed_teacher.ts";

const MINUTE_MS = 60_000;
const broken = () => new TeacherError("Broken", { status: 500 });
const away = () => new TeacherError("Gateway Time-out", { status: 504 });
const missing = () => new TeacherError("Not Found", { status: 404 });
const gone = () =>
  new TeacherError("Cannot connect to teacher.example", { type: "network", isUnreachable: true });
const untrusted = () =>
  new TeacherError("Cannot connect to teacher.example: its certificate has expired", {
    type: "network",
    code: "certificate",
  });

/** A run at concurrency 20 with a teacher that takes a second and can be taken down. */
class Bench {
  /** The error for a row; undefined if it is answered. */
  refuse: (uid: string) => TeacherError | undefined = () => undefined;
  readonly random = seededRandom();
  readonly teacher: TimedTeacher;
  readonly fixture: Fixture;
  readonly #clock: FakeClock;

  constructor(clock: FakeClock, options: FixtureOptions = {}, refusalMs = 20) {
    this.#clock = clock;
    this.teacher = new TimedTeacher(clock, {
      latencyMs: () => 1_000 * (0.5 + this.random()),
      refusalMs,
      refuse: ({ uid }) => this.refuse(uid),
    });
    this.fixture = new Fixture({
      teacher: this.teacher,
      concurrency: 20,
      now: clock.now,
      random: this.random,
      ...options,
    });
  }

  get failedRows(): number {
    return this.fixture.outcomes.filter(({ failure }) => failure !== undefined).length;
  }

  /** Advances the time; returns how many requests arrived meanwhile. */
  async posts(ms: number): Promise<number> {
    const from = this.#clock.now();
    await this.#clock.advance(ms);
    return this.teacher.askedBetween(from, Infinity);
  }

  async end(): Promise<void> {
    this.fixture.engine.abort();
    await this.#clock.advance(MINUTE_MS);
    await this.fixture.ended;
  }
}

const OUTAGES = {
  "breaks": broken,
  "is away behind a gateway": away,
  "has no such path any more": missing,
  "cannot be reached": gone,
  "shows a certificate that is not trusted": untrusted,
};

for (const [name, error] of Object.entries(OUTAGES)) {
  Deno.test(`Engine probes a teacher that ${name} once a second at most, and continues by itself`, async () => {
    using clock = new FakeClock();
    const bench = new Bench(clock, { source: endlessRows() });
    const { engine, states } = bench.fixture;
    await bench.fixture.start();
    await clock.advance(10_000);
    const before = await bench.posts(10_000);
    bench.refuse = error;
    await clock.advance(5_000);
    assertEquals(engine.state, "backing_off");
    assertEquals(engine.teacherStatuses()[0].state, "down");
    assertStringIncludes(
      engine.backoff!.reason,
      {
        "breaks": "500: Broken",
        "is away behind a gateway": "504: ",
        "has no such path any more": "404: Not Found",
      }[name] ?? "Cannot connect",
    );
    const nowMs = Date.now();
    assertGreaterOrEqual(engine.backoff!.until, nowMs);
    for (let second = 0; second < 120; second++) assertLessOrEqual(await bench.posts(1_000), 1);
    const probes = await bench.posts(60 * MINUTE_MS);
    assert(probes >= 60 * 60 / 18 && probes <= 60 * 60 / 15, `${probes} in an hour`);
    assertEquals(states, ["backing_off"]);
    bench.refuse = () => undefined;
    await clock.advance(30_000);
    assertEquals(engine.state, "running");
    assertEquals(states, ["backing_off", "running"]);
    assertGreaterOrEqual(await bench.posts(10_000), 0.9 * before);
    assertEquals(bench.failedRows, 0);
    await bench.end();
  });
}

Deno.test("Engine loses none of the last rows of a run to an outage", async () => {
  using clock = new FakeClock();
  const bench = new Bench(clock, { rows: rowsOf(30), concurrency: 30 });
  bench.refuse = broken;
  await bench.fixture.start();
  await clock.advance(10 * MINUTE_MS);
  assertEquals(bench.failedRows, 0);
  assertEquals(bench.fixture.engine.state, "backing_off");
  bench.refuse = () => undefined;
  await clock.advance(2 * MINUTE_MS);
  await bench.fixture.ended;
  assertEquals(bench.fixture.outcomes.length, 30);
  assertEquals(bench.failedRows, 0);
});

for (
  const { what, refusalMs, minutesAway, minutesBack } of [
    { what: "answers at once for", refusalMs: undefined, minutesAway: 10, minutesBack: 2 },
    { what: "waits in vain for", refusalMs: 60_000, minutesAway: 20, minutesBack: 5 },
  ]
) {
  Deno.test(`Engine fails no row while a gateway ${what} a teacher that starts later`, async () => {
    using clock = new FakeClock();
    const options = { rows: rowsOf(30), isCareful: true, concurrency: 4 };
    const bench = new Bench(clock, options, refusalMs);
    bench.refuse = away;
    await bench.fixture.start();
    await clock.advance(minutesAway * MINUTE_MS);
    assertEquals([bench.failedRows, bench.fixture.engine.state], [0, "backing_off"]);
    bench.refuse = () => undefined;
    await clock.advance(minutesBack * MINUTE_MS);
    await bench.fixture.ended;
    assertEquals([bench.fixture.outcomes.length, bench.failedRows], [30, 0]);
  });
}

for (const concurrency of [1, 4, 8]) {
  Deno.test(`Engine fails no row while a gateway waits in vain for a teacher that has answered before, ${concurrency} at once`, async () => {
    using clock = new FakeClock();
    const bench = new Bench(clock, { source: endlessRows(), concurrency }, 60_000);
    await bench.fixture.start();
    await clock.advance(20_000);
    assertGreater(bench.fixture.outcomes.length, 10);
    bench.refuse = away;
    await clock.advance(24 * MINUTE_MS);
    bench.refuse = () => undefined;
    await clock.advance(5 * MINUTE_MS);
    assertEquals([bench.failedRows, bench.fixture.engine.state], [0, "running"]);
    await bench.end();
  });
}

Deno.test("Engine fails no row that times out twice when its teacher falls silent between the two", async () => {
  using clock = new FakeClock();
  const bench = new Bench(clock, { rows: rowsOf(30), concurrency: 1 }, 60_000);
  bench.refuse = (uid) => bench.fixture.outcomes.length === 0 && uid !== "0" ? undefined : away();
  await bench.fixture.start();
  await clock.advance(30 * MINUTE_MS);
  const { asked } = bench.teacher;
  assertEquals([asked[0], asked[1], asked[2]], ["0", "1", "0"]);
  assertEquals([bench.fixture.outcomes.length, bench.failedRows], [1, 0]);
  bench.refuse = () => undefined;
  await clock.advance(5 * MINUTE_MS);
  await bench.fixture.ended;
  assertEquals([bench.fixture.outcomes.length, bench.failedRows], [30, 0]);
});

Deno.test("Engine fails rows one by one where a gateway waits in vain for a quarter of an hour", async () => {
  using clock = new FakeClock();
  const bench = new Bench(clock, { rows: rowsOf(30), isCareful: true, concurrency: 4 }, 60_000);
  bench.refuse = away;
  await bench.fixture.start();
  while (bench.failedRows === 0) await clock.advance(MINUTE_MS);
  // Two attempts before the teacher counts as down, and one that counts after a quarter of an hour.
  assertEquals(bench.fixture.outcomes.map(({ attempts }) => attempts), [3]);
  await bench.end();
});

Deno.test("Engine sends rows twice that a gateway never waits for, if they are all", async () => {
  using clock = new FakeClock();
  const bench = new Bench(clock, { rows: rowsOf(5), isCareful: true }, 60_000);
  bench.refuse = away;
  await bench.fixture.start();
  await clock.advance(15 * MINUTE_MS);
  await bench.fixture.ended;
  assertEquals(bench.fixture.outcomes.map(({ attempts }) => attempts), Array(5).fill(2));
  assertEquals(bench.failedRows, 5);
});

Deno.test("Engine fails rows that timed out once another row is answered", async () => {
  using clock = new FakeClock();
  const bench = new Bench(clock, { rows: rowsOf(30), isCareful: true, concurrency: 2 }, 60_000);
  bench.refuse = (uid) => Number(uid) < 3 ? away() : undefined;
  await bench.fixture.start();
  await clock.advance(15 * MINUTE_MS);
  await bench.fixture.ended;
  const failed = bench.fixture.outcomes.filter(({ failure }) => failure !== undefined);
  assertEquals(failed.map(({ row, attempts }) => [row.uid, attempts]), [["0", 2], ["1", 2], [
    "2",
    2,
  ]]);
});

Deno.test("Engine never fails a row because no connection can be made", async () => {
  using clock = new FakeClock();
  // Each attempt takes 10 s to fail, and the row has 15.
  const options = { rows: rowsOf(1), concurrency: 1, rowTimeoutMs: 15_000 };
  const bench = new Bench(clock, options, 10_000);
  bench.refuse = gone;
  await bench.fixture.start();
  await clock.advance(3 * 60 * MINUTE_MS);
  assertEquals(bench.fixture.outcomes, []);
  assertGreater(bench.fixture.attempts, 400);
  bench.refuse = () => undefined;
  await clock.advance(MINUTE_MS);
  await bench.fixture.ended;
  assertEquals(bench.failedRows, 0);
  assertEquals(bench.fixture.engine.state, "done");
});

Deno.test("Engine fails a few rows that break the teacher while others are answered", async () => {
  using clock = new FakeClock();
  const bench = new Bench(clock, { source: batchesOf(rowsOf(200), 10) });
  bench.refuse = (uid) => Number(uid) >= 191 ? broken() : undefined;
  await bench.fixture.start();
  await clock.advance(MINUTE_MS);
  await bench.fixture.ended;
  assertEquals(bench.failedRows, 9);
  const failed = bench.fixture.outcomes.filter(({ failure }) => failure !== undefined);
  assertEquals(failed.map(({ attempts }) => attempts), Array(9).fill(5));
});

Deno.test("Engine ends even if many of the last rows break the teacher", async () => {
  using clock = new FakeClock();
  const bench = new Bench(clock, { source: batchesOf(rowsOf(200), 10) });
  bench.refuse = (uid) => Number(uid) >= 150 && Number(uid) % 3 !== 0 ? broken() : undefined;
  await bench.fixture.start();
  await clock.advance(2 * MINUTE_MS);
  await bench.fixture.ended;
  assertEquals(bench.fixture.outcomes.length, 200);
  assertEquals(bench.failedRows, 33);
  assertEquals(bench.fixture.engine.state, "done");
});

Deno.test("Engine takes no row that could not be sent for a sign that its teacher is up again", async () => {
  using clock = new FakeClock();
  let isMissing = false;
  const rows = rowsOf(1_000).map((row) => ({
    ...row,
    readFiles: () =>
      isMissing
        ? Promise.reject(new TeacherError("Cannot send the image", { code: UNREADABLE_FILE }))
        : Promise.resolve(row.messages),
  }));
  const bench = new Bench(clock, { rows });
  await bench.fixture.start();
  await clock.advance(5_000);
  bench.refuse = gone;
  await clock.advance(10_000);
  const { engine, states } = bench.fixture;
  assertEquals([engine.state, bench.failedRows], ["backing_off", 0]);
  isMissing = true;
  states.length = 0;
  await clock.advance(MINUTE_MS);
  assertGreater(bench.failedRows, 0);
  assertEquals(states, []);
  await bench.end();
});

Deno.test("Engine takes a rejection by a teacher without status codes for a sign that it is up again", async () => {
  using clock = new FakeClock();
  const bench = new Bench(clock, { source: endlessRows(), isProven: true });
  await bench.fixture.start();
  await clock.advance(5_000);
  bench.refuse = gone;
  await clock.advance(10_000);
  assertEquals(bench.fixture.engine.state, "backing_off");
  let rejected = 0;
  bench.refuse = () => new TeacherError(`Row ${rejected++} has no question`, { type: "teacher" });
  await clock.advance(15_000);
  assertEquals(bench.fixture.engine.state, "running");
  assertGreater(rejected, 20);
  await bench.end();
});

Deno.test("Engine probes with new rows while there are any", async () => {
  using clock = new FakeClock();
  const bench = new Bench(clock, { source: endlessRows() });
  bench.refuse = broken;
  await bench.fixture.start();
  // Longer than an outage after which failures count against rows again.
  await clock.advance(3 * 60 * MINUTE_MS);
  assertEquals(bench.fixture.outcomes, []);
  const { asked } = bench.teacher;
  assertEquals(new Set(asked.slice(-500)).size, 500);
  await bench.end();
});

Deno.test("Engine takes out a teacher that goes down, probes it, uses it again, and says both", async () => {
  using clock = new FakeClock();
  let isDown = false;
  const { steady, shaky, notices, fixture } = besideSteady(
    clock,
    () => isDown ? gone() : undefined,
  );
  await fixture.start();
  await clock.advance(10_000);
  isDown = true;
  await clock.advance(10_000);
  const from = clock.now();
  await clock.advance(MINUTE_MS);
  assertEquals(fixture.engine.teacherStatuses().map(({ state }) => state), ["up", "down"]);
  assertEquals(fixture.engine.state, "running");
  assertGreaterOrEqual(steady.askedBetween(from, Infinity), 0.95 * 20 * 60);
  assertLessOrEqual(shaky.askedBetween(from, Infinity), 10);
  const lost = "Lost the teacher at http://shaky/v1 (Cannot connect to teacher.example); " +
    "the others continue";
  assertEquals(notices, [lost]);
  isDown = false;
  await clock.advance(MINUTE_MS);
  assertEquals(notices, [lost, "The teacher at http://shaky/v1 is back"]);
  const back = clock.now();
  await clock.advance(MINUTE_MS);
  const [toSteady, toShaky] = [steady, shaky].map((one) => one.askedBetween(back, Infinity));
  assert(Math.abs(toShaky / toSteady - 1) < 0.1, `${toShaky} and ${toSteady}`);
  assertEquals(fixture.outcomes.filter(({ failure }) => failure !== undefined), []);
  assertEquals(fixture.states, []);
  fixture.engine.abort();
  await clock.advance(MINUTE_MS);
  await fixture.ended;
});

Deno.test("Engine does not say that a teacher is back if it is halted after an outage", async () => {
  using clock = new FakeClock();
  let error: TeacherError | undefined;
  const { notices, fixture } = besideSteady(clock, () => error);
  await fixture.start();
  await clock.advance(10_000);
  error = gone();
  await clock.advance(10_000);
  error = new TeacherError("Cannot connect: no TLS", { type: "network", code: "no_tls" });
  await clock.advance(MINUTE_MS);
  const [lost, ...others] = notices;
  assertStringIncludes(lost, "Lost the teacher at http://shaky/v1");
  assertEquals(others.filter((notice) => notice.includes("is back")), []);
  assertEquals(fixture.engine.teacherStatuses().map(({ state }) => state), ["up", "halted"]);
  fixture.engine.abort();
  await clock.advance(MINUTE_MS);
  await fixture.ended;
});

for (
  const [name, error] of [
    ["500", broken],
    ["503", () => new TeacherError("Busy", { status: 503 })],
    ["timeouts", () => new TeacherError("Too slow", { type: "timeout" })],
  ] as const
) {
  Deno.test(`Engine ends if every tenth row always gets ${name}`, async () => {
    using clock = new FakeClock();
    const bench = new Bench(clock, { rows: rowsOf(400) });
    bench.refuse = (uid) => Number(uid) % 10 === 0 ? error() : undefined;
    await bench.fixture.start();
    for (let minute = 0; minute < 20 && !bench.fixture.hasEnded; minute++) {
      await clock.advance(MINUTE_MS);
    }
    await bench.fixture.ended;
    assertEquals([bench.fixture.outcomes.length, bench.failedRows], [400, 40]);
    // Throttled rows are tried 20 times, up to a minute apart. A timeout is pressure too.
    const mostMinutes = { "500": 2, "503": 17, timeouts: 8 }[name];
    assertLessOrEqual(clock.now(), mostMinutes * MINUTE_MS);
  });
}

Deno.test("Engine reports once that an address does not respond, also if there are several", async () => {
  using clock = new FakeClock();
  const notices: string[] = [];
  const absent = {
    ...new TimedTeacher(clock, { latencyMs: () => 0 }),
    address: "http://absent/v1",
  };
  const teacher = { ...absent, complete: () => Promise.reject(gone()) };
  const bench = new Bench(clock, {
    rows: rowsOf(20),
    teacher,
    onNotice: (message) => notices.push(message),
  });
  await bench.fixture.start();
  await clock.advance(MINUTE_MS);
  assertEquals(notices.length, 1);
  assertStringIncludes(notices[0], "No response from the teacher at http://absent/v1");
  await bench.end();
});

Deno.test("Engine does not ask whether a teacher that sends errors is running", async () => {
  using clock = new FakeClock();
  const notices: string[] = [];
  const address = "http://broken/v1";
  const complete = () => Promise.reject(new TeacherError("Upstream failed", { status: 502 }));
  const bench = new Bench(clock, {
    rows: rowsOf(20),
    teacher: { ...new TimedTeacher(clock, { latencyMs: () => 0 }), address, complete },
    onNotice: (message) => notices.push(message),
  });
  await bench.fixture.start();
  await clock.advance(10_000);
  assertEquals(notices, [
    `No answer from the teacher at ${address} yet (502: Upstream failed). ` +
    "Retrying; Ctrl-C stops",
  ]);
  await bench.end();
});

Deno.test("Engine says of a quota that is used up how long nothing was answered, and repeats it", async () => {
  using clock = new FakeClock();
  const notices: string[] = [];
  const bench = new Bench(clock, {
    source: endlessRows(),
    onNotice: (message) => notices.push(message),
  });
  await bench.fixture.start();
  await clock.advance(10_000);
  bench.refuse = () =>
    new TeacherError("Daily token quota used up", { status: 429, type: "rate_limit" });
  const { engine } = bench.fixture;
  await clock.advance(50_000);
  assertEquals(engine.backoff?.reason, "429: Daily token quota used up");
  await clock.advance(11 * MINUTE_MS);
  assertEquals(
    engine.backoff?.reason,
    "quota, no answer for 11 min: 429: Daily token quota used up",
  );
  const told = () => notices.map((notice) => notice.split(".")[0]);
  const words = (time: string) => `No answer for ${time} (429: Daily token quota used up)`;
  assertEquals(told(), [words("5 min"), words("10 min")]);
  await clock.advance(130 * MINUTE_MS);
  assertEquals(told().slice(2), [words("20 min"), words("40 min"), words("1h 20m")]);
  assertEquals(bench.failedRows, 0);
  bench.refuse = () => undefined;
  await clock.advance(MINUTE_MS);
  assertEquals([engine.backoff, notices.length], [undefined, 5]);
  await bench.end();
});

/** An engine with endless rows and two teachers: one that always answers, and one at
 * `http://shaky/v1` that fails while `refuse` returns an error. */
function besideSteady(clock: FakeClock, refuse: () => TeacherError | undefined) {
  const latencyMs = () => 1_000;
  const steady = new TimedTeacher(clock, { latencyMs });
  const shaky = Object.assign(new TimedTeacher(clock, { latencyMs, refuse }), {
    address: "http://shaky/v1",
  });
  const notices: string[] = [];
  const fixture = new Fixture({
    source: endlessRows(),
    teachers: [endpointOf(steady), endpointOf(shaky)],
    concurrency: 20,
    now: clock.now,
    random: seededRandom(),
    onNotice: (message) => notices.push(message),
  });
  return { steady, shaky, notices, fixture };
}
