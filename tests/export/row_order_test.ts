/** Tests of lib/export/row_order.ts. @module */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import { RowOrder } from "../../lib/export/row_order.ts";

function offsets(order: RowOrder): number[] {
  return [...order.inInputOrder()].map(({ offset }) => offset);
}

Deno.test("RowOrder sorts by line within a file, and files by their first appearance", () => {
  const order = new RowOrder();
  order.add(0, 1, "b", 3);
  order.add(1, 1, "a", 2);
  order.add(2, 1, "b", 1);
  order.add(3, 1, "a", 1);
  order.add(4, 1, "b", 1);
  assertEquals(offsets(order), [2, 4, 0, 3, 1]);
});

Deno.test("RowOrder holds many lines, far into a large file", () => {
  const order = new RowOrder();
  const count = 5_000;
  for (let i = 0; i < count; i++) order.add(i * 2 ** 35, i, "a", (i * 1_999) % count + 1);
  const lines = offsets(order).map((offset) => (offset / 2 ** 35 * 1_999) % count + 1);
  assertEquals(lines, Array.from({ length: count }, (_, i) => i + 1));
});
