import { assertEquals, assertRejects } from "../lib/deps/std_assert.ts";
import { after, Alarm, every, MAX_TIMER_MS } from "../lib/timer.ts";
import { FakeClock } from "./support/fake_clock.ts";

Deno.test("after() calls back once the time has passed, however long", async () => {
  using clock = new FakeClock();
  const calls: number[] = [];
  const times = [0, 10, MAX_TIMER_MS, MAX_TIMER_MS + 1, 3 * MAX_TIMER_MS + 7];
  for (const ms of times) after(ms, () => calls.push(clock.now()));
  await clock.advance(4 * MAX_TIMER_MS);
  assertEquals(calls, times);
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("after() does not call back once it was canceled", async () => {
  using clock = new FakeClock();
  let calls = 0;
  const callOff = after(3 * MAX_TIMER_MS, () => calls++);
  await clock.advance(2 * MAX_TIMER_MS);
  callOff();
  assertEquals(clock.pendingTimers, 0);
  await clock.advance(2 * MAX_TIMER_MS);
  assertEquals(calls, 0);
});

Deno.test("after() and every() keep the process alive only where asked to, and until that is stopped", async () => {
  const script = `
    import { after, every } from ${JSON.stringify(import.meta.resolve("../lib/timer.ts"))};
    after(3_600_000, () => {});
    every(3_600_000, () => {});
    const stop = every(20, () => {
      console.log("called");
      stop();
    }, { keepsAlive: true });
  `;
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", script],
    signal: AbortSignal.timeout(30_000),
  }).output();
  assertEquals([code, new TextDecoder().decode(stdout)], [0, "called\n"]);
});

Deno.test("every() wakes the process once for intervals that are due at nearly the same time", async () => {
  using clock = new FakeClock();
  const times = new Set<number>();
  const calls = { a: 0, b: 0, c: 0, d: 0 };
  const count = (name: keyof typeof calls) => () => {
    calls[name]++;
    times.add(clock.now());
  };
  const stops = [every(100, count("a"))];
  await clock.advance(40);
  stops.push(every(100, count("b")), every(1_000, count("c")), every(500, count("d")));
  await clock.advance(9_960);
  assertEquals(calls, { a: 100, b: 100, c: 10, d: 20 });
  assertEquals(times.size, 100);
  assertEquals(clock.pendingTimers, 1);
  for (const stop of stops) stop();
  await clock.advance(1_000);
  assertEquals([calls.a, clock.pendingTimers], [100, 0]);
});

Deno.test("every() may be stopped and begun by its callbacks", async () => {
  using clock = new FakeClock();
  const times: number[] = [];
  let stop = every(100, () => {
    stop();
    times.push(clock.now());
    stop = every(500, () => times.push(clock.now()));
  });
  await clock.advance(1_200);
  stop();
  assertEquals(times, [100, 600, 1_100]);
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("every() calls the other callbacks although one throws", async () => {
  using clock = new FakeClock();
  let calls = 0;
  const stops = [
    every(100, () => {
      throw new Error("Broken");
    }),
    every(100, () => calls++),
  ];
  await assertRejects(() => clock.advance(100), Error, "Broken");
  await clock.advance(50);
  assertEquals(calls, 1);
  for (const stop of stops) stop();
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("Alarm calls once, at the first of its times, and not again for the same time", async () => {
  using clock = new FakeClock();
  const calls: number[] = [];
  const alarm = new Alarm(clock.now, () => {
    calls.push(clock.now());
    alarm.set(calls[0]);
  });
  alarm.set(300);
  alarm.setEarlier(500);
  alarm.setEarlier(200);
  await clock.advance(1_000);
  assertEquals(calls, [200]);
  alarm.setEarlier(1_500);
  alarm.set(Infinity);
  await clock.advance(1_000);
  assertEquals(calls, [200]);
});
