import { assertEquals } from "../../lib/deps/std_assert.ts";
import { isCompletion, rejectionOf } from "../../lib/engine/acceptance.ts";
import type { Completion } from "../../lib/teacher/teacher.ts";
import { completionOf } from "./engine_fixture.ts";

const toolCalls = [{ id: "1", type: "function", function: { name: "add", arguments: "{}" } }];

for (
  const [what, fields, keep, type] of [
    ["an answer", {}, "error", undefined],
    [
      "an answer that ended for a reason of the server's own",
      { finishReason: "eos" },
      "error",
      undefined,
    ],
    ["an answer at the token limit", { finishReason: "length" }, "error", "truncated"],
    [
      "an answer at the token limit, when it is kept",
      { finishReason: "length" },
      "keep",
      undefined,
    ],
    ["a filtered answer", { finishReason: "content_filter" }, "error", "filtered"],
    ["a filtered answer, when it is kept", { finishReason: "content_filter" }, "keep", undefined],
    ["an empty answer", { response: "" }, "error", "empty"],
    ["an answer of white space", { response: " \n\t\u00a0" }, "error", "empty"],
    ["an empty answer with reasoning", { response: "", reasoning: "Hm" }, "error", "empty"],
    [
      "nothing but reasoning at the token limit",
      { response: "", finishReason: "length" },
      "error",
      "truncated",
    ],
    [
      "nothing at the token limit, when it is kept",
      { response: "", finishReason: "length" },
      "keep",
      "empty",
    ],
    ["a tool call", { response: "", finishReason: "tool_calls", toolCalls }, "error", undefined],
    ["a tool call that says stop", { response: "", toolCalls }, "error", undefined],
    ["half a tool call", { response: "", finishReason: "length", toolCalls }, "error", "truncated"],
    ["an empty list of tool calls", { response: "", toolCalls: [] }, "error", "empty"],
  ] as [string, Partial<Completion>, "error" | "keep", string | undefined][]
) {
  Deno.test(`rejectionOf() ${type === undefined ? "takes" : `calls ${type}`}: ${what}`, () => {
    const failure = rejectionOf(completionOf(fields), keep);
    assertEquals<string | undefined>(failure?.type, type);
    if (failure !== undefined) assertEquals(failure.status, null);
  });
}

Deno.test("rejectionOf() takes a missing text for an empty one", () => {
  const completion = { finishReason: "stop", usage: null, model: "" };
  assertEquals(rejectionOf(completion as unknown as Completion, "error")?.type, "empty");
  assertEquals(
    rejectionOf({ ...completion, toolCalls } as unknown as Completion, "error"),
    undefined,
  );
});

Deno.test("isCompletion() tells a completion from anything else that a teacher may give", () => {
  for (const value of [completionOf(), { toolCalls }, { response: null }, {}]) {
    assertEquals(isCompletion(value), true);
  }
  for (const value of [undefined, null, "text", 7, true, { response: 7 }, { response: [] }]) {
    assertEquals(isCompletion(value), false);
  }
});
