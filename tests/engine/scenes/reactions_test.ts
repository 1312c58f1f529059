/**
 * Tests what the reactions of a run to its teacher are worth, in simulated time: goodput, posts and
 * rejections, independent of the constants. `docs/flow.md` gives the reasons.
 *
 * @module
 */

import {
  assertEquals,
  assertGreaterOrEqual,
  assertLessOrEqual,
} from "../../../lib/deps/std_assert.ts";
import { TeacherError } from "../../../lib/errors.ts";
import { between, play, type Scene } from "../scene.ts";
import { tooMany } from "../timed_teacher.ts";

const LANES = { concurrency: 200, latencyMs: 1_000, spread: 0.3 };
const BUSY_PER_S = 200;

const broken = () => new TeacherError("Broken", { status: 500 });
const gone = () => new TeacherError("Refused", { type: "network", isUnreachable: true });

/** Rejects every attempt between two moments. */
function during(fromS: number, untilS: number, error: () => TeacherError): Scene["refuse"] {
  return ({ seconds }) => seconds >= fromS && seconds < untilS ? error() : undefined;
}

Deno.test("a careful start risks one attempt, and makes a run of 20 s at most a tenth longer", async () => {
  const { byCalls, postsPerSecond, failed } = await play({
    ...{ ...LANES, rows: 4_000, spread: 0 },
    refuse: () => undefined,
  });
  assertEquals([postsPerSecond[0], failed], [1, 0]);
  assertLessOrEqual(byCalls, 1.35);
});

Deno.test("a careful start that is refused at once sends a handful of requests in its first second", async () => {
  const { postsPerSecond } = await play({ ...LANES, rows: 1_000, refuse: () => tooMany() }, 10);
  assertLessOrEqual(postsPerSecond[0], 10);
});

Deno.test("refusals that arrive together, as from a server that restarts, count as one", async () => {
  const { perSecond } = await play({
    ...{ ...LANES, rows: 20_000, isCareful: false },
    refuse: during(10, 10.2, tooMany),
  }, 60);
  assertGreaterOrEqual(between(perSecond, 11, 41) / 30, 0.8 * BUSY_PER_S);
  assertGreaterOrEqual(between(perSecond, 41, 60) / 19, 0.95 * BUSY_PER_S);
});

Deno.test("a teacher whose capacity is halved for a minute is used to the full in the next", async () => {
  const refuse: Scene["refuse"] = ({ seconds, inFlight }) =>
    seconds >= 10 && seconds < 70 && inFlight >= 100 ? tooMany() : undefined;
  const result = await play({ ...LANES, rows: 30_000, isCareful: false, refuse }, 150);
  assertGreaterOrEqual(between(result.perSecond, 40, 70) / 30, 0.9 * BUSY_PER_S / 2);
  assertGreaterOrEqual(between(result.perSecond, 100, 130) / 30, 0.95 * BUSY_PER_S);
  assertEquals(result.lost, 0);
});

const OUTAGES: readonly [
  name: string,
  error: () => TeacherError,
  share: number,
][] = [
  ["answers 500 to everything", broken, 0.8],
  ["refuses connections", gone, 0.8],
  ["answers 503 to everything", () => new TeacherError("Overloaded", { status: 503 }), 0.8],
  ["answers 429 to everything", () => tooMany(), 0.7],
];
for (const [name, error, share] of OUTAGES) {
  Deno.test(`a teacher that ${name} for ten minutes is probed, no row fails, and it is used at once afterwards`, async () => {
    const result = await play({
      ...{ ...LANES, rows: 10_000, isCareful: false, refusalMs: 200 },
      refuse: during(5, 605, error),
    }, 660);
    assertEquals(result.lost, 0);
    // Probes become rarer with time.
    const posts = result.postsPerSecond.slice(60, 605);
    assertLessOrEqual(Math.max(...posts), 1);
    assertLessOrEqual(between(posts, 0, posts.length), posts.length);
    assertGreaterOrEqual(between(posts, 0, posts.length), 30);
    assertGreaterOrEqual(between(result.perSecond, 640, 660) / 20, share * BUSY_PER_S);
  });
}

Deno.test("a teacher that cannot be reached when a run begins is used to the full soon after", async () => {
  const { perSecond, lost } = await play({
    ...{ ...LANES, rows: 10_000, isCareful: true },
    refuse: during(0, 20, gone),
  }, 60);
  assertEquals(lost, 0);
  assertGreaterOrEqual(between(perSecond, 40, 60) / 20, 0.95 * BUSY_PER_S);
});

Deno.test("a teacher that refuses every third request is kept busy with one at a time", async () => {
  let asked = 0;
  const { byCalls, failed } = await play({
    ...{ rows: 1_000, concurrency: 1, latencyMs: 200, isCareful: false },
    refuse: () => ++asked % 3 === 0 ? tooMany() : undefined,
  });
  assertEquals(failed, 0);
  assertLessOrEqual(byCalls, 1.2);
});

Deno.test("a teacher that lets requests time out when too many are in flight is sent fewer", async () => {
  const tooSlow = () => new TeacherError("Too slow", { type: "timeout" });
  const { perSecond, posts, refused } = await play({
    ...{ ...LANES, rows: 10_000, refusalMs: 5_000 },
    refuse: ({ inFlight }) => inFlight >= 100 ? tooSlow() : undefined,
  }, 90);
  assertGreaterOrEqual(between(perSecond, 30, 90) / 60, 0.8 * BUSY_PER_S / 2);
  assertLessOrEqual(refused / posts, 0.15);
});

Deno.test("waiting rows hold no lane: if 40 % of rows fail once, a run takes a tenth longer than its calls", async () => {
  for (const isCareful of [false, true]) {
    const failed = new Set<string>();
    const result = await play({
      ...{ rows: 1_000, concurrency: 20, latencyMs: 100, refusalMs: 100, isCareful },
      refuse: ({ uid }) => {
        if (Number(uid) % 5 > 1 || failed.has(uid)) return undefined;
        failed.add(uid);
        return broken();
      },
    });
    assertEquals([result.failed, result.posts, result.refused], [0, 1_400, 400]);
    // A careful start of 20 lanes takes a twentieth more.
    assertLessOrEqual(result.byCalls, isCareful ? 1.15 : 1.1);
  }
});

/** No outage: only a share fails, and the others are answered. */
const SHARES: readonly [name: string, scene: Omit<Scene, "refuse">, share: number, most: number][] =
  [
    ["a fifth of it at once", { ...LANES, rows: 10_000, refusalMs: 5 }, 0.2, 1.2],
    [
      "half of it, with 1,000 in flight",
      { ...LANES, rows: 10_000, concurrency: 1_000, refusalMs: 5 },
      0.5,
      1.8,
    ],
    [
      "a fifth of it, where answers take a minute",
      { ...LANES, rows: 2_000, latencyMs: 60_000 },
      0.2,
      1.35,
    ],
  ];
for (const [name, scene, share, most] of SHARES) {
  Deno.test(`a teacher that breaks ${name} is never taken for one that is down`, async () => {
    const { reasons, byCalls } = await play({
      ...{ ...scene, isCareful: false },
      refuse: ({ random }) => random() < share ? broken() : undefined,
    });
    const outages = reasons.filter((reason) => !/waiting to be retried/.test(reason));
    assertEquals(outages, []);
    assertLessOrEqual(byCalls, most);
  });
}
