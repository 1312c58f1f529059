import { openWebSocket } from "../support/web_socket.ts";
import {
  assert,
  assertEquals,
  assertLess,
  assertMatch,
  assertRejects,
  assertThrows,
} from "../../lib/deps/std_assert.ts";
import { UsageError } from "../../lib/errors.ts";
import { ResponseGenerator } from "../../lib/response_generator.ts";
import type { ServerMessage } from "../../web/protocol.ts";
import {
  createMonitor,
  type ServedMonitor,
  serveFolderMonitor,
  serveMonitor,
} from "../../web/server.ts";
import { makeSnapshot, makeSummary } from "../progress/fixtures.ts";
import { FakeRun } from "./fake_run.ts";

/** Below any time limit of sockets, and enough for a busy machine. */
const SOON_MS = 10_000;

/** The socket of a page. The runtime's own WebSocket accepts header fields. */
class TestPage implements AsyncDisposable {
  readonly messages: ServerMessage[] = [];
  readonly closed = Promise.withResolvers<number>();
  readonly #socket: WebSocket;
  #arrived = Promise.withResolvers<void>();

  constructor(served: ServedMonitor, headers: Record<string, string> = {}) {
    const { cookieName, token } = served.monitor;
    const host = `127.0.0.1:${served.port}`;
    this.#socket = openWebSocket(`ws://${host}/ws`, {
      origin: `http://${host}`,
      cookie: `${cookieName}=${token}`,
      ...headers,
    });
    this.#socket.onmessage = ({ data }) => {
      this.messages.push(JSON.parse(data));
      this.#arrived.resolve();
      this.#arrived = Promise.withResolvers();
    };
    this.#socket.onclose = ({ code }) => {
      this.closed.resolve(code);
      this.#arrived.reject(new Error(`closed with ${code}`));
      this.#arrived.promise.catch(() => {});
    };
    this.#socket.onerror = (event) => event.preventDefault();
  }

  /** Waits until a message of this type has arrived. */
  async until(type: ServerMessage["type"]): Promise<void> {
    while (!this.messages.some((message) => message.type === type)) await this.#arrived.promise;
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    this.#socket.send(data);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.closed.promise;
  }
}

/** A timer that the test fires. */
function handBeat(): {
  every: (ms: number, callback: () => void) => () => void;
  strike: () => void;
} {
  let callback = () => {};
  return {
    every: (_ms, given) => {
      callback = given;
      return () => {};
    },
    strike: () => callback(),
  };
}

Deno.test("serveMonitor() prints an address that opens the page and hides the token", async () => {
  await using served = serveMonitor(new FakeRun());
  assertMatch(served.url, /^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{32}$/);
  const exchange = await fetch(served.url, { redirect: "manual" });
  await exchange.body?.cancel();
  assertEquals([exchange.status, exchange.headers.get("location")], [303, "./"]);
  const cookie = exchange.headers.get("set-cookie")!.split(";")[0];
  const page = await fetch(new URL("./", served.url), { headers: { cookie } });
  assertEquals([page.status, page.url.includes("token")], [200, false]);
  assertMatch(await page.text(), /^<!doctype html>/i);
});

Deno.test("serveMonitor() compresses what a browser loads, for users behind a tunnel", async () => {
  await using served = serveMonitor(new FakeRun());
  const { cookieName, token } = served.monitor;
  const sizeOf = async (path: string, encoding: string) => {
    using connection = await Deno.connect({ port: served.port });
    const head = [
      `GET ${path} HTTP/1.1`,
      `Host: 127.0.0.1:${served.port}`,
      `Cookie: ${cookieName}=${token}`,
      `Accept-Encoding: ${encoding}`,
      "Connection: close",
    ];
    await connection.write(new TextEncoder().encode(`${head.join("\r\n")}\r\n\r\n`));
    return (await new Response(connection.readable).bytes()).length;
  };
  for (const path of ["/page.js", "/markdown.js", "/page.css", "/report"]) {
    assertLess(await sizeOf(path, "gzip"), 0.5 * await sizeOf(path, "identity"), path);
  }
});

