import { assertEquals } from "../../lib/deps/std_assert.ts";
import { RetryQueue } from "../../lib/engine/retry_policy.ts";
import { FakeClock } from "../support/fake_clock.ts";

/** A queue that takes all due rows when it is notified, as lanes do. */
function openRoom(clock: FakeClock): { room: RetryQueue<string>; left: string[] } {
  const left: string[] = [];
  const room = new RetryQueue<string>(clock.now, () => {
    for (let item = room.takeDue(); item !== undefined; item = room.takeDue()) left.push(item);
  });
  return { room, left };
}

Deno.test("RetryQueue releases rows in the order of their due times", async () => {
  using clock = new FakeClock();
  const { room, left } = openRoom(clock);
  for (const [item, delayMs] of [["c", 30], ["a", 10], ["b", 20], ["now", 0]] as const) {
    room.add(item, delayMs);
  }
  assertEquals(room.size, 4);
  await clock.advance(9);
  assertEquals(left, ["now"]);
  await clock.advance(11);
  assertEquals(left, ["now", "a", "b"]);
  await clock.advance(10);
  assertEquals(left, ["now", "a", "b", "c"]);
  assertEquals(room.size, 0);
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("RetryQueue.takeDue() returns nothing before the due time", async () => {
  using clock = new FakeClock();
  const room = new RetryQueue<string>(clock.now, () => {});
  assertEquals(room.takeDue(), undefined);
  room.add("a", 10);
  await clock.advance(9);
  assertEquals(room.takeDue(), undefined);
  await clock.advance(1);
  assertEquals(room.takeDue(), "a");
  assertEquals(room.takeDue(), undefined);
});

Deno.test("RetryQueue has one timer for all, and none when it is empty", () => {
  using clock = new FakeClock();
  const { room } = openRoom(clock);
  for (let i = 100; i > 0; i--) room.add(String(i), i);
  assertEquals(clock.pendingTimers, 1);
  room.clear();
  assertEquals(room.size, 0);
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("RetryQueue can be used again after it was cleared", async () => {
  using clock = new FakeClock();
  const { room, left } = openRoom(clock);
  room.add("a", 10);
  room.clear();
  room.add("b", 10);
  await clock.advance(10);
  assertEquals(left, ["b"]);
});

Deno.test("RetryQueue does not call early after a delay that is too long for a timer", async () => {
  using clock = new FakeClock();
  const { room, left } = openRoom(clock);
  room.add("a", 2 ** 31);
  await clock.advance(2 ** 31 - 1);
  assertEquals(left, []);
  await clock.advance(1);
  assertEquals(left, ["a"]);
});

Deno.test("RetryQueue calls only once while its rows are not taken", async () => {
  using clock = new FakeClock();
  let calls = 0;
  const room = new RetryQueue<string>(clock.now, () => calls++);
  room.add("a", 10);
  room.add("b", 10);
  await clock.advance(100_000);
  assertEquals(calls, 1);
  assertEquals(room.takeDue() !== undefined, true);
});

Deno.test("RetryQueue calls for the next row once the one before it was taken", async () => {
  using clock = new FakeClock();
  const calls: number[] = [];
  const room = new RetryQueue<string>(clock.now, () => calls.push(clock.now()));
  room.add("a", 10);
  room.add("b", 20);
  room.add("c", 50);
  await clock.advance(30);
  assertEquals(calls, [10]);
  assertEquals(room.takeDue(), "a");
  await clock.advance(0);
  assertEquals(calls, [10, 30]);
  assertEquals(room.takeDue(), "b");
  await clock.advance(20);
  assertEquals(calls, [10, 30, 50]);
  room.clear();
});

Deno.test("RetryQueue keeps waiting when a timer fires too early", async () => {
  using clock = new FakeClock();
  let nowMs = 0;
  const left: (string | undefined)[] = [];
  const room = new RetryQueue<string>(() => nowMs, () => left.push(room.takeDue()));
  room.add("a", 10);
  nowMs = 9.5; // The timer fires early by this clock.
  await clock.advance(10);
  assertEquals(left, []);
  nowMs = 10.5;
  await clock.advance(1);
  assertEquals(left, ["a"]);
});
