/** Tests of the monitor's access checks. @module */

import { assert, assertEquals, assertMatch } from "../../lib/deps/std_assert.ts";
import type { Monitor } from "../../web/server.ts";
import { cookieOf, get, HOST, own, post, stage } from "./app_fixture.ts";

const REFUSED_HOSTS = [
  undefined,
  "",
  "evil.example",
  "evil.example:8000",
  "127.0.0.1.evil.example",
  "127.0.0.1.nip.io:8000",
  "localhost.evil.example",
  "evil-localhost",
  "localhost.",
  "127.0.0.1.",
  "127.0.0.2",
  "127.1",
  "2130706433",
  "0x7f.0.0.1",
  "0177.0.0.1:8000",
  "0.0.0.0:8000",
  "[::ffff:127.0.0.1]",
  "[::]:8000",
  "::1",
  "192.168.1.7:8000",
  "user@127.0.0.1",
  "127.0.0.1:8000@evil.example",
  "127.0.0.1/evil",
  "127.0.0.1, evil.example",
  "127.0.0.1:8000:80",
  "127.0.0.1:999999",
  "127.0.0.1:",
  "lоcalhost".normalize(),
];

const OWN_HOSTS = [
  "127.0.0.1",
  "127.0.0.1:1",
  "localhost:65535",
  "LOCALHOST",
  "[::1]",
  "[::1]:8000",
];

Deno.test("each file has its type, without which browsers ignore it because of nosniff", async () => {
  const data = { paths: ["out/"], program: "retort" };
  const { monitor } = stage({ data });
  const types = { js: "text/javascript", css: "text/css", "": "text/html" };
  for (
    const path of [
      "/",
      "/page.js",
      "/page.css",
      "/uplot.css",
      "/data/",
      "/data/view.js",
      "/data/view.css",
    ]
  ) {
    const { headers, body } = await get(monitor, path);
    await body?.cancel();
    const extension = path.split(".")[1] ?? "";
    const type = types[extension as keyof typeof types];
    assertEquals([path, headers.get("content-type")], [path, `${type}; charset=utf-8`]);
  }
});

Deno.test("only the names of this machine are accepted as Host", async () => {
  const { run, monitor } = stage();
  for (const host of REFUSED_HOSTS) {
    // Headers cannot hold characters outside Latin-1, which arrive as UTF-8 bytes.
    const bytes = new TextEncoder().encode(host ?? "");
    const text = String.fromCharCode(...bytes);
    const headers = { ...own(monitor), host: text, origin: `http://${text}` };
    if (host === undefined) delete (headers as { host?: string }).host;
    for (
      const path of ["/", `/?token=${monitor.token}`, "/page.js", "/report", "/metrics", "/ws"]
    ) {
      const response = await monitor.app.request(path, { headers });
      assertEquals([response.status, host, path], [403, host, path]);
      assertEquals(response.headers.get("set-cookie"), null);
    }
    assertEquals((await post(monitor, "pause", {}, headers)).status, 403);
  }
  assertEquals(run.calls, []);
});

Deno.test("the names of this machine are accepted as Host with any port", async () => {
  const { monitor } = stage();
  for (const host of OWN_HOSTS) {
    assertEquals([host, (await get(monitor, "/", { host })).status], [host, 200]);
  }
});

Deno.test("the address that the monitor listens on is accepted as Host, and with all addresses every address", async () => {
  const status = async (hostname: string, host: string) =>
    (await get(stageMonitor(hostname), "/", { host })).status;
  const monitors = new Map<string, Monitor>();
  function stageMonitor(hostname: string): Monitor {
    const monitor = monitors.get(hostname) ?? stage({ hostname }).monitor;
    monitors.set(hostname, monitor);
    return monitor;
  }
  assertEquals(await status("192.168.1.7", "192.168.1.7:8000"), 200);
  assertEquals(await status("192.168.1.7", "192.168.1.8:8000"), 403);
  assertEquals(await status("Box.lan", "box.lan:8000"), 200);
  assertEquals(await status("fe80::1", "[fe80::1]:8000"), 200);
  assertEquals(await status("0.0.0.0", "10.0.0.9:8000"), 200);
  assertEquals(await status("::", "[fe80::1]"), 200);
  assertEquals(await status("0.0.0.0", "evil.example"), 403);
  assertEquals(await status("0.0.0.0", "10.0.0.9.evil.example"), 403);
});

/** Headers of another page, or of a page without the token; `undefined` omits a header. */
type Forged = Record<string, string | undefined>;

