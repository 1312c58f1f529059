import { assertEquals } from "../../lib/deps/std_assert.ts";
import { Handoff } from "../../lib/run/outcomes.ts";
import { settled } from "../support/fake_clock.ts";

/** Whether a promise has settled, without waiting for it. */
function watched(promise: Promise<unknown>): { isDone: boolean } {
  const state = { isDone: false };
  promise.then(() => state.isDone = true);
  return state;
}

Deno.test("Handoff delivers items in the order in which they were put", async () => {
  const handoff = new Handoff<number>();
  const puts = [handoff.put(1), handoff.put(2), handoff.put(3)];
  assertEquals([await handoff.take(), await handoff.take(), await handoff.take()], [1, 2, 3]);
  await Promise.all(puts);
});

Deno.test("Handoff.put() resolves only when the item is taken", async () => {
  const handoff = new Handoff<number>();
  const first = watched(handoff.put(1));
  const second = watched(handoff.put(2));
  await settled();
  assertEquals([first.isDone, second.isDone], [false, false]);
  await handoff.take();
  await settled();
  assertEquals([first.isDone, second.isDone], [true, false]);
  await handoff.take();
  await settled();
  assertEquals(second.isDone, true);
});

Deno.test("Handoff delivers an item at once to a waiting taker, first come, first served", async () => {
  const handoff = new Handoff<number>();
  const takes = [handoff.take(), handoff.take()];
  await handoff.put(1);
  await handoff.put(2);
  assertEquals(await Promise.all(takes), [1, 2]);
});

Deno.test("Handoff.end() lets items that were put be taken, then ends", async () => {
  const handoff = new Handoff<number>();
  const put = watched(handoff.put(1));
  handoff.end();
  await settled();
  assertEquals(put.isDone, false);
  assertEquals(await handoff.take(), 1);
  assertEquals(await handoff.take(), undefined);
  assertEquals(await handoff.take(), undefined);
  assertEquals(put.isDone, true);
});

Deno.test("Handoff.end() resolves waiting takers with nothing", async () => {
  const handoff = new Handoff<number>();
  const takes = [handoff.take(), handoff.take()];
  handoff.end();
  handoff.end();
  assertEquals(await Promise.all(takes), [undefined, undefined]);
});

Deno.test("Handoff.abandon() releases all waiters, including later ones", async () => {
  const handoff = new Handoff<number>();
  const put = handoff.put(1);
  handoff.abandon();
  assertEquals([await put, await handoff.put(2)], [false, false]);
  assertEquals(await handoff.take(), undefined);
});

Deno.test("Handoff hands over falsy items like any other", async () => {
  const handoff = new Handoff<number | null>();
  const puts = [handoff.put(0), handoff.put(null)];
  assertEquals([await handoff.take(), await handoff.take()], [0, null]);
  await Promise.all(puts);
});
