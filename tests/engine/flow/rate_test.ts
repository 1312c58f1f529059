import {
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLessOrEqual,
} from "../../../lib/deps/std_assert.ts";
import { RateLimiter } from "../../../lib/engine/flow/rate.ts";
import type { Completion, RateLimit } from "../../../lib/teacher/teacher.ts";
import { seededRandom, simulate } from "../rate_server.ts";

/** An answer that took so many tokens, with what the teacher says of its limits. */
function completion(tokens: number, rateLimit?: RateLimit): Completion {
  const usage = { promptTokens: tokens / 4, completionTokens: tokens * 3 / 4 };
  return { response: "a", finishReason: "stop", usage, model: "m", rateLimit };
}

/** A pace whose time is moved by hand. */
function paced(options: { rpm?: number; tpm?: number } = {}) {
  const clock = { now: 0 };
  return { clock, pace: new RateLimiter({ ...options, now: () => clock.now }) };
}

/** Sends whenever that is allowed, for so long; gives when. */
function sendFor(
  pace: RateLimiter,
  clock: { now: number },
  ms: number,
  sent: () => void = () => {},
) {
  const sentAt: number[] = [];
  for (const end = clock.now + ms; clock.now < end; clock.now++) {
    while (pace.delayMs() === 0) {
      pace.take();
      sentAt.push(clock.now);
      sent();
    }
  }
  return sentAt;
}

Deno.test("Pace without rates holds nothing back", () => {
  const { pace } = paced();
  for (let n = 0; n < 1_000; n++) {
    assertEquals(pace.delayMs(), 0);
    pace.take();
    pace.answered(completion(100));
  }
});

Deno.test("Pace spreads rpm evenly over the minute", () => {
  const { clock, pace } = paced({ rpm: 60 });
  const sentAt = sendFor(pace, clock, 60_000);
  assertEquals(sentAt.length, 60);
  sentAt.forEach((time, n) => assertAlmostEquals(time, n * 1_000, 2));
  // After a pause there is no burst to make up for it.
  clock.now += 600_000;
  assertLessOrEqual(sendFor(pace, clock, 10_000).length, 11);
});

Deno.test("Pace sends no more than 50 ms of a high rpm at once", () => {
  const { clock, pace } = paced({ rpm: 60_000 });
  clock.now += 10_000;
  let burst = 0;
  while (pace.delayMs() === 0) {
    pace.take();
    burst++;
  }
  assertLessOrEqual(burst, 51);
  assertAlmostEquals(sendFor(pace, clock, 1_000).length, 1_000, 2);
});

Deno.test("Pace says to the millisecond when the next attempt may be sent", () => {
  const { clock, pace } = paced({ rpm: 30 });
  pace.take();
  assertEquals(pace.delayMs(), 2_000);
  clock.now += 1_500;
  assertEquals(pace.delayMs(), 500);
  clock.now += 500;
  assertEquals(pace.delayMs(), 0);
});

