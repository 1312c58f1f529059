import { assertEquals, assertLessOrEqual } from "../../lib/deps/std_assert.ts";
import { crashedInFlight, Heartbeat } from "../../lib/run/live_status.ts";
import { acquireLock, type RunState } from "../../lib/sink/lock.ts";
import { tempDir } from "../support/temp.ts";

/** A run whose clock the test controls, and the notes that its heartbeat writes. */
class TestRun {
  readonly notes: RunState[] = [];
  inFlight = 0;
  isTicking = true;
  second = () => {};
  readonly heartbeat: Heartbeat;

  constructor(ceiling = 1_000) {
    this.heartbeat = new Heartbeat([{ note: (note) => this.notes.push(note) }], {
      unwrittenRows: () => this.inFlight,
      ceiling: () => ceiling,
      every: (_, callback) => {
        this.second = callback;
        return () => this.isTicking = false;
      },
    });
  }

  /** Starts attempts until `count` are in flight. */
  startUpTo(count: number): void {
    while (this.inFlight < count) this.heartbeat.beforeAttempt(++this.inFlight);
  }
}

Deno.test("Heartbeat never records less than what is in flight, and seldom writes", () => {
  const run = new TestRun();
  while (run.inFlight < 900) {
    run.startUpTo(run.inFlight + 1);
    assertLessOrEqual(run.inFlight, run.notes.at(-1)!.in_flight);
  }
  assertLessOrEqual(run.notes.length, 12);
  assertEquals(run.notes.at(-1)!.in_flight, 1_000);
  run.heartbeat.stop();
});

Deno.test("Heartbeat does not double its note beyond the number of calls that may be in flight", () => {
  const run = new TestRun(20);
  run.startUpTo(20);
  assertEquals(run.notes.at(-1)!.in_flight, 20);
  run.startUpTo(25); // the ceiling was lowered during the run
  assertEquals(run.notes.at(-1)!.in_flight, 25);
  run.heartbeat.stop();
});

Deno.test("Heartbeat comes down to the most in flight of the last second", () => {
  const run = new TestRun();
  run.startUpTo(40);
  run.inFlight = 10;
  run.second();
  assertEquals(run.notes.at(-1)!.in_flight, 40);
  run.second();
  assertEquals(run.notes.at(-1)!.in_flight, 10);
  const written = run.notes.length;
  run.second();
  assertEquals(run.notes.length, written);
  run.heartbeat.stop();
});

Deno.test("Heartbeat.stop() records a clean end, once", () => {
  const run = new TestRun();
  run.startUpTo(3);
  assertEquals(crashedInFlight([run.notes.at(-1)]), 6);
  run.heartbeat.stop();
  run.heartbeat.stop();
  assertEquals([run.isTicking, crashedInFlight([run.notes.at(-1)])], [false, 0]);
  assertEquals(run.notes.filter(({ running }) => !running).length, 1);
});

Deno.test("Heartbeat.stop() records abandoned answers like a crash", () => {
  const run = new TestRun();
  run.startUpTo(3);
  run.heartbeat.stop(2);
  run.heartbeat.stop();
  assertEquals(crashedInFlight([run.notes.at(-1)]), 2);
});

Deno.test("crashedInFlight() counts a run over several inputs once, and adds up several runs", () => {
  const note = { pid: 1, started: "a", running: true, in_flight: 20 };
  const sameRun = { ...note, pid: 2, in_flight: 18 };
  const other = { ...note, started: "b", in_flight: 3 };
  const inOrder = { ...note, started: "c", running: false, in_flight: 9 };
  assertEquals(crashedInFlight([note, sameRun, undefined, inOrder]), 20);
  assertEquals(crashedInFlight([note, other]), 23);
  assertEquals(crashedInFlight([]), 0);
});

Deno.test("what a killed process had in flight is in its lock", async () => {
  await using dir = await tempDir();
  const lib = (file: string) => JSON.stringify(import.meta.resolve(`../../lib/${file}`));
  const script = await dir.write(
    "run.ts",
    `import { acquireLock } from ${lib("sink/lock.ts")};
     import { Heartbeat } from ${lib("run/live_status.ts")};
     const lock = await acquireLock(Deno.args[0]);
     let inFlight = 0;
     const heartbeat = new Heartbeat([lock], { unwritten: () => inFlight, ceiling: () => 20 });
     while (inFlight < 17) heartbeat.beforeAttempt(++inFlight);
     if (Deno.args[1] === "stop") { heartbeat.stop(); Deno.exit(); }
     console.log("at work");
     setInterval(() => {}, 1_000);`,
  );
  const path = dir.path("x.lock");
  const command = (...args: string[]) =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-config", "--no-lock", "-A", script, path, ...args],
      stdout: "piped",
      stderr: "inherit",
    });
  await using stack = new AsyncDisposableStack();
  const child = command().spawn();
  stack.defer(async () => void await child.status);
  const reader = child.stdout.getReader();
  await reader.read();
  child.kill("SIGKILL");
  await reader.cancel();
  await child.status;
  const lock = await acquireLock(path);
  assertEquals([lock.previous!.pid, crashedInFlight([lock.previous])], [child.pid, 20]);
  lock.release();

  await command("stop").output();
  using last = await acquireLock(path);
  assertEquals([last.previous!.running, crashedInFlight([last.previous])], [false, 0]);
});
