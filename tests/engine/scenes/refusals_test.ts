/**
 * Complete runs against teachers that throttle: at random, at a limit, and by the minute.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLessOrEqual,
} from "../../../lib/deps/std_assert.ts";
import { TeacherError } from "../../../lib/errors.ts";
import { play, type Scene, type SceneAttempt, type SceneResult } from "../scene.ts";
import { tooMany } from "../timed_teacher.ts";

/** 200 lanes, answers after 0.2 s. */
const QUICK = { concurrency: 200, latencyMs: 200, refusalMs: 5 };

/** Throttles a share of all attempts. */
function atRandom(share: number, retryAfterMs?: number): Scene["refuse"] {
  const error = tooMany(retryAfterMs);
  return ({ random }) => random() < share ? error : undefined;
}

for (const retryAfterMs of [undefined, 1_000]) {
  const header = retryAfterMs === undefined ? "" : " and asks to come back after 1 s";
  for (const share of [0.01, 0.05, 0.1, 0.2]) {
    Deno.test(`a teacher that refuses ${100 * share} % at random${header} costs 20 % at most`, async () => {
      const refuse = atRandom(share, retryAfterMs);
      const result = await play({ ...QUICK, rows: 20_000, refuse });
      assertLessOrEqual(result.byCalls, 1.2);
      assertEquals(result.failed, 0);
      assertEquals(result.posts, 20_000 + result.refused);
    });
  }

  Deno.test(`a teacher that refuses 1 % at random${header} costs 50 % of a run of four seconds`, async () => {
    for (const seed of [1, 2, 3, 4]) {
      const refuse = atRandom(0.01, retryAfterMs);
      const { byCalls, failed } = await play({ ...QUICK, rows: 4_000, refuse, seed });
      assertLessOrEqual(byCalls, 1.5);
      assertEquals(failed, 0);
    }
  });
}

/** Answers relative to those with all lanes busy, between two seconds of a run. */
function goodput({ perSecond }: SceneResult, idealPerS: number, fromS: number, untilS: number) {
  const answers = perSecond.slice(fromS, untilS).reduce((sum, count) => sum + count, 0);
  return answers / (untilS - fromS) / idealPerS;
}

for (const share of [0.03, 0.04, 0.05, 0.06, 0.1, 0.2, 0.4]) {
  Deno.test(`a steady ${100 * share} % of refusals leaves all lanes busy in minutes 6 to 10`, async () => {
    const scene = { rows: 70_000, concurrency: 100, latencyMs: 1_000, spread: 0.3 };
    // With seed 6, chance makes a run of refusals at 40 %.
    for (const seed of share === 0.4 ? [1, 6] : [1]) {
      const result = await play({ ...scene, refuse: atRandom(share), seed }, 10 * 60);
      assertGreaterOrEqual(goodput(result, 100, 5 * 60, 10 * 60), 0.97);
    }
  });
}

for (const share of [0.1, 0.2, 0.4]) {
  Deno.test(`a careful start climbs in a minute where ${100 * share} % are refused and answers take 10 s`, async () => {
    const scene = { rows: 10_000, concurrency: 200, latencyMs: 10_000, spread: 0.3 };
    const result = await play({ ...scene, refuse: atRandom(share) }, 2 * 60);
    assertGreaterOrEqual(goodput(result, 20, 60, 120), 0.9);
  });
}

/** Accepts `perSecond` attempts per second, and throttles the others. */
function atRate(perSecond: number, burst: number, retryAfterMs?: number): Scene["refuse"] {
  const error = tooMany(retryAfterMs);
  let level = burst, seenAt: number | undefined;
  return ({ at }) => {
    level = Math.min(burst, level + (at - (seenAt ?? at)) * perSecond / 1_000);
    seenAt = at;
    if (level < 1) return error;
    level--;
    return undefined;
  };
}

/** Answers nothing between two seconds of the run. */
function downBetween(fromS: number, untilS: number, refuse: Scene["refuse"]): Scene["refuse"] {
  const down = new TeacherError("Down", { status: 503 });
  return (attempt) =>
    attempt.seconds >= fromS && attempt.seconds < untilS ? down : refuse?.(attempt);
}

/** Works on `capacity` attempts at once, and throttles the others. */
function atCapacity(capacity: number, retryAfterMs?: number): Scene["refuse"] {
  const error = tooMany(retryAfterMs);
  return ({ inFlight }) => inFlight >= capacity ? error : undefined;
}

/** Scenes whose teachers are at a limit: the ideal time, the longest allowed multiple of it, and
 * the share of attempts that may be throttled. */
