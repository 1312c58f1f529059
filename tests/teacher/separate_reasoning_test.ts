import { assertEquals } from "../../lib/deps/std_assert.ts";
import { separateReasoning } from "../../lib/teacher/think_tags.ts";

const WHOLE = "<|channel|>analysis<|message|>why<|end|>" +
  "<|start|>assistant<|channel|>final<|message|>42";

Deno.test("separateReasoning() reads the channels of gpt-oss, whole or without their ends", () => {
  const contents = [
    WHOLE,
    `${WHOLE}<|return|>`,
    `<|start|>assistant${WHOLE}<|end|>`,
    "<|channel|>analysis<|message|>why<|end|><|channel|>final<|message|>42",
    "<|channel|>analysis<|message|>why<|channel|>final <|constrain|>json<|message|>42",
    "<|channel|>analysis<|message|>why<|end|>42",
    "analysis<|message|>why<|end|><|start|>assistant<|channel|>final<|message|>42",
    "why<|end|><|start|>assistant<|channel|>final<|message|>42",
    "analysiswhyassistantfinal42",
  ];
  for (const content of contents) {
    const { response, reasoning, toolCalls } = separateReasoning(content, "");
    assertEquals([response, reasoning, toolCalls], ["42", "why", []], content);
  }
});

Deno.test("separateReasoning() turns the commentary channel into tool calls", () => {
  const { response, reasoning, toolCalls } = separateReasoning(
    "<|channel|>analysis<|message|>why<|end|><|start|>assistant<|channel|>commentary<|message|>" +
      "I look it up<|end|><|start|>assistant<|channel|>commentary to=functions.get_weather " +
      '<|constrain|>json<|message|>{"city":"Bern"}<|call|>',
    "",
  );
  assertEquals([response, reasoning], ["I look it up", "why"]);
  assertEquals(toolCalls, [{
    id: "call_0",
    type: "function",
    function: { name: "get_weather", arguments: '{"city":"Bern"}' },
  }]);
});

Deno.test("separateReasoning() treats channels without a final one as reasoning", () => {
  const { response, reasoning } = separateReasoning("<|channel|>analysis<|message|>let me see", "");
  assertEquals([response, reasoning], ["", "let me see"]);
});

Deno.test("separateReasoning() leaves texts that mention channels", () => {
  const answers = [
    "gpt-oss writes <|channel|>final<|message|> before its answer",
    "analysis of the data",
    "a |> b |> c",
  ];
  for (const content of answers) {
    assertEquals(separateReasoning(content, "").response, content);
  }
});

Deno.test("separateReasoning() returns reasoning once if it came as a field and in the text", () => {
  const pairs: [content: string, field: string][] = [
    ["<think>why, oh why</think>42", "why, oh why"],
    ["<think>\nwhy,\noh  why\n</think>\n\n42", "why, oh why\n"],
    ["why, oh why</think>42", "why, oh why"],
    ["<think></think>42", "why, oh why"],
    ["<think>why, oh</think>42", "why, oh why"],
    ["42", "<think>why, oh why</think>"],
    ["<think>why, oh why</think>42", "\n"],
    ["<think>why, oh why</think>42", "<think>\n</think>"],
    [WHOLE.replace("why", "why, oh why"), "why, oh why"],
  ];
  for (const [content, field] of pairs) {
    const { response, reasoning } = separateReasoning(content, field);
    assertEquals([response, reasoning.trim()], ["42", "why, oh why"], content);
  }
});

Deno.test("separateReasoning() keeps tags in the answer that do not repeat the field", () => {
  for (const content of ["<think>an example</think> is how", "<think>t</think>42"]) {
    const { response, reasoning } = separateReasoning(content, "I explain t with an example");
    assertEquals([response, reasoning], [content, "I explain t with an example"]);
  }
});
