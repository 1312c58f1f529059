import { assertEquals } from "../../lib/deps/std_assert.ts";
import { jsonCheck } from "../../lib/checks/built_in_checks.ts";
import { completionOf, TOOL_CALLS } from "./answers.ts";

for (
  const [response, reason] of [
    [`{"answer": 42}`, undefined],
    [` \n[1, 2]\r\n`, undefined],
    [`"text"`, undefined],
    [`Hello`, "Not JSON: Unexpected token 'H'"],
    [`Sure! {"answer": 42}`, "Not JSON: Unexpected token 'S'"],
    [`'a'`, "Not JSON: Unexpected token '''"],
    [`😀`, "Not JSON: Unexpected token '\ufffd'"],
    [
      `{"a": 1} and more`,
      "Not JSON: Unexpected non-whitespace character after JSON at position 9 (line 1 column 10)",
    ],
    [`{"answer": `, "Not JSON: Unexpected end of JSON input"],
    ["```json\n{}\n```", "Not JSON: wrapped in a code fence (```)"],
    ["\n```\n{}\n```", "Not JSON: wrapped in a code fence (```)"],
    ["\uFEFF{}", "Not JSON: Unexpected token '\uFEFF'"],
  ] as [string, string | undefined][]
) {
  Deno.test(`jsonCheck() says ${reason ?? "nothing"} of ${JSON.stringify(response)}`, () => {
    assertEquals(jsonCheck()(completionOf({ response })), reason);
  });
}

Deno.test("jsonCheck() passes a tool call without text, and checks its text if there is any", () => {
  const check = jsonCheck(() => "rejected");
  assertEquals(check(completionOf({ response: " ", toolCalls: TOOL_CALLS })), undefined);
  assertEquals(check(completionOf({ response: "1", toolCalls: TOOL_CALLS })), "rejected");
  assertEquals(
    check(completionOf({ response: "Hm", toolCalls: TOOL_CALLS })),
    "Not JSON: Unexpected token 'H'",
  );
});

Deno.test("jsonCheck() passes the value on, with its own __proto__", () => {
  const seen: unknown[] = [];
  const check = jsonCheck((value) => {
    seen.push(value);
    return undefined;
  });
  assertEquals(check(completionOf({ response: `{"__proto__":1}` })), undefined);
  assertEquals(Object.keys(seen[0] as object), ["__proto__"]);
});
