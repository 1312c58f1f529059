import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertLess,
} from "../../lib/deps/std_assert.ts";
import { type Estimate, Projection } from "../../lib/progress/projection.ts";
import { RateMeter } from "../../lib/timer.ts";

interface Look extends Estimate {
  atMs: number;
  /** The actual remaining time. */
  trueSeconds: number;
}

const STEP_MS = 100;

/** Limits nothing, and widens no range. */
const STEADY = { maxPerSecond: Infinity, spread: [1, 1] } as const;

/** Runs rows of known durations over lanes, and reads the projection ten times per second. */
function simulate(durationsMs: readonly number[], lanes: number): Look[] {
  const projection = new Projection(lanes, durationsMs.length, 0);
  const rate = new RateMeter(0, { slotMs: 1_000, windowMs: 30_000, minSpanMs: 0 });
  const looks: Omit<Look, "trueSeconds">[] = [];
  let under: { sequence: number; endMs: number }[] = [];
  let sent = 0;
  let nowMs = 0;
  while (sent < durationsMs.length || under.length > 0) {
    while (under.length < lanes && sent < durationsMs.length) {
      under.push({ sequence: sent, endMs: nowMs + durationsMs[sent++] });
    }
    nowMs += STEP_MS;
    const finished = under.filter(({ endMs }) => endMs <= nowMs);
    under = under.filter(({ endMs }) => endMs > nowMs);
    for (const { sequence } of finished) projection.settled(sequence, durationsMs[sequence], 0);
    rate.add(nowMs, finished.length);
    projection.observe(nowMs, under.length, 0);
    const projected = projection.project({
      ...STEADY,
      rows: durationsMs.length,
      concurrency: lanes,
      recentRows: rate.sum(nowMs),
      recentRate: rate.perSecond(nowMs),
      elapsedMs: nowMs,
    });
    looks.push({ ...projected, atMs: nowMs });
  }
  return looks.map((look) => ({ ...look, trueSeconds: (nowMs - look.atMs) / 1000 }));
}

/** Durations distributed like those of answers: many short ones and a long tail. The same at each
 * call. */
function exponentialLengths(count: number, meanMs: number): number[] {
  let state = 1;
  return Array.from({ length: count }, () => {
    // Mulberry32.
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    const random = ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    const length = -Math.log(1 - random) * meanMs;
    return Math.max(STEP_MS, Math.round(length / STEP_MS) * STEP_MS);
  });
}

Deno.test("Projection knows nothing before the first row was sent", () => {
  const projection = new Projection(20, 1000, 0);
  const position = {
    ...STEADY,
    rows: 1000,
    concurrency: 20,
    recentRows: 0,
    recentRate: 0,
    elapsedMs: 0,
  };
  assertEquals(projection.project(position), {
    value: null,
    isLowerBound: true,
    range: [0, 0],
  });
});

Deno.test("Projection is right to 10 % for rows of one length", () => {
  const looks = simulate(Array(2000).fill(2000), 20);
  const certain = looks.filter(({ isLowerBound }) => !isLowerBound);
  assertGreater(certain.length, looks.length * 0.8);
  for (const { value, trueSeconds } of certain) {
    if (trueSeconds > 20) assertAlmostEquals(value! / trueSeconds, 1, 0.1);
  }
});

Deno.test("Projection is right to 20 % for exponential lengths once it is certain", () => {
  const looks = simulate(exponentialLengths(4000, 5000), 20);
  const certain = looks.filter(({ isLowerBound }) => !isLowerBound);
  assertGreater(certain.length, looks.length * 0.8);
  for (const { value, trueSeconds } of certain) {
    if (trueSeconds > 100) assertAlmostEquals(value! / trueSeconds, 1, 0.2);
  }
});

Deno.test("Projection gives a lower bound while the long rows of the first cohorts continue", () => {
  // Every tenth row takes 20 times as long: 2.9 s on average, but those that finish first take 1 s.
  const lengths = Array.from({ length: 3000 }, (_, i) => i % 10 === 5 ? 20_000 : 1000);
  const looks = simulate(lengths, 40);
  for (const { value, isLowerBound, trueSeconds } of looks) {
    if (isLowerBound || trueSeconds < 30) continue;
    assertGreater(value!, trueSeconds * 0.9);
  }
  const early = looks.find(({ atMs }) => atMs === 5000)!;
  assert(early.isLowerBound);
  assertLess(early.value!, early.trueSeconds);
});

Deno.test("Projection never lets the lower bound of the first phase exceed the truth", () => {
  const lengths = exponentialLengths(2000, 8000);
  const looks = simulate(lengths, 50);
  const firstCertain = looks.findIndex(({ isLowerBound }) => !isLowerBound);
  assertGreater(firstCertain, 0);
  for (const { value, trueSeconds } of looks.slice(0, firstCertain)) {
    if (value !== null) assertLess(value, trueSeconds);
  }
});

