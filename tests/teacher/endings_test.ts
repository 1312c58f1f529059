import {
  assertEquals,
  assertGreater,
  assertLess,
  assertRejects,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { classify } from "../../lib/engine/errors/classify.ts";
import { openaiCompatible } from "../../lib/teacher/openai_compatible.ts";
import { serveLedger } from "../support/ledger_server.ts";
import { fastestMs } from "../support/fastest.ts";
import { answer } from "../behaviors/replies.ts";
import { type Reply, serveScript } from "../support/scripted_server.ts";
import { ask, failure, pair, stream, token } from "./pair.ts";

Deno.test("complete() ends an attempt at its deadline", async () => {
  await using it = pair(() => new Promise<Response>(() => {}), { timeoutMs: 60 });
  const ms = await fastestMs(async () => {
    const before = performance.now();
    const error = await failure(ask(it.teacher));
    assertEquals([error.type, classify(error).cause, error.status], [
      "timeout",
      "timeout",
      undefined,
    ]);
    assertStringIncludes(error.message, "within 60 ms");
    assertGreater(performance.now() - before, 55);
  }, 5_000);
  assertLess(ms, 5_000);
});

Deno.test("complete() ends a stream that falls silent after its first token", async () => {
  const pings = [token("a"), ": ping\n\n", "data:\n\n"];
  await using it = pair(() => stream(pings, "hang"), { stream: true, streamIdleTimeoutMs: 60 });
  const error = await failure(ask(it.teacher));
  assertEquals([error.type, classify(error).cause], ["timeout", "timeout"]);
  assertStringIncludes(error.message, "No token");
});

Deno.test("complete() does not count keep-alives as tokens", async () => {
  let pings: ReturnType<typeof setInterval> | undefined;
  const body = () =>
    new ReadableStream({
      start(controller) {
        const send = (text: string) => controller.enqueue(new TextEncoder().encode(text));
        send(token("a"));
        pings = setInterval(() => send(": ping\n\ndata:\n\n"), 10);
      },
      cancel: () => clearInterval(pings),
    });
  const headers = { "content-type": "text/event-stream" };
  await using it = pair(() => new Response(body(), { headers }), {
    stream: true,
    streamIdleTimeoutMs: 100,
    timeoutMs: 2_000,
  });
  const error = await failure(ask(it.teacher));
  assertStringIncludes(error.message, "No token");
});

Deno.test("an attempt that was ended closes its connection", async () => {
  const cut = Promise.withResolvers<void>();
  await using it = pair(({ signal }) => {
    signal.addEventListener("abort", () => cut.resolve());
    return new Promise<Response>(() => {});
  });
  const abort = new AbortController(), attempt = ask(it.teacher, {}, abort.signal);
  await it.server.untilPosts(1);
  abort.abort();
  await assertRejects(() => attempt, DOMException);
  await cut.promise;
});

Deno.test("complete() waits for the first token for as long as an attempt may take", async () => {
  await using it = pair(() => stream([": ping\n\n"], "hang"), {
    stream: true,
    streamIdleTimeoutMs: 20,
    timeoutMs: 200,
  });
  const error = await failure(ask(it.teacher));
  assertStringIncludes(error.message, "within 200 ms");
});

Deno.test("complete() keeps an answer that has its finish reason when its time is up", async () => {
  await using it = pair(() => stream([token("whole", "stop")], "hang"), {
    stream: true,
    streamIdleTimeoutMs: 30,
  });
  assertEquals((await ask(it.teacher)).response, "whole");
});

Deno.test("complete() rejects with the reason of its signal", async () => {
  await using it = pair(() => new Promise<Response>(() => {}));
  const abort = new AbortController(), reason = new Error("enough");
  const attempts = Array.from({ length: 20 }, () => ask(it.teacher, {}, abort.signal));
  await it.server.untilPosts(20);
  abort.abort(reason);
  for (const attempt of attempts) assertEquals(await attempt.catch((error) => error), reason);
  assertEquals(await ask(it.teacher, {}, abort.signal).catch((error) => error), reason);
  assertEquals(it.server.posts, 20);
});

Deno.test("complete() can be aborted before anything was sent", async () => {
  await using it = pair();
  const abort = new AbortController();
  const attempt = ask(it.teacher, {}, abort.signal);
  abort.abort();
  const error = await assertRejects(() => attempt);
  assertEquals(error.name, "AbortError");
  assertEquals((await ask(it.teacher)).response, "answer to Größe?");
  assertEquals(it.server.posts, 1);
});

Deno.test("complete() gives up a connection that is never made, or when it is aborted", async () => {
  // A TLS handshake that is never answered.
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const accepted: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const connection of listener) accepted.push(connection);
  })();
  const baseUrl = `https://127.0.0.1:${port}/v1`;
  const teacher = openaiCompatible({ model: "m", baseUrl, connectTimeoutMs: 50 });
  const error = await failure(ask(teacher));
  assertEquals([error.type, classify(error).cause], ["network", "unreachable"]);
  assertStringIncludes(error.message, `127.0.0.1:${port}`);
  await teacher.close?.();
  const patient = openaiCompatible({ model: "m", baseUrl });
  const abort = new AbortController(), attempt = ask(patient, {}, abort.signal);
  setTimeout(() => abort.abort(), 20);
  await assertRejects(() => attempt, DOMException);
  const aborted = performance.now();
  // Without close(): the abort alone must end the connection, even half made.
  for (const connection of accepted) while (await readable(connection));
  assertLess(performance.now() - aborted, 9_500); // It would give up by itself after 10 s.
  listener.close();
  await accepting;
  for (const connection of accepted) connection.close();
});

