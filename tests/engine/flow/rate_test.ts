/** How much is sent to a teacher with rate limits, told, learned or reported. @module */

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertLessOrEqual,
} from "../../../lib/deps/std_assert.ts";
import { RateLimiter } from "../../../lib/engine/flow/rate.ts";
import type { Completion, RateLimit } from "../../../lib/teacher/teacher.ts";
import { seededRandom, simulate } from "../rate_server.ts";

/** An answer that took `tokens` tokens, with what the teacher says of its limits. */
function completion(tokens: number, rateLimit?: RateLimit): Completion {
  const usage = { promptTokens: tokens / 4, completionTokens: tokens * 3 / 4 };
  return { response: "a", finishReason: "stop", usage, model: "m", rateLimit };
}

/** A limiter whose time is moved by hand. */
function limited(options: { rpm?: number; tpm?: number } = {}) {
  const clock = { now: 0 };
  return { clock, limiter: new RateLimiter({ ...options, now: () => clock.now }) };
}

/** Sends whenever that is allowed, for `ms` milliseconds; gives when. */
function sendFor(
  limiter: RateLimiter,
  clock: { now: number },
  ms: number,
  sent: () => void = () => {},
) {
  const sentAt: number[] = [];
  for (const end = clock.now + ms; clock.now < end; clock.now++) {
    while (limiter.delayMs() === 0) {
      limiter.take();
      sentAt.push(clock.now);
      sent();
    }
  }
  return sentAt;
}

Deno.test("nothing is held back without rates", () => {
  const { limiter } = limited();
  for (let n = 0; n < 1_000; n++) {
    assertEquals(limiter.delayMs(), 0);
    limiter.take();
    limiter.answered(completion(100));
  }
});

Deno.test("requests are spread evenly over the minute", () => {
  const { clock, limiter } = limited({ rpm: 60 });
  const sentAt = sendFor(limiter, clock, 60_000);
  assertEquals(sentAt.length, 60);
  sentAt.forEach((time, n) => assertAlmostEquals(time, n * 1_000, 2));
  // After a pause there is no burst to make up for it.
  clock.now += 600_000;
  assertLessOrEqual(sendFor(limiter, clock, 10_000).length, 11);
});

Deno.test("no more than 50 ms of a high rpm are sent at once", () => {
  const { clock, limiter } = limited({ rpm: 60_000 });
  clock.now += 10_000;
  let burst = 0;
  while (limiter.delayMs() === 0) {
    limiter.take();
    burst++;
  }
  assertLessOrEqual(burst, 51);
  assertAlmostEquals(sendFor(limiter, clock, 1_000).length, 1_000, 2);
});

Deno.test("the next attempt is sent to the millisecond", () => {
  const { clock, limiter } = limited({ rpm: 30 });
  limiter.take();
  assertEquals(limiter.delayMs(), 2_000);
  clock.now += 1_500;
  assertEquals(limiter.delayMs(), 500);
  clock.now += 500;
  assertEquals(limiter.delayMs(), 0);
});

for (const latencyMs of [50, 3_000]) {
  Deno.test(`tokens a minute are honoured within 5 % with mixed sizes and answers after ${latencyMs} ms`, () => {
    const TPM = 600_000;
    const { clock, limiter } = limited({ tpm: TPM });
    const random = seededRandom();
    const answers: { at: number; tokens: number }[] = [];
    const sent: { at: number; tokens: number }[] = [];
    for (; clock.now < 240_000; clock.now++) {
      while (answers.length > 0 && answers[0].at <= clock.now) {
        const answer = answers.shift()!;
        if (random() < 0.1) limiter.failed(); // what it would have taken goes to others
        else {
          limiter.answered(completion(answer.tokens));
          sent.push(answer);
        }
      }
      while (limiter.delayMs() === 0) {
        limiter.take();
        // Most are small, a few are large: 800 tokens in the mean, not the 500 that are guessed.
        const tokens = random() < 0.9 ? 400 * random() : 12_400 * random();
        answers.push({ at: clock.now + latencyMs, tokens });
      }
    }
    for (const from of [60_000, 120_000, 180_000]) {
      const within = sent.filter(({ at }) => at >= from && at < from + 60_000);
      const tokens = within.reduce((sum, answer) => sum + answer.tokens, 0);
      assertAlmostEquals(tokens / TPM, 1, 0.05);
    }
    const all = sent.reduce((sum, answer) => sum + answer.tokens, 0);
    assertAlmostEquals(all / TPM / 4, 1, 0.05);
  });
}

