import { assertEquals } from "../lib/deps/std_assert.ts";
import { after, MAX_TIMER_MS } from "../lib/timer.ts";
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

Deno.test("after() does not call back once it was called off", async () => {
  using clock = new FakeClock();
  let calls = 0;
  const callOff = after(3 * MAX_TIMER_MS, () => calls++);
  await clock.advance(2 * MAX_TIMER_MS);
  callOff();
  assertEquals(clock.pendingTimers, 0);
  await clock.advance(2 * MAX_TIMER_MS);
  assertEquals(calls, 0);
});

Deno.test("after() does not keep the process alive", async () => {
  const script = `
    import { after } from ${JSON.stringify(import.meta.resolve("../lib/timer.ts"))};
    after(3_600_000, () => {});
  `;
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", script],
    signal: AbortSignal.timeout(30_000),
  }).output();
  assertEquals(code, 0);
});