for (const latencyMs of [50, 3_000]) {
  Deno.test(`RateLimiter honours tpm within 5 % with mixed sizes and answers after ${latencyMs} ms`, () => {
    const TPM = 600_000;
    const { clock, pace } = paced({ tpm: TPM });
    const random = seededRandom();
    const answers: { at: number; tokens: number }[] = [];
    const sent: { at: number; tokens: number }[] = [];
    for (; clock.now < 240_000; clock.now++) {
      while (answers.length > 0 && answers[0].at <= clock.now) {
        const answer = answers.shift()!;
        if (random() < 0.1) pace.failed(); // what it would have taken goes to others
        else {
          pace.answered(completion(answer.tokens));
          sent.push(answer);
        }
      }
      while (pace.delayMs() === 0) {
        pace.take();
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

Deno.test("Pace pays for tokens that it did not expect, and gets back those that were not used", () => {
  const { clock, pace } = paced({ tpm: 60_000 });
  pace.take();
  pace.answered(completion(5_000));
  assertEquals(pace.delayMs(), 5_000);
  clock.now += 5_000;
  pace.take();
  assertGreater(pace.delayMs(), 500);
  pace.failed();
  assertEquals(pace.delayMs(), 0);
});

const CAPACITY = { rows: 1_500, concurrency: 200, perSecond: () => 100 };

for (const burst of [5, 20, 100]) {
  for (const latencyMs of [2, 20, 100, 500]) {
    Deno.test(`RateLimiter finds 100 requests/s: ${burst} at once, ${latencyMs} ms`, () => {
      const { posts, refusals, wallMs } = simulate({ ...CAPACITY, burst, latencyMs });
      assertEquals(posts - refusals, CAPACITY.rows);
      assertLessOrEqual(refusals / posts, 0.1);
      assertLessOrEqual(wallMs, 1.3 * (CAPACITY.rows - burst) * 10);
    });
  }
}

Deno.test("Pace finds a rate that all lanes run into at once, and when refusals are slow", () => {
  const options = { ...CAPACITY, burst: 20, latencyMs: 100 };
  const blast = simulate({ ...options, isCareful: false });
  // 200 at once cannot be foreseen; what follows must be little.
  assertLessOrEqual(blast.refusals, 180 + 0.05 * CAPACITY.rows);
  assertLessOrEqual(blast.wallMs, 1.3 * 15_000);
  const slow = simulate({ ...options, refusalMs: 100 });
  assertLessOrEqual(slow.refusals / slow.posts, 0.1);
  assertLessOrEqual(slow.wallMs, 1.3 * 15_000);
});

Deno.test("Pace follows a rate that falls and rises again", () => {
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

/** A pace that has sent 100 requests/s for 10 s, all of them answered. */
function warm() {
  const { clock, pace } = paced();
  for (; clock.now < 10_000; clock.now += 10) {
    pace.take();
    pace.answered(completion(100));
  }
  return { clock, pace };
}

Deno.test("Pace takes one burst of refusals for one, and does not stop for it", () => {
  const counts = [1, 50].map((refusals) => {
    const { clock, pace } = warm();
    for (let n = 0; n < refusals; n++) pace.refused(9_990 - n, true);
    return sendFor(pace, clock, 1_000).length;
  });
  assertEquals(counts[0], counts[1]);
  assertGreaterOrEqual(counts[0], 80);
  assertLessOrEqual(counts[0], 95);
});

Deno.test("Pace never comes to a standstill, however seldom something is sent and refused", () => {
  const { clock, pace } = warm();
  for (let time = 0; time < 50; time++) {
    clock.now += 7_000;
    assertEquals(pace.delayMs(), 0);
    pace.take();
    clock.now++;
    pace.failed();
    pace.refused(clock.now - 1, true);
    assertLessOrEqual(pace.delayMs(), 5_001);
  }
});

Deno.test("Pace goes on trying where everything is refused, about once a second, and is back soon", () => {
  const { clock, pace } = warm();
  const sentAt: number[] = [];
  for (const end = clock.now + 120_000; clock.now < end; clock.now++) {
    if (pace.delayMs() > 0) continue;
    sentAt.push(clock.now);
    pace.take();
    clock.now++;
    pace.failed();
    pace.refused(clock.now - 1, true);
  }
  const later = sentAt.filter((time) => time > 20_000);
  assertLessOrEqual(later.length, 110);
  assertLessOrEqual(Math.max(...later.slice(1).map((time, n) => time - later[n])), 5_001);
  sendFor(pace, clock, 10_000);
  assertGreater(sendFor(pace, clock, 1_000).length, 50);
});

Deno.test("Pace forgets a rate that is not used", () => {
  const { clock, pace } = warm();
  pace.refused(9_990, true);
  pace.take();
  assertGreater(pace.delayMs(), 0);
  for (const end = clock.now + 60_000; clock.now < end; clock.now += 100) {
    if (pace.delayMs() === 0) pace.take();
  }
  for (let n = 0; n < 1_000; n++) {
    assertEquals(pace.delayMs(), 0);
    pace.take();
  }
});

Deno.test("Pace makes what is left last until the teacher's reset", () => {
  const cases: [limit: RateLimit, spacingMs: number][] = [
    [{ requestsLeft: 10, requestsLimit: 100, requestsResetMs: 10_000 }, 1_000],
    [{ requestsLeft: 20, requestsLimit: 100, requestsResetMs: 10_000 }, 0],
    [{ requestsLeft: 10, requestsResetMs: 10_000 }, 1_000],
    [{ requestsLeft: 20, requestsResetMs: 10_000 }, 0],
    [{ requestsLeft: 0, requestsLimit: 100, requestsResetMs: 3_000 }, 3_000],
    [{ requestsLeft: 0, requestsLimit: 100, requestsResetMs: 3_600_000 }, 5_000],
    [{ requestsLeft: 0, requestsLimit: 100 }, 0],
    [{ tokensLeft: 4_000, tokensLimit: 100_000, tokensResetMs: 10_000 }, 1_000],
    [{ tokensLeft: 20_000, tokensLimit: 100_000, tokensResetMs: 10_000 }, 0],
    [{ tokensLeft: 4_000, tokensResetMs: 10_000 }, 1_000],
    [{
      requestsLeft: 1,
      requestsResetMs: 2_000,
      tokensLeft: 400,
      tokensResetMs: 4_000,
    }, 4_000],
  ];
  for (const [limit, spacingMs] of cases) {
    const { clock, pace } = paced();
    // A call takes 400 tokens in the mean.
    for (let n = 0; n < 5_000; n++) {
      pace.take();
      pace.answered(completion(400));
    }
    pace.take();
    pace.answered(completion(400, limit));
    assertAlmostEquals(pace.delayMs(), spacingMs, 1, JSON.stringify(limit));
    clock.now += spacingMs;
    assertAlmostEquals(pace.delayMs(), 0, 1);
  }
});

Deno.test("Pace goes on as before once a teacher's limit is reset, or no longer low", () => {
  const { clock, pace } = paced();
  const low = { requestsLeft: 1, requestsLimit: 100, requestsResetMs: 8_000 };
  pace.take();
  pace.answered(completion(400, low));
  assertEquals(pace.delayMs(), 5_000);
  clock.now += 5_000;
  pace.take();
  clock.now += 3_000;
  assertEquals(pace.delayMs(), 0);
  pace.take();
  pace.answered(completion(400, low));
  assertEquals(pace.delayMs(), 5_000);
  pace.answered(completion(400, { ...low, requestsLeft: 100 }));
  assertEquals(pace.delayMs(), 0);
});

Deno.test("Pace gives back the request of an attempt that was not sent after all", () => {
  for (const { clock, pace } of [paced({ rpm: 60 }), paced({ tpm: 30_000 }), paced()]) {
    if (clock.now === 0) pace.refused(0, true);
    clock.now = 60_000;
    for (let n = 0; n < 20; n++) {
      pace.take();
      pace.returned();
    }
    assertEquals(pace.delayMs(), 0);
    for (let n = 0; n < 20; n++) pace.take();
    assertGreater(pace.delayMs(), 0);
  }
});
