import { assertEquals, assertMatch } from "../../lib/deps/std_assert.ts";
import type { Io, StopSignal } from "../../cli/io.ts";
import { endAfterSecondSignal } from "../../cli/io.ts";
import { listenForSignals, type Signals, untilInterrupted } from "../../cli/exit.ts";
import type { RunSnapshot } from "../../lib/progress/mod.ts";
import type { ResponseGenerator } from "../../lib/response_generator.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { fakeIo } from "../support/process.ts";

/** A run that records the calls to it, and a user who presses Ctrl-C. */
class Scene implements Disposable {
  readonly clock = new FakeClock();
  readonly did: string[] = [];
  readonly said: string[] = [];
  readonly signals: Signals;
  readonly #handlers = new Map<StopSignal, Set<() => void>>();
  readonly exits: number[] = [];
  abortReason: unknown;
  parentPid = 77;

  constructor({ inFlight = 3, graceMs = 20_000, env = {} as Record<string, string> } = {}) {
    const generator = {
      stop: () => this.did.push("stop"),
      abort: (reason: unknown) => {
        this.did.push("abort");
        this.abortReason = reason;
      },
      snapshot: () => ({ inFlight }) as RunSnapshot,
    } as unknown as ResponseGenerator;
    const io = {
      onSignal: (signal: StopSignal, handler: () => void) => {
        const handlers = this.#handlers.get(signal) ?? new Set();
        this.#handlers.set(signal, handlers.add(handler));
        return () => handlers.delete(handler);
      },
      env: (name: string) => env[name],
      exit: (code: number) => this.exits.push(code),
      parentPid: () => this.parentPid,
    } as unknown as Io;
    this.signals = listenForSignals(generator, io, (message) => this.said.push(message), graceMs);
  }

