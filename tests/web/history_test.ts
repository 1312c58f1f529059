import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertLessOrEqual,
} from "../../lib/deps/std_assert.ts";
import type { TeacherStatus } from "../../lib/progress/mod.ts";
import { History, Marks, MAX_POINTS, type Reading } from "../../web/history.ts";
import type { HistoryColumn } from "../../web/monitor_state.ts";
import { makeSnapshot, makeTeacher } from "../progress/fixtures.ts";

function reading(elapsedS: number, changes: Partial<Reading> = {}): Reading {
  return {
    elapsed_ms: elapsedS * 1000,
    succeeded: 0,
    failed: 0,
    completion_tokens: 0,
    refused_for_load: 0,
    p50: null,
    p90: null,
    p99: null,
    in_flight: 0,
    limit: 20,
    concurrency: 20,
    cpu_percent: 0,
    lag_ms: 0,
    rss_bytes: 0,
    ...changes,
  };
}

function column(history: History, name: HistoryColumn): (number | null)[] {
  return history.columns().columns[name];
}

Deno.test("History.columns() gives counters as rates between points", () => {
  const history = new History();
  history.add(reading(0.5, { succeeded: 5, completion_tokens: 100 }));
  history.add(reading(1, { succeeded: 6, failed: 2, completion_tokens: 400, refused_for_load: 3 }));
  assertEquals(column(history, "elapsed_s"), [0.5, 1]);
  assertEquals(column(history, "succeeded_per_s"), [10, 2]);
  assertEquals(column(history, "failed_per_s"), [0, 4]);
  assertEquals(column(history, "tokens_per_s"), [200, 600]);
  assertEquals(column(history, "refused_for_load"), [0, 3]);
});

Deno.test("History.add() keeps a whole run of ten days in at most 1,000 points", () => {
  const history = new History();
  const days = 10, everyS = 5;
  let readings = 0;
  for (let s = 0; s <= days * 86_400; s += everyS) {
    readings++;
    history.add(reading(s, { succeeded: 2 * s, refused_for_load: Math.floor(s / 1000) }));
    assertLessOrEqual(history.length, MAX_POINTS);
  }
  const { point_s: pointS, columns } = history.columns();
  assert(history.length > MAX_POINTS / 2 - 1);
  assertEquals(columns.elapsed_s[0]! < pointS, true);
  assertEquals(columns.elapsed_s.at(-1), days * 86_400);
  for (const rate of columns.succeeded_per_s.slice(1)) assertAlmostEquals(rate!, 2, 0.01);
  const refused = columns.refused_for_load.reduce((sum: number, one) => sum + one!, 0);
  assertEquals(refused, Math.floor(days * 86.4), "every refusal is in some point");
  assert(readings > 100 * history.length);
});

Deno.test("History.add() merges gauges as means, lag and memory as maxima, settings as the last value", () => {
  const history = new History(2);
  history.add(reading(0.1, { p50: 10, in_flight: 4, lag_ms: 30, rss_bytes: 5, concurrency: 20 }));
  history.add(reading(0.6, { p50: 30, in_flight: 8, lag_ms: 2, rss_bytes: 9, concurrency: 50 }));
  history.add(reading(1.2, { p50: null }));
  assertEquals([history.length, history.mergeCount, history.columns().point_s], [2, 1, 1]);
  const first = (name: HistoryColumn) => column(history, name)[0];
  assertEquals(first("p50_ms"), 20);
  assertEquals(first("in_flight"), 6);
  assertEquals([first("lag_ms"), first("rss_bytes"), first("concurrency")], [30, 9, 50]);
  assertEquals(column(history, "p50_ms")[1], null, "no answers, no latency");
});

Deno.test("History.add() makes one point of readings in one half second", () => {
  const history = new History();
  for (const s of [0, 0.1, 0.2, 0.49]) history.add(reading(s, { succeeded: s * 100 }));
  assertEquals(history.length, 1);
  assertEquals(history.valuesAt(0)[1], 100);
});

Deno.test("History.add() ignores a reading that is older than the last", () => {
  const history = new History();
  history.add(reading(5, { succeeded: 5 }));
  history.add(reading(4, { succeeded: 4 }));
  assertEquals(column(history, "elapsed_s"), [5]);
});

Deno.test("History.continue() adds a second run after the first", () => {
  const history = new History();
  history.add(reading(10, { succeeded: 100 }));
  history.beginNextRun();
  history.add(reading(0.1, { succeeded: 1 }));
  history.add(reading(2.1, { succeeded: 5 }));
  assertEquals(column(history, "elapsed_s"), [10.1, 12.1]);
  assertEquals(column(history, "succeeded_per_s"), [10, 2]);
});

Deno.test("History.columns() stays below 100 KB as text when it is full", () => {
  const history = new History();
  for (let i = 1; i <= MAX_POINTS; i++) {
    const value = 12345.6789 * i;
    history.add({
      ...reading(i / 2),
      p50: value,
      p90: value,
      p99: value,
      in_flight: i,
      lag_ms: Math.sqrt(i),
      rss_bytes: value * 1e5,
      succeeded: i ** 2,
    });
  }
  assertEquals(history.length, MAX_POINTS);
  assertLessOrEqual(JSON.stringify(history.columns()).length, 100_000);
});

/** Returns the texts of the marks of a teacher that goes through these states, a minute apart. */
function marksOf(states: readonly TeacherStatus["state"][]): string[] {
  const marks = new Marks();
  states.forEach((state, i) =>
    marks.observe(makeSnapshot({ teachers: [makeTeacher({ state })] }), i * 60)
  );
  return marks.all.map(({ kind, text }) => `${kind}: ${text.split(" ").at(-1)}`);
}

Deno.test("a mark says that a teacher is up again only if it takes requests again", () => {
  assertEquals(marksOf(["up", "down", "up"]), ["down: down", "up: up"]);
  assertEquals(marksOf(["up", "down", "cooling_down", "up"]), ["down: down", "up: up"]);
  assertEquals(marksOf(["down", "left"]), []);
  assertEquals(marksOf(["down", "leaving", "left"]), []);
  assertEquals(marksOf(["down", "halted"]), ["down: halted"]);
  assertEquals(marksOf(["cooling_down", "up"]), []);
});
