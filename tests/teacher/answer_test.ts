import {
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertStringIncludes,
  assertThrows,
} from "../../lib/deps/std_assert.ts";
import { TeacherError } from "../../lib/errors.ts";
import { readAnswer } from "../../lib/teacher/answer.ts";
import { type AnswerContext, readUsage } from "../../lib/teacher/completion.ts";
import { fastestMs } from "../support/fastest.ts";
import { chatAnswer } from "../support/ledger_server.ts";

const CONTEXT: AnswerContext = {
  model: "asked",
  modelAsked: undefined,
  keep: [],
  redact: (text) => text,
};

function read(answer: unknown, context: Partial<AnswerContext> = {}) {
  return readAnswer(JSON.stringify(answer), 200, { ...CONTEXT, ...context });
}

function refuse(text: string): TeacherError {
  const error = assertThrows(() => readAnswer(text, 200, CONTEXT));
  assertInstanceOf(error, TeacherError);
  return error;
}

Deno.test("readAnswer() reads a plain answer", () => {
  const { response, reasoning, finishReason, usage, model, id, toolCalls } = read(chatAnswer("hi"));
  assertEquals({ response, reasoning, finishReason, model, id, toolCalls }, {
    response: "hi",
    reasoning: "",
    finishReason: "stop",
    model: "test-model",
    id: "chatcmpl-1",
    toolCalls: undefined,
  });
  assertEquals(usage, {
    promptTokens: 7,
    completionTokens: 11,
    reasoningTokens: 0,
    cachedTokens: 0,
  });
});

Deno.test("readAnswer() joins text parts, and treats null as missing", () => {
  const parts = [{ type: "text", text: "a" }, { type: "image" }, { type: "text", text: "b" }];
  assertEquals(read(chatAnswer(null, { message: { content: parts } })).response, "ab");
  const empty = read(chatAnswer(null, { finish_reason: null, usage: null, model: null, id: 3 }));
  assertEquals(
    [empty.response, empty.finishReason, empty.usage, empty.model, empty.id],
    ["", "", null, "asked", ""],
  );
});

Deno.test("readAnswer() keeps an answer that is an object whole, also with a field named value", () => {
  const content = { value: "3", unit: "kg" };
  assertEquals(read(chatAnswer(null, { message: { content } })).response, JSON.stringify(content));
  const parts = [{ type: "text", text: { value: "42", annotations: [] } }];
  assertEquals(read(chatAnswer(null, { message: { content: parts } })).response, "42");
});

Deno.test("readAnswer() finds reasoning in its three forms", () => {
  const forms = [
    chatAnswer("42", { message: { reasoning_content: "why" } }),
    chatAnswer("42", { message: { reasoning: "why" } }),
    chatAnswer("<think>why</think>\n42"),
    chatAnswer("why</think>\n42"),
  ];
  for (const form of forms) {
    const { response, reasoning } = read(form);
    assertEquals([response, reasoning], ["42", "why"]);
  }
  const both = read(chatAnswer("<think>x</think>42", { message: { reasoning_content: "why" } }));
  assertEquals([both.response, both.reasoning], ["<think>x</think>42", "why"]);
});

Deno.test("readAnswer() passes on tool calls, including the legacy form", () => {
  const calls = [{ id: "c", type: "function", function: { name: "f", arguments: "{}" } }];
  assertEquals(read(chatAnswer(null, { message: { tool_calls: calls } })).toolCalls, calls);
  assertEquals(read(chatAnswer("a", { message: { tool_calls: [] } })).toolCalls, undefined);
  const call = { name: "f", arguments: "{}" };
  assertEquals(read(chatAnswer(null, { message: { function_call: call } })).toolCalls, [
    { id: "call_0", type: "function", function: call },
  ]);
});

Deno.test("readAnswer() uses a refusal as the response", () => {
  const { response, finishReason } = read(chatAnswer(null, { message: { refusal: "I will not" } }));
  assertEquals([response, finishReason], ["I will not", "stop"]);
});

Deno.test("readAnswer() keeps raw fields of the choice, then of the answer", () => {
  const answer = chatAnswer("a", { system_fingerprint: "fp" });
  (answer.choices as Record<string, unknown>[])[0].logprobs = { content: [1] };
  const { kept } = read(answer, { keep: ["logprobs", "system_fingerprint", "absent"] });
  assertEquals(kept, { logprobs: { content: [1] }, system_fingerprint: "fp" });
});

Deno.test("readAnswer() rejects anything that is not a completion", () => {
  for (
    const text of [
      "",
      "<html>",
      "[]",
      "{}",
      '{"choices":[]}',
      '{"choices":[{}]}',
      '{"choices":[{"mess',
    ]
  ) {
    const error = refuse(text);
    assertEquals([error.type, error.status], ["response", 200], text);
  }
  assertStringIncludes(
    refuse('{"choices":[{"mess').message,
    "damaged or incomplete JSON: it starts",
  );
  assertStringIncludes(refuse("<html>oh").message, "web page: it starts with oh");
});

Deno.test("readAnswer() keeps the digits of arguments that are an object", () => {
  for (const field of ["message", "delta"]) {
    const call = '{"function":{"name":"f","arguments":{"n":1.0,"m":12345678901234567890}}}';
    const text = `{"choices":[{"${field}":{"tool_calls":[${call}]},"finish_reason":"tool_calls"}]}`;
    const [first] = readAnswer(text, 200, CONTEXT).toolCalls as { function: unknown }[];
    const expected = { name: "f", arguments: '{"n":1.0,"m":12345678901234567890}' };
    assertEquals(first.function, expected, field);
  }
});

Deno.test("readAnswer() throws the error in a 2xx answer", () => {
  const limited = refuse('{"error":{"message":"slow down","code":429}}');
  assertEquals([limited.message, limited.type, limited.status], ["slow down", "rate_limit", 429]);
  const inChoice = refuse('{"choices":[{"error":{"message":"upstream","code":502},"message":{}}]}');
  assertEquals([inChoice.message, inChoice.status], ["upstream", 502]);
  assertEquals(read({ ...chatAnswer("fine"), error: null }).response, "fine");
});

Deno.test("readAnswer() reads errors with much white space in linear time", async () => {
  const message = `${" ".repeat(100_000)}x`;
  const ms = await fastestMs(() => {
    for (const answer of [{ message }, { ...chatAnswer("fine"), error: message }]) {
      assertThrows(() => read(answer), TeacherError);
    }
  }, 1_000);
  assertEquals(read({ ...chatAnswer("fine"), error: " none " }).response, "fine");
  assertLess(ms, 1_000);
});

Deno.test("readUsage() recognizes servers' names for cached and reasoning tokens", () => {
  assertEquals(
    readUsage({
      prompt_tokens: 5,
      completion_tokens: 9,
      completion_tokens_details: { reasoning_tokens: 4 },
      prompt_tokens_details: { cached_tokens: 3 },
    }),
    { promptTokens: 5, completionTokens: 9, reasoningTokens: 4, cachedTokens: 3 },
  );
  assertEquals(
    readUsage({ prompt_tokens: 5, completion_tokens: 9, prompt_cache_hit_tokens: 2 })?.cachedTokens,
    2,
  );
  assertEquals(readUsage({ prompt_tokens: null }), null);
  assertEquals(readUsage(undefined), null);
});
