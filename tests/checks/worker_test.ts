/** Tests of the code in the worker that checks answers. @module */
import { type AnswerCheck, jsonCheck, patternCheck } from "../../lib/checks/built_in_checks.ts";
import { verdictsOn } from "../../lib/checks/worker.ts";
import { assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";

const BATCH = { texts: ["fine", "bad", "fine"], withToolCalls: [] };
const REJECTED = "Matches the reject pattern /bad/";

/** Verdicts on `BATCH`, whose answer at `index` is interrupted this many times. */
function verdictsAfter(interruptions: number, index: number) {
  let calls = 0;
  const isBad = patternCheck(/bad/);
  const check: AnswerCheck = (answer) => {
    if (calls++ === index && interruptions-- > 0) {
      calls--;
      throw "interrupted";
    }
    return isBad(answer);
  };
  const ends = (_maxMs: number, work: () => void) => {
    try {
      work();
      return true;
    } catch (error) {
      assertEquals(error, "interrupted");
      return false;
    }
  };
  return verdictsOn(BATCH, new Map([["the reject pattern (--reject-pattern)", check]]), ends);
}

Deno.test("an answer is checked again after the process was stopped (SIGSTOP), and once only", () => {
  for (const index of [0, 1, 2]) {
    const all = [undefined, REJECTED, undefined];
    assertEquals(verdictsAfter(0, index), all);
    assertEquals(verdictsAfter(1, index), all);
    const unchecked =
      "Cannot check the answer against the reject pattern (--reject-pattern): the check " +
      "takes more than 1 s. A nested repetition, such as (a+)+, can take exponential time: write a " +
      "single one, such as a+";
    assertEquals(verdictsAfter(2, index), [...all.slice(0, index), { unchecked, isFinal: true }]);
  }
});

Deno.test("an answer whose check throws ends the batch", () => {
  const check: AnswerCheck = ({ response }) => {
    if (response === "bad") throw new RangeError("Too deep");
    return undefined;
  };
  const unchecked = "The answer could not be checked: RangeError: Too deep";
  assertEquals(
    verdictsOn(BATCH, new Map([["the JSON Schema (--json-schema)", check]])),
    [undefined, { unchecked, isFinal: true }],
  );
});

Deno.test("the verdict on an answer that takes too long names the check that was running", () => {
  const checks = new Map<
    "the reject pattern (--reject-pattern)" | "the JSON Schema (--json-schema)",
    AnswerCheck
  >([
    ["the JSON Schema (--json-schema)", () => undefined],
    ["the reject pattern (--reject-pattern)", () => {
      throw "interrupted";
    }],
  ]);
  const ends = (_maxMs: number, work: () => void) => {
    try {
      work();
    } catch {
      return false;
    }
    return true;
  };
  const [verdict] = verdictsOn({ texts: ["a"], withToolCalls: [] }, checks, ends);
  const { unchecked } = verdict as { unchecked: string };
  assertStringIncludes(unchecked, "against the reject pattern (--reject-pattern):");
});

Deno.test("tool calls without text need no JSON, in the worker too", () => {
  const checks = new Map([["the JSON Schema (--json-schema)", jsonCheck()]] as const);
  const verdicts = verdictsOn({ texts: ["", ""], withToolCalls: [1] }, checks);
  assertEquals(verdicts, ["Not JSON: Unexpected end of JSON input", undefined]);
});
