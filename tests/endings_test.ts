import { assertEquals, assertThrows } from "../lib/deps/std_assert.ts";
import { checkEndings, endingOfReason, Endings } from "../lib/answer.ts";
import type { Completion } from "../lib/teacher/mod.ts";

function completion(finishReason: unknown, completionTokens = 11): Completion {
  const usage = { promptTokens: 7, completionTokens };
  return { response: "42", finishReason: finishReason as string, usage, model: "m" };
}

const WORDS = {
  whole: ["stop", "STOP", "Stop", "tool_calls", "tool_use", "function_call", "end_turn"],
  limit: ["length", "max_tokens", "MAX_TOKENS", "maxPredictedTokensReached", "max-output-tokens"],
  context: ["model_length", "model_context_window_exceeded"],
  filter: ["content_filter", "content_filter: SPII", "SAFETY", "sensitive", "refusal"],
  broken: ["abort", "error", "ERROR", "timeout", "cancelled", "repetition", "OTHER", "USER_CANCEL"],
  unknown: ["natural_end", "结束", "stop!?x"],
  none: ["", "  ", null, "…"],
} as const;

for (const [ending, words] of Object.entries(WORDS)) {
  Deno.test(`endingOfReason() takes ${words.map((word) => JSON.stringify(word))} for ${ending}`, () => {
    for (const word of words) assertEquals<string>(endingOfReason(word), ending, `${word}`);
  });
}

Deno.test("Endings accepts what the user accepts, but nothing that was cut off", () => {
  const endings = new Endings(["natural-end", "none", "OTHER"]);
  assertEquals(endings.endingFor(completion("NATURAL_END"), {}), "whole");
  assertEquals(endings.endingFor(completion(""), {}), "whole");
  assertEquals(endings.endingFor(completion(null), {}), "whole");
  assertEquals(endings.endingFor(completion("other"), {}), "whole");
  assertEquals(endings.endingFor(completion("abort"), {}), "broken");
  assertEquals(endings.endingFor(completion("other_end"), {}), "unknown");
  for (const limit of [{ max_tokens: 11 }, { max_completion_tokens: 11 }]) {
    assertEquals(endings.endingFor(completion(""), limit), "limit");
    assertEquals(endings.endingFor(completion("stop"), limit), "limit");
  }
  assertEquals(endings.endingFor(completion("stop", 10), { max_tokens: 11 }), "whole");
});

Deno.test("Endings accepts the answers of a custom teacher that never names a reason", () => {
  assertEquals(new Endings().endingFor(completion(undefined), {}), "whole");
});

Deno.test("checkEndings() rejects reasons with a flag of their own, and texts that are not a word", () => {
  checkEndings(["none", "natural_end", "stop", "abort"]);
  assertThrows(() => checkEndings(["length"]), RangeError, "--on-truncated keep");
  assertThrows(() => checkEndings(["SAFETY"]), RangeError, "a filtered answer");
  assertThrows(() => checkEndings([" "]), RangeError, 'it must be a finish reason or "none"');
});

Deno.test("Endings knows a tool call whose arguments break off, whatever the finish reason", () => {
  const endings = new Endings();
  const ending = (args: unknown) => {
    const toolCalls = [{ id: "a", type: "function", function: { name: "f", arguments: args } }];
    return endings.endingFor({ ...completion("tool_calls"), response: "", toolCalls }, {});
  };
  for (
    const cut of ['{"path": "/tmp/a", "text": "', '{"a": {"b": 1}', "{", ' {"a": "\\"', '{"a": "}']
  ) {
    assertEquals(ending(cut), "limit", cut);
  }
  // Whole, empty, no object, or broken in another way.
  for (const whole of ['{"a": "{"}', "{}", "", "x", '{"a": x}', '{"a": 1}}', undefined, 7]) {
    assertEquals(ending(whole), "whole", `${whole}`);
  }
  // A stream that broke off has no finish reason: its row is sent again.
  const toolCalls = [{ function: { name: "f", arguments: "{" } }];
  assertEquals(endings.endingFor({ ...completion(""), toolCalls }, {}), "none");
  // Far below the limit of the request: vLLM lowers it to the model's own `max_new_tokens`.
  for (const cut of ['{"a": {"b": "x"}', '{"a": 12']) {
    const toolCalls = [{ function: { name: "f", arguments: cut } }];
    const answer = { ...completion("tool_calls"), toolCalls };
    assertEquals(endings.endingFor(answer, { max_tokens: 100 }), "limit");
  }
  const custom = [{ id: "a", type: "custom", custom: { name: "f", input: "{" } }];
  assertEquals(endings.endingFor({ ...completion("tool_calls"), toolCalls: custom }, {}), "whole");
});