Deno.test("serveMonitor() sends the run to a page, live", async () => {
  const run = new FakeRun(), beat = handBeat();
  await using served = serveMonitor(run, { every: beat.every });
  await using page = new TestPage(served);
  await page.until("hello");
  run.emit(makeSnapshot({ succeeded: 381 }));
  beat.strike();
  await page.until("snapshot");
  const [hello, snapshot] = page.messages;
  assert(hello.type === "hello" && hello.snapshot === null);
  assert(snapshot.type === "snapshot" && snapshot.snapshot.succeeded === 381);
});

Deno.test("serveMonitor() refuses sockets of other pages", async () => {
  await using served = serveMonitor(new FakeRun());
  const forged = [
    { origin: "http://evil.example" },
    { origin: `http://localhost:${served.port}` },
    { origin: "null" },
    { cookie: "" },
    { cookie: `${served.monitor.cookieName}=x` },
    { "sec-fetch-site": "same-site" },
  ];
  for (const headers of forged) {
    await using page = new TestPage(served, headers as unknown as Record<string, string>);
    await assertRejects(() => page.until("hello"), Error, "closed with");
    assertEquals(page.messages, []);
  }
});

Deno.test("serveMonitor() closes a page that sends malformed frames and continues", async () => {
  const run = new FakeRun();
  await using served = serveMonitor(run);
  for (
    const [data, code] of [["{", 1008], ["x".repeat(1_000_000), 1009], [
      new Uint8Array(9),
      1003,
    ]] as const
  ) {
    await using page = new TestPage(served);
    await page.until("hello");
    page.send(data);
    assertEquals(await page.closed.promise, code);
  }
  await using page = new TestPage(served);
  await page.until("hello");
});

for (
  const [what, bytes] of [
    ["a frame without a mask", [0x81, 0x02, 0x68, 0x69]],
    ["reserved bits", [0xf1, 0x80, 0, 0, 0, 0]],
    ["an unknown opcode", [0x83, 0x80, 0, 0, 0, 0]],
    ["a ping of 126 bytes", [0x89, 0xfe, 0, 126, 0, 0, 0, 0]],
    ["a text that is no UTF-8", [0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe]],
    ["a frame of 2^63 bytes", [0x81, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0]],
    ["a frame that ends in its middle", [0x81, 0x85, 0, 0, 0, 0, 0x68]],
    ["an endless continuation", [0x80, 0x80, 0, 0, 0, 0]],
    ["no WebSocket at all", [...new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n")]],
  ] as const
) {
  Deno.test(`serveMonitor() outlives a socket that sends ${what}`, async () => {
    const run = new FakeRun(), beat = handBeat();
    await using served = serveMonitor(run, { every: beat.every });
    {
      using raw = await rawSocket(served);
      await raw.write(new Uint8Array(bytes));
    }
    await using page = new TestPage(served);
    await page.until("hello");
    run.emit(makeSnapshot());
    beat.strike();
    await page.until("snapshot");
  });
}

Deno.test("serveMonitor() refuses requests whose Host is missing, double or another's", async () => {
  await using served = serveMonitor(new FakeRun());
  const own = `Host: 127.0.0.1:${served.port}`;
  const cases: [string, string, string[]][] = [
    ["403", "/ HTTP/1.1", ["Host: evil.example"]],
    ["403", "/ HTTP/1.1", ["Host:"]],
    ["403", "/ HTTP/1.0", []],
    ["400", "/ HTTP/1.1", [own, "Host: evil.example"]],
    ["400", "/ HTTP/1.1", ["Host: evil.example", own]],
    ["403", "/ HTTP/1.1", ["Host: a b"]],
    ["403", "/ HTTP/1.1", ["Host: ["]],
    ["403", "http://127.0.0.1/ HTTP/1.1", ["Host: evil.example"]],
    ["303", "/ HTTP/1.1", [own]],
  ];
  for (const [status, target, headers] of cases) {
    const path = target.replace("/ ", `/?token=${served.monitor.token} `);
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: served.port });
    const text = [`GET ${path}`, ...headers, "Connection: close", "", ""].join("\r\n");
    await connection.write(new TextEncoder().encode(text));
    const answer = await new Response(connection.readable).text();
    assertEquals([headers, /^HTTP\/1\.\d (\d+)/.exec(answer)?.[1]], [headers, status]);
  }
});

