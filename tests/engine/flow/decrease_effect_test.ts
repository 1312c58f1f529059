import { assertEquals } from "../../../lib/deps/std_assert.ts";
import { DecreaseEffect } from "../../../lib/engine/flow/decrease_effect.ts";

/** The share that it finds, where `of` attempts are made for each that is refused, at these limits. */
function found(sizes: readonly number[], ofAt: (size: number) => number): number | undefined {
  const effect = new DecreaseEffect(0.03);
  effect.cut(100);
  let now = 0;
  for (const size of sizes) {
    for (let attempt = 1; attempt <= 240; attempt++) {
      effect.sent(now, size);
      const share = attempt % ofAt(size) === 0 ? effect.refused(now, now + 20, size) : undefined;
      if (share !== undefined) return share;
      now += 20;
    }
  }
  return undefined;
}

const CUTS = [85, 72, 61, 52, 44, 37];

Deno.test("CutEffect finds the share that is refused whatever is sent", () => {
  // The sixth refusal is known when the 25th attempt is made.
  assertEquals(found(CUTS, () => 4), 6 / 25);
});

Deno.test("CutEffect finds none where fewer are refused of fewer", () => {
  assertEquals(found(CUTS, (size) => size > 60 ? 2 : size > 50 ? 3 : 8), undefined);
});

Deno.test("CutEffect finds none where nearly all are refused", () => {
  assertEquals(found(CUTS, () => 1), undefined);
});

Deno.test("CutEffect waits until it has seen what half as much brings", () => {
  assertEquals(found([85, 72, 61, 60, 58, 55, 52], () => 4), undefined);
});

Deno.test("CutEffect tells where the limit began, and begins anew once it has come back", () => {
  const effect = new DecreaseEffect(0.03);
  assertEquals(effect.sizeBefore, 0);
  for (const [size, before] of [[100, 100], [85, 100], [110, 100], [130, 130]]) {
    effect.cut(size);
    assertEquals(effect.sizeBefore, before);
  }
});
