import { assertEquals } from "../lib/deps/std_assert.ts";
import { assistantMessage, wrapThink } from "../lib/answer.ts";

Deno.test("wrapThink() puts the reasoning before the answer", () => {
  assertEquals(wrapThink("42", "6 × 7"), "<think>\n6 × 7\n</think>\n\n42");
  assertEquals(wrapThink("42", ""), "42");
});

Deno.test("assistantMessage() has a style for the reasoning", () => {
  const message = (style: "wrap" | "field" | "drop") => assistantMessage("42", "hm", [], style);
  assertEquals(message("wrap"), { role: "assistant", content: "<think>\nhm\n</think>\n\n42" });
  assertEquals(message("field"), { role: "assistant", content: "42", reasoning_content: "hm" });
  assertEquals(message("drop"), { role: "assistant", content: "42" });
  assertEquals(assistantMessage("42", "", undefined, "field"), {
    role: "assistant",
    content: "42",
  });
});

Deno.test("assistantMessage() carries tool calls with an empty text", () => {
  const call = { id: "c1", type: "function", function: { name: "f", arguments: "{}" } };
  assertEquals(assistantMessage("", "", [call], "wrap"), {
    role: "assistant",
    content: "",
    tool_calls: [call],
  });
});
