/**
 * Servers that close connections: as announced, unannounced, and differently than announced.
 *
 * @module
 */

import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertRejects,
} from "../../lib/deps/std_assert.ts";
import { TeacherError } from "../../lib/errors.ts";
import { parseAddress } from "../../lib/teacher/network.ts";
import { Aborts, Deadlines } from "../../lib/teacher/interruptions.ts";
import { Attempt } from "../../lib/teacher/attempt.ts";
import { Connections, ReusePolicy, WatchTimers } from "../../lib/teacher/connections.ts";
import { openaiCompatible } from "../../lib/teacher/openai_compatible.ts";
import type { Teacher } from "../../lib/teacher/teacher.ts";
import { answer, delta, DONE, events, finish } from "../behaviors/replies.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { type Reply, serveScript } from "../support/scripted_server.ts";

const never = new AbortController().signal;

function ask(teacher: Teacher, prompt: string) {
  return teacher.complete(
    { uid: prompt, messages: [{ role: "user", content: prompt }], params: {} },
    never,
  );
}

/** Sends `count` requests from `lanes` lanes. Returns the attempts that failed, by their number
 * from 1. */
async function askMany(teacher: Teacher, lanes: number, count: number): Promise<number[]> {
  const failed: number[] = [];
  let next = 0;
  await Promise.all(Array.from({ length: lanes }, async () => {
    while (next < count) {
      const n = ++next;
      await ask(teacher, `${n}`).catch(() => failed.push(n));
    }
  }));
  return failed;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The header of llama.cpp's server with every answer. */
const ANNOUNCED = { "keep-alive": "timeout=5, max=100" };
const STREAMED = events([delta("4"), delta("2"), finish(), DONE], { headers: ANNOUNCED });
const PLAIN: Reply = answer("42");
const withHeaders = (headers: Record<string, string>): Reply => ({
  ...PLAIN,
  headers: { ...PLAIN.headers, ...headers },
});

/** Sends to a server that closes connections. Returns which attempts after the first ten failed. */
async function closingServer(reply: Reply, lanes: number): Promise<number[]> {
  await using server = serveScript(() => reply);
  const teacher = openaiCompatible({ model: "m", baseUrl: server.url, stream: true });
  const failed = await askMany(teacher, lanes, 200);
  await teacher.close?.();
  // An attempt that breaks is not sent again.
  assertEquals(server.posts.filter(({ asked }) => asked > 1), []);
  assertEquals(server.connections, server.posts.length);
  return failed.filter((n) => n > 10);
}

for (const lanes of [1, 8, 32]) {
  for (const closesAfterMs of [0, 3]) {
    for (
      const [kind, reply] of [["stream", STREAMED], [
        "plain answer",
        withHeaders(ANNOUNCED),
      ]] as const
    ) {
      Deno.test(`no attempt after the first ten breaks where each ${kind} is followed by a close after ${closesAfterMs} ms: ${lanes} lanes`, async () => {
        assertEquals(await closingServer({ ...reply, closes: true, closesAfterMs }, lanes), []);
      });
    }
  }
}

Deno.test("WatchTimers watch once more after the event loop was blocked, which hides closes", async () => {
  using clock = new FakeClock();
  const timers = new WatchTimers();
  let sent = 0;
  timers.add(5, () => sent++);
  // The sockets are polled between two turns of timers.
  await clock.sleep(40);
  assertEquals(sent, 0);
  await clock.advance(10);
  assertEquals(sent, 1);
  timers.add(5, () => sent++);
  await clock.advance(10);
  assertEquals(sent, 2);
});

Deno.test("through a proxy that closes after each answer no attempt after the first ten breaks", {
  // undici's timer for connections to a proxy runs for a second after the last one.
  sanitizeOps: false,
  sanitizeResources: false,
}, async () => {
  await using proxy = serveScript(() => ({ ...PLAIN, closes: true, closesAfterMs: 3 }));
  const teacher = openaiCompatible({
    model: "m",
    baseUrl: "http://teacher.invalid/v1",
    proxy: proxy.url.replace(/\/v1$/, ""),
  });
  const failed = await askMany(teacher, 8, 100);
  await teacher.close?.();
  assertEquals(failed.filter((n) => n > 10), []);
});

Deno.test("there are never more connections than lanes, also before it is known what the server does", async () => {
  // Servers with a thread per connection make surplus connections wait.
  await using server = serveScript(() => PLAIN);
  const teacher = openaiCompatible({ model: "m", baseUrl: server.url });
  assertEquals(await askMany(teacher, 32, 500), []);
  assertEquals(server.connections, 32);
  await teacher.close?.();
});

Deno.test("an announced close breaks nothing", async () => {
  const reply = { ...withHeaders({ connection: "close" }), closes: true };
  await using server = serveScript(() => reply);
  const teacher = openaiCompatible({ model: "m", baseUrl: server.url });
  assertEquals(await askMany(teacher, 4, 50), []);
  assertEquals(server.connections, 50);
  await teacher.close?.();
});

for (
  const [how, max] of [["says the same each time", () => 3], [
    "counts down",
    (n: number) => 3 - n,
  ]] as const
) {
  Deno.test(`a connection takes as many requests as the server allows: it ${how}`, async () => {
    await using server = serveScript(({ n }) => {
      const before = (n - 1) % 3;
      const reply = withHeaders({ "keep-alive": `max=${max(before)}` });
      return { ...reply, closes: before === 2 };
    });
    const teacher = openaiCompatible({ model: "m", baseUrl: server.url });
    assertEquals(await askMany(teacher, 1, 9), []);
    assertEquals(server.connections, 3);
    await teacher.close?.();
  });
}

Deno.test("a connection is not used again shortly before the time that the server announces", async () => {
  await using server = serveScript(() => withHeaders({ "keep-alive": "timeout=60" }));
  let nowMs = 0;
  const teacher = openaiCompatible({ model: "m", baseUrl: server.url, now: () => nowMs });
  for (const [idleMs, connections] of [[0, 1], [58_900, 1], [59_100, 2]]) {
    nowMs += idleMs;
    await askMany(teacher, 1, 2);
    assertEquals(server.connections, connections, `after ${idleMs} ms`);
  }
  await teacher.close?.();
});

Deno.test("connections are used again once the server leaves them open: it was restarted", async () => {
  let closes = true;
  await using server = serveScript(() => ({ ...PLAIN, closes }));
  const teacher = openaiCompatible({ model: "m", baseUrl: server.url });
  await askMany(teacher, 1, 10);
  closes = false;
  const before = server.connections;
  assertEquals(await askMany(teacher, 10, 10), []);
  assertEquals(server.connections - before, 10);
  for (let n = 0; n < 4; n++) {
    await askMany(teacher, 1, 1);
    await sleep(700);
  }
  const between = server.connections;
  assertEquals(await askMany(teacher, 2, 40), []);
  assertLess(server.connections - between, 4);
  await teacher.close?.();
});

Deno.test("ReusePolicy takes an idle timeout from the closes that it sees", () => {
  const reuse = new ReusePolicy();
  assertEquals(reuse.maxIdleMs, Infinity);
  reuse.onClosed(2_000);
  assertEquals(reuse.maxIdleMs, 1_000);
  reuse.onClosed(110);
  assertGreater(reuse.maxIdleMs, 99);
  assert(!reuse.isSingleUse);
});

Deno.test("ReusePolicy watches one of the first connections briefly, and all others for longer", () => {
  const early = new ReusePolicy(), late = new ReusePolicy();
  early.attempts = 1;
  late.attempts = 1_000;
  const [trialMs, otherMs] = [early.watchMs(0), early.watchMs(0)];
  assertGreater(trialMs, 0);
  assertGreater(otherMs, trialMs);
  assertEquals(late.watchMs(0), otherMs);
});

Deno.test("ReusePolicy is not misled by the few closes of a server that nearly always leaves connections open", () => {
  const reuse = new ReusePolicy();
  for (let round = 0; round < 20; round++) {
    reuse.onClosed(1);
    for (let n = 0; n < 50; n++) reuse.onReused();
  }
  assert(!reuse.isSingleUse);
});

const reset = () =>
  Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET", syscall: "read" });

/**
 * A socket on which a server answers each request that is written to it.
 *
 * @param resets Whether a reset follows each answer, and is read in the same turn.
 */
function fakeSocket(resets: boolean): Duplex & { requests: number } {
  const body = String(PLAIN.body);
  const reply = `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  const socket = Object.assign(
    new Duplex({
      read() {},
      writev(_chunks, done) {
        socket.requests++;
        done();
        if (!resets) return void socket.push(reply);
        setTimeout(() => {
          socket.push(reply);
          socket.destroy(reset());
        }, 1);
      },
    }),
    { requests: 0 },
  );
  return socket;
}

/** Attempts over fake sockets, which are added to `sockets`. */
function attemptsOver(sockets: ReturnType<typeof fakeSocket>[], resets = false) {
  const teacher = parseAddress("http://teacher.invalid/v1");
  const connections = new Connections({
    origin: teacher.origin,
    proxy: undefined,
    connectTimeoutMs: 1_000,
    connect: (_options, callback) => {
      const socket = fakeSocket(resets);
      sockets.push(socket);
      queueMicrotask(() => callback(null, socket as unknown as Socket));
      return socket;
    },
    now: Date.now,
  });
  const limits = {
    timeoutMs: 60_000,
    connectTimeoutMs: 60_000,
    streamIdleTimeoutMs: 60_000,
    now: Date.now,
  };
  const shared = {
    ...limits,
    address: teacher,
    proxyHost: undefined,
    headers: [],
    connections,
    deadlines: new Deadlines(limits),
    aborts: new Aborts(),
    streamHabits: { endsByDoneOnly: false },
  };
  const context = { model: "m", modelAsked: undefined, keep: [], redact: (text: string) => text };
  return {
    attempt() {
      const made = new Attempt(shared, context, never);
      made.start("{}");
      return made.promise;
    },
    close: () => connections.close(),
  };
}

Deno.test("a connection that was reset before a byte was written costs no attempt", async () => {
  const sockets: ReturnType<typeof fakeSocket>[] = [];
  const { attempt, close } = attemptsOver(sockets);
  assertEquals((await attempt()).response, "42");
  const second = attempt();
  sockets[0].destroy(reset());
  assertEquals((await second).response, "42");
  assertEquals(sockets.map(({ requests }) => requests), [1, 1]);
  // From its second answer on, a connection is not watched: the request is already with undici.
  assertEquals((await attempt()).response, "42");
  const fourth = attempt();
  sockets[1].destroy(reset());
  assertEquals((await fourth).response, "42");
  assertEquals(sockets.map(({ requests }) => requests), [1, 2, 1]);
  await close();
});

Deno.test("nothing is sent after close(), even if a connection was being watched", async () => {
  const sockets: ReturnType<typeof fakeSocket>[] = [];
  const { attempt, close } = attemptsOver(sockets);
  await attempt();
  const second = assertRejects(attempt, TeacherError, "the teacher was closed");
  await close();
  await second;
  assertEquals(sockets.map(({ requests }) => requests), [1]);
});

Deno.test("an answer that arrived together with a reset is kept", async () => {
  const sockets: ReturnType<typeof fakeSocket>[] = [];
  const { attempt, close } = attemptsOver(sockets, true);
  for (let n = 1; n <= 5; n++) assertEquals((await attempt()).response, "42");
  assertEquals(sockets.map(({ requests }) => requests), [1, 1, 1, 1, 1]);
  await close();
});

const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";

for (
  const [what, interim] of [
    ["one", CONTINUE],
    ["two with fields", "HTTP/1.1 100 Continue\r\nx-a: b\r\n\r\nHTTP/1.0 100 C\r\n\r\n"],
    ["one in pieces", ["HTTP/1.", "1 10", "0 Continue\r\n\r", "\n"]],
  ] as const
) {
  for (const stream of [false, true]) {
    Deno.test(`after ${what} unsolicited 100 Continue the next attempts are answered, ${stream ? "streamed" : "plain"}`, async () => {
      await using server = serveScript(() => ({ ...(stream ? STREAMED : PLAIN), interim }));
      const teacher = openaiCompatible({ model: "m", baseUrl: server.url, stream });
      const error = await ask(teacher, "first").catch((error) => error);
      assertEquals(
        [error.type, error.message],
        [
          "network",
          `${
            new URL(server.url).host
          } sent an unrequested "100 Continue". From now on, Retort accepts this`,
        ],
      );
      assertEquals((await ask(teacher, "second")).response, "42");
      const { connections } = server;
      assertEquals(await askMany(teacher, 8, 80), []);
      // The connections that survive are reused like all others.
      assertLess(server.connections - connections, 9);
      await teacher.close?.();
    });
  }
}

Deno.test("an answer after 100 Continue is read as it is, even one that begins alike", async () => {
  const content = "HTTP/1.1 100 Continue\r\n\r\n".repeat(3);
  await using server = serveScript(({ n }) => ({
    ...answer(content),
    interim: n % 2 ? CONTINUE : [],
  }));
  const teacher = openaiCompatible({ model: "m", baseUrl: server.url });
  await ask(teacher, "first").catch(() => {});
  for (let n = 0; n < 6; n++) assertEquals((await ask(teacher, `${n}`)).response, content);
  await teacher.close?.();
});

Deno.test("chunks whose lines end in LF alone are no odd head: no message says that they are accepted from now on", async () => {
  const raw = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\n{}\n0\n\n";
  await using server = serveScript(() => ({ body: "", raw }));
  const teacher = openaiCompatible({ model: "m", baseUrl: server.url });
  const error = await ask(teacher, "first").catch((error) => error);
  assertEquals(/broke in the middle of the answer: /.test(error.message), true, error.message);
  await teacher.close?.();
});
