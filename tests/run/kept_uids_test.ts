import { assertEquals } from "../../lib/deps/std_assert.ts";
import { sha256Hex } from "../../lib/hash.ts";
import { IdTable } from "../../lib/index/id_table.ts";
import { KeptUids } from "../../lib/run/plan.ts";

const uidOf = (i: number) => sha256Hex(`${i}`).slice(0, 32);

Deno.test("KeptUids returns ids in their order, unchanged", () => {
  const table = new IdTable(), kept = new KeptUids();
  const uids = [
    "0".repeat(32),
    "f".repeat(32),
    ...Array.from({ length: 10_000 }, (_, i) => uidOf(i)),
  ];
  for (const uid of uids) kept.keep(table.insert(uid));
  kept.takeKeys(table.releaseKeys());
  assertEquals(uids.map(() => kept.shift()), uids);
});

Deno.test("KeptUids keeps some ids of a table, in another order than the table's", () => {
  const table = new IdTable(), kept = new KeptUids();
  const uids = Array.from({ length: 20_000 }, (_, i) => uidOf(i));
  const slots = uids.map((uid) => table.insert(uid));
  const order = [...slots.keys()].filter((i) => i % 3 === 1 && (i < 5_000 || i > 15_000)).reverse();
  for (const i of order) kept.keep(slots[i]);
  kept.takeKeys(table.releaseKeys());
  assertEquals(table.byteLength < 1_000, true);
  assertEquals(order.map(() => kept.shift()), order.map((i) => uids[i]));
});
