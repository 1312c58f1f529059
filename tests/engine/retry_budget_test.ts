import { assertAlmostEquals, assertEquals } from "../../lib/deps/std_assert.ts";
import { RetryBudget } from "../../lib/engine/retry_budget.ts";

/** Makes as many retries as there is a place for; gives how many. */
function retriesLeft(budget: RetryBudget): number {
  let count = 0;
  for (; budget.allows && count < 10_000; count++) budget.retry();
  return count;
}

Deno.test("RetryBudget allows ten retries and one for every ten first attempts", () => {
  const budget = new RetryBudget(() => 0);
  assertEquals(retriesLeft(budget), 10);
  for (let row = 0; row < 300; row++) budget.first();
  assertEquals(retriesLeft(budget), 30);
  assertEquals(budget.allows, false);
});

Deno.test("RetryBudget forgets what was long ago", () => {
  let now = 0;
  const budget = new RetryBudget(() => now);
  for (let row = 0; row < 1_000; row++) budget.first();
  assertEquals(retriesLeft(budget), 110);
  now = 60_000;
  // A minute leaves 37 % of both.
  assertEquals(retriesLeft(budget), 7);
  now = 600_000;
  assertEquals(retriesLeft(budget), 10);
});

Deno.test("RetryBudget holds retries to a tenth of a steady stream", () => {
  let now = 0;
  const budget = new RetryBudget(() => now);
  let first = 0, retries = 0;
  for (; now < 600_000; now += 10) {
    budget.first();
    first++;
    while (budget.allows) {
      budget.retry();
      retries++;
    }
  }
  assertAlmostEquals(retries / first, 0.1, 0.005);
});