Deno.test("close() ends calls in flight, and nothing can be sent after it", async () => {
  await using server = serveLedger(() => new Promise<Response>(() => {}));
  const teacher = openaiCompatible({ model: "m", baseUrl: server.url });
  const attempt = ask(teacher);
  await server.untilPosts(1);
  const failed = failure(attempt);
  await teacher.close?.();
  assertEquals((await failed).type, "network");
  await assertRejects(() => ask(teacher), Error, "it was closed");
});

/** Whether there is more to read before the other side ends the connection. */
async function readable(connection: Deno.Conn): Promise<boolean> {
  const count = await connection.read(new Uint8Array(65_536)).catch(() => null);
  return count !== null;
}

/** Sends one request to a server that never ends its responses. */
async function askStalled(reply: Reply, timeoutMs = 60_000) {
  await using server = serveScript(() => ({
    framing: "chunked",
    breaks: true,
    stalls: true,
    ...reply,
  }));
  await using teacher = openaiCompatible({ model: "m", baseUrl: server.url, timeoutMs });
  const outcome = await ask(teacher).catch((error) => error);
  return { outcome, posts: server.posts.length };
}

Deno.test("complete() keeps a whole JSON answer whose response never ends, after one POST", async () => {
  const whole = answer("42").body as string;
  for (const body of [whole, `${whole}\n`, [whole.slice(0, 40), whole.slice(40)]]) {
    const ms = await fastestMs(async () => {
      const { outcome, posts } = await askStalled({ body });
      assertEquals([outcome.response, outcome.finishReason, posts], ["42", "stop", 1]);
    }, 5_000);
    assertLess(ms, 5_000);
  }
});

Deno.test("complete() fails with the error of a response that never ends", async () => {
  const body = JSON.stringify({ error: { message: "Bad prompt", code: "invalid_prompt" } });
  const ms = await fastestMs(async () => {
    const { outcome } = await askStalled({ status: 400, body });
    assertEquals([outcome.status, outcome.message], [400, "Bad prompt"]);
  }, 5_000);
  assertLess(ms, 5_000);
});