  send(signal: StopSignal): void {
    for (const handler of this.#handlers.get(signal) ?? []) handler();
  }

  get listeners(): number {
    return this.#handlers.values().reduce((sum, handlers) => sum + handlers.size, 0);
  }

  [Symbol.dispose](): void {
    this.signals[Symbol.dispose]();
    this.clock[Symbol.dispose]();
  }
}

Deno.test("listenForSignals() drains the run at the first Ctrl-C and says what is left", async () => {
  using scene = new Scene({ inFlight: 1_234 });
  assertEquals(scene.signals.received, undefined);
  scene.send("SIGINT");
  assertEquals(scene.did, ["stop"]);
  assertEquals(scene.signals.received, "SIGINT");
  assertEquals(scene.said.length, 1);
  assertMatch(scene.said[0], /1,234 paid calls .*Ctrl-C again/);
  // However long the calls take, only a second Ctrl-C ends the run.
  await scene.clock.advance(3_600_000);
  assertEquals(scene.did, ["stop"]);
});

Deno.test("listenForSignals() says nothing of calls when there are none", () => {
  using scene = new Scene({ inFlight: 0 });
  scene.send("SIGINT");
  assertEquals([scene.did, scene.said], [["stop"], []]);
});

Deno.test("listenForSignals() uses the singular for one call", () => {
  using scene = new Scene({ inFlight: 1 });
  scene.send("SIGINT");
  assertMatch(scene.said[0], /\b1 paid call\b/);
});

Deno.test("listenForSignals() ignores a signal right after another one", async () => {
  using scene = new Scene();
  scene.send("SIGINT");
  await scene.clock.advance(0.3);
  scene.send("SIGINT");
  await scene.clock.advance(499);
  scene.send("SIGINT");
  assertEquals(scene.did, ["stop"]);
});

Deno.test("listenForSignals() ends the run at the second Ctrl-C", async () => {
  using scene = new Scene();
  scene.send("SIGINT");
  await scene.clock.advance(500);
  scene.send("SIGINT");
  assertEquals(scene.did, ["stop", "abort"]);
  assertMatch(scene.said[1], /sent again/);
  assertEquals((scene.abortReason as DOMException).name, "AbortError");
});

Deno.test("listenForSignals() ends the process 1.5 s after the second signal, also once it is disposed of", async () => {
  using scene = new Scene();
  scene.send("SIGTERM");
  await scene.clock.advance(500);
  scene.send("SIGINT");
  scene.signals[Symbol.dispose]();
  await scene.clock.advance(1_499);
  assertEquals(scene.exits, []);
  await scene.clock.advance(1);
  assertEquals(scene.exits, [143]);
});

Deno.test("endAfterSecondSignal() ends the process 1.9 s after the second signal, and once", async () => {
  using clock = new FakeClock();
  let ends = 0;
  const onSignal = endAfterSecondSignal(() => ends++);
  onSignal();
  await clock.advance(499);
  // The first signal again.
  onSignal();
  await clock.advance(10_000);
  assertEquals(ends, 0);
  onSignal();
  await clock.advance(1_899);
  assertEquals(ends, 0);
  onSignal();
  await clock.advance(1);
  assertEquals(ends, 1);
  await clock.advance(10_000);
  assertEquals(ends, 1);
});

for (const name of ["INIT_CWD", "npm_command"]) {
  Deno.test(`listenForSignals() treats a lost parent as SIGTERM if there is ${name}`, async () => {
    using scene = new Scene({ env: { [name]: "x" } });
    await scene.clock.advance(5_000);
    assertEquals(scene.did, []);
    scene.parentPid = 1;
    await scene.clock.advance(1_000);
    assertEquals([scene.did, scene.signals.received], [["stop"], "SIGTERM"]);
    assertMatch(scene.said[0], /process that started this run has ended/);
    await scene.clock.advance(20_000);
    assertEquals(scene.did, ["stop", "abort"]);
  });
}

for (const signal of ["SIGHUP", "SIGINT"] as const) {
  Deno.test(`listenForSignals() keeps waiting for paid calls if ${signal} ended its parent, too`, async () => {
    using scene = new Scene({ env: { npm_command: "exec" } });
    scene.send(signal);
    await scene.clock.advance(700);
    scene.parentPid = 1;
    await scene.clock.advance(19_000);
    assertEquals(scene.did, ["stop"]);
    await scene.clock.advance(2_000);
    assertEquals(scene.did, ["stop", "abort"]);
  });
}

Deno.test("listenForSignals() ignores a lost parent that is not a task runner", async () => {
  using scene = new Scene();
  scene.parentPid = 1;
  await scene.clock.advance(60_000);
  assertEquals(scene.did, []);
});

for (const signal of ["SIGTERM", "SIGHUP"] as const) {
  Deno.test(`listenForSignals() drains after ${signal} for as long as the grace lasts`, async () => {
    using scene = new Scene({ graceMs: 20_000 });
    scene.send(signal);
    assertEquals(scene.signals.received, signal);
    assertMatch(scene.said[0], /20 s at most/);
    await scene.clock.advance(19_999);
    assertEquals(scene.did, ["stop"]);
    await scene.clock.advance(1);
    assertEquals(scene.did, ["stop", "abort"]);
  });
}

Deno.test("listenForSignals() ends the run at a second signal of another kind", async () => {
  using scene = new Scene();
  scene.send("SIGINT");
  await scene.clock.advance(1_000);
  scene.send("SIGTERM");
  assertEquals(scene.did, ["stop", "abort"]);
  assertEquals(scene.signals.received, "SIGINT");
});

Deno.test("listenForSignals() does not end the run at once when the grace fits no timer", async () => {
  using scene = new Scene({ graceMs: 2 ** 31 });
  scene.send("SIGTERM");
  await scene.clock.advance(3_600_000);
  assertEquals(scene.did, ["stop"]);
});

Deno.test("listenForSignals() ignores signals and leaves no timer once disposed of", () => {
  using scene = new Scene();
  assertEquals(scene.listeners, 3);
  scene.send("SIGTERM");
  assertEquals(scene.clock.pendingTimers, 1);
  scene.signals[Symbol.dispose]();
  assertEquals(scene.clock.pendingTimers, 0);
  assertEquals(scene.listeners, 0);
});

Deno.test("a command that cannot clean up, as where a file server hangs, ends 10 s after the signal", async () => {
  using clock = new FakeClock();
  const codes: number[] = [];
  let terminate = () => {};
  const io = fakeIo({
    onSignal(signal, handler) {
      if (signal === "SIGTERM") terminate = handler;
      return () => {};
    },
    exit: (code) => void codes.push(code),
  });
  void untilInterrupted(io, () => new Promise(() => {}));
  terminate();
  await clock.advance(9_900);
  assertEquals(codes, []);
  await clock.advance(200);
  assertEquals(codes, [143]);
});
