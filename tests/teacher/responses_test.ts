import { assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import type { Message, Params, Teacher } from "../../lib/teacher/teacher.ts";
import { ask, failure, pair, stream } from "./pair.ts";

const never = new AbortController().signal;
const ANSWER = {
  id: "resp_1",
  object: "response",
  status: "completed",
  model: "gpt-5",
  error: null,
  incomplete_details: null,
  output: [
    {
      type: "reasoning",
      id: "rs_1",
      summary: [{ type: "summary_text", text: "First." }, { type: "summary_text", text: "Then." }],
    },
    {
      type: "message",
      role: "assistant",
      status: "completed",
      content: [{ type: "output_text", text: "42", annotations: [], logprobs: [{ token: "42" }] }],
    },
  ],
  usage: {
    input_tokens: 7,
    input_tokens_details: { cached_tokens: 2 },
    output_tokens: 11,
    output_tokens_details: { reasoning_tokens: 9 },
  },
};
const CALL = {
  type: "function_call",
  id: "fc_1",
  call_id: "call_1",
  name: "look",
  arguments: '{"x":1}',
};
const TOOL_CALL = {
  id: "call_1",
  type: "function",
  function: { name: "look", arguments: '{"x":1}' },
};

function send(teacher: Teacher, messages: Message[], params: Params = {}) {
  return teacher.complete({ uid: "1", messages, params }, never);
}

function events(list: readonly Record<string, unknown>[]): Response {
  return stream(list.map((one) => `event: ${one.type}\ndata: ${JSON.stringify(one)}\n\n`));
}

Deno.test("the endpoint responses reads text, reasoning, counts and log probabilities", async () => {
  await using it = pair(() => Response.json(ANSWER), { endpoint: "responses", keep: ["logprobs"] });
  const answer = await ask(it.teacher, { logprobs: true });
  const [{ body, path }] = it.server.requests;
  assertEquals(path, "/v1/responses");
  assertEquals(body, {
    model: "m",
    input: [{ role: "user", content: "Größe?" }],
    include: ["message.output_text.logprobs"],
    reasoning: { summary: "auto" },
    store: false,
  });
  assertEquals([answer.response, answer.reasoning], ["42", "First.\n\nThen."]);
  assertEquals([answer.finishReason, answer.id, answer.model], ["stop", "resp_1", "gpt-5"]);
  assertEquals(answer.usage, {
    promptTokens: 7,
    completionTokens: 11,
    reasoningTokens: 9,
    cachedTokens: 2,
  });
  assertEquals(answer.kept, { logprobs: { content: [{ token: "42" }] } });
});

Deno.test("the endpoint responses sends instructions, items and its own parameters", async () => {
  await using it = pair(() => Response.json(ANSWER), { endpoint: "responses" });
  const messages: Message[] = [
    { role: "system", content: "be brief" },
    {
      role: "user",
      content: [
        { type: "text", text: "What is it?" },
        { type: "image_url", image_url: { url: "https://h.example/1.png", detail: "low" } },
      ],
    },
    { role: "assistant", content: null, tool_calls: [TOOL_CALL] },
    { role: "tool", tool_call_id: "call_1", content: "a cat" },
    { role: "assistant", content: "A cat." },
    { role: "user", content: "Sure?" },
  ];
  await send(it.teacher, messages, {
    max_tokens: 100,
    reasoning_effort: "low",
    reasoning: { summary: "detailed" },
    verbosity: "low",
    store: true,
    response_format: {
      type: "json_schema",
      json_schema: { name: "n", schema: { type: "object" } },
    },
    tools: [{ type: "function", function: { name: "look", parameters: {} } }, {
      type: "web_search",
    }],
    tool_choice: { type: "function", function: { name: "look" } },
  });
  assertEquals(it.server.requests[0].body, {
    model: "m",
    instructions: "be brief",
    input: [
      {
        role: "user",
        content: [
          { type: "input_text", text: "What is it?" },
          { type: "input_image", image_url: "https://h.example/1.png", detail: "low" },
        ],
      },
      { type: "function_call", call_id: "call_1", name: "look", arguments: '{"x":1}' },
      { type: "function_call_output", call_id: "call_1", output: "a cat" },
      { role: "assistant", content: "A cat." },
      { role: "user", content: "Sure?" },
    ],
    max_output_tokens: 100,
    reasoning: { effort: "low", summary: "detailed" },
    text: {
      verbosity: "low",
      format: { type: "json_schema", name: "n", schema: { type: "object" } },
    },
    store: true,
    tools: [
      { type: "function", strict: false, name: "look", parameters: {} },
      { type: "web_search" },
    ],
    tool_choice: { type: "function", name: "look" },
  });
});

Deno.test("of two names for one number in /responses, the last counts, also as it was written", async () => {
  const raw = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;
  await using it = pair(() => Response.json(ANSWER), { endpoint: "responses" });
  await ask(it.teacher, { max_completion_tokens: raw("10.0"), max_output_tokens: raw("20.0") });
  assertStringIncludes(it.server.requests[0].text, '"max_output_tokens":20.0');
});

Deno.test("the endpoint responses says how an answer ended", async () => {
  const text = ANSWER.output;
  const cases: [Record<string, unknown>, string][] = [
    [{ output: [...text, CALL] }, "tool_calls"],
    [{ status: "incomplete", incomplete_details: { reason: "max_output_tokens" } }, "length"],
    [{ status: "incomplete", incomplete_details: { reason: "content_filter" } }, "content_filter"],
    [{ status: "cancelled" }, "cancelled"],
    [{ status: "failed", error: { code: "server_error", message: "oops" } }, "error"],
  ];
  await using it = pair(({ n }) => Response.json({ ...ANSWER, ...cases[n - 1][0] }), {
    endpoint: "responses",
  });
  for (const [change, finishReason] of cases) {
    const answer = await ask(it.teacher);
    assertEquals([answer.finishReason, answer.response], [finishReason, "42"], finishReason);
    if ("output" in change) assertEquals(answer.toolCalls, [TOOL_CALL]);
  }
});

Deno.test("the endpoint responses returns a refusal of the model, and an error with the server's message", async () => {
  const refusal = [{ type: "message", content: [{ type: "refusal", refusal: "I will not" }] }];
  const error = { code: "rate_limit_exceeded", message: "slow down" };
  const answers = [
    { ...ANSWER, output: refusal },
    { ...ANSWER, status: "failed", output: [], error },
    { error: { message: "no such model", code: "model_not_found" } },
  ];
  await using it = pair(({ n }) => Response.json(answers[n - 1]), { endpoint: "responses" });
  assertEquals((await ask(it.teacher)).response, "I will not");
  const failed = await failure(ask(it.teacher));
  assertEquals([failed.message, failed.code], ["slow down", "rate_limit_exceeded"]);
  assertEquals((await failure(ask(it.teacher))).code, "model_not_found");
});

Deno.test("the endpoint responses reads a stream of deltas", async () => {
  const response = { ...ANSWER, output: [...ANSWER.output, CALL] };
  await using it = pair(() =>
    events([
      {
        type: "response.created",
        response: { id: "resp_1", model: "gpt-5", status: "in_progress" },
      },
      { type: "response.reasoning_summary_text.delta", summary_index: 0, delta: "First." },
      { type: "response.reasoning_summary_text.delta", summary_index: 1, delta: "Th" },
      { type: "response.reasoning_summary_text.delta", summary_index: 1, delta: "en." },
      { type: "response.output_text.delta", delta: "4", logprobs: [{ token: "4" }] },
      { type: "response.output_text.delta", delta: "2", logprobs: [{ token: "2" }] },
      { type: "response.output_text.done", text: "42" },
      { type: "response.output_item.added", item: { ...CALL, arguments: "" } },
      { type: "response.function_call_arguments.delta", item_id: "fc_1", delta: '{"x"' },
      { type: "response.function_call_arguments.delta", item_id: "fc_1", delta: ":1}" },
      { type: "response.function_call_arguments.done", item_id: "fc_1", arguments: '{"x":1}' },
      { type: "response.output_item.done", item: CALL },
      { type: "response.completed", response },
    ]), { endpoint: "responses", stream: true, keep: ["logprobs"] });
  const answer = await ask(it.teacher);
  assertEquals(it.server.requests[0].body.stream, true);
  assertEquals("stream_options" in it.server.requests[0].body, false);
  assertEquals([answer.response, answer.reasoning], ["42", "First.\n\nThen."]);
  assertEquals([answer.finishReason, answer.id], ["tool_calls", "resp_1"]);
  assertEquals(answer.toolCalls, [TOOL_CALL]);
  assertEquals(answer.usage?.reasoningTokens, 9);
  assertEquals(answer.kept, { logprobs: { content: [{ token: "4" }, { token: "2" }] } });
});

Deno.test("the endpoint responses takes from the last event what no delta contained", async () => {
  const response = {
    ...ANSWER,
    output: [
      { type: "reasoning", content: [{ type: "reasoning_text", text: "deep" }], summary: [] },
      ANSWER.output[1],
      { ...CALL, id: "another id" },
    ],
  };
  const streams = [
    [{ type: "response.completed", response }],
    // vLLM changes the ids of items in the last event.
    [
      { type: "response.reasoning_text.delta", delta: "deep" },
      { type: "response.function_call_arguments.delta", item_id: "fc_1", delta: '{"x":1}' },
      { type: "response.output_item.done", item: CALL },
      { type: "response.completed", response },
    ],
    [
      { type: "response.output_text.delta", delta: "42" },
      { type: "response.output_item.done", item: CALL },
      { type: "response.incomplete", response: { ...response, status: undefined } },
    ],
  ];
  await using it = pair(({ n }) => events(streams[n - 1]), { endpoint: "responses", stream: true });
  for (const [index] of streams.entries()) {
    const { response, reasoning, toolCalls, finishReason } = await ask(it.teacher);
    assertEquals([response, reasoning, toolCalls], ["42", "deep", [TOOL_CALL]]);
    assertEquals(finishReason, index === 2 ? "incomplete" : "tool_calls");
  }
});

Deno.test("the endpoint responses fails with the message of a failed stream", async () => {
  const error = { code: "server_error", message: "The model broke" };
  const streams = [
    [{ type: "response.failed", response: { status: "failed", output: [], error } }],
    [{ type: "error", ...error }],
  ];
  await using it = pair(({ n }) => events(streams[n - 1]), { endpoint: "responses", stream: true });
  for (const _ of streams) {
    const failed = await failure(ask(it.teacher));
    assertEquals([failed.message, failed.code], ["The model broke", "server_error"]);
  }
});

Deno.test("the endpoint responses waits for nothing after the last event", async () => {
  const last = `data: ${JSON.stringify({ type: "response.completed", response: ANSWER })}\n\n`;
  await using it = pair(() => stream([last], "hang"), { endpoint: "responses", stream: true });
  assertEquals((await ask(it.teacher)).response, "42");
});

Deno.test("the endpoint responses says which rows it cannot send", async () => {
  await using it = pair(undefined, { endpoint: "responses" });
  const user = { role: "user", content: "hi" };
  const problem = (messages: Message[], params = {}) => it.teacher.problem({ messages, params });
  assertEquals(problem([user]), undefined);
  assertEquals(
    problem([user, { role: "tool", content: "x" }]),
    'has a message with the role "tool" without "tool_call_id": the responses endpoint needs it',
  );
  assertEquals(
    problem([user, { role: "function", content: "x", tool_call_id: "1" }]),
    'has a message with the role "function": the responses endpoint takes results of calls only ' +
      'with the role "tool"',
  );
  assertEquals(
    problem([user], { background: true }),
    'sets "background": Retort waits for each answer',
  );
  assertEquals(
    problem([user], { instructions: "x" }),
    'sets "instructions": it comes from the messages',
  );
});