Deno.test("complete() waits for more after a chunk, and after an answer without a finish reason", async () => {
  const chunk = { choices: [{ index: 0, delta: { content: "4" }, finish_reason: "stop" }] };
  const unfinished = { choices: [{ index: 0, message: { role: "assistant", content: "4" } }] };
  for (const body of [chunk, unfinished]) {
    const before = performance.now();
    await askStalled({ body: JSON.stringify(body) }, 1_200);
    assertGreater(performance.now() - before, 1_100);
  }
});

const usage = { prompt_tokens: 3, completion_tokens: 2 };
const USAGE = `data: ${JSON.stringify({ choices: [], usage })}\n\n`;

Deno.test("complete() keeps a whole stream that never ends, with its usage, after one POST", async () => {
  const ms = await fastestMs(async () => {
    await using it = pair(() => stream([token("4"), token("2", "stop"), USAGE], "hang"), {
      stream: true,
    });
    const { response, finishReason, usage } = await ask(it.teacher);
    assertEquals([response, finishReason, usage?.completionTokens], ["42", "stop", 2]);
    assertEquals(it.server.requests.length, 1);
  }, 5_000);
  assertLess(ms, 5_000);
});

Deno.test("complete() waits for more of a stream that may not be whole", async () => {
  const calls = [{ index: 0, id: "c", function: { name: "f", arguments: "{}" } }];
  const streams = {
    "no usage yet": [token("4"), token("2", "stop")],
    "a finish reason from the start": [token("4", "stop"), USAGE],
    "text a second after the finish reason": [token("4"), token("2", "stop"), USAGE],
    "a finish reason and usage beside each text": [
      `data: ${JSON.stringify({ choices: [{ delta: { reasoning: "Hm" } }], usage })}\n\n`,
      token("4", "stop").replace("}]}", `}],"usage":${JSON.stringify(usage)}}`),
    ],
    "calls that a gateway hides": [token("4"), token("", "tool_calls"), USAGE],
    "calls that a gateway may make": [
      token("4"),
      `data: ${JSON.stringify({ choices: [{ delta: { tool_calls: calls } }] })}\n\n`,
      token("", "tool_calls"),
      USAGE,
    ],
  };
  await Promise.all(
    Object.entries(streams).map(async ([what, pieces]) => {
      const late = what.startsWith("text") ? token("!") : ": ping\n\n";
      const options = { stream: true, timeoutMs: 3_500 };
      await using it = pair(() => stream(pieces, "hang", late), options);
      const before = performance.now();
      await ask(it.teacher).catch(() => {});
      assertGreater(performance.now() - before, 3_400, what);
    }),
  );
});

Deno.test("once a stream has continued after its finish reason, complete() waits for the end of each stream", async () => {
  const continued = [token("4"), token("2", "stop"), token("!", "stop")];
  await using it = pair(
    ({ n }) => stream(n === 1 ? [token("4"), token("2", "stop"), USAGE] : continued, "hang"),
    { stream: true, timeoutMs: 3_500 },
  );
  const first = failure(ask(it.teacher));
  await it.server.untilPosts(1);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const errors = await Promise.all([first, failure(ask(it.teacher))]);
  assertEquals(errors.map(({ partial }) => partial?.response), ["42", "42!"]);
  for (const { message } of errors) assertStringIncludes(message, "within 3.5 s");
});

Deno.test("complete() keeps the text of bare JSON lines that a time limit cuts off", async () => {
  for (const finish_reason of [null, "stop"]) {
    const lines = ["4", "2"].map((content) =>
      JSON.stringify({ choices: [{ index: 0, delta: { content }, finish_reason }] })
    );
    for (const [last, text] of [[lines[1], "42"], [lines[1].slice(0, -3), "4"]]) {
      const { outcome } = await askStalled({ body: `${lines[0]}\n${last}` }, 500);
      assertEquals([outcome.type, outcome.partial?.response], ["timeout", text]);
    }
  }
});
