import { assertEquals, assertThrows } from "../../lib/deps/std_assert.ts";
import { classify } from "../../lib/engine/errors/classify.ts";
import {
  type AttemptHistory,
  BACKOFF_BASE_MS,
  BACKOFF_CAP_MS,
  RATE_LIMIT_BASE_MS,
  RetryPolicy,
  type RetryPolicyOptions,
} from "../../lib/engine/retry_policy.ts";
import { TeacherError } from "../../lib/errors.ts";
import { resolveOptions } from "../../lib/run/resolve_options.ts";
import { FakeTeacher } from "./engine_fixture.ts";

const fault = new TeacherError("Oops", { status: 500 });
const busy = new TeacherError("Busy", { status: 503 });
const limited = new TeacherError("Too many", { status: 429 });
const timeout = new TeacherError("Too slow", { type: "timeout" });
const deaf = new TeacherError("No one listens", { type: "network", isUnreachable: true });

function delay(
  error: TeacherError,
  history: Partial<AttemptHistory>,
  options?: RetryPolicyOptions,
) {
  const counts = { faults: 0, timeouts: 0, throttled: 0, waits: 0, ...history };
  return new RetryPolicy({ random: () => 0, ...options }).delayMs(classify(error), counts);
}

Deno.test("RetryPolicy doubles the bound with every wait, up to its cap", () => {
  assertEquals([BACKOFF_BASE_MS, RATE_LIMIT_BASE_MS, BACKOFF_CAP_MS], [500, 1_000, 60_000]);
  const options = { maxAttempts: 100, random: () => 1 };
  const delays = [0, 1, 2, 3, 4, 5, 6, 7, 8, 5_000].map((waits) =>
    delay(fault, { faults: 1, waits }, options)
  );
  const expected = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000];
  assertEquals(delays, expected);
});

Deno.test("RetryPolicy starts at a second after a 429 without a time", () => {
  const options = { random: () => 1 };
  assertEquals(delay(limited, { throttled: 1 }, options), 1_000);
  assertEquals(delay(limited, { throttled: 2, waits: 1 }, options), 2_000);
  assertEquals(delay(busy, { throttled: 1 }, options), 500);
  const later = new TeacherError("Later", { status: 429, retryAfterMs: 0 });
  assertEquals(delay(later, { throttled: 1 }, options), 500);
});

Deno.test("RetryPolicy spreads the wait from zero to the bound", () => {
  for (const random of [0, 0.25, 0.999]) {
    assertEquals(delay(fault, { waits: 1 }, { random: () => random }), random * 1_000);
  }
});

Deno.test("RetryPolicy gives a row five attempts by default", () => {
  assertEquals(delay(fault, { faults: 4 }), 0);
  assertEquals(delay(fault, { faults: 5 }), undefined);
});

Deno.test("RetryPolicy gives no second attempt if the limit is one", () => {
  assertEquals(delay(fault, { faults: 1 }, { maxAttempts: 1 }), undefined);
});

Deno.test("RetryPolicy tolerates 20 throttled attempts, or maxAttempts if that is more", () => {
  assertEquals(delay(busy, { throttled: 19, faults: 4 }), 0);
  assertEquals(delay(busy, { throttled: 20 }), undefined);
  assertEquals(delay(busy, { throttled: 1 }, { maxAttempts: 1 }), 0);
  assertEquals(delay(busy, { throttled: 29 }, { maxAttempts: 30 }), 0);
  assertEquals(delay(busy, { throttled: 30 }, { maxAttempts: 30 }), undefined);
});

Deno.test("RetryPolicy counts throttled attempts and faults separately", () => {
  assertEquals(delay(fault, { faults: 1, throttled: 19 }), 0);
  assertEquals(delay(busy, { throttled: 1, faults: 4 }), 0);
});

Deno.test("RetryPolicy never gives up a row because connections fail", () => {
  assertEquals(delay(deaf, { faults: 99, timeouts: 99, throttled: 99, waits: 9 }), 0);
});

Deno.test("RetryPolicy waits at least as long as the teacher asks, even beyond its own cap", () => {
  for (const retryAfterMs of [1, 2_500, 3_600_000]) {
    const error = new TeacherError("Later", { status: 429, retryAfterMs });
    for (const random of [0, 0.5, 0.999]) {
      assertEquals(
        delay(error, { throttled: 1 }, { random: () => random }),
        retryAfterMs + random * 500,
      );
    }
  }
});

Deno.test("RetryPolicy retries only once after a timeout, with other failures in between or not", () => {
  const options = { maxAttempts: 10 };
  assertEquals(delay(timeout, { faults: 1, timeouts: 1 }, options), 0);
  assertEquals(delay(timeout, { faults: 2, timeouts: 2 }, options), undefined);
  assertEquals(delay(timeout, { faults: 7, timeouts: 2 }, options), undefined);
  assertEquals(delay(fault, { faults: 3, timeouts: 1 }, options), 0);
});

Deno.test("RetryPolicy follows the classification, not the status", () => {
  const stubborn = new TeacherError("No", { status: 503, retryable: false });
  const willing = new TeacherError("Odd", { status: 400, retryable: true });
  assertEquals(delay(stubborn, { throttled: 1 }), undefined);
  assertEquals(delay(willing, { faults: 1 }), 0);
});

Deno.test("RetryPolicy gives no other attempt to what fails or halts", () => {
  for (const status of [400, 401, 404, 422]) {
    assertEquals(delay(new TeacherError("No", { status }), {}), undefined, String(status));
  }
});

Deno.test("A number of attempts that is not a positive integer is rejected", () => {
  for (const maxAttempts of [0, -1, 1.5, NaN, Infinity]) {
    const options = { teacher: new FakeTeacher(), maxAttempts };
    const message = `Cannot use maxAttempts ${maxAttempts}: it must be a whole number, 1 or more`;
    assertThrows(() => resolveOptions(options), RangeError, message);
  }
});

Deno.test("RetryPolicy ignores an invalid wait, and waits a day at most", () => {
  const waits = [NaN, Infinity, -Infinity, -5, 1e300].map((retryAfterMs) =>
    delay(new TeacherError("Later", { status: 429, retryAfterMs }), { throttled: 1 })
  );
  assertEquals(waits, [0, 0, 0, 0, 86_400_000]);
});
