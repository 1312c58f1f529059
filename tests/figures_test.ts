import { assertEquals } from "../lib/deps/std_assert.ts";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatLatency,
  formatRoughUsd,
  formatShare,
  formatUsd,
} from "../lib/figures.js";
import { formatRate, formatTime } from "../lib/terminal/status.ts";

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
  "formatShare() is 100.0% only if nothing is missing",
  ([part, whole]: readonly [number, number]) => formatShare(part, whole),
  [[[0, 7], "0.0%"], [[999_999, 1_000_000], "99.9%"], [[758, 10_000], "7.6%"], [[7, 7], "100.0%"], [
    [0, 0],
    "100.0%",
  ]],
);

check("formatBytes() is short", formatBytes, [
  [0, "0 B"],
  [999, "999 B"],
  [1_000, "1 kB"],
  [85_400_000, "85 MB"],
  [999_400_000, "999 MB"],
  [999_600_000, "1 GB"],
  [1_250_000_000, "1.3 GB"],
  [2_000_000_000, "2 GB"],
  [1.54e12, "1.5 TB"],
  [1.54e18, "1540 PB"],
]);

Deno.test("formatBytes() does not depend on the language of the system", async () => {
  const figures = JSON.stringify(import.meta.resolve("../lib/figures.js"));
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", `console.log((await import(${figures})).formatBytes(1.24e9))`],
    env: { LANG: "ar_EG.UTF-8", LC_ALL: "ar_EG.UTF-8" },
  }).output();
  assertEquals(new TextDecoder().decode(stdout), "1.2 GB\n");
});

check("formatUsd() shows cents, and more where there are none", formatUsd, [
  [0, "$0.00"],
  [0.00001, "< $0.0001"],
  [0.00423, "$0.0042"],
  [0.0994, "$0.0994"],
  [0.0996, "$0.10"],
  [1.204, "$1.20"],
  [999.996, "$1,000.00"],
  [1_234_567.5, "$1,234,567.50"],
]);

check("formatRoughUsd() shows whole dollars from ten on", formatRoughUsd, [
  [0.5, "$0.50"],
  [9.99, "$9.99"],
  [9.996, "$10"],
  [14.4, "$14"],
  [1437, "$1,437"],
]);

check("formatTime() gives the time of day here", formatTime, [
  [new Date(2026, 0, 1, 12, 3, 7).toISOString(), "12:03:07"],
  [new Date(2026, 0, 1, 0, 0, 0).toISOString(), "00:00:00"],
]);
