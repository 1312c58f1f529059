import { assertAlmostEquals, assertEquals, assertLess } from "../../../lib/deps/std_assert.ts";
import { CubicGrowth, RECOVERY_MS } from "../../../lib/engine/flow/rate_parts.ts";

Deno.test("Growth.at() has no bound before the first cut", () => {
  assertEquals(new CubicGrowth().at(1e9), Infinity);
});

Deno.test("Growth.at() is back at the old size after 15 s, whatever the size", () => {
  for (const size of [0.5, 10, 1_000]) {
    const growth = new CubicGrowth();
    growth.cut(7_000, 0.85 * size, size);
    assertAlmostEquals(growth.at(7_000), 0.85 * size);
    assertAlmostEquals(growth.at(7_000 + RECOVERY_MS), size);
  }
});

Deno.test("Growth.at() is gentle near the old size and quick far from it", () => {
  const growth = new CubicGrowth();
  growth.cut(0, 85, 100);
  assertLess(growth.at(20_000) - growth.at(10_000), 2);
  assertAlmostEquals(growth.at(55_716), 400, 0.1);
});

Deno.test("Growth.cut() starts anew", () => {
  const growth = new CubicGrowth();
  growth.cut(0, 85, 100);
  growth.cut(60_000, 34, 40);
  assertAlmostEquals(growth.at(60_000), 34);
  assertAlmostEquals(growth.at(75_000), 40);
});
