import { assertEquals, assertInstanceOf, assertRejects } from "../../lib/deps/std_assert.ts";
import { classify } from "../../lib/engine/errors/classify.ts";
import { TeacherError } from "../../lib/errors.ts";
import { openaiCompatible } from "../../lib/teacher/openai_compatible.ts";
import type { Teacher } from "../../lib/teacher/teacher.ts";
import { type RawAction, serveRaw } from "../support/raw_server.ts";

const never = new AbortController().signal;

function ask(teacher: Teacher, prompt: string) {
  return teacher.complete(
    { uid: prompt, messages: [{ role: "user", content: prompt }], params: {} },
    never,
  );
}

/** Sends from `lanes` lanes at once; returns how many attempts failed, all with network errors. */
async function askMany(teacher: Teacher, lanes: number, each: number): Promise<number> {
  let failures = 0;
  await Promise.all(Array.from({ length: lanes }, async (_, lane) => {
    for (let n = 0; n < each; n++) {
      const prompt = `${lane}/${n}`;
      try {
        assertEquals((await ask(teacher, prompt)).response, `answer to ${prompt}`);
      } catch (error) {
        assertInstanceOf(error, TeacherError);
        assertEquals([error.type, classify(error).cause], ["network", "fault"], error.message);
        failures++;
      }
    }
  }));
  return failures;
}

Deno.test("a request that was read on a reused connection is not sent again", async () => {
  await using server = serveRaw(({ onConnection }) => onConnection === 1 ? "answer" : "hangup");
  const teacher = openaiCompatible({ model: "m", baseUrl: server.url });
  await ask(teacher, "first");
  const error = await assertRejects(() => ask(teacher, "second"), TeacherError);
  assertEquals(error.type, "network");
  assertEquals([server.posts, server.connections], [2, 1]);
  await ask(teacher, "third");
  assertEquals([server.posts, server.connections], [3, 2]);
  await teacher.close?.();
});

Deno.test("200 lanes with hang-ups at random: each attempt is one POST", async () => {
  let state = 1;
  const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  const actions: RawAction[] = ["hangup", "half", "answer", "answer", "answer", "answer", "answer"];
  let broken = 0;
  await using server = serveRaw(() => {
    const action = actions[Math.floor(random() * actions.length)];
    if (action !== "answer") broken++;
    return action;
  });
  // 200 connections at once take longer than ten seconds on a busy machine.
  const teacher = openaiCompatible({ model: "m", baseUrl: server.url, connectTimeoutMs: 120_000 });
  const failures = await askMany(teacher, 200, 10);
  await teacher.close?.();
  assertEquals(server.posts, 2_000);
  assertEquals(failures, broken);
  assertEquals(Math.max(...server.prompts.values()), 1);
});

Deno.test("a connection that died while idle is reopened, without a failed attempt", async () => {
  const body = '{"choices":[{"message":{"content":"a"}}]}';
  const head =
    `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`;
  const answer = new TextEncoder().encode(`${head}\r\n\r\n${body}`);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let ended = Promise.withResolvers<number | null>();
  let connections = 0;
  const serving = (async () => {
    for await (const connection of listener) {
      connections++;
      await connection.read(new Uint8Array(65_536));
      await connection.write(answer);
      await connection.closeWrite();
      // The other side has seen the end once it ends the connection too.
      ended.resolve(await connection.read(new Uint8Array(65_536)));
      connection.close();
    }
  })();
  const { port } = listener.addr as Deno.NetAddr;
  const teacher = openaiCompatible({ model: "m", baseUrl: `http://127.0.0.1:${port}` });
  for (let n = 1; n <= 3; n++) {
    ended = Promise.withResolvers();
    assertEquals((await ask(teacher, "x")).response, "a");
    assertEquals(await ended.promise, null);
    assertEquals(connections, n);
  }
  await teacher.close?.();
  listener.close();
  await serving;
});

Deno.test("connections are reused: one lane needs one", async () => {
  await using server = serveRaw();
  const teacher = openaiCompatible({ model: "m", baseUrl: server.url });
  for (let n = 0; n < 20; n++) await ask(teacher, `${n}`);
  assertEquals([server.posts, server.connections], [20, 1]);
  assertEquals(await askMany(teacher, 5, 10), 0);
  assertEquals(server.connections, 5);
  await teacher.close?.();
});
