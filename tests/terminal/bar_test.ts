import { assert, assertEquals, assertLessOrEqual } from "../../lib/deps/std_assert.ts";
import { stringWidth } from "../../lib/deps/string_width.ts";
import { createBar } from "../../lib/terminal/progress_lines.ts";
import type { Notice, Snapshot } from "../../lib/progress/events.ts";
import {
  makeErrorGroup,
  makeSnapshot,
  makeSummary,
  makeTeacher,
  ManualClock,
} from "../progress/fixtures.ts";
import { Screen } from "./screen.ts";

function setUp(
  width = 100,
  options: { isColored?: boolean; isVerbose?: boolean } = {},
) {
  const clock = new ManualClock();
  const screen = new Screen(width);
  const writes: string[] = [];
  const bar = createBar({
    write: (text) => {
      writes.push(text);
      screen.write(text);
    },
    columns: () => screen.width,
    isColored: false,
    now: clock.now,
    ...options,
  });
  return { bar, clock, screen, writes };
}

/** Local time, so that the same clock is shown everywhere. */
const UNTIL = new Date(2026, 0, 1, 12, 3, 7).toISOString();

const LOSING = [makeErrorGroup({ actions: { retried: 9, failed: 3, halted: 0 } })];

/** A run with prices, one of whose two teachers is down. */
const TROUBLE: Partial<Snapshot> = {
  errors: LOSING,
  state: "backing_off",
  backing_off_until: UNTIL,
  reason: "429: tokens per min",
  in_flight: 0,
  limit: 7,
  concurrency: 200,
  refused_for_load: 1312,
  wasted_completion_tokens: 4830,
  cost_usd: 1.2,
  projected_cost_usd: 14.2,
  projected_cost_is_lower_bound: false,
  max_cost_usd: 20,
  teachers: [
    makeTeacher({ state: "cooling_down", until: UNTIL, reason: "429: tokens per min" }),
    makeTeacher({ address: "http://gpu2:8000/v1" }),
  ],
};

function makeNotice(message: string, level: Notice["level"] = "info"): Notice {
  return { type: "notice", time: "2026-01-01T00:00:00.000Z", level, message };
}

Deno.test("createBar() shows a snapshot in four lines", () => {
  const { bar, screen } = setUp();
  bar(makeSnapshot({ errors: LOSING }));
  assertEquals(screen.lines, [
    " ▒▒▒▒▒▒▒▒▒██████████████████████████████████▚▚░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  50.0%",
    " 500/1,000 rows · 38.3 rows/s · ETA 13 s (11 – 16 s) · 20 failed",
    " 19/20 in flight · 4 waiting · 1,240 tokens/s · latency p50 512 ms, p99 1.24 s",
    " top error: 3 × rate_limit 429: Slow down",
  ]);
});

Deno.test("createBar() leaves out the ranges of estimates where the failed rows need their room", () => {
  const { bar, screen } = setUp(66);
  bar(makeSnapshot({ cost_usd: 1.2, errors: LOSING }));
  assertEquals(screen.lines[1], " 500/1,000 rows · 38.3 rows/s · ETA 13 s · $1.20 · 20 failed");
});

Deno.test("createBar() shows the process on request, and no line of more than 120 columns", () => {
  const { bar, screen } = setUp(300, { isVerbose: true });
  bar(makeSnapshot({ ...TROUBLE, reason: "x".repeat(300) }));
  assertEquals(screen.lines[3], " lag 1.2 ms · CPU 12% · 85 MB");
  for (const line of screen.lines) assertLessOrEqual(stringWidth(line), 120, line);
});

Deno.test("createBar() omits values that are unknown or zero", () => {
  const { bar, screen } = setUp();
  const latency_ms = { p50: 0, p90: 0, p99: 0, max: 0 };
  const nothing = { skipped: 0, succeeded: 0, failed: 0, waiting: 0, tokens_per_s: 0 };
  bar(
    makeSnapshot({ ...nothing, total: null, eta_s: null, errors: [], latency_ms, rate_per_s: 0 }),
  );
  assertEquals(screen.lines, [
    " 0 rows finished · 0.0 rows/s",
    " 19/20 in flight",
  ]);
});

