import { assert, assertEquals, assertLessOrEqual } from "../../lib/deps/std_assert.ts";
import { stringWidth } from "../../lib/deps/string_width.ts";
import { createPlain } from "../../lib/terminal/progress_lines.ts";
import { makeErrorGroup, makeSnapshot, makeSummary, ManualClock } from "../progress/fixtures.ts";

function setUp() {
  const clock = new ManualClock();
  const lines: string[] = [];
  const plain = createPlain({ write: (text) => lines.push(text), now: clock.now });
  return { clock, lines, plain };
}

const LOSING = [makeErrorGroup({ actions: { retried: 9, failed: 3, halted: 0 } })];

Deno.test("createPlain() writes a snapshot as one line, and the work and the process on request", () => {
  const { lines, plain } = setUp();
  plain(makeSnapshot({ errors: LOSING }));
  const line = "[10 s] running: 500/1,000 rows · 50.0% · 38.3 rows/s · ETA 13 s (11 – 16 s) · " +
    "20 failed · top error: 3 × rate_limit 429…\n";
  assertEquals(lines, [line]);
  const verbose = createPlain({ write: (text) => lines.push(text), isVerbose: true });
  verbose(makeSnapshot({ errors: LOSING }));
  assertEquals(lines[1].split("\n").slice(1), [
    "  lag 1.2 ms · CPU 12% · 85 MB · 19/20 in flight · 4 waiting · 1,240 tokens/s · " +
    "latency p50 512 ms, p99 1.24 s",
    "",
  ]);
});

Deno.test("createPlain() keeps the number of failed rows and their cause rather than the ranges of estimates", () => {
  const { lines, plain } = setUp();
  plain(makeSnapshot({
    cost_usd: 0.027,
    projected_cost_usd: 0.14,
    projected_cost_is_lower_bound: false,
    projected_cost_range_usd: [0.13, 0.15],
    errors: LOSING,
  }));
  assertEquals(lines, [
    "[10 s] running: 500/1,000 rows · 50.0% · 38.3 rows/s · ETA 13 s · $0.0270 of ~$0.14 · " +
    "20 failed · top error: 3 × rate_l…\n",
  ]);
});

Deno.test("createPlain() writes no line of more than 120 columns", () => {
  const { clock, lines, plain } = setUp();
  const long = "天地玄黃".repeat(50);
  const cost = { cost_usd: 1234.5, projected_cost_usd: 98765.4, max_cost_usd: 100_000 };
  for (const state of ["running", "backing_off", "paused", "halted"] as const) {
    clock.advance(60_000);
    plain(makeSnapshot({
      state,
      reason: long,
      total: 10_000_000,
      ...cost,
      projected_cost_is_lower_bound: false,
      projected_cost_range_usd: [90_000, 110_000],
      errors: [{ ...LOSING[0], message: long }],
    }));
  }
  for (const line of lines) assertLessOrEqual(stringWidth(line.trimEnd()), 120, line);
  assertEquals(lines.length, 4);
});

Deno.test("createPlain() writes a line every 30 s and at each change of state", () => {
  const { clock, lines, plain } = setUp();
  plain(makeSnapshot({ state: "preparing", elapsed_ms: 0 }));
  for (let second = 0; second < 70; second++) {
    plain(makeSnapshot({ elapsed_ms: second * 1000 }));
    clock.advance(1000);
  }
  plain(makeSnapshot({ state: "paused", elapsed_ms: 70_000 }));
  plain(makeSnapshot({ state: "paused", elapsed_ms: 70_100 }));
  assertEquals(lines.map((line) => line.split(":")[0].trim()), [
    "[0.0 s] reading the input",
    "[0.0 s] running",
    "[30 s] running",
    "[1m 00s] running",
    "[1m 10s] paused",
  ]);
});

Deno.test("createPlain() writes no line each time that all rows wait for a moment", () => {
  const { clock, lines, plain } = setUp();
  for (let i = 0; i < 200; i++) {
    plain(makeSnapshot({ state: i % 2 === 0 ? "running" : "backing_off", elapsed_ms: i * 100 }));
    clock.advance(100);
  }
  plain(makeSnapshot({ state: "done", elapsed_ms: 20_000 }));
  assertEquals(lines.map((line) => line.split(":")[0].trim()), [
    "[0.0 s] running",
    "[10 s] backing off",
    "[20 s] done",
  ]);
});

Deno.test("createPlain() projects no end of a run that has ended", () => {
  for (const state of ["done", "halted"] as const) {
    const { lines, plain } = setUp();
    plain(makeSnapshot({ state }));
    assertEquals(lines[0].includes("ETA"), false);
  }
});

Deno.test("createPlain() says why a run was halted", () => {
  const { lines, plain } = setUp();
  plain(makeSnapshot({ state: "halted", reason: "The key\x1b[2J was refused (401)" }));
  assert(lines[0].startsWith("[10 s] halted (The key was refused (401)): 500/1,000 rows · "));
});

Deno.test("createPlain() cuts long texts of a teacher", () => {
  const { lines, plain } = setUp();
  plain(makeSnapshot({ state: "backing_off", reason: "x".repeat(100_000) }));
  assert(lines[0].startsWith(`[10 s] backing off (${"x".repeat(39)}…): `));
});

Deno.test("createPlain() writes notices and the start at once, without control characters", () => {
  const { lines, plain } = setUp();
  const time = "2026-01-01T00:00:00.000Z";
  plain({
    type: "run-start",
    time,
    model: "",
    teacher: "",
    total: null,
    skipped: 0,
    pending: null,
    concurrency: 20,
    concurrency_is_auto: false,
  });
  plain({
    type: "run-start",
    time,
    model: "m",
    teacher: "http://a, http://b, http://c, http://d, http://e",
    total: 1,
    skipped: 0,
    pending: 1,
    concurrency: 1_024,
    concurrency_is_auto: true,
  });
  plain({ type: "notice", time, level: "info", message: "a\x1b[31mb\nc" });
  plain({ type: "notice", time, level: "warning", message: "slow" });
  plain(makeSummary());
  assertEquals(lines, [
    "Rows to do: the teacher, concurrency 20\n",
    "1 row to do: m at http://a, http://b, http://c and 2 more, concurrency auto (up to 1,024)\n",
    "ab c\n",
    "Warning: slow\n",
  ]);
});