Deno.test("serveMonitor() drops a page that has stopped reading, and does not wait for it at the end", async () => {
  const run = new FakeRun(), beat = handBeat();
  const served = serveMonitor(run, { every: beat.every });
  using _stalled = await rawSocket(served);
  const page = new TestPage(served);
  await page.until("hello");
  const snapshot = makeSnapshot({ reason: "x".repeat(400) });
  let sent = 0;
  while (await openPages(served) > 1) {
    // Together below 1 MB, because the other page reads only between two of these loops.
    for (let i = 0; i < 200; i++) {
      run.emit(snapshot);
      beat.strike();
    }
    sent += 200;
    assertLess(sent, 50_000, "the socket's buffers and 1 MB are less than that");
  }
  page.messages.length = 0;
  run.emit(snapshot);
  beat.strike();
  await page.until("snapshot");
  const startMs = performance.now();
  await served.close();
  assertLess(performance.now() - startMs, SOON_MS);
  assertEquals(await page.closed.promise, 1001);
});

Deno.test("createMonitor() follows and controls a ResponseGenerator", async () => {
  const { promise: isResumed, resolve: resume } = Promise.withResolvers<void>();
  const teacher = {
    complete: async ({ uid }: { uid: string }) => {
      await isResumed;
      return { response: `answer to ${uid}`, finishReason: "stop", usage: null, model: "m" };
    },
  };
  const generator = new ResponseGenerator({ teacher });
  using monitor = createMonitor(generator);
  const rows = ["a", "b", "c"].map((uid) => ({ uid, prompt: `prompt of ${uid}` }));
  const answers = Array.fromAsync(generator.generate(rows));
  const response = await monitor.app.request("/control/concurrency", {
    method: "POST",
    headers: {
      host: "localhost",
      origin: "http://localhost",
      cookie: `${monitor.cookieName}=${monitor.token}`,
      "content-type": "application/json",
    },
    body: '{"concurrency":7}',
  });
  resume();
  await answers;
  assertEquals([response.status, generator.concurrency], [200, 7]);
  const { samples, notices } = monitor.state();
  assertEquals(samples.added.map(({ prompt }) => prompt).toSorted(), [
    "prompt of a",
    "prompt of b",
    "prompt of c",
  ]);
  assertEquals(notices.map(({ message }) => message), ["Concurrency set to 7 (from the monitor)"]);
});

Deno.test("serveMonitor() serves two runs at once to one browser", async () => {
  await using a = serveMonitor(new FakeRun());
  await using b = serveMonitor(new FakeRun());
  const cookie = [a, b].map(({ monitor }) => `${monitor.cookieName}=${monitor.token}`).join("; ");
  await using pageA = new TestPage(a, { cookie });
  await using pageB = new TestPage(b, { cookie });
  await Promise.all([pageA.until("hello"), pageB.until("hello")]);
  await using crossed = new TestPage(a, { cookie, origin: `http://127.0.0.1:${b.port}` });
  await assertRejects(() => crossed.until("hello"), Error, "closed with");
});

Deno.test("ServedMonitor.close() notifies pages that the run has ended and does not wait for them", async () => {
  const run = new FakeRun();
  const served = serveMonitor(run);
  const page = new TestPage(served);
  await page.until("hello");
  using _silent = await rawSocket(served);
  run.emit(makeSummary());
  const startMs = performance.now();
  await Promise.all([served.close(), served.close()]);
  assertLess(performance.now() - startMs, SOON_MS);
  assertEquals(await page.closed.promise, 1001);
  assert(page.messages.some(({ type }) => type === "end"));
  assertEquals(run.followers, 0);
  await assertRejects(() => fetch(served.url));
});

Deno.test("ServedMonitor.close() does not wait for a request that does not end", async () => {
  const run = new FakeRun();
  const served = serveMonitor(run);
  using connection = await connect(served, "POST /control/pause", [
    "Content-Type: application/json",
    "Content-Length: 100",
  ]);
  // If a second request is answered, the server has already accepted the first.
  await openPages(served);
  const startMs = performance.now();
  await served.close();
  assertLess(performance.now() - startMs, SOON_MS);
  assertEquals(await connection.read(new Uint8Array(1)), null);
});

