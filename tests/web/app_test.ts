import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { createMonitor, type Monitor, type MonitorOptions } from "../../web/server.ts";
import { makeErrorGroup, makeSnapshot, makeSummary, makeTeacher } from "../progress/fixtures.ts";
import { FakeRun, makeAnswer } from "./fake_run.ts";

const HOST = "127.0.0.1:8000";

/** A monitor without a socket. */
function stage(options: MonitorOptions = {}): { run: FakeRun; monitor: Monitor } {
  const run = new FakeRun();
  return { run, monitor: createMonitor(run, { every: () => () => {}, ...options }) };
}

function cookieOf({ cookieName, token }: Monitor): string {
  return `${cookieName}=${token}`;
}

/** What the page itself sends. */
function own(monitor: Monitor): Record<string, string> {
  return {
    host: HOST,
    origin: `http://${HOST}`,
    cookie: cookieOf(monitor),
    "content-type": "application/json",
  };
}

function get(monitor: Monitor, path: string, headers: Record<string, string> = {}) {
  return monitor.app.request(path, {
    headers: { host: HOST, cookie: cookieOf(monitor), ...headers },
  });
}

function post(monitor: Monitor, name: string, body: unknown, headers = own(monitor)) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return monitor.app.request(`/control/${name}`, { method: "POST", headers, body: text });
}

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

