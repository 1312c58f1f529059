import { assert, assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import type { AnswerContext } from "../../lib/teacher/completion.ts";
import { StreamReader } from "../../lib/teacher/stream.ts";

const CONTEXT: AnswerContext = {
  model: "asked",
  modelAsked: undefined,
  keep: [],
  redact: (text) => text,
};

function reader(context: Partial<AnswerContext> = {}): StreamReader {
  return new StreamReader(200, { ...CONTEXT, ...context });
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function event(delta: object, more: object = {}, top: object = {}): Uint8Array {
  return bytes(`data: ${JSON.stringify({ choices: [{ index: 0, delta, ...more }], ...top })}\n\n`);
}

Deno.test("StreamReader joins text, reasoning, counts and names", () => {
  const stream = reader();
  stream.feed(event({ role: "assistant", content: "" }, {}, { id: "c-1", model: "m-1" }));
  stream.feed(event({ reasoning_content: "wh" }));
  stream.feed(event({ reasoning: "y" }));
  stream.feed(event({ content: "4" }));
  stream.feed(event({ content: "2" }, { finish_reason: "stop" }));
  stream.feed(bytes('data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n'));
  assertEquals([stream.finishReason, stream.done], ["stop", false]);
  stream.feed(bytes("data: [DONE]\n\n"));
  assertEquals(stream.done, true);
  const { response, reasoning, finishReason, usage, id, model, ttftMs } = stream.completion(12);
  assertEquals([response, reasoning, finishReason, id, model, ttftMs], [
    "42",
    "why",
    "stop",
    "c-1",
    "m-1",
    12,
  ]);
  assertEquals(usage, {
    promptTokens: 3,
    completionTokens: 4,
    reasoningTokens: 0,
    cachedTokens: 0,
  });
});

Deno.test("StreamReader reads the same however the bytes are split", () => {
  const whole = bytes(
    ': hello\r\n\r\ndata: {"choices":[{"delta":{"content":"größer 🦆"}}]}\r\n\r\n' +
      'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\r\n\r\ndata: [DONE]\r\n\r\n',
  );
  for (let size = 1; size < 40; size++) {
    const stream = reader();
    for (let at = 0; at < whole.length; at += size) stream.feed(whole.subarray(at, at + size));
    assertEquals([stream.completion(0).response, stream.done], ["größer 🦆", true]);
  }
});

Deno.test("StreamReader distinguishes tokens from keep-alives", () => {
  const stream = reader();
  assertEquals(stream.feed(bytes(": ping\n\n")), false);
  assertEquals(stream.feed(bytes("data:\n\n")), false);
  assertEquals(stream.feed(event({ role: "assistant", content: "" })), false);
  assertEquals(stream.feed(event({ content: null })), false);
  assertEquals(stream.feed(event({ reasoning: "a" })), true);
  assertEquals(stream.feed(event({ content: "a" })), true);
  assertEquals(stream.feed(event({ tool_calls: [{ index: 0, id: "c" }] })), true);
  assertEquals(stream.feed(bytes('data: {"choices":[],"usage":null}\n\n')), false);
});

Deno.test("StreamReader reports no finish reason if none came", () => {
  const stream = reader();
  stream.feed(event({ content: "half an ans" }, { finish_reason: "" }));
  stream.end();
  assertEquals([stream.done, stream.completion(0).finishReason], [false, ""]);
  const done = reader();
  done.feed(event({ content: "whole" }, { finish_reason: "null" }));
  done.feed(bytes("data: [DONE]")); // No line end.
  done.end();
  assertEquals([done.done, done.completion(0).finishReason], [true, ""]);
});

Deno.test("StreamReader trusts only [DONE] once content has followed a finish reason", () => {
  const habits = { endsByDoneOnly: false };
  const first = new StreamReader(200, CONTEXT, habits);
  first.feed(event({ content: "4" }, { finish_reason: "stop" }));
  assertEquals(first.finishReason, "stop");
  first.feed(event({ content: "2" }, { finish_reason: "stop" }));
  assertEquals([first.finishReason, habits.endsByDoneOnly], ["", true]);
  first.feed(bytes("data: [DONE]\n\n"));
  assertEquals([first.completion(0).finishReason, first.completion(0).response], ["stop", "42"]);
  const second = new StreamReader(200, CONTEXT, habits);
  second.feed(event({ content: "4" }, { finish_reason: "stop" }));
  second.end();
  assertEquals(second.completion(0).finishReason, "");
});

Deno.test("StreamReader gives a notice of interrupted answers of a teacher that marks others", () => {
  const habits = { endsByDoneOnly: false };
  const completionOf = (more: object, hasOthers: boolean) => {
    const stream = new StreamReader(200, CONTEXT, habits);
    stream.feed(event({ content: "4" }, more));
    stream.feed(bytes("data: [DONE]\n\n"));
    return stream.completion(0, hasOthers);
  };
  const interrupted = () => {
    const { doubt = "", notice = "" } = completionOf({}, true);
    return [doubt, notice].map((text) => text.includes("use -c 1 or leave out --stream"));
  };
  assertEquals(interrupted(), [true, false]);
  assertEquals(completionOf({ finish_reason: "stop" }, true).doubt, undefined);
  assertEquals(interrupted(), [true, true]);
  assertEquals(completionOf({}, false).notice, undefined);
});

Deno.test("a stop counts after a placeholder in each chunk, and not after a more specific reason", () => {
  const cases: [earlier: unknown, said: string][] = [
    ["not_finished", "stop"],
    ["FINISH_REASON_UNSPECIFIED", "stop"],
    [0, "stop"],
    ["length", "length"],
    ["content_filter", "content_filter"],
    ["tool_calls", "tool_calls"],
  ];
  for (const [earlier, said] of cases) {
    const stream = reader();
    stream.feed(event({ content: "4" }, { finish_reason: earlier }));
    stream.feed(event({ content: "2" }, { finish_reason: "stop" }));
    stream.feed(bytes("data: [DONE]\n\n"));
    stream.end();
    assertEquals(stream.finishReason, said);
  }
});

Deno.test("StreamReader reads error lines that are not events, however the bytes are split", () => {
  const error = '{"message":"oh","code":500}';
  for (const line of [`error: ${error}`, `{"error":${error}}`]) {
    const whole = bytes(`data: {"choices":[{"delta":{"content":"error: {"}}]}\n\n${line}\n\n`);
    for (let size = 1; size < whole.length; size++) {
      const stream = reader();
      for (let at = 0; at < whole.length; at += size) stream.feed(whole.subarray(at, at + size));
      stream.end();
      assertEquals([stream.error?.message, stream.error?.status], ["oh", 500], `${size} ${line}`);
      assertEquals(stream.completion(0).response, "error: {");
    }
  }
});

Deno.test("StreamReader reads thousands of chunks in one line without a line end", () => {
  const stream = reader();
  const chunk = JSON.stringify({ choices: [{ index: 0, delta: { content: "a" } }] });
  const startMs = performance.now();
  // With quadratic time, this took a minute and overflowed the stack.
  stream.feed(bytes(`data: ${`${chunk}\\n `.repeat(8_000)}[DONE]\n\n`));
  assertEquals([stream.done, stream.completion(0).response.length], [true, 8_000]);
  assert(performance.now() - startMs < 10_000);
});

Deno.test("StreamReader joins tool calls by index", () => {
  const stream = reader();
  const part = (index: number | undefined, id: string | undefined, called: object) =>
    stream.feed(event({ tool_calls: [{ index, id, function: called }] }));
  part(0, "a", { name: "f", arguments: "" });
  part(1, "b", { name: "g", arguments: "{" });
  part(0, undefined, { arguments: '{"x"' });
  part(1, undefined, { arguments: "}" });
  part(0, undefined, { arguments: ":1}" });
  assertEquals(stream.completion(0).toolCalls, [
    { id: "a", type: "function", function: { name: "f", arguments: '{"x":1}' } },
    { id: "b", type: "function", function: { name: "g", arguments: "{}" } },
  ]);
});

Deno.test("StreamReader separates calls that share an index, or have none", () => {
  for (const index of [0, undefined]) {
    const stream = reader();
    for (const id of ["a", "b"]) {
      stream.feed(event({ tool_calls: [{ index, id, function: { name: "f", arguments: "{}" } }] }));
    }
    const calls = stream.completion(0).toolCalls as { id: string }[];
    assertEquals(calls.map((call) => call.id), ["a", "b"]);
  }
});

Deno.test("StreamReader reads a legacy function call", () => {
  const stream = reader();
  stream.feed(event({ function_call: { name: "f", arguments: "{" } }));
  stream.feed(event({ function_call: { arguments: "}" } }, { finish_reason: "function_call" }));
  assertEquals(stream.completion(0).toolCalls, [
    { id: "call_0", type: "function", function: { name: "f", arguments: "{}" } },
  ]);
});

Deno.test("StreamReader takes no report of success without choices for an error", () => {
  const reports = [{ code: 0, msg: "success" }, { message: "ok" }, { error: {} }, {
    error: "none",
  }];
  for (const report of reports) {
    for (const envelope of [report, { choices: null, ...report }]) {
      const stream = reader(), line = bytes(`data: ${JSON.stringify(envelope)}\n\n`);
      stream.feed(line);
      stream.feed(event({ content: "42" }, { finish_reason: "stop" }));
      stream.feed(line);
      stream.end();
      assertEquals([stream.error, stream.completion(0).response], [undefined, "42"]);
    }
  }
  const failed = reader();
  failed.feed(bytes('data: {"choices":null,"msg":"busy"}\n\n'));
  assertEquals(failed.error?.message, "busy");
});

Deno.test("StreamReader stops at an error, whatever follows", () => {
  const stated = reader();
  stated.feed(bytes('data: {"error":{"message":"overloaded","code":529}}\n\ndata: [DONE]\n\n'));
  assertEquals([stated.error?.message, stated.error?.status, stated.done], [
    "overloaded",
    529,
    false,
  ]);
  const named = reader();
  named.feed(bytes('event: error\ndata: {"message":"oh","code":500}\n\n'));
  assertEquals([named.error?.message, named.error?.status], ["oh", 500]);
  const junk = reader();
  junk.feed(bytes("data: {nonsense\n\n"));
  assertEquals(junk.error?.type, "response");
});

Deno.test("StreamReader keeps raw fields: lists are joined, otherwise the last value counts", () => {
  const stream = reader({ keep: ["logprobs", "system_fingerprint"] });
  stream.feed(event({ content: "a" }, { logprobs: { content: [1] } }, { system_fingerprint: "x" }));
  stream.feed(event({ content: "b" }, { logprobs: { content: [2] } }, { system_fingerprint: "y" }));
  stream.feed(event({}, { logprobs: null, finish_reason: "stop" }));
  assertEquals(stream.completion(0).kept, {
    logprobs: { content: [1, 2] },
    system_fingerprint: "y",
  });
});

Deno.test("StreamReader counts the tokens of a usage that is kept as well, whatever follows it", () => {
  const stream = reader({ keep: ["usage"] });
  const usage = { prompt_tokens: 3, completion_tokens: 4 };
  stream.feed(event({ content: "42" }, {}, { usage }));
  stream.feed(event({}, { finish_reason: "stop" }, {
    usage: { prompt_tokens: 0, completion_tokens: 0 },
  }));
  const { usage: counted, kept } = stream.completion(0);
  assertEquals([counted?.promptTokens, counted?.completionTokens], [3, 4]);
  assertEquals(kept, { usage: { prompt_tokens: 0, completion_tokens: 0 } });
});

Deno.test("StreamReader splits reasoning that came as text", () => {
  const stream = reader();
  stream.feed(event({ content: "<think>why</th" }));
  stream.feed(event({ content: "ink>\n\n42" }, { finish_reason: "stop" }));
  const { response, reasoning } = stream.completion(0);
  assertEquals([response, reasoning], ["42", "why"]);
});

Deno.test("StreamReader rejects an answer of another API, and keeps its text", () => {
  const chunks = ["4", "2"].map((text) =>
    `data: ${JSON.stringify({ candidates: [{ content: { parts: [{ text }] } }] })}\n\n`
  ).join("");
  const ended = reader(), done = reader();
  ended.feed(bytes(chunks));
  ended.end();
  done.feed(bytes(`${chunks}data: [DONE]\n\n`));
  for (const stream of [ended, done]) {
    assertStringIncludes(stream.error?.message ?? "", "Gemini's own API");
    assertEquals([stream.hasOutput, stream.completion(undefined).response], [true, "42"]);
  }
});