Deno.test("monitors refuse wrong options, and tokens that could be guessed", async () => {
  const wrong: [options: object, words: string][] = [
    [{ prot: 80 }, 'Did you mean "port"?'],
    [{ port: "80" }, 'port "80": it must be a whole number from 0 to 65535'],
    // For example from an unset variable: the page would accept `?token=`.
    [{ token: "" }, "token (of type string): it must be 32 or more characters"],
    [{ token: "a b&c".repeat(9) }, "token (of type string)"],
  ];
  for (const [options, words] of wrong) {
    assertThrows(() => serveMonitor(new FakeRun(), options), Error, words);
    await assertRejects(() => serveFolderMonitor(".", options), Error, words);
  }
  assertThrows(() => serveMonitor(null as unknown as FakeRun), TypeError, "a ResponseGenerator");
  const token = "t".repeat(32);
  await using served = serveMonitor(new FakeRun(), { token, hostname: undefined });
  assertEquals(served.monitor.token, token);
});

Deno.test("serveMonitor() says what to do when the port is taken or the host is another machine", async () => {
  await using served = serveMonitor(new FakeRun());
  const run = new FakeRun();
  const error = assertThrows(() => serveMonitor(run, { port: served.port }), UsageError);
  assertMatch(error.message, /^Cannot serve the monitor on 127\.0\.0\.1:\d+: .*another port/);
  assertEquals(run.followers, 0);
  const elsewhere = assertThrows(() => serveMonitor(run, { hostname: "192.0.2.1" }), UsageError);
  assertMatch(elsewhere.message, /the host must be an address of this machine$/);
});

Deno.test("serveMonitor() needs the network and no other permission, and does not hold the process", async () => {
  const script = `
    import { serveMonitor } from "${new URL("../../web/server.ts", import.meta.url)}";
    const nothing = () => {};
    const run = { on: () => nothing, onOutcomes: () => nothing, snapshot: nothing };
    const served = serveMonitor(run);
    const response = await fetch(served.url);
    console.log(response.status, await response.text());
  `;
  assertMatch(await runScript(script), /^401 /, "fetch keeps no cookies");
});

Deno.test("a server that finds its port taken when it listens again does not hold the process", async () => {
  const script = `
    import { PageServer } from "${new URL("../../web/listen.ts", import.meta.url)}";
    const addr = { port: 1 }, nothing = () => {};
    const finished = Promise.reject(new Error("Too many open files"));
    let servers = 0;
    const serve = () => {
      if (servers++ > 0) throw new Deno.errors.AddrInUse();
      return { addr, finished, ref: nothing, unref: nothing };
    };
    new PageServer(serve, 0, new AbortController().signal).unref();
    setTimeout(() => console.log(servers > 1), 700);
  `;
  assertEquals(await runScript(script), "true\n");
});

Deno.test("ServedMonitor.close() lets the process end, also where a page was lost with unread messages", async () => {
  const script = `
    import { serveMonitor } from "${new URL("../../web/server.ts", import.meta.url)}";
    const nothing = () => {};
    const run = { on: () => nothing, onOutcomes: () => nothing, snapshot: nothing };
    const served = serveMonitor(run);
    const { cookieName, token, app } = served.monitor;
    const host = "127.0.0.1:" + served.port;
    const page = await Deno.connect({ hostname: "127.0.0.1", port: served.port });
    const head = ["GET /ws HTTP/1.1", "Host: " + host, "Origin: http://" + host,
      "Cookie: " + cookieName + "=" + token, "Upgrade: websocket", "Connection: Upgrade",
      "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", ""];
    await page.write(new TextEncoder().encode(head.join("\\r\\n")));
    const headers = { host, authorization: "Bearer " + token };
    const untilPages = async (count) => {
      const wanted = "retort_monitor_pages " + count + "\\n";
      while (!(await (await app.request("/metrics", { headers })).text()).includes(wanted)) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    await untilPages(1);
    page.close();
    await untilPages(0);
    await served.close();
    const closedMs = Date.now();
    addEventListener("unload", () => console.log(Date.now() - closedMs));
  `;
  assertLess(Number(await runScript(script)), SOON_MS);
});