Deno.test("createBar() names any state but the usual one", () => {
  const { bar, clock, screen } = setUp(100);
  bar(makeSnapshot({ state: "preparing", total: null }));
  assertEquals(screen.lines, [" reading the input"]);
  clock.advance(250);
  bar(makeSnapshot({ state: "paused" }));
  assert(screen.lines[1].startsWith(" paused · 500/1,000 rows"));
});

Deno.test("createBar() shows in four lines the reason of a delay and the cost", () => {
  const { bar, screen } = setUp(200);
  bar(makeSnapshot(TROUBLE));
  assertEquals(screen.lines.slice(1), [
    " backing off until 12:03:07 (429: tokens per min) · 500/1,000 rows · 38.3 rows/s · " +
    "$1.20 of ~$14 (max $20) · 20 failed",
    " 0/200 in flight, limit 7 · 4 waiting · 1,312 throttled · 1,240 tokens/s · " +
    "4,830 tokens wasted",
    " 1 of 2 teachers up: gpu1:8000 cooling down until 12:03:07 (429: tokens per min) · " +
    "top error: 3 × rate_limit 429: Slow …",
  ]);
});

Deno.test("createBar() keeps what matters most at 80 columns", () => {
  const { bar, screen } = setUp(80);
  bar(makeSnapshot(TROUBLE));
  assertEquals(screen.lines.slice(1, 3), [
    " backing off until 12:03:07 (429: tokens per min) · 500/1,000 rows",
    " 0/200 in flight, limit 7 · 4 waiting · 1,312 throttled · 1,240 tokens/s",
  ]);
});

Deno.test("createBar() is full only when all is done, and shows one failed row of a million", () => {
  const { bar, clock, screen } = setUp();
  bar(makeSnapshot({ total: 1_000_000, skipped: 0, succeeded: 999_998, failed: 1 }));
  assert(screen.lines[0].includes("█▚░") && screen.lines[0].endsWith(" 99.9%"));
  clock.advance(1000);
  bar(makeSnapshot({ total: 1_000_000, skipped: 0, succeeded: 999_999, failed: 1 }));
  assert(screen.lines[0].includes("█▚ 100.0%"));
  clock.advance(1000);
  bar(makeSnapshot({ total: 0, skipped: 0, succeeded: 0, failed: 0 }));
  assert(screen.lines[0].includes("█ 100.0%"));
});

Deno.test("createBar() draws in place, at most four times a second", () => {
  const { bar, clock, screen, writes } = setUp();
  for (let ms = 0; ms < 1000; ms += 50) {
    bar(makeSnapshot({ succeeded: ms }));
    bar(makeNotice(`notice ${ms}`));
    clock.advance(50);
  }
  assertLessOrEqual(writes.length, 4);
  bar.clear();
  assertEquals(screen.lines, Array.from({ length: 20 }, (_, i) => `notice ${i * 50}`));
});

