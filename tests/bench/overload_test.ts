import {
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertMatch,
} from "../../lib/deps/std_assert.ts";
import { startBusyServer } from "../../bench/servers.ts";
import { inChild } from "../../bench/processes.ts";
import type { Figure } from "../../bench/measure.ts";
import { writeRows } from "../../bench/rows.ts";
import { runCli } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";

async function figuresOf(only: string, scale: number): Promise<Figure[]> {
  const args = ["--only", only, "--scale", `${scale}`, "--rounds", "1", "--json"];
  const { code, stdout, stderr } = await runCli(args, { script: "bench/mod.ts" });
  assertEquals(code, 0, stderr);
  return JSON.parse(stdout);
}

Deno.test("the bench compares time and refusals of a teacher with a rate limit with loops", async () => {
  const [time, refused] = await figuresOf("overload: rate", 0.02);
  assertEquals([time.target!.text, refused.target!.text], ["≤ 1.3 × ideal", "≤ 10 %"]);
  assertEquals([time.ratios.length, refused.ratios.length], [1, 1]);
  assertGreater(time.ratios[0], 0);
  // Retort may get no 429 at all; the loops send more than the teacher accepts.
  assertGreaterOrEqual(refused.ratios[0], 0);
  assertMatch(refused.baseline, /^[1-9]/);
});

Deno.test("the bench compares the load of two teachers with their weights", async () => {
  const [share] = await figuresOf("overload: weights", 0.3);
  assertGreater(share.ratios[0], 0.7);
  assertEquals(share.target!.text, "1 ± 0.1");
});

Deno.test("the scenario of goodput counts tokens at each concurrency", async () => {
  await using dir = await tempDir();
  const input = dir.path("rows.jsonl");
  await writeRows(input, 1_000);
  await using server = await startBusyServer({ latencyMs: 50, slots: 4 });
  const job = {
    input,
    output: dir.path("out_"),
    concurrencies: [1, 8],
    carefulStart: false,
    baseUrl: server.baseUrl("all"),
    warmUpS: 0.5,
    measureS: 0.5,
  };
  // The best of three: on a busy machine, half a second may pass with hardly an answer.
  let found = await inChild("goodputs", job);
  const isUsual = () => found[0].tokensPerS > 0 && found[1].tokensPerS > 2 * found[0].tokensPerS;
  for (let i = 0; i < 2 && !isUsual(); i++) found = await inChild("goodputs", job);
  assertEquals(found.map(({ concurrency, limit }) => [concurrency, limit]), [[1, 1], [8, 8]]);
  const [one, eight] = found.map(({ tokensPerS }) => tokensPerS);
  assertGreater(one, 0);
  assertGreater(eight, 2 * one);
});
