import {
  assert,
  assertEquals,
  assertGreater,
  assertMatch,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { classify } from "../../lib/engine/errors/classify.ts";
import { statusError } from "../../lib/teacher/error_response.ts";
import { type HeaderFields, retryAfterMs } from "../../lib/teacher/rate_headers.ts";
import { statedError } from "../../lib/teacher/answer_body.ts";

const NOW = Date.parse("2025-01-01T00:00:00Z");
const same = (text: string) => text;
const CONTEXT = {
  model: "m",
  modelAsked: undefined,
  keep: [],
  redact: same,
};

function refused(status: number, text: string, headers: HeaderFields = {}, isVersioned = true) {
  const address = { shownBaseUrl: isVersioned ? "http://h/v1" : "http://h", isVersioned };
  const waitedMs = 60_000;
  return statusError({ status, headers, text, address, context: CONTEXT, waitedMs, now: NOW });
}

Deno.test("statusError() quotes the teacher's message", () => {
  const bodies: [unknown, string][] = [
    [{ error: { message: "no such model", code: "x" } }, "no such model"],
    [{ error: "model is loading" }, "model is loading"],
    [{ message: "bad key" }, "bad key"],
    [{ detail: "Not Found" }, "Not Found"],
    [
      { detail: [{ loc: ["body", "messages"], msg: "field required" }] },
      "body.messages: field required",
    ],
    [[{ error: { message: "listed" } }], "listed"],
    [[{ detail: { error: { message: "listed and wrapped" } } }], "listed and wrapped"],
    [{ error: { code: 7 } }, '{"code":7}'],
    [{ detail: { message: "no quota" } }, "no quota"],
    [{ error_message: "no model" }, "no model"],
    [{ errorMessage: "no tokens" }, "no tokens"],
    [{ detail: [{}, { msg: "field required" }] }, "field required"],
    [{ base_resp: { status_code: 0, status_msg: "success" }, msg: "busy" }, "busy"],
    [{ base_resp: { status_msg: "success" }, msg: "busy" }, "busy"],
    [{ error: { message: "x".repeat(2_000) } }, "x".repeat(1_000)],
    [{ error: { message: '"quoted"' } }, '"quoted"'],
    [
      { message: JSON.stringify({ message: JSON.stringify({ error: { message: "inner" } }) }) },
      "inner",
    ],
  ];
  for (const [body, words] of bodies) {
    assertEquals(refused(400, JSON.stringify(body)).message, words);
  }
  assertEquals(refused(502, `<html>${"x".repeat(500)}`).message.length, 300);
  const page = `<!DOCTYPE html>\n<html><head><title>502 Bad&nbsp;Gateway</title>
    <style>body { color: red }</style></head><!-- a padding -->
    <body><h1>502 Bad&nbsp;Gateway</h1>\r\n<hr><center>nginx/1.22.1</center></body></html>`;
  assertEquals(refused(502, page).message, "502 Bad&nbsp;Gateway nginx/1.22.1");
  assertEquals(refused(503, "").message, "The teacher answered 503 without a message");
});

Deno.test("statusError() reads an error that is sent as an event", () => {
  const error = JSON.stringify({ error: { message: "No\u2028more", code: "insufficient_quota" } });
  for (const text of [`data: ${error}\n\ndata: [DONE]\n\n`, `event: error\ndata:${error}\n\n`]) {
    const { message, code } = refused(500, text);
    assertEquals([message, code], ["No\u2028more", "insufficient_quota"]);
  }
  assertEquals(refused(500, "data: none\n\n").message, "data: none");
});

Deno.test("statusError() says what helps where a gateway does not wait for the answer", () => {
  const page = "<html><title>504 Gateway Time-out</title></html>";
  assertMatch(refused(504, page).message, /use --stream, or raise its timeout: 504 Gateway/);
  assertMatch(refused(524, "").message, /raise its timeout$/);
  // The same for all rows, so that it is shown once.
  assertMatch(refused(504, page).notice!, /\(504 from http:\/\/h\/v1\).* sent twice at most$/);
  const options = { status: 504, headers: {}, text: "", waitedMs: 60_000, now: NOW };
  const context = { ...CONTEXT, isStreamed: true };
  const address = { shownBaseUrl: "http://h/v1", isVersioned: true };
  assertMatch(statusError({ ...options, address, context }).message, /: lower -c, or raise/);
  const stated = { error: { message: "Deadline expired", status: "DEADLINE_EXCEEDED" } };
  assertEquals(refused(504, JSON.stringify(stated)).message, "Deadline expired");
  const timeout = JSON.stringify({ error: { message: "litellm.Timeout: Request timed out." } });
  assertMatch(refused(408, timeout).notice!, /\(408 from http:\/\/h\/v1\).* sent twice at most$/);
  // The request came late, not the answer.
  assertEquals(refused(408, "<html><h1>408 Request Time-out</h1></html>").notice, undefined);
  // It has not waited: the teacher is away.
  const early = statusError({ ...options, address, context, waitedMs: 30 });
  assertEquals([early.message, early.notice], [
    "The teacher answered 504 without a message",
    undefined,
  ]);
});

Deno.test("statusError() shows no half of a key that the start of a web page ends in", () => {
  const key = "sk-0123456789abcdef", start = "<html><p>";
  const page = start.padEnd(9_990 - start.length, " ") + key.padEnd(100, " ") + "</html>";
  for (let shift = 0; shift < 20; shift++) {
    const context = { ...CONTEXT, redact: (text: string) => text.replaceAll(key, "[redacted]") };
    const address = { shownBaseUrl: "http://h/v1", isVersioned: true };
    const text = start + " ".repeat(shift) + page.slice(start.length);
    const response = { status: 502, headers: {}, text, waitedMs: 0, now: NOW };
    const { message } = statusError({ ...response, address, context });
    assertEquals(message.includes("sk-0"), false);
  }
});

Deno.test("statusError() shows no half of a key where a provider's message is cut", () => {
  const key = "sk-0123456789abcdef", message = "Provider returned error";
  const raw = "x ".repeat(495) + key.repeat(20);
  const text = JSON.stringify({ error: { message, metadata: { raw, provider_name: "P" } } });
  const context = { ...CONTEXT, redact: (words: string) => words.replaceAll(key, "[redacted]") };
  const address = { shownBaseUrl: "http://h/v1", isVersioned: true };
  const response = { status: 502, headers: {}, text, waitedMs: 0, now: NOW };
  assertEquals(statusError({ ...response, address, context }).message.includes("sk-0"), false);
});

Deno.test("statusError() searches no long message for secrets that is not shown", () => {
  const lengths: number[] = [];
  const redact = (text: string) => {
    lengths.push(text.length);
    return text;
  };
  const text = JSON.stringify({ error: { message: "quoted ".repeat(8_000) } });
  const address = { shownBaseUrl: "http://h/v1", isVersioned: true };
  const response = { status: 400, headers: {}, text, waitedMs: 0, now: NOW };
  assertEquals(
    statusError({ ...response, address, context: { ...CONTEXT, redact } }).message.length,
    1_000,
  );
  assertGreater(10_000, Math.max(...lengths));
});

Deno.test("statusError() derives the type from the status", () => {
  const derived = [400, 401, 404, 408, 409, 422, 429, 500, 529].map((status) =>
    `${status} ${refused(status, "").type}`
  );
  assertEquals(derived, [
    "400 request",
    "401 request",
    "404 request",
    "408 server",
    "409 server",
    "422 request",
    "429 rate_limit",
    "500 server",
    "529 server",
  ]);
});

Deno.test("statusError() includes the code, the most specific if there are several", () => {
  const bodies: [unknown, string | undefined][] = [
    [
      { error: { message: "m", type: "insufficient_quota", code: "project_limit" } },
      "project_limit",
    ],
    [{ error: { message: "m", type: "insufficient_quota", code: null } }, "insufficient_quota"],
    [{ error: { message: "m", type: "NotFoundError", code: 404 } }, "NotFoundError"],
    [{ error: { message: "m", type: "budget_exceeded", code: "400" } }, "budget_exceeded"],
    [{ error: { message: "m", type: "None", code: "400" } }, undefined],
    [{ object: "error", message: "m", type: "invalid_model", code: "1500" }, "invalid_model"],
    [[{ error: { code: 429, status: "RESOURCE_EXHAUSTED", message: "m" } }], "RESOURCE_EXHAUSTED"],
    [
      { error: { type: "rate_limit_error", details: { error_code: "enforced" }, message: "m" } },
      "enforced",
    ],
    [{ error: { code: 403, message: "m", metadata: { flagged_input: "x" } } }, "flagged_input"],
    [{ error: "Model is overloaded", error_type: "overloaded" }, "overloaded"],
    [{ error: "m", code: "A whole sentence of words" }, undefined],
    [{ error: "m", code: "x".repeat(101) }, undefined],
    [{ prompt_feedback: { block_reason: "SAFETY" } }, "content_filter"],
    [{ detail: "Not Found" }, undefined],
    ["text", undefined],
  ];
  for (const [body, code] of bodies) {
    assertEquals(refused(400, JSON.stringify(body)).code, code, JSON.stringify(body));
  }
});

Deno.test("statusError() quotes the provider behind a router, but not a request in the message", () => {
  const router = "Provider returned error";
  const failed = (message: string, metadata: object) =>
    refused(400, JSON.stringify({ error: { message, metadata } })).message;
  assertEquals(failed(router, { raw: '{"status":7}', provider_name: "P" }), `${router} (from P)`);
  const flat = { message: router, metadata: { raw: "no capacity", provider_name: "P" } };
  assertEquals(refused(400, JSON.stringify(flat)).message, "no capacity (from P)");
  const raw = { error: { message: "no such route" } };
  assertEquals(failed(router, { raw, provider_name: "P" }), "no such route (from P)");
  const body = JSON.stringify({ error: { message: router, metadata: { provider_name: "P" } } });
  assertEquals(refused(404, body, {}, false).message, `${router} (from P)`);
  const quoted = `${"Wrong: ".padEnd(160, "x")} provider returned error`;
  assertEquals(failed(quoted, { provider_name: "P" }), quoted);
});

Deno.test("statusError() reads the code that only the gateway states", () => {
  const inner = JSON.stringify({ error: { message: "m" } });
  const { code, message } = refused(400, JSON.stringify({ message: inner, code: "odd_code" }));
  assertEquals([code, message], ["odd_code", "m"]);
});

Deno.test("statusError() reads errors in errors of any depth without overflowing the stack", () => {
  const levels = 50_000;
  const text = '{"error":{},"detail":'.repeat(levels) + '{"error":{}}' + "}".repeat(levels);
  assertEquals(refused(500, text).type, "server");
});

Deno.test("statusError() keeps secrets out of the code, too", () => {
  const address = { shownBaseUrl: "http://h/v1", isVersioned: true };
  const text = '{"error":{"message":"no sk-secret","code":"bad:sk-secret"}}';
  const redact = (words: string) => words.replaceAll("sk-secret", "[redacted]");
  const context = { ...CONTEXT, redact };
  const { code, message } = statusError({
    status: 401,
    headers: {},
    text,
    address,
    context,
    waitedMs: 0,
    now: NOW,
  });
  assertEquals([code, message], ["bad:[redacted]", "no [redacted]"]);
});

Deno.test("statusError() passes on x-should-retry, and nothing if it is missing", () => {
  const words = ["true", "FALSE", "maybe", ""].map((word) =>
    refused(500, "", { "x-should-retry": word }).retryable
  );
  assertEquals(words, [true, false, undefined, undefined]);
  assertEquals(refused(500, "").retryable, undefined);
});

Deno.test("the reset of an exhausted limit is waited for at most a minute, and only after throttling", () => {
  const used = { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6.12s" };
  const tokens = { "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "9m0s" };
  const waitOf = (status: number, headers: Record<string, string>, body = "") =>
    classify(refused(status, body, headers)).retryAfterMs;
  assertEquals(waitOf(429, used), 6_120);
  assertEquals(waitOf(400, used, '{"code":"daily_quota_exceeded","message":"No"}'), 6_120);
  assertEquals(waitOf(503, { ...used, ...tokens }), 60_000);
  const headers = { "X-RateLimit-Remaining-Requests": 0, "X-RateLimit-Reset-Requests": "6.12s" };
  const relayed = JSON.stringify({ error: { message: "m", metadata: { headers } } });
  assertEquals(waitOf(429, {}, relayed), 6_120);
  assertEquals(waitOf(429, {}, JSON.stringify({ message: relayed })), 6_120);
  assertEquals(waitOf(500, used), undefined);
  assertEquals(waitOf(408, used), undefined);
  assertEquals(waitOf(429, { ...used, "retry-after": "1" }), 1_000);
  assertEquals(waitOf(429, { ...used, "x-ratelimit-remaining-requests": "3" }), undefined);
});

Deno.test("statusError() reads Google's retry delay in the body, and ignores nonsense", () => {
  const waits = ["34.07s", "1.0005s", "-1s", "99999999s", "soon"].map((retryDelay) => {
    const details = [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay }];
    return refused(429, JSON.stringify([{ error: { message: "m", details } }])).retryAfterMs;
  });
  assertEquals(waits, [34_070, 1_001, undefined, undefined, undefined]);
});

Deno.test("statusError() hints at a missing /v1, but only if it is missing", () => {
  assertStringIncludes(refused(404, '{"detail":"Not Found"}', {}, false).message, 'no "/v1"');
  assertEquals(refused(404, '{"detail":"Not Found"}').message, "Not Found");
});

Deno.test("statusError() names where a redirect leads, without its secrets", () => {
  const error = refused(307, "", { location: "https://u:p@h.example/v1?token=abc" });
  assertStringIncludes(error.message, '"https://h.example/v1?token=[redacted]"');
  assertEquals(error.status, 307);
  assertStringIncludes(error.message, "Give the final address as the base URL");
  assertStringIncludes(refused(307, "").message, "redirects (307) to another address");
  const bases = {
    "https://h.example/v2/chat/completions?token=abc": "https://h.example/v2?token=[redacted]",
    "/v2/chat/completions": "http://h/v2",
    "//other.example/v1/responses": "http://other.example/v1",
  };
  for (const [location, base] of Object.entries(bases)) {
    assertStringIncludes(refused(308, "", { location }).message, `Give ${base} as the base URL`);
  }
});

Deno.test("retryAfterMs() prefers milliseconds, and reads seconds, fractions and dates", () => {
  assertEquals(retryAfterMs({ "retry-after-ms": "1500", "retry-after": "9" }, NOW), 1500);
  assertEquals(retryAfterMs({ "retry-after": "2" }, NOW), 2000);
  assertEquals(retryAfterMs({ "retry-after": "0.25" }, NOW), 250);
  assertEquals(retryAfterMs({ "retry-after": "0" }, NOW), 0);
  assertEquals(retryAfterMs({ "retry-after": "Wed, 01 Jan 2025 00:00:30 GMT" }, NOW), 30_000);
  assertEquals(retryAfterMs({ "retry-after": ["3", "4"] }, NOW), 3000);
});

Deno.test("retryAfterMs() reads a date by the clock of the server that sent it", () => {
  for (const hours of [-2, 2]) {
    const at = (seconds: number) =>
      new Date(NOW + hours * 3_600_000 + seconds * 1_000).toUTCString();
    assertEquals(retryAfterMs({ "retry-after": at(5), date: at(0) }, NOW), 5_000);
    assertEquals(retryAfterMs({ "retry-after": at(-5), date: at(0) }, NOW), undefined);
  }
  const inAMinute = new Date(NOW + 60_000).toUTCString();
  assertEquals(retryAfterMs({ "retry-after": inAMinute, date: "yesterday" }, NOW), 60_000);
});

Deno.test("retryAfterMs() ignores nonsense", () => {
  const nonsense = [
    "-1",
    "soon",
    "",
    " ",
    "NaN",
    "86401",
    "Infinity",
    "Tue, 31 Dec 2024 23:00:00 GMT",
  ];
  for (const value of nonsense) {
    assertEquals(retryAfterMs({ "retry-after": value }, NOW), undefined, value);
  }
  assertEquals(retryAfterMs({}, NOW), undefined);
  assertEquals(retryAfterMs({ "retry-after-ms": "x", "retry-after": "1" }, NOW), 1000);
});

Deno.test("statedError() uses a code that is a status as the status", () => {
  const limited = statedError({ message: "slow down", code: 429 }, { status: 200, redact: same });
  assertEquals([limited.type, limited.status], ["rate_limit", 429]);
  const down = statedError({ message: "provider down", code: "502" }, {
    status: 200,
    redact: same,
  });
  assertEquals([down.type, down.status], ["server", 502]);
  const other = statedError({ message: "odd", code: "server_error" }, {
    status: 200,
    redact: same,
  });
  assertEquals([other.type, other.status, other.code], ["response", 200, "server_error"]);
  assert(statedError("text only", { status: 200, redact: same }).message === "text only");
});