Deno.test("Projection lets the lower bound grow with rows that never end", () => {
  const looks = simulate([...Array(20).fill(600_000), ...Array(180).fill(1000)], 20);
  const at = (ms: number) => looks.find(({ atMs }) => atMs === ms)!;
  assert(at(60_000).isLowerBound && at(300_000).isLowerBound);
  assertGreater(at(300_000).value!, at(60_000).value! * 4);
});

Deno.test("Projection does not take finished cohorts for all cohorts while an early cohort continues", () => {
  // Row 3 takes ten minutes: the cohorts after its own finish, but are not the first ones.
  const looks = simulate(Array.from({ length: 6000 }, (_, i) => i === 3 ? 600_000 : 2000), 20);
  for (const { atMs, isLowerBound } of looks) {
    if (atMs < 600_000) assert(isLowerBound);
  }
});

Deno.test("Projection is a lower bound when all that is left are stragglers", () => {
  const looks = simulate(Array.from({ length: 1000 }, (_, i) => i === 990 ? 600_000 : 1000), 20);
  const late = looks.filter(({ atMs, trueSeconds }) => atMs > 60_000 && trueSeconds > 0);
  assertGreater(late.length, 100);
  for (const { isLowerBound, atMs, value } of late) {
    assert(isLowerBound);
    assertGreater(value!, (atMs - 60_000) / 1000);
  }
});

Deno.test("Projection grows and is flagged when the teacher falls silent", () => {
  const projection = new Projection(10, 1000, 0);
  for (let sequence = 0; sequence < 200; sequence++) projection.settled(sequence, 1000, 0);
  projection.observe(20_000, 10, 0);
  const position = { ...STEADY, rows: 1000, concurrency: 10, recentRows: 200, recentRate: 10 };
  const before = projection.project({ ...position, elapsedMs: 20_000 });
  assertEquals(before, { value: 80, isLowerBound: false, range: [80, 80] });
  projection.observe(220_000, 10, 0);
  const after = projection.project({ ...position, elapsedMs: 220_000 });
  assertEquals(after.isLowerBound, true);
  assertGreater(after.value!, 199);
});

Deno.test("Projection does not count a pause as silence", () => {
  const projection = new Projection(10, 1000, 0);
  for (let sequence = 0; sequence < 200; sequence++) projection.settled(sequence, 1000, 0);
  projection.observe(20_000, 0, 0);
  for (let nowMs = 21_000; nowMs <= 3_600_000; nowMs += 1000) projection.observe(nowMs, 0, 0);
  projection.observe(3_600_100, 10, 0);
  const position = { ...STEADY, rows: 1000, concurrency: 10, recentRows: 0, recentRate: 0 };
  const projected = projection.project({ ...position, elapsedMs: 20_000 });
  assertEquals(projected, { value: 80, isLowerBound: false, range: [80, 80] });
});

Deno.test("Projection uses the rate where lanes are empty", () => {
  const projection = new Projection(10, 1000, 0);
  for (let sequence = 0; sequence < 200; sequence++) projection.settled(sequence, 1000, 0);
  projection.observe(100_000, 2, 8);
  const position = { ...STEADY, rows: 1000, concurrency: 10, elapsedMs: 100_000 };
  const recent = projection.project({ ...position, recentRows: 60, recentRate: 2 });
  assertAlmostEquals(recent.value!, 400 / (1 + 1 / Math.sqrt(60)), 0.1);
  const tooFew = projection.project({ ...position, recentRows: 15, recentRate: 0.5 });
  assertAlmostEquals(tooFew.value!, 400 / (1 + 1 / Math.sqrt(200)), 0.1);
  const tooEarly = projection.project({
    ...position,
    elapsedMs: 29_000,
    recentRows: 60,
    recentRate: 2,
  });
  assertAlmostEquals(tooEarly.value!, 80, 1);
});

Deno.test("Projection uses no rate while no row is finished", () => {
  const projection = new Projection(10, 1000, 0);
  projection.observe(50_000, 0, 20);
  projection.observe(60_000, 1, 20);
  const position = {
    ...STEADY,
    rows: 1000,
    concurrency: 10,
    recentRows: 0,
    recentRate: 0,
    elapsedMs: 60_000,
  };
  const { value, isLowerBound } = projection.project(position);
  assert(Number.isFinite(value) && isLowerBound, `${value}`);
});

Deno.test("Projection follows a change of concurrency", () => {
  const projection = new Projection(10, 1000, 0);
  for (let sequence = 0; sequence < 200; sequence++) projection.settled(sequence, 1000, 0);
  projection.observe(20_000, 10, 0);
  const position = { ...STEADY, rows: 1000, recentRows: 1000, recentRate: 1000, elapsedMs: 20_000 };
  // 790 rows in the queue, and the last wave.
  assertEquals(projection.project({ ...position, concurrency: 10 }).value, 80);
  assertEquals(projection.project({ ...position, concurrency: 20 }).value, 40.5);
});

Deno.test("Projection gives 0 s when all rows are done", () => {
  const projection = new Projection(10, 3, 0);
  for (let sequence = 0; sequence < 3; sequence++) projection.settled(sequence, 1000, 0);
  projection.observe(1000, 0, 0);
  const position = {
    ...STEADY,
    rows: 3,
    concurrency: 10,
    recentRows: 3,
    recentRate: 3,
    elapsedMs: 1000,
  };
  assertEquals(projection.project(position), { value: 0, isLowerBound: false, range: [0, 0] });
});

