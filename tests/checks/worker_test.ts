/** Tests of the code in the worker that checks answers. @module */
import { patternCheck } from "../../lib/checks/built_in_checks.ts";
import { reasonsOf } from "../../lib/checks/worker.ts";
import type { Check } from "../../lib/checks/checks.ts";
import { Phase } from "../../lib/checks/worker_check.ts";
import { assertEquals } from "../../lib/deps/std_assert.ts";

/** Checks two answers, the first of which is interrupted this many times. */
function reasonsAfter(interruptions: number) {
  const checks: [number, Check][] = [[Phase.Pattern, patternCheck(/bad/)]];
  const ends = (_maxMs: number, work: () => void) => {
    if (interruptions-- > 0) return false;
    work();
    return true;
  };
  const reasons = reasonsOf(
    { texts: ["fine", "bad"], withToolCalls: [] },
    checks,
    new Int32Array(1),
    ends,
  );
  return reasons && [...reasons.keys()];
}

Deno.test("an answer is checked again after the process was stopped (SIGSTOP), and once only", () => {
  assertEquals(reasonsAfter(0), [1]);
  assertEquals(reasonsAfter(1), [1]);
  assertEquals(reasonsAfter(2), undefined);
});
