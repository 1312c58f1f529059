import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "../../lib/deps/std_assert.ts";
import { classify } from "../../lib/engine/errors/classify.ts";
import { openaiCompatible, type OpenAICompatibleOptions } from "../../lib/teacher/mod.ts";
import { chatAnswer, errorAnswer } from "../support/ledger_server.ts";
import { unusedPort } from "../support/ports.ts";
import { ask, failure, pair } from "./pair.ts";

const KEY = "sk-very-secret-0123456789";
const raw = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;

Deno.test("complete() sends one POST with the parameters as they were written", async () => {
  await using it = pair(undefined, { apiKey: KEY });
  const params = {
    temperature: raw("1.0"),
    seed: raw("1234567890123456789"),
    stream: true,
    stream_options: { a: 1 },
    logit_bias: { "50": -1 },
  };
  const completion = await ask(it.teacher, params);
  assertEquals(completion.response, "answer to Größe?");
  assertEquals(it.server.posts, 1);
  const [{ text, path, headers }] = it.server.requests;
  assertEquals(
    text,
    '{"model":"m","messages":[{"role":"user","content":"Größe?"}],' +
      '"temperature":1.0,"seed":1234567890123456789,"logit_bias":{"50":-1}}',
  );
  assertEquals(path, "/v1/chat/completions");
  assertEquals(headers.get("authorization"), `Bearer ${KEY}`);
  assertEquals(headers.get("content-type"), "application/json");
  assertEquals(headers.get("accept-encoding"), "identity");
});

Deno.test("complete() uses the row's model if it names one", async () => {
  await using it = pair();
  const other = await ask(it.teacher, { model: "other" });
  const own = await ask(it.teacher, {});
  assertEquals(it.server.requests.map((request) => request.body.model), ["other", "m"]);
  assertEquals([other.modelAsked, own.modelAsked], ["other", undefined]);
  assertEquals(own.model, "test-model");
});

Deno.test("complete() names the host that refuses a connection", async () => {
  const port = unusedPort();
  const teacher = openaiCompatible({ model: "m", baseUrl: `http://127.0.0.1:${port}/v1` });
  for (let n = 0; n < 2; n++) {
    const error = await failure(ask(teacher));
    assertEquals([error.type, classify(error).cause], ["network", "unreachable"]);
    assertEquals(error.message, `Cannot connect to 127.0.0.1:${port}: connection refused`);
  }
  await teacher.close?.();
});

Deno.test("complete() passes on status, message and waiting time of a refusal", async () => {
  await using it = pair(() => errorAnswer(429, "slow down", { "retry-after-ms": "1500" }));
  const error = await failure(ask(it.teacher));
  assertEquals([error.message, error.status, error.type, error.retryAfterMs], [
    "slow down",
    429,
    "rate_limit",
    1500,
  ]);
});

Deno.test("complete() follows no redirect", async () => {
  await using it = pair(() =>
    new Response(null, { status: 308, headers: { location: "/elsewhere" } })
  );
  const error = await failure(ask(it.teacher));
  assertEquals([error.status, classify(error).action, it.server.posts], [308, "halt", 1]);
  assertStringIncludes(error.message, '"/elsewhere"');
});

Deno.test("complete() reads no more than the beginning of an endless refusal", async () => {
  const chunk = new TextEncoder().encode("no ".repeat(10_000));
  await using it = pair(() =>
    new Response(new ReadableStream({ pull: (controller) => controller.enqueue(chunk) }), {
      status: 500,
    })
  );
  const error = await failure(ask(it.teacher));
  assertEquals([error.status, error.message.length], [500, 300]);
});

Deno.test("complete() says what is wrong with an invalid answer", async () => {
  const answers = ["<html>hello</html>", "", '{"choices":[]}'];
  await using it = pair(({ n }) => new Response(answers[n - 1]));
  for (const answer of answers) {
    const error = await failure(ask(it.teacher));
    assertEquals([error.type, error.status], ["response", 200], answer);
  }
});

Deno.test("complete() reads an answer that comes in many pieces", async () => {
  const text = JSON.stringify(chatAnswer("ü".repeat(300_000)));
  await using it = pair(() => new Response(text));
  assertEquals((await ask(it.teacher)).response.length, 300_000);
});

Deno.test("keep passes on raw fields of the answer", async () => {
  const answer = chatAnswer("a", { system_fingerprint: "fp" });
  await using it = pair(() => Response.json(answer), { keep: ["system_fingerprint"] });
  assertEquals((await ask(it.teacher)).kept, { system_fingerprint: "fp" });
});

Deno.test("openaiCompatible() rejects options that cannot be used", () => {
  const refuse = (options: Partial<OpenAICompatibleOptions>, words: string) =>
    assertThrows(() => openaiCompatible({ model: "m", ...options }), Error, words);
  refuse({ model: "" }, 'Cannot use model "": it must be the name of a model');
  refuse({ model: undefined }, 'Cannot make a teacher without "model"');
  refuse({ endpoint: "x" as "chat" }, '"chat" or "completions" or "responses"');
  refuse({ baseUrl: "nonsense" }, "it must be a URL such as");
  refuse({ timeoutMs: 0 }, "Cannot use timeoutMs 0: it must be a number of milliseconds above 0");
  for (const thinkTags of [["<a>"], ["<a>", ""], ["<a>", "<a>"], "<a>,</a>", [1, 2]]) {
    refuse({ thinkTags: thinkTags as unknown as [string, string] }, "it must be an opening");
  }
  refuse({ timeoutMs: NaN }, "Cannot use timeoutMs NaN");
  refuse({ headers: { "content-length": "1" } }, "it is reserved for the HTTP client");
  refuse({ headers: { "a b": "1" } }, "its name must be letters");
  refuse({ headers: { a: "1\r\nb: 2" } }, "must be one line of ASCII");
  const proxy = refuse({ proxy: "socks5://u:secret@h:1" }, '"socks5:"');
  assert(!proxy.message.includes("secret"));
  assertEquals(openaiCompatible({ model: "m" }).address, "https://api.openai.com/v1");
});

Deno.test("at Azure the key goes into its own header field, a token into Authorization", async () => {
  const headersFor = async (baseUrl: string, apiKey: string): Promise<Record<string, string>> => {
    const teacher = openaiCompatible({ model: "m", baseUrl, apiKey });
    const request = { uid: "1", messages: [], params: {} };
    const { headers, url } = teacher.preview(request) as {
      headers: Record<string, string>;
      url: string;
    };
    await teacher.close();
    return { ...headers, url };
  };
  const key = await headersFor(
    "https://me.openai.azure.com/openai/deployments/d?api-version=2024-10-21",
    "azure-secret",
  );
  assertEquals([key["api-key"], key.authorization], ["[redacted]", undefined]);
  assertEquals(
    key.url,
    "https://me.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21",
  );
  const token = await headersFor(
    "https://me.services.ai.azure.com/openai/v1",
    "eyJhbGci.eyJh.c2ln",
  );
  assertEquals([token["api-key"], token.authorization], [undefined, "Bearer [redacted]"]);
});