Deno.test("Projection works where the number of lanes exceeds the rows", () => {
  const looks = simulate(exponentialLengths(300, 3000), 1000);
  for (const { value } of looks) assert(value === null || Number.isFinite(value));
  assertEquals(looks.at(-1)!.value, 0);
});

Deno.test("Projection knows no cost before the first row was sent, nor before anything was spent", () => {
  const projection = new Projection(20, 1000, 0);
  assertEquals(projection.projectCost(1000, 0), { value: null, isLowerBound: true, range: [0, 0] });
  projection.observe(1000, 20, 0);
  assertEquals(projection.projectCost(1000, 0), { value: null, isLowerBound: true, range: [0, 0] });
});

Deno.test("Projection gives a lower bound of the cost until half of what was sent has finished in order", () => {
  // Cohorts of 80 rows. The first row is a long one: it is in flight while the others, at a cent,
  // finish.
  const projection = new Projection(20, 1000, 0);
  for (let sequence = 1; sequence < 200; sequence++) projection.settled(sequence, 1000, 0.01);
  projection.observe(10_000, 1, 0);
  const before = projection.projectCost(1000, 1.99);
  assert(before.isLowerBound);
  assertAlmostEquals(before.value!, 1.99 + 800 * 1.99 / 200, 1e-9);
  projection.settled(0, 10_000, 8.01);
  // Two cohorts, 160 of 200 rows, cost 1.59 + 8.01.
  const after = projection.projectCost(1000, 10);
  assertEquals(after.isLowerBound, false);
  assertAlmostEquals(after.value!, 10 + 800 * 9.6 / 160, 1e-9);
});

Deno.test("Projection never lets the lower bound of the cost exceed the truth", () => {
  // Long rows cost more, and finish last.
  const lengths = exponentialLengths(2000, 8000);
  const lanes = 50;
  const projection = new Projection(lanes, lengths.length, 0);
  const ends: { sequence: number; endMs: number }[] = [];
  let nowMs = 0;
  lengths.forEach((lengthMs, sequence) => {
    const free = sequence < lanes ? 0 : ends.toSorted((a, b) => b.endMs - a.endMs)[lanes - 1].endMs;
    ends.push({ sequence, endMs: free + lengthMs });
  });
  const total = lengths.reduce((sum, lengthMs) => sum + lengthMs, 0) / 1000;
  let spent = 0;
  let bounds = 0;
  const order = ends.toSorted((a, b) => a.endMs - b.endMs);
  for (const [index, { sequence, endMs }] of order.entries()) {
    nowMs = endMs;
    spent += lengths[sequence] / 1000;
    projection.settled(sequence, lengths[sequence], lengths[sequence] / 1000);
    projection.observe(nowMs, Math.min(lanes, lengths.length - index - 1), 0);
    const { value, isLowerBound } = projection.projectCost(lengths.length, spent);
    if (isLowerBound) {
      bounds++;
      assertLess(value!, total);
    } else assertAlmostEquals(value! / total, 1, 0.2);
  }
  assertGreater(bounds, 50);
  assertAlmostEquals(spent, total, 1e-6);
});

Deno.test("Projection gives what was spent when all rows are done, and for free rows nothing", () => {
  const projection = new Projection(10, 3, 0);
  for (let sequence = 0; sequence < 2; sequence++) projection.settled(sequence, 1000, 0);
  projection.observe(1000, 1, 0);
  assertEquals(projection.projectCost(3, 0), { value: 0, isLowerBound: false, range: [0, 0] });
  projection.settled(2, 1000, 0.5);
  assertEquals(projection.projectCost(3, 0.5), {
    value: 0.5,
    isLowerBound: false,
    range: [0.5, 0.5],
  });
});

Deno.test("Projection includes the cost of rows after the finished cohorts", () => {
  const projection = new Projection(20, 1000, 0);
  for (let sequence = 0; sequence < 200; sequence++) {
    projection.settled(sequence, 1000, sequence < 160 ? 0.01 : 1);
  }
  projection.observe(10_000, 0, 0);
  const { value, isLowerBound } = projection.projectCost(1000, 41.6);
  assertEquals(isLowerBound, false);
  assertAlmostEquals(value!, 41.6 + 800 * 41.6 / 200, 1e-9);
});

Deno.test("Projection: a row of unknown cost counts as the mean of the others", () => {
  const projection = new Projection(100, 10_000, 0);
  for (let sequence = 0; sequence < 800; sequence++) {
    projection.settled(sequence, 1000, sequence % 2 === 0 ? 0.01 : null);
  }
  // As many rows are in flight as have finished, so that the mean per row sent is too low.
  projection.observe(8000, 800, 0);
  const { value, range } = projection.projectCost(10_000, 8);
  assertAlmostEquals(value!, 100, 1e-6);
  assertAlmostEquals(range[1] - value!, 92 * 0.02, 1e-6);
});
