import { assertEquals } from "../../lib/deps/std_assert.ts";
import { rateLimitOf, statesRateLimit } from "../../lib/teacher/rate_headers.ts";
import { ask, pair, stream, token } from "./pair.ts";

const NOW = Date.parse("2026-03-01T12:00:00Z");

/** How the reset of the requests is read. */
function reset(text: string, ageMs = 0): number | undefined {
  const headers = { "x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": text };
  return rateLimitOf(headers, NOW, ageMs)?.requestsResetMs;
}

Deno.test("rateLimitOf() reads the header fields of OpenAI", () => {
  const headers = {
    "x-ratelimit-limit-requests": "10000",
    "x-ratelimit-limit-tokens": "200000",
    "x-ratelimit-remaining-requests": "9999",
    "x-ratelimit-remaining-tokens": "199984",
    "x-ratelimit-reset-requests": "8.64s",
    "x-ratelimit-reset-tokens": "4ms",
  };
  assertEquals(rateLimitOf(headers, NOW), {
    requestsLeft: 9_999,
    requestsLimit: 10_000,
    requestsResetMs: 8_640,
    tokensLeft: 199_984,
    tokensLimit: 200_000,
    tokensResetMs: 4,
  });
});

Deno.test("rateLimitOf() reads the header fields of Anthropic, and uses the tightest token limit", () => {
  const headers = {
    "anthropic-ratelimit-requests-limit": "50",
    "anthropic-ratelimit-requests-remaining": "49",
    "anthropic-ratelimit-requests-reset": "2026-03-01T12:00:01Z",
    "anthropic-ratelimit-tokens-limit": "60000",
    "anthropic-ratelimit-tokens-remaining": "59000",
    "anthropic-ratelimit-tokens-reset": "2026-03-01T12:00:02Z",
    "anthropic-ratelimit-input-tokens-limit": "50000",
    "anthropic-ratelimit-input-tokens-remaining": "49000",
    "anthropic-ratelimit-input-tokens-reset": "2026-03-01T12:00:03Z",
    "anthropic-ratelimit-output-tokens-limit": "10000",
    "anthropic-ratelimit-output-tokens-remaining": "1000",
    "anthropic-ratelimit-output-tokens-reset": "2026-03-01T12:00:54Z",
  };
  assertEquals(rateLimitOf(headers, NOW), {
    requestsLeft: 49,
    requestsLimit: 50,
    requestsResetMs: 1_000,
    tokensLeft: 1_000,
    tokensLimit: 10_000,
    tokensResetMs: 54_000,
  });
});

Deno.test("rateLimitOf() reads any one limit of Anthropic", () => {
  for (const resource of ["requests", "tokens", "input-tokens", "output-tokens"]) {
    const headers = { [`anthropic-ratelimit-${resource}-remaining`]: "0" };
    const name = resource === "requests" ? "requestsLeft" : "tokensLeft";
    assertEquals(rateLimitOf(headers, NOW)?.[name], 0, resource);
    assertEquals(statesRateLimit(headers), true, resource);
  }
});

Deno.test("rateLimitOf() understands durations, seconds and dates", () => {
  const cases: [text: string, ms: number | undefined][] = [
    ["6m0s", 360_000],
    ["120ms", 120],
    ["1h2m3.5s", 3_723_500],
    ["2m59.56s", 179_560],
    ["1d", 86_400_000],
    ["17", 17_000],
    ["0.25", 250],
    ["0", 0],
    [` 1s `, 1_000],
    [String(NOW / 1_000 + 30), 30_000],
    [String(NOW + 30_000), 30_000],
    ["2026-03-01T12:00:30Z", 30_000],
    ["Sun, 01 Mar 2026 12:00:30 GMT", 30_000],
    ["-1", undefined],
    ["-1s", undefined],
    ["soon", undefined],
    ["", undefined],
    ["NaN", undefined],
    ["Infinity", undefined],
    ["1d1ms", undefined],
    ["2036-03-01T12:00:00Z", undefined],
  ];
  for (const [text, ms] of cases) assertEquals(reset(text), ms, text);
});

Deno.test("rateLimitOf() reads a time by the clock of the server that sent it", () => {
  const slow = NOW - 7_200_000;
  for (const text of [new Date(slow + 30_000).toISOString(), `${slow / 1_000 + 30}`]) {
    const headers = {
      date: new Date(slow).toUTCString(),
      "x-ratelimit-remaining-requests": "1",
      "x-ratelimit-reset-requests": text,
      "anthropic-ratelimit-requests-remaining": "1",
      "anthropic-ratelimit-requests-reset": text,
    };
    const { "x-ratelimit-remaining-requests": _, ...anthropic } = headers;
    for (const ageMs of [0, 10_000]) {
      assertEquals(rateLimitOf(headers, NOW, ageMs)?.requestsResetMs, 30_000 - ageMs);
      assertEquals(rateLimitOf(anthropic, NOW, ageMs)?.requestsResetMs, 30_000 - ageMs);
    }
  }
});

Deno.test("rateLimitOf() ignores nonsense, and limits that have been reset since", () => {
  const one = (left: string) =>
    rateLimitOf({ "x-ratelimit-remaining-requests": left }, NOW)?.requestsLeft;
  assertEquals(one("12"), 12);
  for (const left of ["", "-1", "many", "Infinity"]) assertEquals(one(left), undefined, left);
  assertEquals(reset("10s", 4_000), 6_000);
  assertEquals(reset("10s", 11_000), undefined);
  assertEquals(
    rateLimitOf(
      {
        "x-ratelimit-remaining-tokens": "5",
        "x-ratelimit-reset-tokens": "1s",
      },
      NOW,
      2_000,
    ),
    undefined,
  );
  assertEquals(rateLimitOf({ "content-type": "application/json" }, NOW), undefined);
  assertEquals(rateLimitOf({ "x-ratelimit-remaining-requests": ["3", "4"] }, NOW)?.requestsLeft, 3);
});

Deno.test("complete() passes on the rate limit of plain answers and of streams", async () => {
  const headers = { "x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "6m0s" };
  await using it = pair(({ n }) => {
    const answer = n === 1
      ? Response.json({ choices: [{ message: { content: "a" }, finish_reason: "stop" }] })
      : stream([token("a", "stop"), "data: [DONE]\n\n"]);
    if (n < 3) {
      for (const [name, value] of Object.entries(headers)) answer.headers.set(name, value);
    }
    return answer;
  });
  assertEquals((await ask(it.teacher)).rateLimit?.requestsResetMs, 360_000);
  const streamed = (await ask(it.teacher)).rateLimit;
  assertEquals(streamed?.requestsLeft, 3);
  // The reset counts from now on, not from when the head arrived.
  assertEquals(Math.abs((streamed?.requestsResetMs ?? 0) - 360_000) < 5_000, true);
  assertEquals("rateLimit" in await ask(it.teacher), false);
});
