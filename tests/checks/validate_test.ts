import { assertEquals } from "../../lib/deps/std_assert.ts";
import { type AnsweredRow, type Validate, validateCheck } from "../../lib/checks/checks.ts";
import { completionOf, COST, rowOf, TOOL_CALLS } from "./answers.ts";

function judge(validate: unknown, text?: string) {
  return validateCheck(validate as Validate)(completionOf(), rowOf(text), COST);
}

class Broken extends Error {
  override name = "Broken";
}

for (
  const [verdict, reason] of [
    [true, undefined],
    [undefined, undefined],
    [null, undefined],
    [false, "validate() returned false"],
    ["too short", "too short"],
    ["", 'validate() returned ""'],
    [0, "validate() must return true, false or a string: it returned a value of type number"],
    [[], "validate() must return true, false or a string: it returned an array"],
  ] as [unknown, string | undefined][]
) {
  Deno.test(`validateCheck() takes ${JSON.stringify(verdict)}, now or later, for ${reason}`, async () => {
    assertEquals(judge(() => verdict), reason);
    const later = judge(() => Promise.resolve(verdict));
    assertEquals(later instanceof Promise, true);
    assertEquals(await later, reason);
  });
}

for (
  const [thrown, reason] of [
    [new Broken("it broke"), "validate() threw: Broken: it broke"],
    ["words", 'validate() threw: "words"'],
    [Object.create(null), "validate() threw: [Object: null prototype] {}"],
  ] as [unknown, string][]
) {
  Deno.test(`validateCheck() rejects with "${reason}", thrown now or later`, async () => {
    assertEquals(
      judge(() => {
        throw thrown;
      }),
      reason,
    );
    assertEquals(await judge(() => Promise.reject(thrown)), reason);
  });
}

Deno.test("validateCheck() passes the row's fields, overridden by those of the answer", () => {
  const seen: AnsweredRow[] = [];
  const text = `{"__proto__":{"a":1},"answer":42,"response":"old","tool_calls":[1],"uid":"own"}`;
  const check = validateCheck((row) => void seen.push(row));
  assertEquals(check(completionOf({ reasoning: "Hm" }), rowOf(text), COST), undefined);
  check(completionOf({ toolCalls: TOOL_CALLS }), rowOf(), COST);
  assertEquals(JSON.parse(JSON.stringify(seen[0])), {
    ...JSON.parse(`{"__proto__":{"a":1}}`),
    answer: 42,
    uid: "row-1",
    response: "42",
    reasoning: "Hm",
    finish_reason: "stop",
  });
  assertEquals(Object.getPrototypeOf(seen[0]) === Object.prototype, true);
  assertEquals(seen[1], {
    prompt: "Hello",
    uid: "row-1",
    response: "42",
    reasoning: "",
    finish_reason: "stop",
    tool_calls: TOOL_CALLS,
  });
});
