/** Tests of the figures in the tiles of the page. @module */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import type { Percentiles } from "../../lib/progress/mod.ts";
import type { MonitorState, WireSnapshot } from "../../web/monitor_state.ts";
import { NO_ANSWERS, RunStore } from "../../web/page/store.js";
import { type Figure, TILES } from "../../web/page/tiles.js";
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
  const tile = Object.values(TILES).flat().find((one) => one.title === title)!;
  return tile.figure({ store, snapshot: store.snapshot!, nowMs: NOW_MS });
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
    note: "8 not kept · 25.0% of tokens are reasoning · 800 tokens paid for but not used",
    tone: "wait",
  });
  const kept = { ...NO_ANSWERS, endings: { whole: 3 }, answered: 3 };
  assertEquals(figureOf("Answers", {}, { answers: kept }).note, "all kept, no tokens wasted");
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
  assertEquals(lengthOf(4, none), ["–", undefined, "no tokens reported"]);
  assertEquals(lengthOf(0, none), ["–", undefined, "no answer yet"]);
});