/** Runs a script that may only use the network, and returns its output. */
async function runScript(script: string): Promise<string> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "--no-prompt", "--allow-net", "--ext=ts", "-"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    // A script that does not end fails.
    signal: AbortSignal.timeout(30_000),
  }).spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(script));
  await writer.close();
  const { code, stdout, stderr } = await process.output();
  assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  return new TextDecoder().decode(stdout);
}

/** Returns the number of pages that the server reports. */
async function openPages({ monitor, port }: ServedMonitor): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`, {
    headers: { authorization: `Bearer ${monitor.token}` },
  });
  return Number(/^retort_monitor_pages (\d+)$/m.exec(await response.text())![1]);
}

/** Opens a page's connection, and reads nothing after the upgrade. */
async function rawSocket(served: ServedMonitor): Promise<Deno.TcpConn> {
  const connection = await connect(served, "GET /ws", [
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  ]);
  const answer = new Uint8Array(12);
  await connection.read(answer);
  assertEquals(new TextDecoder().decode(answer), "HTTP/1.1 101");
  return connection;
}

/** Sends the head of a request that the page could have sent. */
async function connect(
  { monitor, port }: ServedMonitor,
  target: string,
  headers: string[],
): Promise<Deno.TcpConn> {
  const host = `127.0.0.1:${port}`;
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const head = [
    `${target} HTTP/1.1`,
    `Host: ${host}`,
    `Origin: http://${host}`,
    `Cookie: ${monitor.cookieName}=${monitor.token}`,
    ...headers,
    "",
    "",
  ].join("\r\n");
  await connection.write(new TextEncoder().encode(head));
  return connection;
}

/** Sends a request byte by byte, and returns the first line of the response. */
async function statusLine({ port }: ServedMonitor, text: string): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode(text));
  const bytes = new Uint8Array(4096);
  const length = await connection.read(bytes) ?? 0;
  return new TextDecoder().decode(bytes.subarray(0, length)).split("\r\n")[0];
}

Deno.test("no request, with or without the token, is answered with an internal error", async () => {
  await using served = serveMonitor(new FakeRun());
  const { cookieName, token } = served.monitor;
  const host = `127.0.0.1:${served.port}`;
  const own = `Host: ${host}\r\nCookie: ${cookieName}=${token}\r\nOrigin: http://${host}\r\n`;
  const json = "Content-Type: application/json\r\n";
  const socket = "Upgrade: websocket\r\n";
  const cases: [request: string, status: number][] = [
    [`GET /ws HTTP/1.1\r\n${own}${socket}Connection: Upgrade\r\n\r\n`, 400],
    [`GET /ws HTTP/1.1\r\n${own}${socket}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`, 400],
    [`GET /ws HTTP/1.1\r\n${own}\r\n`, 426],
    [`POST /control/pause HTTP/1.1\r\n${own}${json}Content-Length: 2\r\n\r\n{]`, 400],
    [`POST /control/pause HTTP/1.1\r\n${own}${json}Content-Length: 0\r\n\r\n`, 400],
    [
      `POST /control/budget HTTP/1.1\r\n${own}${json}Content-Length: 800\r\n\r\n${"[".repeat(800)}`,
      400,
    ],
    [`POST /control/%ZZ HTTP/1.1\r\n${own}${json}Content-Length: 2\r\n\r\n{}`, 404],
    [`GET /%ZZ HTTP/1.1\r\n${own}\r\n`, 404],
    [`GET /?token=%ZZ HTTP/1.1\r\n${own}\r\n`, 401],
    [`GET / HTTP/1.1\r\nHost: ${host}\r\nCookie: ${cookieName}=%ZZ; %=%; ;=\r\n\r\n`, 401],
    [`GET / HTTP/1.1\r\nHost: [::1\r\n\r\n`, 403],
  ];
  for (const [request, status] of cases) {
    const line = await statusLine(served, request);
    assertEquals([request, line.split(" ")[1]], [request, String(status)]);
  }
});