Deno.test("no name but those of this machine is a Host", async () => {
  const { run, monitor } = stage();
  for (const host of REFUSED_HOSTS) {
    // A header cannot hold what is not Latin-1; it comes as UTF-8 bytes.
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

Deno.test("the names of this machine are Hosts with any port", async () => {
  const { monitor } = stage();
  for (const host of OWN_HOSTS) {
    assertEquals([host, (await get(monitor, "/", { host })).status], [host, 200]);
  }
});

Deno.test("the address that the monitor listens on is a Host, and with all addresses every address", async () => {
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

/** What another page, or a page without the token, may send; `undefined` leaves a header out. */
type Forged = Record<string, string | undefined>;

function forgeries({ cookieName, token }: Monitor): [string, Forged][] {
  const other = createMonitor(new FakeRun(), { every: () => () => {} });
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

Deno.test("no control and no socket is for anybody but the page with the cookie", async () => {
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

Deno.test("nothing is read without the token, and nothing by a page of another site or port", async () => {
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

Deno.test("the token is exchanged for a cookie and taken out of the address, relative to where that is", async () => {
  const { monitor } = stage();
  for (const path of ["/", "/proxy/8000/"]) {
    const response = await monitor.app.request(`${path}?token=${monitor.token}`, {
      headers: { host: HOST },
    });
    assertEquals([response.status, response.headers.get("location")], [303, "./"]);
    assertEquals(
      response.headers.get("set-cookie"),
      `${monitor.cookieName}=${monitor.token}; Path=/; HttpOnly; SameSite=Strict`,
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

Deno.test("two monitors in one browser do not get in each other's way", async () => {
  const a = stage(), b = stage();
  const cookie = `${cookieOf(a.monitor)}; ${cookieOf(b.monitor)}`;
  for (const { monitor, run } of [a, b]) {
    assertEquals((await get(monitor, "/", { cookie })).status, 200);
    assertEquals((await post(monitor, "stop", {}, { ...own(monitor), cookie })).status, 200);
    assertEquals(run.calls, ["stop()"]);
  }
  assertEquals((await get(a.monitor, "/", { cookie: cookieOf(b.monitor) })).status, 401);
});

Deno.test("the page works behind a path prefix that a proxy leaves in place", async () => {
  const { run, monitor } = stage();
  for (const path of ["/", "/page.js", "/uplot.css", "/report", "/metrics"]) {
    assertEquals((await get(monitor, `/user/x/proxy/8000${path}`)).status, 200);
  }
  const response = await monitor.app.request("/p/control/pause", {
    method: "POST",
    headers: own(monitor),
    body: "{}",
  });
  assertEquals([response.status, run.calls], [200, ["pause()"]]);
  assertEquals((await get(monitor, "/elsewhere")).status, 404);
});

Deno.test("the page works behind a proxy with TLS: the scheme of the Origin does not matter", async () => {
  const { monitor } = stage();
  const headers = { ...own(monitor), host: "localhost", origin: "https://localhost" };
  assertEquals((await post(monitor, "pause", {}, headers)).status, 200);
});

Deno.test("every answer carries the headers that keep others out", async () => {
  const { monitor } = stage();
  const answers = await Promise.all([
    get(monitor, "/"),
    get(monitor, "/page.js"),
    get(monitor, "/report"),
    get(monitor, "/no"),
    get(monitor, "/", { cookie: "" }),
    get(monitor, "/", { host: "evil.example" }),
    monitor.app.request(`/?token=${monitor.token}`, { headers: { host: HOST } }),
    post(monitor, "pause", {}),
    post(monitor, "pause", "{"),
  ]);
  assertEquals(answers.map(({ status }) => status), [200, 200, 200, 404, 401, 403, 303, 200, 400]);
  for (const { headers } of answers) {
    const policy = headers.get("content-security-policy") ?? "";
    assertStringIncludes(policy, "default-src 'none'");
    assertStringIncludes(policy, "frame-ancestors 'none'");
    assert(!policy.includes("unsafe") && !policy.includes("*") && !policy.includes("http"));
    assertEquals(headers.get("x-content-type-options"), "nosniff");
    assertEquals(headers.get("referrer-policy"), "no-referrer");
    assertEquals(headers.get("cache-control"), "no-store");
    assertEquals(headers.get("cross-origin-opener-policy"), "same-origin");
    assertEquals(headers.get("cross-origin-resource-policy"), "same-origin");
    assertEquals(headers.get("access-control-allow-origin"), null);
  }
});

Deno.test("a browser that asks beforehand whether it may send across sites is not told so", async () => {
  const { monitor } = stage();
  const response = await monitor.app.request("/control/pause", {
    method: "OPTIONS",
    headers: {
      ...own(monitor),
      origin: "http://evil.example",
      "access-control-request-method": "POST",
    },
  });
  assertEquals([response.status, response.headers.get("access-control-allow-origin")], [404, null]);
});

const CONTROLS: [string, unknown, string | undefined, string][] = [
  ["pause", {}, "pause()", "Paused (from the monitor)"],
  ["resume", {}, "resume()", "Resumed (from the monitor)"],
  [
    "concurrency",
    { concurrency: 64 },
    "setConcurrency(64)",
    "Concurrency set to 64 (from the monitor)",
  ],
  ["budget", { max_cost_usd: 12.5 }, "setMaxCost(12.5)", "Budget set to $12.5 (from the monitor)"],
  ["budget", { max_cost_usd: null }, "setMaxCost(null)", "Budget lifted (from the monitor)"],
  [
    "retry",
    { retry_when_done: true },
    undefined,
    "Failed rows will be asked again when the run is done (from the monitor)",
  ],
  [
    "stop",
    {},
    "stop()",
    "Stopping: calls in flight are finished (from the monitor)",
  ],
  [
    "abort",
    { confirm: "abort" },
    "abort()",
    "Aborting: calls in flight are given up (from the monitor)",
  ],
];

Deno.test("each control does one thing, and the run's events say so", async () => {
  for (const [name, body, call, words] of CONTROLS) {
    const { run, monitor } = stage();
    const response = await post(monitor, name, body);
    assertEquals([response.status, await response.json()], [200, { ok: true }]);
    assertEquals(run.calls, call === undefined ? [] : [call]);
    assertEquals(monitor.state().notices.map(({ message }) => message), [words]);
  }
});

Deno.test("what a person wants done after the run can be read, and taken back", async () => {
  const { monitor } = stage();
  assertEquals([monitor.retryWhenDone, monitor.state().retry_when_done], [false, false]);
  await post(monitor, "retry", { retry_when_done: true });
  assertEquals([monitor.retryWhenDone, monitor.state().retry_when_done], [true, true]);
  await post(monitor, "retry", { retry_when_done: false });
  assertEquals(monitor.retryWhenDone, false);
  await post(monitor, "retry", { retry_when_done: true });
  monitor.retryWhenDone = false;
  assertEquals(monitor.state().retry_when_done, false);
  for (const [name, body] of [["stop", {}], ["abort", { confirm: "abort" }]] as const) {
    await post(monitor, "retry", { retry_when_done: true });
    await post(monitor, name, body);
    assertEquals(monitor.retryWhenDone, false, name);
  }
});

Deno.test("a control with a body that it does not take does nothing and says what it takes", async () => {
  const { run, monitor } = stage();
  const nonsense: [string, unknown][] = [
    ["pause", "{"],
    ["pause", ""],
    ["pause", null],
    ["pause", []],
    ["pause", { more: 1 }],
    ["concurrency", {}],
    ["concurrency", { concurrency: 0 }],
    ["concurrency", { concurrency: -1 }],
    ["concurrency", { concurrency: 1.5 }],
    ["concurrency", { concurrency: "20" }],
    ["concurrency", { concurrency: null }],
    ["concurrency", { concurrency: 100_001 }],
    ["concurrency", '{"concurrency":1e400}'],
    ["concurrency", { concurrency: 20, more: 1 }],
    ["budget", { max_cost_usd: -1 }],
    ["budget", { max_cost_usd: "1" }],
    ["budget", '{"max_cost_usd":1e400}'],
    ["budget", {}],
    ["retry", { retry_when_done: "yes" }],
    ["retry", { retry_when_done: null }],
    ["stop", { confirm: "stop" }],
    ["abort", {}],
    ["abort", { confirm: "Abort" }],
    ["abort", { confirm: true }],
    ["abort", { confirm: "abort", force: true }],
  ];
  for (const [name, body] of nonsense) {
    const response = await post(monitor, name, body);
    const answer = await response.json();
    assertEquals([name, body, response.status, answer.ok], [name, body, 400, false]);
    assertMatch(answer.error, /^Cannot /);
  }
  assertEquals([run.calls, monitor.state().notices], [[], []]);
});

Deno.test("controls are POSTs of small JSON to names that exist", async () => {
  const { run, monitor } = stage();
  assertEquals((await get(monitor, "/control/pause")).status, 404);
  assertEquals((await post(monitor, "explode", {})).status, 404);
  assertEquals((await post(monitor, "constructor", {})).status, 404);
  assertEquals((await post(monitor, "pause", `{${" ".repeat(2_000)}}`)).status, 413);
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""]) {
    const headers = { ...own(monitor), "content-type": type };
    assertEquals([type, (await post(monitor, "pause", {}, headers)).status], [type, 415]);
  }
  const headers = { ...own(monitor), "content-type": "application/json; charset=utf-8" };
  assertEquals((await post(monitor, "pause", {}, headers)).status, 200);
  assertEquals(run.calls, ["pause()"]);
});

Deno.test("a run that has ended is not steered", async () => {
  const { run, monitor } = stage();
  run.emit(makeSummary());
  const response = await post(monitor, "pause", {});
  assertEquals([response.status, (await response.json()).error], [
    409,
    "Cannot do that: the run has ended",
  ]);
  assertEquals(run.calls, []);
});

Deno.test("/ws is for WebSockets", async () => {
  const { monitor } = stage();
  assertEquals((await get(monitor, "/ws", own(monitor))).status, 426);
});

Deno.test("/report gives the run as a file", async () => {
  const { run, monitor } = stage();
  run.settle([makeAnswer("u1")]);
  const response = await get(monitor, "/report");
  assertEquals(
    response.headers.get("content-disposition"),
    'attachment; filename="retort-report.html"',
  );
  assertStringIncludes(await response.text(), "answer to u1");
});

Deno.test("/metrics speaks the text format of Prometheus, to a scraper with the token too", async () => {
  const { run, monitor } = stage();
  run.emit(makeSnapshot({
    state: "paused",
    succeeded: 7,
    cost_usd: null,
    max_cost_usd: 5,
    teachers: [makeTeacher({ model: 'a"b\\c\nd' })],
    errors: [makeErrorGroup(), makeErrorGroup({ message: "other", count: 1 })],
  }));
  run.settle([makeAnswer("u", { latencyMs: 1_500 })]);
  const headers = { host: HOST, authorization: `Bearer ${monitor.token}` };
  const response = await monitor.app.request("/metrics", { headers });
  assertEquals(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  const lines = (await response.text()).split("\n");
  assertEquals(lines.at(-1), "", "the last line ends");
  const sample = /^[a-z_]+(\{([a-z]+="([^"\\\n]|\\[\\"n])*",?)*\})? (-?[\d.e+-]+|\+Inf)$/;
  for (const line of lines.slice(0, -1)) {
    assert(sample.test(line) || /^# (HELP|TYPE) /.test(line), line);
  }
  for (
    const line of [
      'retort_rows_finished_total{result="succeeded"} 7',
      'retort_state{state="paused"} 1',
      'retort_state{state="running"} 0',
      'retort_errors{type="rate_limit",status="429"} 13',
      'retort_teacher_up{index="0",address="http://gpu1:8000/v1",model="a\\"b\\\\c\\nd"} 1',
      'retort_latency_seconds_bucket{le="1.024"} 0',
      'retort_latency_seconds_bucket{le="2.048"} 1',
      'retort_latency_seconds_bucket{le="+Inf"} 1',
      "retort_latency_seconds_sum 1.5",
      "retort_latency_seconds_count 1",
      "retort_max_cost_usd 5",
    ]
  ) assert(lines.includes(line), line);
  assert(
    !lines.some((line) => line.startsWith("retort_cost_usd")),
    "what is not known is left out",
  );
  const names = lines.filter((line) => line.startsWith("# TYPE")).map((line) => line.split(" ")[2]);
  assertEquals(new Set(names).size, names.length);
});

Deno.test("/metrics answers before the first snapshot, and not to a wrong token", async () => {
  const { monitor } = stage();
  assertStringIncludes(await (await get(monitor, "/metrics")).text(), "retort_monitor_pages 0\n");
  for (const authorization of ["Bearer", "Bearer x", `Bearer ${monitor.token}x`, monitor.token]) {
    const response = await monitor.app.request("/metrics", {
      headers: { host: HOST, authorization },
    });
    assertEquals(response.status, 401);
  }
});
