import { assertEquals } from "../../lib/deps/std_assert.ts";
import { reasoningField, splitReasoning } from "../../lib/teacher/reasoning.ts";

Deno.test("splitReasoning() takes a block at the start, with and without its opening tag", () => {
  const expected = { response: "42", reasoning: "6 * 7" };
  assertEquals(splitReasoning("<think>\n6 * 7\n</think>\n\n42"), expected);
  assertEquals(splitReasoning("\n <think>6 * 7</think>42"), expected);
  assertEquals(splitReasoning("6 * 7\n</think>\n\n42"), expected);
  assertEquals(splitReasoning("</think>42"), { response: "42", reasoning: "" });
  assertEquals(splitReasoning("<think>\n\n</think>\n\n42"), { response: "42", reasoning: "" });
});

Deno.test("splitReasoning() leaves tags alone that are part of the answer", () => {
  for (const content of ["plain", "Use <think>a</think> tags", "Write <think> first", ""]) {
    assertEquals(splitReasoning(content), { response: content, reasoning: "" });
  }
});

Deno.test("splitReasoning() loses nothing but the line ends around the two", () => {
  assertEquals(splitReasoning("<think>a <think> b</think>  c</think> d\n"), {
    response: "  c</think> d\n",
    reasoning: "a <think> b",
  });
});

Deno.test("splitReasoning() takes a block that was never closed for reasoning", () => {
  assertEquals(splitReasoning("<think>\nlet me see"), { response: "", reasoning: "let me see" });
});

Deno.test("reasoningField() reads both names, and the one that holds something", () => {
  assertEquals(reasoningField({ reasoning_content: "a" }), "a");
  assertEquals(reasoningField({ reasoning: "b" }), "b");
  assertEquals(reasoningField({ reasoning_content: null, reasoning: "b" }), "b");
  assertEquals(reasoningField({ reasoning_content: "", reasoning: "b" }), "b");
  assertEquals(reasoningField({ reasoning: { effort: "high" } }), "");
});
