import { assert, assertEquals, assertMatch } from "../../lib/deps/std_assert.ts";
import { type Figure, renderTable } from "../../bench/measure.ts";
import { runCli } from "../support/process.ts";

/** The smallest measurement that reads and writes files and starts processes. */
const TINY = ["--only", "engine ALONE", "--scale", "0.001", "--rounds", "1"];

Deno.test("the bench prints figures as JSON, and as rows with a figure, its baseline and the target", async () => {
  const { code, stdout } = await runCli([...TINY, "--json"], { script: "bench/mod.ts" });
  assertEquals(code, 0);
  const figures = JSON.parse(stdout) as Figure[];
  assertEquals(figures.map(({ ratios }) => ratios.length), [1, 1, 1]);
  assert(figures.every(({ ratios }) => ratios[0] > 0));
  const lines = renderTable(figures).split("\n");
  assertMatch(lines[0], /^\| measure +\| Retort +\| baseline +\| ratio +\| target +\|/);
  const row =
    /^\| engine alone, durable +\| [\d,]+ rows\/s +\| [\d,]+ rows\/s, .+ ≥ 0\.5 +\| (ok|missed)/;
  assert(lines.some((line) => row.test(line)), lines.join("\n"));
});

Deno.test("the bench refuses an unknown measurement", async () => {
  const { code, stderr } = await runCli(["--only", "nothing"], { script: "bench/mod.ts" });
  assertEquals(code, 1);
  assertMatch(stderr, /Cannot measure "nothing"/);
});
