/** Tests of lib/export/formats.ts. @module */

import { assertEquals, assertStringIncludes, assertThrows } from "../../lib/deps/std_assert.ts";
import type { Example } from "../../lib/export/example.ts";
import type { ExportFormat } from "../../lib/export/mod.ts";
import { type ComposedFormat, FORMATS, toTrainingRow } from "../../lib/export/formats.ts";
import { Unrepresentable } from "../../lib/export/turns.ts";
import type { ThinkStyle } from "../../lib/answer.ts";

const TOOLS = [{ type: "function", function: { name: "add" } }];
const CUSTOM_CALL = { id: "1", type: "custom", custom: { name: "f", input: "x" } };
const CALL = { id: "1", type: "function", function: { name: "add", arguments: '{"a":1}' } };

function example(fields: Partial<Example> = {}): Example {
  return {
    messages: [{ role: "system", content: "Be kind" }, { role: "user", content: "2 + 2?" }],
    tools: undefined,
    response: "4",
    reasoning: "Easy",
    toolCalls: undefined,
    file: "prompts.jsonl",
    input: "prompts.jsonl",
    line: 1,
    sample: 0,
    text: "",
    result: {},
    rowUid: "",
    ...fields,
  };
}

type RowFormat = Exclude<ExportFormat, "raw">;

function row(
  format: RowFormat,
  fields: Partial<Example> = {},
  think: ThinkStyle = "wrap",
  reasoningField = "reasoning_content",
) {
  return toTrainingRow(example(fields), FORMATS[format] as ComposedFormat, {
    think,
    toolArguments: "string",
    hasParts: false,
    reasoningField,
  });
}

const WRAPPED = "<think>\nEasy\n</think>\n\n4";

Deno.test("toTrainingRow() writes messages", () => {
  assertEquals(row("messages"), {
    messages: [...example().messages, { role: "assistant", content: WRAPPED }],
  });
});

Deno.test("toTrainingRow() writes reasoning into the field of that name, in ShareGPT too", () => {
  const answers = (["messages", "sharegpt"] as const).map((format) => {
    const written = row(format, {}, "field", "thinking") as Record<string, object[]>;
    return (written.messages ?? written.conversations).at(-1);
  });
  assertEquals(answers, [
    { role: "assistant", content: "4", thinking: "Easy" },
    { from: "gpt", value: "4", thinking: "Easy" },
  ]);
});

Deno.test("toTrainingRow() writes prompt and completion", () => {
  assertEquals(row("prompt-completion", { tools: TOOLS }, "drop"), {
    prompt: example().messages,
    completion: [{ role: "assistant", content: "4" }],
    tools: JSON.stringify(TOOLS),
  });
});

Deno.test("toTrainingRow() writes ShareGPT", () => {
  assertEquals(row("sharegpt", { tools: TOOLS }), {
    conversations: [
      { from: "system", value: "Be kind" },
      { from: "human", value: "2 + 2?" },
      { from: "gpt", value: WRAPPED },
    ],
    tools: JSON.stringify(TOOLS),
  });
});

Deno.test("toTrainingRow() writes Alpaca with its system message and earlier turns", () => {
  const messages = [
    ...example().messages,
    { role: "assistant", content: "4" },
    { role: "user", content: [{ type: "text", text: "And " }, { type: "text", text: "3 + 3?" }] },
  ];
  assertEquals(row("alpaca", { messages, response: "6" }, "drop"), {
    instruction: "And 3 + 3?",
    input: "",
    output: "6",
    system: "Be kind",
    history: [["2 + 2?", "4"]],
  });
  assertEquals(row("alpaca", { messages: [{ role: "user", content: "hi" }] }), {
    instruction: "hi",
    input: "",
    output: WRAPPED,
  });
});

Deno.test("toTrainingRow() keeps the reasoning of earlier turns, whatever its field", () => {
  for (const field of ["reasoning_content", "reasoning", "thinking"]) {
    const messages = [
      { role: "user", content: "1 + 1?" },
      { role: "assistant", content: [{ type: "text", text: "2" }], [field]: "Hm" },
      { role: "user", content: "2 + 2?" },
    ];
    const { history } = row("alpaca", { messages }) as { history: unknown };
    assertEquals(history, [["1 + 1?", "<think>\nHm\n</think>\n\n2"]]);
    const dropped = row("alpaca", { messages }, "drop") as { history: unknown };
    assertEquals(dropped.history, [["1 + 1?", "2"]]);
    const { conversations } = row("sharegpt", { messages }) as { conversations: unknown[] };
    assertEquals(conversations[1], { from: "gpt", value: "2", reasoning_content: "Hm" });
  }
});

Deno.test("toTrainingRow() writes the reasoning of an answer that is a list of parts", () => {
  const text = (text: string) => [{ type: "text", text }];
  for (
    const answer of [
      { role: "assistant", content: text("4"), reasoning: "Easy" },
      { role: "assistant", content: text("<think>Easy</think>4") },
    ]
  ) {
    const answerIn = (think: ThinkStyle) =>
      (row("messages", { answer }, think) as { messages: unknown[] }).messages.at(-1);
    assertEquals(answerIn("wrap"), { role: "assistant", content: text(WRAPPED) });
    assertEquals(answerIn("drop"), { role: "assistant", content: text("4") });
    const inField = { role: "assistant", content: text("4"), reasoning_content: "Easy" };
    assertEquals(answerIn("field"), inField);
    const outputs = (["wrap", "drop"] as const).map((think) =>
      (row("alpaca", { answer }, think) as { output: unknown }).output
    );
    assertEquals(outputs, [WRAPPED, "4"]);
  }
  const image = [{ type: "image_url", image_url: { url: "x" } }];
  assertThrows(
    () => row("alpaca", { answer: { role: "assistant", content: image } }),
    Unrepresentable,
  );
});