const LIMITED: readonly [
  name: string,
  scene: Omit<Scene, "refuse">,
  refuse: () => Scene["refuse"],
  leastS: number,
  mostTimes: number,
  mostRefused: number,
][] = [
  [
    "takes 100 a second",
    { rows: 3_000, concurrency: 200, latencyMs: 50, refusalMs: 2 },
    () => atRate(100, 10),
    30,
    1.3,
    0.1,
  ],
  [
    "takes 100 a second and asks to come back after 1 s",
    { rows: 3_000, concurrency: 200, latencyMs: 50, refusalMs: 2 },
    () => atRate(100, 10, 1_000),
    30,
    1.5,
    0.1,
  ],
  [
    "takes 100 a second and refuses after 60 ms",
    { rows: 3_000, concurrency: 200, latencyMs: 50, refusalMs: 60 },
    () => atRate(100, 10),
    30,
    1.3,
    0.15,
  ],
  [
    "takes 100 a second in bursts of 100 and refuses after 300 ms",
    { rows: 3_000, concurrency: 200, latencyMs: 50, spread: 0.3, refusalMs: 300 },
    () => atRate(100, 100),
    30,
    1.1,
    0.15,
  ],
  [
    "takes 100 a second and refuses after 1 s, in which more are sent than are remembered",
    { rows: 3_000, concurrency: 200, latencyMs: 50, spread: 0.3, refusalMs: 1_000 },
    () => atRate(100, 10),
    30,
    1.2,
    0.35,
  ],
  [
    "takes 100 a second and refuses after 2 s, which looks like a window that is closed",
    { rows: 4_000, concurrency: 200, latencyMs: 50, spread: 0.3, refusalMs: 2_000 },
    () => atRate(100, 10),
    40,
    1.6,
    0.3,
  ],
  [
    "takes 100 a second without bursts, with answers after 1 s",
    { rows: 10_000, concurrency: 200, latencyMs: 1_000, spread: 0.3 },
    () => atRate(100, 1),
    100,
    2.3,
    0.1,
  ],
  [
    "takes 30 a second in bursts of 5, with answers after 5 s",
    { rows: 9_000, concurrency: 200, latencyMs: 5_000, spread: 0.3 },
    () => atRate(30, 5),
    305,
    1.4,
    0.1,
  ],
  [
    "takes 10 a second without bursts, with answers after 10 s",
    { rows: 3_000, concurrency: 200, latencyMs: 10_000, spread: 0.3 },
    () => atRate(10, 1),
    310,
    2,
    0.15,
  ],
  [
    "takes 10 a second without bursts, with answers after 10 s, and is down for 40 s in between,",
    { rows: 3_000, concurrency: 200, latencyMs: 10_000, spread: 0.3 },
    () => downBetween(60, 100, atRate(10, 1)),
    350,
    2.2,
    0.25,
  ],
  [
    "takes 20 a second, with answers after 1 s",
    { rows: 2_000, concurrency: 100, latencyMs: 1_000 },
    () => atRate(20, 5),
    100,
    1.4,
    0.15,
  ],
  [
    "takes one every two seconds",
    { rows: 100, concurrency: 20, latencyMs: 500 },
    () => atRate(0.5, 1),
    200,
    1.7,
    0.6,
  ],
  [
    "works on 10 at once",
    { rows: 5_000, concurrency: 100, latencyMs: 1_000, spread: 0.3 },
    () => atCapacity(10),
    500,
    1.1,
    0.06,
  ],
  [
    "works on 50 at once",
    { rows: 6_000, concurrency: 200, latencyMs: 1_000, spread: 0.3 },
    () => atCapacity(50),
    120,
    1.15,
    0.05,
  ],
  [
    "works on 50 at once and asks to come back after 1 s",
    { rows: 6_000, concurrency: 200, latencyMs: 1_000, spread: 0.3 },
    () => atCapacity(50, 1_000),
    120,
    1.2,
    0.05,
  ],
  [
    "works on 50 at once and refuses after 0.9 s",
    { rows: 6_000, concurrency: 200, latencyMs: 1_000, spread: 0.3, refusalMs: 900 },
    () => atCapacity(50),
    120,
    1.2,
    0.25,
  ],
  [
    "works on 4 at once, with answers after 10 s",
    { rows: 300, concurrency: 50, latencyMs: 10_000, spread: 0.3 },
    () => atCapacity(4),
    750,
    1.6,
    0.4,
  ],
];
for (const [name, scene, refuse, leastS, mostTimes, mostRefused] of LIMITED) {
  Deno.test(`a teacher that ${name} is kept busy, and refuses little`, async () => {
    for (const seed of [1, 2, 3]) {
      const result = await play({ ...scene, refuse: refuse(), seed });
      assertEquals(result.failed, 0);
      assertLessOrEqual(result.wallMs / 1_000, mostTimes * leastS);
      assertLessOrEqual(result.refused / result.posts, mostRefused);
    }
  });
}