function forgeries({ cookieName, token }: Monitor): [string, Forged][] {
  const { monitor: other } = stage();
  const wrong = (value: string) => ({ cookie: `${cookieName}=${value}` });
  return [
    ["no origin", { origin: undefined }],
    ["a null origin", { origin: "null" }],
    ["an empty origin", { origin: "" }],
    ["another site", { origin: "http://evil.example" }],
    ["another site on this port", { origin: "http://evil.example:8000" }],
    ["another port", { origin: "http://127.0.0.1:9000" }],
    ["no port", { origin: "http://127.0.0.1" }],
    ["another name of this machine", { origin: "http://localhost:8000" }],
    ["another loopback name", { origin: "http://[::1]:8000" }],
    ["the host as a prefix", { origin: "http://127.0.0.1:8000.evil.example" }],
    ["a longer port", { origin: "http://127.0.0.1:80000" }],
    ["the host as a user", { origin: "http://127.0.0.1:8000@evil.example" }],
    ["the host as a path", { origin: "http://evil.example/127.0.0.1:8000" }],
    ["a path behind the host", { origin: "http://127.0.0.1:8000/" }],
    ["no scheme", { origin: "127.0.0.1:8000" }],
    ["the scheme of an extension", { origin: "chrome-extension://127.0.0.1:8000" }],
    ["the scheme of a file", { origin: "file://127.0.0.1:8000" }],
    ["a websocket scheme", { origin: "ws://127.0.0.1:8000" }],
    ["two origins", { origin: "http://127.0.0.1:8000, http://evil.example" }],
    ["a cross-site request", { "sec-fetch-site": "cross-site" }],
    ["a same-site request", { "sec-fetch-site": "same-site" }],
    ["a request without a page", { "sec-fetch-site": "none" }],
    ["an unknown relation", { "sec-fetch-site": "SAME-ORIGIN" }],
    ["no cookie", { cookie: undefined }],
    ["an empty cookie", wrong("")],
    ["a wrong token", wrong("A".repeat(token.length))],
    ["a token without its end", wrong(token.slice(0, -1))],
    ["a token with more", wrong(`${token}A`)],
    [
      "a token in other letters",
      wrong(token.toUpperCase() + (token === token.toUpperCase() ? "x" : "")),
    ],
    ["the cookie of another run", { cookie: cookieOf(other) }],
    ["the token of another run", wrong(other.token)],
    ["the token under another name", { cookie: `token=${token}` }],
    ["the token under a name in capitals", { cookie: `${cookieName.toUpperCase()}=${token}` }],
    ["the token as bearer only", { cookie: undefined, authorization: `Bearer ${token}` }],
    ["the token as password", { cookie: undefined, authorization: `Basic ${btoa(`:${token}`)}` }],
  ];
}

Deno.test("controls and sockets are only for the page with the cookie", async () => {
  const { run, monitor } = stage();
  const cases = forgeries(monitor);
  assert(cases.length >= 30);
  for (const [what, forged] of cases) {
    const headers = { ...own(monitor), ...forged };
    for (const name of Object.keys(headers)) if (headers[name] === undefined) delete headers[name];
    const sent = headers as Record<string, string>;
    const control = await post(monitor, "pause", {}, sent);
    const socket = await monitor.app.request("/ws", {
      headers: { ...sent, upgrade: "websocket", connection: "Upgrade" },
    });
    for (const { status } of [control, socket]) {
      assert(status === 401 || status === 403, `${what}: ${status}`);
    }
  }
  assertEquals(run.calls, []);
  assertEquals((await post(monitor, "pause", {})).status, 200);
  assertEquals(run.calls, ["pause()"]);
});

Deno.test("nothing can be read without the token, or by a page of another site or port", async () => {
  const { monitor } = stage();
  const paths = [
    "/",
    "/page.js",
    "/page.css",
    "/uplot.js",
    "/uplot.css",
    "/report",
    "/metrics",
    "/ws",
    "/no",
  ];
  for (const path of paths) {
    assertEquals([path, (await monitor.app.request(path, { headers: { host: HOST } })).status], [
      path,
      401,
    ]);
    for (
      const token of ["", "x", monitor.token.slice(1), `${monitor.token} `, `${monitor.token}=`]
    ) {
      const address = `${path}?token=${encodeURIComponent(token)}`;
      const response = await monitor.app.request(address, { headers: { host: HOST } });
      assertEquals([address, response.status, response.headers.get("set-cookie")], [
        address,
        401,
        null,
      ]);
    }
  }
  for (const path of paths.slice(1)) {
    for (const site of ["cross-site", "same-site", "x"]) {
      assertEquals((await get(monitor, path, { "sec-fetch-site": site })).status, 403);
    }
    assertEquals(
      (await monitor.app.request(`${path}?token=${monitor.token}`, { headers: { host: HOST } }))
        .status,
      401,
      "the token opens the page only",
    );
  }
});

Deno.test("every token has 192 bits, and every monitor a token and a cookie name of its own", () => {
  const monitors = Array.from({ length: 50 }, () => stage().monitor);
  for (const { token, cookieName } of monitors) {
    assertMatch(token, /^[\w-]{32}$/);
    assertMatch(cookieName, /^retort_[\da-f]{16}$/);
  }
  assertEquals(new Set(monitors.map(({ token }) => token)).size, 50);
  assertEquals(new Set(monitors.map(({ cookieName }) => cookieName)).size, 50);
});
