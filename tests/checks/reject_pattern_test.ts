import { assertEquals, assertThrows } from "../../lib/deps/std_assert.ts";
import { compilePattern, patternCheck } from "../../lib/checks/built_in_checks.ts";
import { completionOf } from "./answers.ts";

function judge(pattern: string | RegExp, response: string) {
  return patternCheck(compilePattern(pattern))(completionOf({ response }));
}

Deno.test("patternCheck() rejects what matches, anywhere in the answer", () => {
  assertEquals(judge("As an AI", "Well. As an AI, I"), "Matches the reject pattern /As an AI/u");
  assertEquals(judge("As an AI", "as an ai"), undefined);
  assertEquals(judge("(?i:As an AI)", "as an ai") === undefined, false);
  assertEquals(judge(/as an ai/i, "As an AI"), "Matches the reject pattern /as an ai/i");
  assertEquals(judge("^.$", "😀") === undefined, false);
});

Deno.test("patternCheck() reads neither the reasoning nor a lack of text", () => {
  const check = patternCheck(/think|undefined|null/u);
  assertEquals(check(completionOf({ reasoning: "I think" })), undefined);
  assertEquals(
    check({ ...completionOf(), response: null as unknown as string }),
    undefined,
  );
});

for (const flags of ["g", "y", "gy"]) {
  Deno.test(`patternCheck() judges every answer alike with the flags ${flags}`, () => {
    const pattern = new RegExp("no", flags);
    pattern.lastIndex = 7;
    const check = patternCheck(compilePattern(pattern));
    for (let answer = 0; answer < 3; answer++) {
      assertEquals(check(completionOf({ response: "no" })) === undefined, false);
    }
    assertEquals(pattern.lastIndex, 7);
  });
}

Deno.test("compilePattern() says what is wrong with a pattern", () => {
  assertThrows(
    () => compilePattern("("),
    RangeError,
    'Cannot use the reject pattern "(": it must be a JavaScript regular expression: /(/u: ' +
      "Unterminated group",
  );
  assertThrows(() => compilePattern(""), RangeError, "it is empty");
});
