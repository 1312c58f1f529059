import { assertEquals } from "../../lib/deps/std_assert.ts";
import type { Snapshot } from "../../lib/progress/events.ts";
import { mainSegments, stateText, troubleTexts, workSegments } from "../../lib/terminal/status.ts";
import { makeErrorGroup, makeSnapshot, makeTeacher } from "../progress/fixtures.ts";

/** Local time, so that the same clock is shown everywhere. */
const UNTIL = new Date(2026, 0, 1, 12, 3, 7).toISOString();

const STATES: readonly [changes: Partial<Snapshot>, expected: string][] = [
  [{ state: "running", reason: "what is over" }, "running"],
  [{ state: "preparing" }, "reading the input"],
  [{ state: "paused" }, "paused"],
  [{ state: "backing_off" }, "backing off"],
  [{ state: "backing_off", reason: "connection refused" }, "backing off (connection refused)"],
  [{ state: "backing_off", backing_off_until: UNTIL }, "backing off until 12:03:07"],
  [
    { state: "backing_off", backing_off_until: UNTIL, reason: "429: tokens per min" },
    "backing off until 12:03:07 (429: tokens per min)",
  ],
  [{ state: "disk_full" }, "cannot write, waiting for the disk"],
  [
    { state: "disk_full", reason: "No space left on device" },
    "cannot write, waiting for the disk (No space left on device)",
  ],
  [
    { state: "draining", reason: "the budget of $20 is spent" },
    "finishing calls in flight (the budget of $20 is spent)",
  ],
  [{ state: "halted" }, "halted"],
  [{ state: "halted", reason: "The key\n\x1b[2Jwas refused" }, "halted (The key was refused)"],
  [{ state: "halted", reason: "x".repeat(60) }, `halted (${"x".repeat(39)}…)`],
  [{ state: "done" }, "done"],
  [
    { state: "backing_off", reason: `Cannot connect to ${"x".repeat(40)}: connection refused` },
    `backing off (connection refused: Cannot connect to x…)`,
  ],
  [
    {
      state: "halted",
      reason: "The teacher at http://gpu1:8000/v1 rejects all rows (401): Incorrect API key",
      teachers: [makeTeacher({ state: "halted", reason: "401: Incorrect API key" })],
    },
    "halted (401: Incorrect API key)",
  ],
  [
    {
      state: "halted",
      reason: "The budget is spent",
      teachers: [makeTeacher({ state: "halted", reason: "401: Wrong key" }), makeTeacher()],
    },
    "halted (The budget is spent)",
  ],
];

for (const [changes, expected] of STATES) {
  Deno.test(`stateText() says ${JSON.stringify(expected)}`, () => {
    assertEquals(stateText(makeSnapshot(changes), 40), expected);
  });
}

function inFlight(changes: Partial<Snapshot>): string | undefined {
  return workSegments(makeSnapshot(changes)).map(({ text }) => text)
    .find((text) => text.includes("in flight"));
}

Deno.test("workSegments() names the limit only where it is below the concurrency", () => {
  const flight = { in_flight: 37, concurrency: 200 };
  assertEquals(inFlight({ ...flight, limit: 64 }), "37/200 in flight, limit 64");
  assertEquals(inFlight({ ...flight, limit: 200 }), "37/200 in flight");
});

Deno.test("mainSegments() estimates the end with a range, or gives a lower bound after ten seconds", () => {
  const eta = (changes: Partial<Snapshot>) =>
    mainSegments(makeSnapshot(changes)).find(({ text }) => text.includes("ETA"))?.text;
  assertEquals(eta({ eta_s: 60, eta_range_s: [50, 125] }), "ETA 1m 00s (50 s – 2m 05s)");
  assertEquals(eta({}), "ETA 13 s (11 – 16 s)");
  const unsure = { eta_is_lower_bound: true, eta_range_s: null };
  assertEquals(eta({ ...unsure, elapsed_ms: 9_000 }), "ETA: too few answers yet");
  assertEquals(eta({ ...unsure, eta_s: null }), "ETA: too few answers yet");
  assertEquals(eta({ ...unsure, eta_s: 130, elapsed_ms: 60_000 }), "ETA over 2m 10s");
  assertEquals(
    eta({ ...unsure, eta_s: 130, refused_for_load: 3, elapsed_ms: 1_000 }),
    "ETA over 2m 10s",
  );
  assertEquals(eta({ ...unsure, state: "paused" }), undefined);
  assertEquals(eta({ state: "backing_off" }), undefined);
  assertEquals(eta({ eta_s: 0.04 }), undefined);
});

const COSTS: readonly [name: string, changes: Partial<Snapshot>, expected: string | undefined][] = [
  ["nothing without prices", { max_cost_usd: 20 }, undefined],
  ["what was spent", { cost_usd: 1.2 }, "$1.20"],
  ["what is allowed", { cost_usd: 0, max_cost_usd: 20 }, "$0.00 (max $20)"],
  ["cents of what is allowed", { cost_usd: 1.2, max_cost_usd: 2.5 }, "$1.20 (max $2.50)"],
  [
    "no estimate while few rows have been answered",
    { cost_usd: 1.2, projected_cost_usd: 14.2, max_cost_usd: 20 },
    "$1.20 (max $20)",
  ],
  [
    "an estimate with its range",
    {
      cost_usd: 1.2,
      projected_cost_usd: 14.2,
      projected_cost_is_lower_bound: false,
      projected_cost_range_usd: [13.1, 15.4],
      max_cost_usd: 20,
    },
    "$1.20 of ~$14 ($13 – $15, max $20)",
  ],
  [
    "no projection of a run that has ended",
    { state: "halted", cost_usd: 20.01, projected_cost_usd: 35, max_cost_usd: 20 },
    "$20.01 (max $20)",
  ],
];

for (const [name, changes, expected] of COSTS) {
  Deno.test(`mainSegments() shows ${name}`, () => {
    const texts = mainSegments(makeSnapshot(changes)).map(({ text }) => text);
    assertEquals(texts.find((text) => text.includes("$")), expected);
  });
}

Deno.test("mainSegments() marks a cost that is going to exceed what is allowed", () => {
  const color = (projected_cost_usd: number) =>
    mainSegments(makeSnapshot({ cost_usd: 1, projected_cost_usd, max_cost_usd: 20 }))
      .find(({ text }) => text.includes("$"))!.color;
  assertEquals([color(19), color(21)], [undefined, "yellow"]);
});

Deno.test("troubleTexts() names teachers that are not up, and the error that most rows failed with", () => {
  const teachers = [makeTeacher(), makeTeacher({ address: "http://gpu2:8000/v1", state: "down" })];
  const actions = (failed: number) => ({ retried: 12 - failed, failed, halted: 0 });
  const errors = [
    makeErrorGroup({ actions: actions(0) }),
    makeErrorGroup({ message: "Fewer rows", actions: actions(1) }),
    makeErrorGroup({ type: "request", status: 400, message: "Too long", actions: actions(3) }),
  ];
  assertEquals(troubleTexts(makeSnapshot({ teachers, errors })), [
    "1 of 2 teachers up: gpu2:8000 down",
    "top error: 3 × request 400: Too long",
  ]);
  assertEquals(troubleTexts(makeSnapshot({ errors: errors.slice(0, 1) })), []);
  assertEquals(troubleTexts(makeSnapshot({ errors: [] })), []);
});
