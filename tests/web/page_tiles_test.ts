/** Tests of the figures in the tiles of the page. @module */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import type { Percentiles } from "../../lib/progress/mod.ts";
import type { MonitorState, WireSnapshot } from "../../web/monitor_state.ts";
import { formatMoment } from "../../web/page/figures.js";
import { NO_ANSWERS, RunStore } from "../../web/page/store.js";
import { type Figure, TILES } from "../../web/page/tiles.js";
import { makeSummary } from "../progress/fixtures.ts";
import { makeState, makeWireSnapshot } from "./page_fixture.ts";

const NOW_MS = 1_000_000;

/** Returns what the tile with this title shows. */
function figureOf(
  title: string,
  snapshot: Partial<WireSnapshot>,
  changes: Partial<MonitorState> = {},
): Figure {
  const store = new RunStore();
  store.replace(makeState(0, { snapshot: makeWireSnapshot(snapshot), ...changes }), NOW_MS);
  const tile = Object.values(TILES).flat().find((tile) =>
    (typeof tile.title === "string" ? tile.title : tile.title(store.state)) === title
  )!;
  const { state, startMs } = store;
  return tile.figure({ state, snapshot: state.snapshot!, startMs, nowMs: NOW_MS });
}

Deno.test("the tile of answers has their endings in words, the most frequent first, and counts each once", () => {
  const answers = {
    ...NO_ANSWERS,
    endings: { none: 1, limit: 8, whole: 90, unknown: 1 },
    finish_reasons: [["stop", 91], ["length", 7]] as [string, number][],
    answered: 92,
    truncated: 8,
    completion_tokens: 1_000,
    reasoning_tokens: 250,
  };
  assertEquals(figureOf("Answers", { wasted_completion_tokens: 800 }, { answers }), {
    value: "90.0% complete · 8.0% cut off at the token limit · 1.0% without a finish reason · " +
      "1.0% with an unknown finish reason",
    hint: "Finish reasons: stop 91, length 7",
    note: "8 not accepted · 25.0% of tokens are reasoning · 800 tokens paid for but not used",
    tone: "wait",
  });
  const kept = { ...NO_ANSWERS, endings: { whole: 3 }, answered: 3 };
  assertEquals(figureOf("Answers", {}, { answers: kept }).note, "all accepted, no tokens wasted");
});

Deno.test("the tile says when a retry ended, although its history begins with the run before it", () => {
  const { history } = makeState(3_600);
  const endMs = NOW_MS - 60_000;
  const summary = makeSummary({ ended: new Date(endMs).toISOString() });
  const changes = { history, summary, ended: true };
  assertEquals(figureOf("Time taken", { elapsed_ms: 300_000 }, changes), {
    value: "5m 00s",
    note: `ended ${formatMoment(endMs, NOW_MS)}`,
  });
});

Deno.test("the cost tile says what is missing for an estimate, and nothing where none can come", () => {
  const noteOf = (snapshot: Partial<WireSnapshot>) =>
    figureOf("Cost now / estimated", { cost_usd: 1.2, ...snapshot }).note;
  assertEquals(noteOf({}), "too few answers yet, no cap");
  assertEquals(noteOf({ max_cost_usd: 5 }), "too few answers yet, cap $5");
  // Without a number of rows there will be no estimate, however many answers there are.
  assertEquals(noteOf({ total: null }), "no cap");
  assertEquals(noteOf({ total: null, max_cost_usd: 5 }), "cap $5");
  assertEquals(noteOf({ total: null, max_cost_usd: 1 }), "over the cap $1");
  assertEquals(noteOf({ refused_for_load: 3 }), "no cap");
});

Deno.test("the cost is unknown while no answer has token counts", () => {
  const costOf = (snapshot: Partial<WireSnapshot>) =>
    figureOf("Cost now / estimated", {
      cost_usd: null,
      succeeded: 3,
      prompt_tokens: 0,
      completion_tokens: 0,
      ...snapshot,
    });
  assertEquals([costOf({}).value, costOf({}).note], ["–", "needs token counts and a price"]);
  assertEquals(costOf({ prompt_tokens: 9 }).note, "no price is known");
  assertEquals(costOf({ cost_usd: 0 }).value, "$0.00");
});

Deno.test("the length of answers is that of the kept ones, and unknown while no tokens are reported", () => {
  const lengthOf = (answered: number, length_tokens: Percentiles) => {
    const answers = { ...NO_ANSWERS, answered, length_tokens };
    const { value, rest, note } = figureOf("Answer length p50 / p99", {}, { answers });
    return [value, rest, note];
  };
  const none = NO_ANSWERS.length_tokens;
  assertEquals(lengthOf(3, { p50: 333, p90: 400, p99: 2_048, max: 12_345 }), [
    "333",
    "/ 2,048",
    "longest 12.3K tokens",
  ]);
  assertEquals(lengthOf(1, { p50: 1, p90: 1, p99: 1, max: 1 })[2], "longest 1 token");
  assertEquals(lengthOf(4, none), ["–", undefined, "no tokens reported"]);
  assertEquals(lengthOf(0, none), ["–", undefined, "no answer yet"]);
});
