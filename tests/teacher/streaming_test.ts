import { assertEquals, assertLess } from "../../lib/deps/std_assert.ts";
import { classify } from "../../lib/engine/errors/classify.ts";
import { ask, failure, pair, stream, token } from "./pair.ts";

Deno.test("complete() asks for a stream and its counts, and keeps other stream options", async () => {
  await using it = pair(() => stream([token("a", "stop"), "data: [DONE]\n\n"]), { stream: true });
  await ask(it.teacher, { stream: false, stream_options: { chunk: 2 } });
  const { body } = it.server.requests[0];
  assertEquals(body.stream, true);
  assertEquals(body.stream_options, { include_usage: true, chunk: 2 });
});

Deno.test("complete() reads a stream and says when its first token came", async () => {
  let time = 1_000;
  await using it = pair(() => {
    time = 1_040;
    return stream([": hi\n\n", token("Gr"), token("öße", "stop"), "data: [DONE]\n\n"]);
  }, { stream: true, now: () => time });
  const { response, finishReason, ttftMs } = await ask(it.teacher);
  assertEquals([response, finishReason, ttftMs], ["Größe", "stop", 40]);
});

Deno.test("complete() reads JSON if a stream was requested, and a stream if none was", async () => {
  await using plain = pair(undefined, { stream: true });
  assertEquals((await ask(plain.teacher)).response, "answer to Größe?");
  await using streamed = pair(() => stream([token("a", "stop"), "data: [DONE]\n\n"]));
  assertEquals((await ask(streamed.teacher)).response, "a");
});

Deno.test("complete() is done at [DONE], and the connection may be used again", async () => {
  await using it = pair(() => stream([token("a", "stop"), "data: [DONE]\n\n"], "hang"), {
    stream: true,
  });
  // The server never ends its answers; after 2 s that would be noticed anyway, each time.
  const before = performance.now();
  for (let n = 0; n < 5; n++) assertEquals((await ask(it.teacher)).response, "a");
  assertLess(performance.now() - before, 9_900);
});

Deno.test("complete() returns the content of a stream without an end marker", async () => {
  await using it = pair(() => stream([token("half an ans")]), { stream: true });
  const { response, finishReason } = await ask(it.teacher);
  assertEquals([response, finishReason], ["half an ans", ""]);
});

Deno.test("complete() fails if a stream breaks before [DONE], and keeps its content", async () => {
  for (const finish of [null, "stop"]) {
    await using it = pair(() => stream([token("half an ans", finish)], "break"), { stream: true });
    const error = await failure(ask(it.teacher));
    assertEquals([error.type, classify(error).cause], ["network", "fault"]);
    assertEquals(error.partial?.response, "half an ans");
  }
});

Deno.test("complete() throws an error that arrives in the middle of a stream", async () => {
  const error = 'data: {"error":{"message":"overloaded","code":503}}\n\n';
  await using it = pair(() => stream([token("a"), error], "hang"), { stream: true });
  const failed = await failure(ask(it.teacher));
  assertEquals([failed.message, failed.status], ["overloaded", 503]);
  assertEquals(classify(failed), { action: "retry", cause: "load", type: "server" });
});