Deno.test("tokens that were not expected are waited for, and those that were not used are given back", () => {
  const { clock, limiter } = limited({ tpm: 60_000 });
  limiter.take();
  limiter.answered(completion(5_000));
  assertEquals(limiter.delayMs(), 5_000);
  clock.now += 5_000;
  limiter.take();
  assertGreater(limiter.delayMs(), 500);
  limiter.failed();
  assertEquals(limiter.delayMs(), 0);
});

const CAPACITY = { rows: 1_500, concurrency: 200, perSecond: () => 100 };

for (const burst of [5, 20, 100]) {
  for (const latencyMs of [2, 20, 100, 500]) {
    Deno.test(`a rate of 100 requests/s is found: ${burst} at once, ${latencyMs} ms`, () => {
      const { posts, refusals, wallMs } = simulate({ ...CAPACITY, burst, latencyMs });
      assertEquals(posts - refusals, CAPACITY.rows);
      assertLessOrEqual(refusals / posts, 0.1);
      assertLessOrEqual(wallMs, 1.3 * (CAPACITY.rows - burst) * 10);
    });
  }
}

Deno.test("a rate is found that all lanes run into at once, and when refusals are slow", () => {
  const options = { ...CAPACITY, burst: 20, latencyMs: 100 };
  const blast = simulate({ ...options, isCareful: false });
  // 200 at once cannot be foreseen; what follows must be little.
  assertLessOrEqual(blast.refusals, 180 + 0.05 * CAPACITY.rows);
  assertLessOrEqual(blast.wallMs, 1.3 * 15_000);
  const slow = simulate({ ...options, refusalMs: 100 });
  assertLessOrEqual(slow.refusals / slow.posts, 0.1);
  assertLessOrEqual(slow.wallMs, 1.3 * 15_000);
});

Deno.test("a rate is followed that falls and rises again", () => {
  const perSecond = (now: number) => now < 30_000 || now > 90_000 ? 400 : 100;
  const { posts, refusals, answeredAt } = simulate({
    rows: 40_000,
    concurrency: 400,
    perSecond,
    burst: 100,
    latencyMs: 100,
  });
  const rate = (from: number, to: number) =>
    answeredAt.filter((at) => at >= from && at < to).length * 1_000 / (to - from);
  assertLessOrEqual(refusals / posts, 0.02);
  assertGreater(rate(20_000, 30_000), 0.9 * 400);
  assertGreater(rate(40_000, 90_000), 0.9 * 100);
  assertGreater(rate(150_000, 160_000), 0.9 * 400);
});

/** A limiter that has sent 100 requests/s for 10 s, all of them answered. */
function warm() {
  const { clock, limiter } = limited();
  for (; clock.now < 10_000; clock.now += 10) {
    limiter.take();
    limiter.answered(completion(100));
  }
  return { clock, limiter };
}

Deno.test("sending never comes to a standstill, however seldom something is sent and refused", () => {
  const { clock, limiter } = warm();
  for (let time = 0; time < 50; time++) {
    clock.now += 7_000;
    assertEquals(limiter.delayMs(), 0);
    limiter.take();
    clock.now++;
    limiter.failed();
    limiter.refused(clock.now - 1, true);
    assertLessOrEqual(limiter.delayMs(), 5_001);
  }
});

