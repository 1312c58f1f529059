import { assertEquals } from "../../lib/deps/std_assert.ts";
import { MessageReader } from "../../lib/teacher/answer.ts";

function reasoningOf(message: Record<string, unknown>): string {
  return new MessageReader().read(message).reasoning;
}

Deno.test("MessageReader finds reasoning in every field that servers use", () => {
  const text = { type: "reasoning.text", text: "why", signature: "s" };
  const fields: Record<string, unknown>[] = [
    { reasoning_content: "why" },
    { reasoning: "why" },
    { reasoning_content: null, reasoning: "why" },
    { reasoning_content: "", reasoning: "why" },
    { thinking: "why" },
    { reasoning_text: "why" },
    { reasoning: { content: "why" } },
    { reasoning_details: [text] },
    { reasoning_details: [{ type: "reasoning.summary", summary: "why" }] },
    { reasoning_details: [{ type: "reasoning.encrypted", data: "x" }, text] },
    { reasoning: "why", reasoning_content: "why", reasoning_details: [text] },
    { thinking_blocks: [{ type: "thinking", thinking: "why", signature: "s" }] },
    { content: [{ type: "thinking", thinking: [{ type: "text", text: "why" }] }] },
    { content: [{ type: "thinking", thinking: "why" }, { type: "redacted_thinking", data: "x" }] },
    { content: [{ type: "reasoning", text: "why" }] },
    { reasoning: "why", content: [{ type: "thinking", thinking: "why" }] },
  ];
  for (const message of fields) {
    assertEquals(reasoningOf(message), "why", JSON.stringify(message));
  }
});

Deno.test("MessageReader does not mistake a setting for reasoning", () => {
  for (const reasoning of [{ effort: "high", summary: "auto" }, true, 3, [], {}]) {
    assertEquals(reasoningOf({ reasoning, reasoning_details: [] }), "");
  }
});

Deno.test("MessageReader reads the answer from a text, from parts, and from a part alone", () => {
  const part = { type: "text", text: "42" };
  const thinking = { type: "thinking", thinking: [{ type: "text", text: "why" }] };
  const delta = { type: "text_delta", text: "42" };
  const signed = { text: "42", thought: false, thoughtSignature: "c2ln" };
  const cached = { text: "42", cache_control: { type: "ephemeral" } };
  const texts = ["42", [part], part, delta, ["4", { text: "2" }], [thinking, part], [signed]];
  for (const content of [...texts, [cached]]) {
    assertEquals(new MessageReader().read({ content }).content, "42");
  }
  const search = { type: "server_tool_use", name: "web_search" };
  const found = { type: "web_search_tool_result", content: [] };
  const image = { inlineData: { mimeType: "image/png", data: "" } };
  const nothing = [null, undefined, {}, [null], [thinking], { type: "image" }];
  for (const content of [...nothing, [search], [found], [{ type: "mcp_tool_use" }], [image]]) {
    assertEquals(new MessageReader().read({ content }).content, "");
  }
  assertEquals(new MessageReader().read({ content: 3 }).content, "3");
  for (
    const answer of [
      { a: [1] },
      { type: "bug", a: [1] },
      { type: "bug", summary: "s" },
      { reasoning: "why", answer: "42" },
      { text: "x", label: 3 },
      { thought: "why", text: "x" },
      { summary: "s" },
      [{ name: "x" }, { name: "y" }],
      [{ question: "?", reasoning: "why" }],
      [{ type: "person", text: "Bo" }],
      [1, 2],
    ]
  ) {
    const read = new MessageReader().read({ content: answer });
    assertEquals(read, { content: JSON.stringify(answer), reasoning: "" });
  }
});

Deno.test("MessageReader reads no list that repeats what fields have brought in one stream", () => {
  const reader = new MessageReader();
  const details = (text: string) => [{ type: "reasoning.text", text }];
  const deltas = [
    { reasoning: "wh", reasoning_details: details("wh") },
    { reasoning: "y", reasoning_details: details("y") },
    { content: "", reasoning_details: details("why") },
  ];
  assertEquals(deltas.map((delta) => reader.read(delta).reasoning), ["wh", "y", ""]);
});
