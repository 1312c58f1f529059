import { assertEquals } from "../../lib/deps/std_assert.ts";
import { COMPLETIONS } from "../../lib/teacher/api_format.ts";
import type { Message } from "../../lib/teacher/teacher.ts";
import { ask, failure, pair, stream } from "./pair.ts";

const ANSWER = {
  id: "cmpl-1",
  object: "text_completion",
  model: "base",
  choices: [{
    index: 0,
    text: " a time",
    finish_reason: "stop",
    logprobs: { tokens: [" a", " time"], token_logprobs: [-0.1, -0.2] },
  }],
  usage: { prompt_tokens: 3, completion_tokens: 2 },
};

Deno.test("the endpoint completions sends a prompt, and reads the text of its choice", async () => {
  await using it = pair(() => Response.json(ANSWER), {
    endpoint: "completions",
    keep: ["logprobs"],
  });
  const answer = await ask(it.teacher, {
    max_completion_tokens: 9,
    logprobs: true,
    top_logprobs: 5,
  });
  const [{ text, path }] = it.server.requests;
  assertEquals(text, '{"model":"m","prompt":"Größe?","max_tokens":9,"logprobs":5}');
  assertEquals(path, "/v1/completions");
  assertEquals([answer.response, answer.finishReason, answer.id], [" a time", "stop", "cmpl-1"]);
  assertEquals(answer.usage?.completionTokens, 2);
  assertEquals(answer.kept, { logprobs: ANSWER.choices[0].logprobs });
});

Deno.test("the endpoint completions reads a stream, and joins its log probabilities", async () => {
  const chunk = (text: string, token: string, finish: string | null = null) =>
    `data: ${
      JSON.stringify({
        choices: [{ text, finish_reason: finish, logprobs: { tokens: [token] } }],
      })
    }\n\n`;
  const pieces = [chunk(" a", " a"), chunk(" time", " time", "stop"), "data: [DONE]\n\n"];
  await using it = pair(() => stream(pieces), {
    endpoint: "completions",
    stream: true,
    keep: ["logprobs"],
  });
  const answer = await ask(it.teacher);
  assertEquals(it.server.requests[0].body, {
    model: "m",
    prompt: "Größe?",
    stream: true,
    stream_options: { include_usage: true },
  });
  assertEquals([answer.response, answer.finishReason], [" a time", "stop"]);
  assertEquals(answer.kept, { logprobs: { tokens: [" a", " time"] } });
});

Deno.test("the endpoint completions reads a server's error like any other endpoint", async () => {
  await using it = pair(
    () => Response.json({ error: { message: "no such model", code: "model_not_found" } }),
    { endpoint: "completions" },
  );
  const error = await failure(ask(it.teacher));
  assertEquals([error.message, error.code], ["no such model", "model_not_found"]);
});

Deno.test("the endpoint completions says which rows it cannot send", () => {
  const problem = (messages: Message[], params = {}) => COMPLETIONS.problem?.(messages, params);
  const user = { role: "user", content: "hi" };
  const image = { type: "image_url", image_url: { url: "https://h.example/1.png" } };
  const wayOut = "the completions endpoint takes one text";
  assertEquals(problem([user]), undefined);
  assertEquals(problem([{ ...user, name: null }]), undefined);
  assertEquals(problem([{ role: "user", content: [{ type: "text", text: "hi" }] }]), undefined);
  assertEquals(problem([user], { tools: [] }), `holds tools: ${wayOut}`);
  assertEquals(problem([user], { prompt: "hi" }), 'sets "prompt": it comes from the rows');
  assertEquals(
    problem([{ role: "system", content: "be brief" }, user]),
    `has 2 messages: ${wayOut}`,
  );
  assertEquals(
    problem([{ role: "assistant", content: "hi" }]),
    `has a message with the role "assistant": ${wayOut}`,
  );
  assertEquals(problem([{ ...user, name: "Ann" }]), `has "name" in its message: ${wayOut}`);
  assertEquals(
    problem([{ role: "user", content: [{ type: "text", text: "hi" }, image] }]),
    `has content that is not text ("image_url"): ${wayOut}`,
  );
});
