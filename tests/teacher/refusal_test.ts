import { assert, assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import {
  type AnswerHeaders,
  refusal,
  retryAfterMs,
  statedError,
} from "../../lib/teacher/refusal.ts";

const NOW = Date.parse("2025-01-01T00:00:00Z");
const same = (text: string) => text;

function refused(status: number, text: string, headers: AnswerHeaders = {}, versioned = true) {
  const address = versioned ? "http://h/v1" : "http://h";
  return refusal({ status, headers, text, address, versioned, redact: same, now: NOW });
}

Deno.test("refusal() speaks in the teacher's own words", () => {
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
    [{ error: { code: 7 } }, '{"code":7}'],
  ];
  for (const [body, words] of bodies) {
    assertEquals(refused(400, JSON.stringify(body)).message, words);
  }
  assertEquals(refused(502, `<html>${"x".repeat(500)}`).message.length, 300);
  assertEquals(refused(503, "").message, "The teacher answered 503 without a word");
});

Deno.test("refusal() derives the type and whether to retry from the status", () => {
  const derived = [400, 401, 404, 408, 409, 422, 429, 500, 529].map((status) => {
    const { type, retryable } = refused(status, "");
    return `${status} ${type} ${retryable}`;
  });
  assertEquals(derived, [
    "400 request false",
    "401 request false",
    "404 request false",
    "408 server true",
    "409 server true",
    "422 request false",
    "429 rate_limit true",
    "500 server true",
    "529 server true",
  ]);
});

Deno.test("refusal() hints at a missing /v1, but only where it is missing", () => {
  assertStringIncludes(refused(404, '{"detail":"Not Found"}', {}, false).message, 'no "/v1"');
  assertEquals(refused(404, '{"detail":"Not Found"}').message, "Not Found");
});

Deno.test("refusal() names where a redirect leads, without its secrets", () => {
  const error = refused(307, "", { location: "https://u:p@h.example/v1?token=abc" });
  assertStringIncludes(error.message, '"https://h.example/v1?token=[redacted]"');
  assertEquals([error.status, error.retryable], [307, false]);
});

Deno.test("retryAfterMs() prefers milliseconds, and reads seconds, fractions and dates", () => {
  assertEquals(retryAfterMs({ "retry-after-ms": "1500", "retry-after": "9" }, NOW), 1500);
  assertEquals(retryAfterMs({ "retry-after": "2" }, NOW), 2000);
  assertEquals(retryAfterMs({ "retry-after": "0.25" }, NOW), 250);
  assertEquals(retryAfterMs({ "retry-after": "0" }, NOW), 0);
  assertEquals(retryAfterMs({ "retry-after": "Wed, 01 Jan 2025 00:00:30 GMT" }, NOW), 30_000);
  assertEquals(retryAfterMs({ "retry-after": ["3", "4"] }, NOW), 3000);
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

Deno.test("statedError() takes a code that is a status for one", () => {
  const limited = statedError({ message: "slow down", code: 429 }, 200, same);
  assertEquals([limited.type, limited.status, limited.retryable], ["rate_limit", 429, true]);
  const down = statedError({ message: "provider down", code: "502" }, 200, same);
  assertEquals([down.type, down.status], ["server", 502]);
  const other = statedError({ message: "odd", code: "server_error" }, 200, same);
  assertEquals([other.type, other.status, other.retryable], ["response", 200, false]);
  assert(statedError("text only", 200, same).message === "text only");
});
