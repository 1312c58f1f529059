import { assertEquals, assertStringIncludes, assertThrows } from "../../lib/deps/std_assert.ts";
import { BACKOFF_BASE_MS, BACKOFF_CAP_MS, RetryPolicy } from "../../lib/engine/retry_policy.ts";
import { TeacherError } from "../../lib/errors.ts";

const busy = new TeacherError("Busy", { status: 503 });
const timeout = new TeacherError("Too slow", { type: "timeout", retryable: true });
const after = (attempts: number, timeouts = 0) => ({ attempts, timeouts });

Deno.test("RetryPolicy doubles the bound with every attempt, up to its cap", () => {
  const policy = new RetryPolicy({ maxAttempts: 100, random: () => 1 });
  assertEquals(BACKOFF_BASE_MS, 500);
  assertEquals(BACKOFF_CAP_MS, 60_000);
  const delays = [1, 2, 3, 4, 5, 6, 7, 8, 9, 50].map((n) => policy.delayMs(busy, after(n)));
  const expected = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000];
  assertEquals(delays, expected);
});

Deno.test("RetryPolicy spreads the wait over everything from nothing to the bound", () => {
  for (const random of [0, 0.25, 0.999]) {
    const policy = new RetryPolicy({ random: () => random });
    assertEquals(policy.delayMs(busy, after(2)), random * 1_000);
  }
});

Deno.test("RetryPolicy gives a row five attempts where nothing else was said", () => {
  const policy = new RetryPolicy();
  assertEquals(typeof policy.delayMs(busy, after(4)), "number");
  assertEquals(policy.delayMs(busy, after(5)), undefined);
});

Deno.test("RetryPolicy gives no second attempt where one is all", () => {
  assertEquals(new RetryPolicy({ maxAttempts: 1 }).delayMs(busy, after(1)), undefined);
});

Deno.test("RetryPolicy takes what the teacher asks for as a floor, past its own cap too", () => {
  for (const retryAfterMs of [1, 2_500, 3_600_000]) {
    const error = new TeacherError("Later", { status: 429, retryAfterMs });
    for (const random of [0, 0.5, 0.999]) {
      const delayMs = new RetryPolicy({ random: () => random }).delayMs(error, after(1))!;
      assertEquals(delayMs, retryAfterMs + random * 500);
    }
  }
});

Deno.test("RetryPolicy tries again once only after a timeout, other failures in between or not", () => {
  const policy = new RetryPolicy({ maxAttempts: 10, random: () => 0 });
  assertEquals(policy.delayMs(timeout, after(1, 1)), 0);
  assertEquals(policy.delayMs(timeout, after(2, 2)), undefined);
  assertEquals(policy.delayMs(timeout, after(7, 2)), undefined);
  assertEquals(policy.delayMs(busy, after(3, 1)), 0);
});

Deno.test("RetryPolicy goes by what the error says of itself, not by its status", () => {
  const policy = new RetryPolicy({ random: () => 0 });
  const stubborn = new TeacherError("No", { status: 503, retryable: false });
  const willing = new TeacherError("Odd", { status: 400, retryable: true });
  assertEquals(policy.delayMs(stubborn, after(1)), undefined);
  assertEquals(policy.delayMs(willing, after(1)), 0);
});

for (
  const [status, isRetried] of [
    [408, 1],
    [409, 1],
    [429, 1],
    [500, 1],
    [529, 1],
    [400, 0],
    [401, 0],
    [404, 0],
    [422, 0],
  ]
) {
  Deno.test(`RetryPolicy ${isRetried ? "tries again" : "gives up"} after status ${status}`, () => {
    const error = new TeacherError("It said so", { status });
    const delayMs = new RetryPolicy({ random: () => 0 }).delayMs(error, after(1));
    assertEquals(delayMs, isRetried ? 0 : undefined);
  });
}

Deno.test("RetryPolicy refuses a number of attempts that is not a positive integer", () => {
  for (const maxAttempts of [0, -1, 1.5, NaN, Infinity]) {
    const error = assertThrows(() => new RetryPolicy({ maxAttempts }), RangeError);
    assertStringIncludes(error.message, String(maxAttempts));
  }
});

Deno.test("RetryPolicy ignores a wait that is no time, and waits a day at most", () => {
  const policy = new RetryPolicy({ random: () => 0 });
  const waits = [NaN, Infinity, -Infinity, -5, 1e300].map((retryAfterMs) =>
    policy.delayMs(new TeacherError("Later", { status: 429, retryAfterMs }), after(1))
  );
  assertEquals(waits, [0, 0, 0, 0, 86_400_000]);
});
