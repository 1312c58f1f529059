import { assertAlmostEquals, assertEquals } from "../../lib/deps/std_assert.ts";
import { TokenRate } from "../../lib/progress/token_rate.ts";

Deno.test("TokenRate gives tokens per second over the last 30 s", () => {
  const rate = new TokenRate();
  assertEquals(rate.perSecond, 0);
  rate.add(0, 0);
  assertEquals(rate.perSecond, 0);
  for (let ms = 100; ms <= 60_000; ms += 100) rate.add(ms, ms);
  assertAlmostEquals(rate.perSecond, 1000, 1);
  for (let ms = 60_100; ms <= 91_000; ms += 100) rate.add(ms, 60_000);
  assertEquals(rate.perSecond, 0);
});
