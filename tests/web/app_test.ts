/** Tests of the monitor's routes. @module */

import { assert, assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { cookieOf, get, HOST, own, post, stage } from "./app_fixture.ts";
import { makeSnapshot, makeTeacher } from "../progress/fixtures.ts";
import { makeAnswer } from "./fake_run.ts";

Deno.test("the token is exchanged for a cookie and removed from the address, with a relative redirect", async () => {
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

Deno.test("a browser that follows a link of another site continues by itself: with a redirect it would not send its cookie", async () => {
  const { monitor } = stage();
  const accept = "text/html,application/xhtml+xml,*/*;q=0.8";
  const visits: [Record<string, string>, number][] = [
    [{ "sec-fetch-site": "cross-site", accept }, 200],
    // Browsers send no `Sec-Fetch-Site` to a network address without TLS.
    [{ accept }, 200],
    [{ "sec-fetch-site": "none", accept }, 303],
    [{ "sec-fetch-site": "same-site", accept }, 303],
    [{ "sec-fetch-site": "same-origin", accept }, 303],
    [{ accept: "*/*" }, 303],
  ];
  for (const [headers, status] of visits) {
    const response = await monitor.app.request(`/p/?token=${monitor.token}`, {
      headers: { host: HOST, ...headers },
    });
    assertEquals([headers, response.status], [headers, status]);
    assertStringIncludes(response.headers.get("set-cookie") ?? "", "SameSite=Strict");
    const html = await response.text();
    assertEquals(html.includes('http-equiv="refresh" content="0; url=./"'), status === 200);
    assert(!html.includes(monitor.token) && !html.includes("<script"));
  }
  const wrong = await monitor.app.request("/?token=x", {
    headers: { host: HOST, "sec-fetch-site": "cross-site", accept },
  });
  assertEquals([wrong.status, wrong.headers.get("set-cookie")], [401, null]);
});

Deno.test("two monitors in one browser do not get in each other's way", async () => {
  const a = stage(), b = stage();
  const cookie = `${cookieOf(a.monitor)}; ${cookieOf(b.monitor)}`;
  for (const { monitor, run } of [a, b]) {
    assertEquals((await get(monitor, "/", { cookie })).status, 200);
    assertEquals((await post(monitor, "stop", {}, { ...own(monitor), cookie })).status, 200);
    assertEquals(run.calls, ["stop()"]);
  }
  const unknown = await get(a.monitor, "/", { cookie: cookieOf(b.monitor) });
  assertEquals(unknown.status, 401);
  // Browsers that keep no cookies get this answer at the printed address.
  assertStringIncludes(await unknown.text(), "allow cookies");
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

Deno.test("every answer has the security headers", async () => {
  const { monitor } = stage();
  const answers = await Promise.all([
    get(monitor, "/"),
    get(monitor, "/page.js"),
    get(monitor, "/report"),
    get(monitor, "/no"),
    get(monitor, "/", { cookie: "" }),
    get(monitor, "/", { host: "evil.example" }),
    monitor.app.request(`/?token=${monitor.token}`, { headers: { host: HOST } }),
    get(monitor, `/?token=${monitor.token}`, { "sec-fetch-site": "cross-site" }),
    post(monitor, "pause", {}),
    post(monitor, "pause", "{"),
  ]);
  assertEquals(answers.map(({ status }) => status), [
    200,
    200,
    200,
    404,
    401,
    403,
    303,
    200,
    200,
    400,
  ]);
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

Deno.test("a preflight request of another site is not allowed", async () => {
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

Deno.test("texts that are cut in a list can be fetched whole, one or all, while they are kept", async () => {
  const { monitor, run } = stage();
  const answer = makeAnswer("long");
  const response = "word ".repeat(20_000);
  run.settle([{ ...answer, completion: answer.completion && { ...answer.completion, response } }]);
  const [sample] = monitor.state().samples.added;
  assert(sample.is_cut && sample.response.length < response.length);
  const one = await (await get(monitor, `/samples/${sample.id}`)).json();
  assertEquals([one.response === response, one.is_cut], [true, false]);
  const all = await (await get(monitor, "/proxy/8000/samples")).json();
  assertEquals([all.added.length, all.added[0].response === response], [1, true]);
  assert(monitor.report().includes(response));
  assertEquals((await get(monitor, "/samples/99")).status, 404);
  assertEquals((await get(monitor, "/samples", { cookie: "" })).status, 401);
});

Deno.test("the state counts how answers ended, kept or not, and has the figures of each teacher", () => {
  let nowMs = 0;
  const { monitor, run } = stage({ now: () => nowMs });
  const teacher = {
    address: "http://gpu1:8000/v1",
    model: "qwen3",
    complete: () => Promise.reject(),
  };
  const answer = (finishReason: string, isKept = true) => {
    const one = makeAnswer(finishReason, { teacher, latencyMs: 100 });
    const failure = { type: "truncated", message: "too long", status: null } as const;
    const usage = { promptTokens: 1, completionTokens: 10, reasoningTokens: 4 };
    const completion = one.completion && { ...one.completion, finishReason, usage };
    return { ...one, completion, ...isKept ? {} : { failure } };
  };
  run.emit(makeSnapshot({ teachers: [makeTeacher(teacher), makeTeacher({ address: "b" })] }));
  nowMs = 10_000;
  run.settle([answer("stop"), answer("MAX_TOKENS"), answer("length", false)]);
  // This answer used all of its tokens, whatever its finish reason.
  run.settle([answer("stop", false)]);
  const { answers, teacher_figures } = monitor.state();
  assertEquals(answers, {
    endings: { whole: 1, limit: 3 },
    finish_reasons: [["stop", 2], ["MAX_TOKENS", 1], ["length", 1]],
    answered: 2,
    truncated: 3,
    completion_tokens: 20,
    reasoning_tokens: 8,
    length_tokens: { p50: 10, p90: 10, p99: 10, max: 10 },
  });
  nowMs = 20_000;
  const [first, second] = monitor.state().teacher_figures;
  assertEquals(teacher_figures.length, 2);
  assertEquals(second, { rows_per_s: 0, p50_ms: null });
  assert(first.p50_ms !== null && Math.abs(first.p50_ms - 100) < 3, `${first.p50_ms}`);
  // The failed row counts as finished, too.
  assertEquals(first.rows_per_s, 0.4);
  monitor.close();
});
