import { assertEquals, assertThrows } from "../../lib/deps/std_assert.ts";
import {
  alternate,
  atLeast,
  atMost,
  type Figure,
  formatNumber,
  median,
  ratiosOf,
  renderTable,
} from "../../bench/measure.ts";

Deno.test("median() takes the middle, or the mean of the two in the middle", () => {
  assertEquals(median([10, 9, 2]), 9);
  assertEquals(median([4, 1, 2, 10]), 3);
  assertThrows(() => median([]), RangeError);
});

Deno.test("alternate() measures both sides alternately and begins with the other one each time", async () => {
  const order: string[] = [];
  const { ours, theirs } = await alternate(
    3,
    (round) => order.push(`A${round}`),
    (round) => order.push(`B${round}`),
  );
  assertEquals(order, ["A0", "B0", "B1", "A1", "A2", "B2"]);
  assertEquals([ours, theirs], [[1, 4, 5], [2, 3, 6]]);
});

Deno.test("ratiosOf() divides round by round", () => {
  assertEquals(ratiosOf([1, 6], [2, 3]), [0.5, 2]);
});

Deno.test("a target is met at its limit", () => {
  assertEquals(atMost(1.3, 1.3), { text: "≤ 1.3", isMet: true });
  assertEquals(atMost(1.31, 1.3).isMet, false);
  assertEquals(atLeast(0.85, 0.85, " x"), { text: "≥ 0.85 x", isMet: true });
  assertEquals(atLeast(0.84, 0.85).isMet, false);
});

Deno.test("formatNumber() writes a sensible number of digits", () => {
  assertEquals([12345.6, 12.34, 3.14159, 0.01234, 0].map(formatNumber), [
    "12,346",
    "12.3",
    "3.14",
    "0.0123",
    "0.00",
  ]);
});

Deno.test("renderTable() aligns its columns and marks missed targets", () => {
  const figures: Figure[] = [
    { name: "speed", retort: "9", baseline: "10", ratios: [0.9], target: atLeast(0.9, 0.85) },
    { name: "a cost", retort: "4", baseline: "2", ratios: [2, 1, 3], target: atMost(2, 1.3) },
    { name: "no target", retort: "1", baseline: "", ratios: [], note: "for information" },
  ];
  assertEquals(
    renderTable(figures),
    `| measure   | Retort | baseline | ratio               | target |        |
|-----------|--------|----------|---------------------|--------|--------|
| speed     | 9      | 10       | 0.900               | ≥ 0.85 | ok     |
| a cost    | 4      | 2        | 2.000 (1.000–3.000) | ≤ 1.3  | missed |
| no target | 1      |          |                     |        |        |

- no target: for information`,
  );
});