Deno.test("a teacher that refuses everything is tried, about once a second, and is back soon", () => {
  const { clock, limiter } = warm();
  const sentAt: number[] = [];
  for (const end = clock.now + 120_000; clock.now < end; clock.now++) {
    if (limiter.delayMs() > 0) continue;
    sentAt.push(clock.now);
    limiter.take();
    clock.now++;
    limiter.failed();
    limiter.refused(clock.now - 1, true);
  }
  const later = sentAt.filter((time) => time > 20_000);
  assertLessOrEqual(later.length, 110);
  assertLessOrEqual(Math.max(...later.slice(1).map((time, n) => time - later[n])), 5_001);
  sendFor(limiter, clock, 10_000);
  assertGreater(sendFor(limiter, clock, 1_000).length, 50);
});

Deno.test("what is left of a teacher's limit lasts until its reset", () => {
  const cases: [limit: RateLimit, until: number, most: number][] = [
    [{ requestsLeft: 10, requestsLimit: 100, requestsResetMs: 10_000 }, 10_000, 10],
    [{ requestsLeft: 10, requestsResetMs: 10_000 }, 10_000, 10],
    [{ requestsLeft: 0, requestsLimit: 100, requestsResetMs: 3_000 }, 3_000, 0],
    // An hour is not waited for without a look.
    [{ requestsLeft: 0, requestsLimit: 100, requestsResetMs: 3_600_000 }, 5_000, 0],
    [{ tokensLeft: 4_000, tokensLimit: 100_000, tokensResetMs: 10_000 }, 10_000, 10],
    [{ tokensLeft: 4_000, tokensResetMs: 10_000 }, 10_000, 10],
    [
      { requestsLeft: 1, requestsResetMs: 2_000, tokensLeft: 400, tokensResetMs: 4_000 },
      4_000,
      1,
    ],
  ];
  for (const [limit, until, most] of cases) {
    const { clock, limiter } = toldOf(limit);
    const sent = sendFor(limiter, clock, until);
    // The first request before the reset may come a moment early.
    assert(sent.length <= most && sent.length >= most - 1, `${JSON.stringify(limit)}: ${sent}`);
    clock.now += 100;
    assertEquals(limiter.delayMs(), 0, `${JSON.stringify(limit)}: after it`);
  }
  const enough: RateLimit[] = [
    { requestsLeft: 20, requestsLimit: 100, requestsResetMs: 10_000 },
    { requestsLeft: 20, requestsResetMs: 10_000 },
    { requestsLeft: 0, requestsLimit: 100 },
    { tokensLeft: 20_000, tokensLimit: 100_000, tokensResetMs: 10_000 },
  ];
  for (const limit of enough) assertEquals(toldOf(limit).limiter.delayMs(), 0);
});

/** A limiter whose calls take 400 tokens in the mean, as the teacher says what is left. */
function toldOf(limit: RateLimit) {
  const { clock, limiter } = limited();
  for (let n = 0; n < 5_000; n++) {
    limiter.take();
    limiter.answered(completion(400));
  }
  limiter.take();
  limiter.answered(completion(400, limit));
  return { clock, limiter };
}

Deno.test("sending is as before once a teacher's limit is reset, or no longer low", () => {
  const { clock, limiter } = limited();
  const low = { requestsLeft: 1, requestsLimit: 100, requestsResetMs: 8_000 };
  limiter.take();
  limiter.answered(completion(400, low));
  assertEquals(limiter.delayMs(), 5_000);
  clock.now += 5_000;
  limiter.take();
  clock.now += 3_000;
  assertEquals(limiter.delayMs(), 0);
  limiter.take();
  limiter.answered(completion(400, low));
  assertEquals(limiter.delayMs(), 5_000);
  limiter.answered(completion(400, { ...low, requestsLeft: 100 }));
  assertEquals(limiter.delayMs(), 0);
});

Deno.test("the request is given back of an attempt that was not sent after all", () => {
  for (const { clock, limiter } of [limited({ rpm: 60 }), limited({ tpm: 30_000 }), limited()]) {
    if (clock.now === 0) limiter.refused(0, true);
    clock.now = 60_000;
    for (let n = 0; n < 20; n++) {
      limiter.take();
      limiter.returned();
    }
    assertEquals(limiter.delayMs(), 0);
    for (let n = 0; n < 20; n++) limiter.take();
    assertGreater(limiter.delayMs(), 0);
  }
});
