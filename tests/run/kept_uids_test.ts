import { assertEquals } from "../../lib/deps/std_assert.ts";
import { sha256Hex } from "../../lib/hash.ts";
import { KeptUids } from "../../lib/run/plan.ts";

const uidOf = (i: number) => sha256Hex(`${i}`).slice(0, 32);

Deno.test("KeptUids gives ids back in their order, as they were", () => {
  const kept = new KeptUids();
  const uids = [
    "0".repeat(32),
    "f".repeat(32),
    ...Array.from({ length: 10_000 }, (_, i) => uidOf(i)),
  ];
  for (const uid of uids) kept.keep(uid);
  assertEquals(uids.map(() => kept.take()), uids);
});

Deno.test("KeptUids takes ids while others are taken out", () => {
  const kept = new KeptUids();
  const taken: string[] = [];
  for (let i = 0; i < 20_000; i++) {
    kept.keep(uidOf(i));
    if (i % 2 === 1) taken.push(kept.take());
  }
  for (let i = 0; i < 10_000; i++) taken.push(kept.take());
  assertEquals(taken, Array.from({ length: 20_000 }, (_, i) => uidOf(i)));
});
