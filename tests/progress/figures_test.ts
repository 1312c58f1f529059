import { assertEquals } from "../../lib/deps/std_assert.ts";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatLatency,
  formatPercent,
  formatRate,
} from "../../lib/progress/figures.ts";

function check<T>(name: string, format: (value: T) => string, cases: readonly [T, string][]) {
  Deno.test(name, () => {
    for (const [value, expected] of cases) assertEquals(format(value), expected);
  });
}

check("formatCount() groups thousands", formatCount, [
  [0, "0"],
  [999, "999"],
  [1000, "1,000"],
  [1234567.6, "1,234,568"],
]);

check("formatDuration() gives two units at most, and never 60 of one", formatDuration, [
  [0, "0.0 s"],
  [9_940, "9.9 s"],
  [9_960, "10 s"],
  [41_400, "41 s"],
  [59_600, "1m 00s"],
  [185_000, "3m 05s"],
  [3_599_700, "1h 00m"],
  [7_500_000, "2h 05m"],
  [86_399_000, "1d 00h"],
  [3 * 86_400_000 + 4 * 3_600_000, "3d 04h"],
]);

check("formatLatency() keeps about three digits", formatLatency, [
  [0.84, "0.8 ms"],
  [9.96, "10 ms"],
  [512.3, "512 ms"],
  [999.6, "1.00 s"],
  [1240, "1.24 s"],
  [9_996, "10 s"],
  [41_000, "41 s"],
  [185_000, "3m 05s"],
]);

check(
  "formatRate() changes to minutes below one a second",
  (rate: number) => formatRate(rate, "rows"),
  [
    [0, "0.0 rows/s"],
    [0.05, "3.0 rows/min"],
    [1, "1.0 rows/s"],
    [38.25, "38.3 rows/s"],
    [99.97, "100 rows/s"],
    [12_345.6, "12,346 rows/s"],
  ],
);

check(
  "formatPercent() is 100.0% only for all",
  ([part, whole]: readonly [number, number]) => formatPercent(part, whole),
  [[[0, 7], "0.0%"], [[999_999, 1_000_000], "99.9%"], [[7, 7], "100.0%"], [[0, 0], "100.0%"]],
);

check("formatBytes() is short", formatBytes, [
  [85_400_000, "85 MB"],
  [1_250_000_000, "1.3 GB"],
]);
