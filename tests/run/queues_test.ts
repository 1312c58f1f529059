import { assertEquals } from "../../lib/deps/std_assert.ts";
import { SlotQueue } from "../../lib/run/queues.ts";

const MAX = 2 ** 32 - 1;

const cases: Record<string, readonly number[]> = {
  "one slot": [7],
  "slots of new rows": Array.from({ length: 10_000 }, (_, i) => 5 + i),
  "slots of rows with samples": Array.from({ length: 10_000 }, (_, i) => 4 * i),
  "slots in reverse order": Array.from({ length: 10_000 }, (_, i) => MAX - i),
  "the same slot again": [3, 3, 3, 9],
  "sequences with gaps": [0, 1, 2, 100, 101, 102, 50, 49, 48, 7, MAX, 0, 0, 1],
  "slots without order": Array.from({ length: 10_000 }, (_, i) => Math.imul(i, 2654435761) >>> 0),
};

for (const [name, slots] of Object.entries(cases)) {
  Deno.test(`SlotQueue returns ${name} in order`, () => {
    const queue = new SlotQueue();
    for (const slot of slots) queue.push(slot);
    assertEquals(slots.map(() => queue.shift()), slots);
  });
}
