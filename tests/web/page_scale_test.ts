/** Scales of the page's charts. @module */

import { assert, assertAlmostEquals, assertEquals } from "../../lib/deps/std_assert.ts";
import {
  evenIndexes,
  roundScale,
  TIME_AXIS_SPACE,
  TIME_AXIS_STEPS,
  trailingMeans,
} from "../../web/page/chart_parts.js";

Deno.test("a scale ends at a round label that is not below the largest value", () => {
  assertEquals(roundScale(2.4, 4), { step: 1, top: 3 });
  assertEquals(roundScale(64, 4), { step: 20, top: 80 });
  assertEquals(roundScale(80, 4), { step: 20, top: 80 });
  assertEquals(roundScale(101e6, 3), { step: 50e6, top: 150e6 });
});

Deno.test("labels of times are round as times", () => {
  assertEquals(roundScale(70_000, 4, true), { step: 30_000, top: 90_000 });
  assertEquals(roundScale(3_300_000, 4, true), { step: 1_800_000, top: 3_600_000 });
  assertEquals(roundScale(800, 4, true), { step: 200, top: 800 });
});

Deno.test("a time axis has at least two labels, however long the run and narrow the chart", () => {
  for (const width of [270, 440, 900]) {
    for (let spanS = 10; spanS < 60 * 86_400; spanS *= 1.02) {
      // The rule by which uPlot chooses.
      const step = TIME_AXIS_STEPS.find((one) => one / spanS * width >= TIME_AXIS_SPACE);
      const marks = Math.floor(spanS / (step ?? Infinity));
      assert(marks >= 2, `${marks} marks for ${spanS} s in ${width} pixels`);
    }
  }
});

Deno.test("the table of a chart spans the run and ends with its last point", () => {
  assertEquals(evenIndexes(3, 20), [0, 1, 2]);
  const places = evenIndexes(1_000, 20);
  assertEquals([places.length, places[0], places.at(-1)], [20, 49, 999]);
});

Deno.test("rates are means over the time that they cover, not over points", () => {
  // 4 per second for 1 s, then 1 per second for 3 s.
  assertEquals(trailingMeans([1, 4], [4, 1], 10), [4, 7 / 4]);
  const ends = Array.from({ length: 100 }, (_, i) => i + 1);
  const means = trailingMeans(ends, ends.map((end) => end % 10 === 0 ? 10 : 0), 10);
  for (const mean of means.slice(20)) assertAlmostEquals(mean, 1);
});

Deno.test("a rate falls to 0 once its window is over", () => {
  const ends = Array.from({ length: 30 }, (_, i) => (i + 1) / 10);
  const means = trailingMeans(ends, ends.map((_, i) => i < 10 ? 1 + Math.sin(i) : 0), 1);
  assertEquals(means.at(-1), 0);
});