/** Answers `quota` attempts in each window, which begins by the calendar or with a request. */
function byWindow(quota: number, kind: "calendar" | "sliding", lengthMs = 60_000, lagMs = 0) {
  let window = -Infinity, count = 0;
  return ({ at }: SceneAttempt) => {
    const isOver = kind === "sliding"
      ? at - window >= lengthMs
      : Math.floor((at - lagMs) / lengthMs) !== window;
    if (isOver) {
      window = kind === "sliding" ? at : Math.floor((at - lagMs) / lengthMs);
      count = 0;
    }
    return count < quota ? (count++, undefined) : tooMany();
  };
}

const LANES = { concurrency: 100, latencyMs: 300, spread: 0.3 };
/** Scenes with windows: the rows sent, and the seconds until the last window opens. */
const WINDOWS: readonly [name: string, Scene, leastS: number][] = [
  [
    "300 in a minute of the clock, 900 rows",
    { ...LANES, rows: 900, startS: 55, refuse: byWindow(300, "calendar") },
    65,
  ],
  ["300 in a minute, 900 rows", { ...LANES, rows: 900, refuse: byWindow(300, "sliding") }, 120],
  [
    "120 in a minute, 200 rows, 20 at once",
    { ...LANES, rows: 200, concurrency: 20, refuse: byWindow(120, "sliding") },
    60,
  ],
  [
    "120 in a minute, 200 rows of 2 s",
    { ...LANES, rows: 200, latencyMs: 2_000, refuse: byWindow(120, "sliding") },
    62,
  ],
  ["10 in a minute, 40 rows", { ...LANES, rows: 40, refuse: byWindow(10, "sliding") }, 180],
  [
    "300 in a minute of a clock that is 3 s slow",
    { ...LANES, rows: 1_200, refuse: byWindow(300, "calendar", 60_000, 3_000) },
    183,
  ],
  [
    "300 in a minute of the clock and refuses after 5 s",
    {
      ...{ ...LANES, rows: 900, latencyMs: 2_500, refusalMs: 5_000, startS: 1 },
      refuse: byWindow(300, "calendar"),
    },
    129,
  ],
  [
    "120 in a minute of the clock and refuses after 2.5 s",
    {
      ...{ ...LANES, rows: 200, concurrency: 20, latencyMs: 2_500, refusalMs: 2_500, startS: 1 },
      refuse: byWindow(120, "calendar"),
    },
    69,
  ],
  [
    "100 in half a minute",
    { ...LANES, rows: 600, startS: 7, refuse: byWindow(100, "calendar", 30_000) },
    143,
  ],
  [
    "1,000 in a minute of the clock, 5,000 rows of 10 s",
    {
      ...{ rows: 5_000, concurrency: 200, latencyMs: 10_000, spread: 0.3 },
      refuse: byWindow(1_000, "calendar"),
    },
    305,
  ],
  [
    "1,000 in five minutes",
    { ...LANES, rows: 3_000, refuse: byWindow(1_000, "sliding", 300_000) },
    600,
  ],
];
for (const [name, scene, leastS] of WINDOWS) {
  Deno.test(`a teacher that answers ${name}, without a time to come back, gets requests when it answers again`, async () => {
    const { wallMs, failed, refused, reasons } = await play(scene);
    assertEquals(failed, 0);
    assertLessOrEqual(wallMs / 1_000, 1.03 * leastS + 4);
    assertLessOrEqual(refused, 0.15 * scene.rows + 50);
    assert(reasons.includes("429: Too many requests"), reasons.join());
  });
}

Deno.test("a run never says that all remaining rows wait while some were not sent yet", async () => {
  let said = 0;
  for (const refuse of [byWindow(120, "sliding"), atRate(2, 1), atRandom(0.3, 5_000)]) {
    const rows = 300;
    const { asked, reasons } = await play({ ...LANES, concurrency: 5, rows, refuse });
    for (const [reason, before] of reasons.map((one, i) => [one, asked[i]] as const)) {
      if (!reason.startsWith("all remaining rows")) continue;
      assertEquals(before, rows);
      said++;
    }
  }
  assertGreater(said, 0, "the words of the reason have changed");
});
