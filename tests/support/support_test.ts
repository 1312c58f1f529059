/** Tests of the test helpers. @module */

import { assert, assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { chatAnswer, errorAnswer, serveLedger } from "./ledger_server.ts";
import { startCli } from "./process.ts";
import { serveRaw } from "./raw_server.ts";
import { tempDir } from "./temp.ts";

function body(prompt: string): string {
  return JSON.stringify({ model: "m", messages: [{ role: "user", content: prompt }] });
}

async function post(url: string, prompt: string): Promise<Response> {
  return await fetch(`${url}/chat/completions`, { method: "POST", body: body(prompt) });
}

/** One connection, without a client that would hide what happens to it. */
async function connect(url: string) {
  const { port } = new URL(url);
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
  return {
    async send(prompt: string): Promise<void> {
      const head = ["POST /v1/chat/completions HTTP/1.1", `content-length: ${body(prompt).length}`];
      const bytes = new TextEncoder().encode(`${head.join("\r\n")}\r\n\r\n${body(prompt)}`);
      await connection.write(bytes);
    },
    /** What comes next, or undefined at the end. */
    async read(): Promise<string | undefined> {
      const buffer = new Uint8Array(65_536), count = await connection.read(buffer);
      return count === null ? undefined : new TextDecoder().decode(buffer.subarray(0, count));
    },
    [Symbol.dispose]: () => connection.close(),
  };
}

Deno.test("serveLedger() answers and records its requests", async () => {
  await using server = serveLedger(({ n }) => n === 2 ? errorAnswer(500) : undefined);
  const first = await (await post(server.url, "one")).json();
  assertEquals(first.choices[0].message.content, "answer to one");
  const second = await post(server.url, "one");
  assertEquals(second.status, 500);
  await second.body?.cancel();
  assertEquals(server.posts, 2);
  assertEquals([...server.prompts], [["one", 2]]);
  assertEquals(server.requests[1].body.model, "m");
  assertEquals(server.requests[1].path, "/v1/chat/completions");
});

Deno.test("serveLedger() closes while it owes an answer", async () => {
  const server = serveLedger(() => new Promise(() => {}));
  const asked = post(server.url, "never");
  await server.untilPosts(1);
  assertEquals(server.inFlight, 1);
  await server.close();
  await assertRejects(() => asked);
});

Deno.test("chatAnswer() overrides what it is given", () => {
  const answer = chatAnswer("x", { message: { reasoning: "r" }, usage: { prompt_tokens: 1 } });
  assertEquals(answer.choices, [{
    index: 0,
    message: { role: "assistant", content: "x", reasoning: "r" },
    finish_reason: "stop",
  }]);
  assertEquals(answer.usage, { prompt_tokens: 1, completion_tokens: 11, total_tokens: 18 });
  assertEquals(chatAnswer("x", { usage: null }).usage, null);
});

Deno.test("serveRaw() closes a reused connection after it has read the request", async () => {
  await using server = serveRaw(({ onConnection }) => onConnection === 2 ? "hangup" : "answer");
  using client = await connect(server.url);
  await client.send("one");
  let answer = "";
  while (!answer.includes("answer to one")) answer += await client.read();
  await client.send("two");
  while (await client.read() !== undefined);
  assertEquals([server.posts, server.connections], [2, 1]);
  assertEquals([...server.prompts], [["one", 1], ["two", 1]]);
});

Deno.test("serveRaw() breaks off in the middle of an answer, and stalls until it is closed", async () => {
  const server = serveRaw(({ n }) => n === 1 ? "half" : "stall");
  using half = await connect(server.url);
  await half.send("one");
  let answer = "";
  for (let more; (more = await half.read()) !== undefined;) answer += more;
  assert(answer.startsWith("HTTP/1.1 200"), answer);
  const [head, content] = answer.split("\r\n\r\n");
  assert(content.length < Number(/content-length: (\d+)/i.exec(head)![1]), answer);
  using stalled = await connect(server.url);
  await stalled.send("two");
  const next = stalled.read().catch(() => undefined);
  while (server.posts < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  await server.close();
  assertEquals(await next, undefined);
});

Deno.test("startCli() gives output, exit code and signals in a clean environment", async () => {
  await using dir = await tempDir();
  const script = await dir.write(
    "script.ts",
    `console.log(Deno.env.get("HOME"), await new Response(Deno.stdin.readable).text());
     console.error("ready"); setInterval(() => {}, 1000);`,
  );
  await using child = await startCli([], { script, stdin: "hello" });
  await child.untilStderr(/ready/);
  child.kill("SIGINT");
  const result = await child.output();
  assertEquals(result.signal, "SIGINT");
  assert(result.stdout.includes("retort_home_") && result.stdout.includes("hello"));
  await assertRejects(() => child.untilStderr(/never/), Error, "ended without");
});

Deno.test("tempDir() writes rows and reads them back", async () => {
  await using dir = await tempDir();
  await dir.write("in/rows.jsonl", [{ a: 1 }, [2]]);
  assertEquals(await dir.read("in/rows.jsonl"), '{"a":1}\n[2]\n');
  assertEquals(await dir.rows("in/rows.jsonl"), [{ a: 1 }, [2]]);
  assertEquals([await dir.exists("in/rows.jsonl"), await dir.exists("none")], [true, false]);
});
