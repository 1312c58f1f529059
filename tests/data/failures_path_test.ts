import { assertEquals } from "../../lib/deps/std_assert.ts";
import { failuresOf } from "../../lib/data/mod.ts";
import { outputFilesOf } from "../../lib/run/mod.ts";

Deno.test("failuresOf() names the file that a run writes failures to", async () => {
  for (const output of ["out/x.jsonl", "out/x.ndjson"]) {
    const [{ results, failures }] = await outputFilesOf(["in.jsonl"], output);
    assertEquals(failuresOf(results), failures, output);
  }
  assertEquals(failuresOf("x.jsonl.zst"), "x_error.jsonl.zst");
  assertEquals(failuresOf("x_error.jsonl"), undefined);
});
