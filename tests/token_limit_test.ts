import { assertEquals } from "../lib/deps/std_assert.ts";
import { escalated, tokenLimitOf, withTokenLimit } from "../lib/params.ts";
import { parseLossless } from "../lib/source/json_values.ts";
import type { Params } from "../lib/teacher/teacher.ts";

function paramsOf(text: string): Params {
  return Object.freeze(parseLossless(text)) as Params;
}

for (
  const [before, cap, completionTokens, after] of [
    [`{"max_tokens":100,"top_p":1.0}`, undefined, 0, `{"max_tokens":200,"top_p":1.0}`],
    [`{"max_completion_tokens":100}`, undefined, 0, `{"max_completion_tokens":200}`],
    [
      `{"max_tokens":100,"max_completion_tokens":150}`,
      250,
      0,
      `{"max_tokens":200,"max_completion_tokens":250}`,
    ],
    [
      `{"max_tokens":100,"max_completion_tokens":300}`,
      250,
      0,
      `{"max_tokens":200,"max_completion_tokens":300}`,
    ],
    [`{"max_tokens":100}`, 150, 0, `{"max_tokens":150}`],
    [`{"max_tokens":100}`, 100, 90, undefined],
    [`{"max_tokens":100}`, 50, 1_000, undefined],
    [`{"max_tokens":100.0}`, undefined, 0, `{"max_tokens":200}`],
    [`{"max_tokens":1e2}`, undefined, 0, `{"max_tokens":200}`],
    [`{"max_tokens":1e400}`, undefined, 0, undefined],
    [`{}`, undefined, 4_096, undefined],
    [`{}`, 20_000, 0, undefined],
    [`{"seed":1}`, 20_000, 4_096, `{"seed":1,"max_tokens":8192}`],
    [`{}`, 6_000, 4_096, `{"max_tokens":6000}`],
    [`{}`, 4_096, 4_096, undefined],
    [`{"max_tokens":null}`, 6_000, 4_096, `{"max_tokens":6000}`],
    [`{"max_tokens":"9"}`, undefined, 0, `{"max_tokens":18}`],
    [`{"max_tokens":"many"}`, undefined, 0, undefined],
    [`{"__proto__":{"max_tokens":9}}`, undefined, 0, undefined],
  ] as [string, number | undefined, number, string | undefined][]
) {
  Deno.test(`escalated() makes ${after} of ${before}, cap ${cap}, after ${completionTokens} tokens`, () => {
    const params = paramsOf(before);
    assertEquals(JSON.stringify(escalated(params, cap, completionTokens)), after);
    assertEquals(JSON.stringify(params), before);
  });
}

for (
  const [before, tokens, after] of [
    [`{"max_tokens":100,"top_p":1.0}`, 400, `{"max_tokens":400,"top_p":1.0}`],
    [`{"max_completion_tokens":100.0}`, 400, `{"max_completion_tokens":400}`],
    [
      `{"max_tokens":100,"max_completion_tokens":900}`,
      400,
      `{"max_tokens":400,"max_completion_tokens":900}`,
    ],
    [`{"max_tokens":100}`, 50, `{"max_tokens":100}`],
    [`{"top_p":1.0}`, 400, `{"top_p":1.0,"max_tokens":400}`],
  ] as const
) {
  Deno.test(`withTokenLimit() makes ${after} of ${before} and ${tokens}`, () => {
    assertEquals(JSON.stringify(withTokenLimit(paramsOf(before), tokens)), after);
  });
}

Deno.test("tokenLimitOf() finds the lower limit", () => {
  assertEquals(tokenLimitOf(paramsOf(`{"top_k":1}`)), undefined);
  assertEquals(tokenLimitOf(paramsOf(`{"max_tokens":0}`)), undefined);
  assertEquals(tokenLimitOf(paramsOf(`{"max_tokens":1e2}`)), { name: "max_tokens", tokens: 100 });
  assertEquals(tokenLimitOf(paramsOf(`{"max_tokens":100,"max_completion_tokens":50}`)), {
    name: "max_completion_tokens",
    tokens: 50,
  });
});