Deno.test("toTrainingRow() gives reasoning a field of its own in every row or in none", () => {
  const answer = (reasoning: string) => {
    const { messages } = row("messages", { reasoning }, "field") as { messages: unknown[] };
    return messages.at(-1);
  };
  assertEquals(answer("Easy"), { role: "assistant", content: "4", reasoning_content: "Easy" });
  assertEquals(answer(""), { role: "assistant", content: "4", reasoning_content: "" });
  const { conversations } = row("sharegpt", {}, "field") as { conversations: unknown[] };
  assertEquals(conversations.at(-1), { from: "gpt", value: "4", reasoning_content: "Easy" });
});

Deno.test("toTrainingRow() keeps tool calls, and writes them as LLaMA-Factory reads them", () => {
  const fields = { response: "", toolCalls: [CALL] };
  const { messages } = row("messages", fields, "drop") as { messages: unknown[] };
  assertEquals(messages.at(-1), { role: "assistant", content: "", tool_calls: [CALL] });
  const turn = (reasoning: string) => {
    const { conversations } = row("sharegpt", { ...fields, reasoning }) as {
      conversations: unknown[];
    };
    return conversations.at(-1);
  };
  const call = '[{"name":"add","arguments":{"a":1}}]';
  assertEquals(turn(""), { from: "function_call", value: call });
  assertEquals(turn("Easy"), {
    from: "function_call",
    value: `<think>\nEasy\n</think>\n\n${call}`,
  });
  // Text that is not JSON, and values other than objects, stay as they are.
  for (const args of ["{bad", "[1]", [1], null]) {
    const toolCalls = [{ ...CALL, function: { name: "add", arguments: args } }];
    const { conversations } = row("sharegpt", { response: "", toolCalls }) as {
      conversations: { value: string }[];
    };
    assertStringIncludes(
      conversations.at(-1)!.value,
      JSON.stringify({ name: "add", arguments: args }),
    );
  }
});

Deno.test("toTrainingRow() joins a prefill and the answer that continues from it", () => {
  const parts = [{ type: "text", text: "It " }, { type: "text", text: "is " }];
  for (const content of ["It is ", parts]) {
    const messages = [{ role: "user", content: "2 + 2?" }, { role: "assistant", content }];
    assertEquals(row("prompt-completion", { messages, reasoning: "" }), {
      prompt: [{ role: "user", content: "2 + 2?" }],
      completion: [{ role: "assistant", content: "It is 4" }],
    });
  }
});

Deno.test("toTrainingRow() takes a prefill that opens the reasoning for its tag", () => {
  const user = { role: "user", content: "2 + 2?" };
  const answerAfter = (content: string, reasoning: string, think?: ThinkStyle) => {
    const messages = [user, { role: "assistant", content }];
    const made = row("prompt-completion", { messages, reasoning }, think);
    return (made as { completion: { content: string }[] }).completion[0];
  };
  assertEquals(answerAfter("<think>\n", "Easy").content, WRAPPED);
  assertEquals(answerAfter("<think>\n", "Easy", "drop").content, "4");
  const inField = { role: "assistant", content: "4", reasoning_content: "Easy" };
  assertEquals(answerAfter("<think>\n", "Easy", "field"), inField);
  assertEquals(answerAfter("<think>\n", "").content, "<think>\n4");
  assertEquals(answerAfter("It is ", "Easy").content, WRAPPED.replace("4", "It is 4"));
});

Deno.test("toTrainingRow() names the parts that a format cannot hold", () => {
  const image = { role: "user", content: [{ type: "image_url", image_url: { url: "x" } }] };
  const user = { role: "user", content: "hi" };
  const earlierCall = { role: "assistant", content: "Let me add.", tool_calls: [CALL] };
  const refused: [RowFormat, Partial<Example>, string][] = [
    ["sharegpt", { messages: [image] }, "content that is not text"],
    [
      "sharegpt",
      { messages: [{ role: "critic", content: "" }] },
      'a message with the role "critic"',
    ],
    ["alpaca", { messages: [image] }, "content that is not text"],
    ["alpaca", { toolCalls: [CALL] }, "a tool call"],
    ["alpaca", { messages: [user, earlierCall, user] }, "a tool call"],
    ["sharegpt", { toolCalls: [CUSTOM_CALL] }, "a tool call without a function"],
    ["alpaca", { messages: [user, user] }, "turns other than user and assistant"],
    [
      "alpaca",
      { messages: [user, { role: "system", content: "x" }] },
      "a system message after the start",
    ],
    ["alpaca", { messages: [] }, "a conversation that does not end with the user"],
  ];
  for (const [format, fields, problem] of refused) {
    const error = assertThrows(() => row(format, fields), Unrepresentable);
    assertEquals(error.message, problem);
  }
});