Deno.test("createBar() never writes a line wider than the terminal", () => {
  const errors = [makeErrorGroup({ ...LOSING[0], message: "天地玄黃".repeat(50) })];
  for (let width = 1; width < 140; width++) {
    const { bar, writes } = setUp(width, { isColored: true });
    bar(makeSnapshot({ ...TROUBLE, errors, reason: "天地玄黃".repeat(50) }));
    // deno-lint-ignore no-control-regex
    const lines = writes.join("").replace(/\x1b\[[\d;]*[A-Za-z]/g, "").split(/[\r\n]+/);
    for (const line of lines) {
      // The first cell is where the cursor rests, so a line has at least one.
      assertLessOrEqual(stringWidth(line), Math.max(1, width - 1));
    }
  }
});

for (const mode of ["wrap", "cut"] as const) {
  Deno.test(`createBar() leaves nothing behind when the terminal gets narrower (${mode})`, () => {
    const { bar, clock, screen } = setUp(120);
    screen.write("$ deno task distill\r\n");
    bar(makeSnapshot());
    for (const width of [80, 79, 40, 23, 10, 60, 200]) {
      screen.resize(width, mode);
      clock.advance(1000);
      bar(makeSnapshot());
      const fresh = setUp(width);
      fresh.bar(makeSnapshot());
      assertEquals(screen.lines.slice(-fresh.screen.lines.length), fresh.screen.lines);
      const above = screen.lines.slice(0, -fresh.screen.lines.length).join("");
      assert("$ deno task distill".startsWith(above));
    }
  });
}

Deno.test("createBar() prints notices and the start above the bar", () => {
  const { bar, clock, screen } = setUp(60);
  bar({
    type: "run-start",
    time: "2026-01-01T00:00:00.000Z",
    model: "gpt-5-mini",
    teacher: "https://api.example.com/v1",
    total: 1000,
    skipped: 100,
    pending: 900,
    concurrency: 20,
    concurrency_is_auto: false,
  });
  clock.advance(250);
  bar(makeSnapshot());
  clock.advance(250);
  bar(makeNotice("The key expires soon", "warning"));
  assertEquals(screen.lines.slice(0, 4), [
    "900 rows to do (100 already finished): gpt-5-mini at https:/",
    "/api.example.com/v1, concurrency 20",
    "Warning: The key expires soon",
    " ▒▒▒▒▒███████████████████▚░░░░░░░░░░░░░░░░░░░░░░░░░░  50.0%",
  ]);
});

Deno.test("createBar() removes control characters from foreign texts", () => {
  const { bar, clock, screen } = setUp(200);
  const errors = [makeErrorGroup({ ...LOSING[0], message: "x\x1b]0;owned\x07y\r\nz" })];
  bar(makeSnapshot({ errors }));
  clock.advance(250);
  bar(makeNotice("no\x1b[31m\x07tice"));
  assertEquals(screen.lines[0], "no tice");
  assertEquals(screen.lines.at(-1), " top error: 3 × rate_limit 429: xy z");
});

Deno.test("createBar() clears itself, and comes back with the next snapshot", () => {
  const { bar, screen } = setUp();
  screen.write("before\r\n");
  bar(makeSnapshot());
  bar.clear();
  assertEquals(screen.lines, ["before"]);
  bar(makeSnapshot());
  assertEquals(screen.lines.length, 4);
});

Deno.test("createBar() ends with the run: the last figures stay, the cursor is below them", () => {
  const { bar, screen, writes } = setUp();
  bar(makeSnapshot());
  bar(makeSnapshot({ state: "done", succeeded: 880, errors: [] }));
  bar(makeSummary());
  assert(screen.lines[0].endsWith("100.0%"));
  assertEquals(screen.lines.length, 3);
  assertEquals(screen.cursorRow, 3);
  const { length } = writes;
  bar.done();
  bar.clear();
  bar(makeSnapshot());
  assertEquals(writes.length, length);
});

Deno.test("createBar() that never drew leaves nothing at its end", () => {
  const { bar, writes } = setUp();
  bar.done();
  assertEquals(writes, []);
});

Deno.test("createBar() uses colors only when allowed, and has the same text without", () => {
  const plain = setUp(100);
  const colored = setUp(100, { isColored: true });
  plain.bar(makeSnapshot());
  colored.bar(makeSnapshot());
  assert(!plain.writes.join("").includes("m\x1b") && !plain.writes.join("").includes("\x1b[31m"));
  assert(colored.writes.join("").includes("\x1b[31m"));
  assertEquals(colored.screen.lines, plain.screen.lines);
});
