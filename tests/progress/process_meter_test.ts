import { cpuUsage } from "node:process";
import { assertEquals, assertGreater } from "../../lib/deps/std_assert.ts";
import { createProcessMeter } from "../../lib/progress/progress_options.ts";

Deno.test("createProcessMeter() reads the real process", () => {
  const meter = createProcessMeter();
  const startMs = performance.now();
  meter.start(startMs);
  // By CPU, not by the clock: other programs may have the processor all this time.
  for (const before = cpuUsage(); cpuUsage(before).user < 20_000;);
  const { cpuPercent, rssBytes } = meter.read(performance.now());
  assertGreater(cpuPercent, 0);
  assertGreater(rssBytes, 10_000_000);
  assertGreater(meter.cpuSeconds(), 0.019);
  assertEquals(meter.peakRssBytes, rssBytes);
});

Deno.test("createProcessMeter() gives CPU in percent of one core since the last reading", () => {
  let micros = 1_000_000;
  const meter = createProcessMeter({ cpuMicros: () => micros, rssBytes: () => 1 });
  meter.start(0);
  micros += 500_000;
  assertEquals(meter.read(1000).cpuPercent, 50);
  micros += 4_000_000;
  assertEquals(meter.read(3000).cpuPercent, 200);
  assertEquals(meter.cpuSeconds(), 4.5);
});

Deno.test("createProcessMeter() reads at most once a second and keeps the largest memory", () => {
  const sizes = [30, 90, 60];
  let reads = 0;
  const meter = createProcessMeter({ cpuMicros: () => 0, rssBytes: () => sizes[reads++] });
  meter.start(0);
  for (let nowMs = 100; nowMs <= 2500; nowMs += 100) meter.read(nowMs);
  assertEquals(reads, 3);
  assertEquals(meter.peakRssBytes, 90);
});
