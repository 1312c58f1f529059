import {
  assertEquals,
  assertGreaterOrEqual,
  assertLess,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { classify } from "../../lib/engine/errors/classify.ts";
import { TeacherError } from "../../lib/errors.ts";
import { openaiCompatible } from "../../lib/teacher/openai_compatible.ts";
import type { Teacher } from "../../lib/teacher/teacher.ts";
import { type RawAction, serveRaw } from "../support/raw_server.ts";

const never = new AbortController().signal;
const DEADLINE_MS = 200;
// undici's timer for connections to a proxy runs for a second after the last one.
const PROXY = { sanitizeOps: false, sanitizeResources: false };

/** Sends from ten lanes at once, each of which must be free soon after the deadline, and before the
 * default ones. Returns the errors. */
async function swallowed(
  teacher: Teacher,
  timeoutMs?: number,
  deadlineMs = DEADLINE_MS,
): Promise<TeacherError[]> {
  const startedAt = performance.now();
  const errors = await Promise.all(Array.from({ length: 10 }, async (_, lane) => {
    const messages = [{ role: "user", content: `${lane}` }];
    const error = await teacher.complete({ uid: `${lane}`, messages, params: {}, timeoutMs }, never)
      .then(() => undefined, (error) => error);
    const heldMs = performance.now() - startedAt;
    assertGreaterOrEqual(heldMs, deadlineMs - 5);
    assertLess(heldMs, deadlineMs + 5_000);
    if (!(error instanceof TeacherError)) throw error ?? new Error("it was answered");
    return error;
  }));
  await teacher.close?.();
  return errors;
}

/**
 * A port that accepts connections and then does nothing.
 *
 * @param backlog How many connections may wait to be accepted.
 */
function silentPort(backlog?: number) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: backlog });
  const { port } = listener.addr as Deno.NetAddr;
  return { port, [Symbol.dispose]: () => listener.close() };
}

/** Fills the backlog of a port, so that further connections are neither accepted nor refused. */
async function fill(port: number, count: number): Promise<Disposable> {
  const connections = await Promise.all(
    Array.from({ length: count }, () => Deno.connect({ hostname: "127.0.0.1", port })),
  );
  return {
    [Symbol.dispose]: () => {
      for (const connection of connections) connection.close();
    },
  };
}

Deno.test("a connection that is never established frees its lane", async () => {
  using silent = silentPort(1);
  using _full = await fill(silent.port, 2);
  const errors = await swallowed(openaiCompatible({
    model: "m",
    baseUrl: `http://127.0.0.1:${silent.port}/v1`,
    connectTimeoutMs: DEADLINE_MS,
  }));
  for (const error of errors) {
    assertEquals(classify(error).cause, "unreachable");
    assertStringIncludes(error.message, "no connection within the time limit");
  }
});

Deno.test("a TLS handshake that is never answered frees its lane", async () => {
  using silent = silentPort();
  const errors = await swallowed(openaiCompatible({
    model: "m",
    baseUrl: `https://127.0.0.1:${silent.port}/v1`,
    connectTimeoutMs: DEADLINE_MS,
  }));
  for (const error of errors) assertEquals(classify(error).cause, "unreachable");
});

Deno.test("a proxy that opens no tunnel frees its lane", PROXY, async () => {
  using silent = silentPort();
  const errors = await swallowed(openaiCompatible({
    model: "m",
    baseUrl: "https://teacher.invalid/v1",
    proxy: `http://127.0.0.1:${silent.port}`,
    connectTimeoutMs: DEADLINE_MS,
  }));
  for (const error of errors) {
    assertEquals(classify(error).cause, "unreachable");
    assertStringIncludes(error.message, `through the proxy 127.0.0.1:${silent.port}`);
  }
});

Deno.test(
  "a proxy that takes the request and says nothing gives its lane back",
  PROXY,
  async () => {
    using silent = silentPort();
    const errors = await swallowed(openaiCompatible({
      model: "m",
      baseUrl: "http://teacher.invalid/v1",
      proxy: `http://127.0.0.1:${silent.port}`,
      timeoutMs: DEADLINE_MS,
    }));
    for (const error of errors) assertEquals(error.type, "timeout");
  },
);

const HOLES: readonly [
  name: string,
  action: RawAction,
  type: TeacherError["type"],
  deadlineMs: number,
][] = [
  // The request and the status must arrive before the deadline, also on a busy machine.
  ["headers that never come", "stall", "timeout", 2_000],
  ["bodies that stall", "freeze", "timeout", 2_000],
  ["refusals whose bodies stall", "mumble", "rate_limit", 2_000],
];

for (const [name, action, type, deadlineMs] of HOLES) {
  Deno.test(`${name} give the lane back`, async () => {
    await using server = serveRaw(() => action);
    const teacher = openaiCompatible({ model: "m", baseUrl: server.url, timeoutMs: deadlineMs });
    const errors = await swallowed(teacher, undefined, deadlineMs);
    for (const error of errors) assertEquals(error.type, type);
    assertEquals([server.posts, server.connections], [10, 10]);
  });

  Deno.test(`${name}: a row's own time counts where it is shorter`, async () => {
    await using server = serveRaw(() => action);
    const teacher = openaiCompatible({ model: "m", baseUrl: server.url });
    const errors = await swallowed(teacher, deadlineMs, deadlineMs);
    for (const error of errors) assertEquals(error.type, type);
    assertEquals(server.posts, 10);
  });
}

Deno.test("a stream that falls silent frees its lane", async () => {
  await using server = serveRaw(() => "hush");
  const errors = await swallowed(openaiCompatible({
    model: "m",
    baseUrl: server.url,
    stream: true,
    streamIdleTimeoutMs: DEADLINE_MS,
  }));
  for (const error of errors) assertStringIncludes(error.message, "No token");
});

Deno.test("a connection that was a black hole is not used again", async () => {
  await using server = serveRaw(({ n }) => n === 1 ? "stall" : "answer");
  const teacher = openaiCompatible({ model: "m", baseUrl: server.url });
  const request = { uid: "1", messages: [{ role: "user", content: "x" }], params: {} };
  const short = { ...request, timeoutMs: DEADLINE_MS };
  const error = await teacher.complete(short, never).catch((error) => error);
  assertEquals(error.type, "timeout");
  assertEquals((await teacher.complete(request, never)).response, "answer to x");
  assertEquals([server.posts, server.connections], [2, 2]);
  await teacher.close?.();
});
