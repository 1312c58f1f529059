import { assertEquals } from "../../lib/deps/std_assert.ts";
import { resolve } from "../../lib/deps/std_path.ts";
import type { Command } from "../../cli/commands.ts";
import { expandPatterns } from "../../cli/patterns.ts";
import { tempDir } from "../support/temp.ts";

async function inputsOf(command: Command, inputs: string[], os?: typeof Deno.build.os) {
  const args = await expandPatterns({ command, inputs, flags: new Map() }, os);
  // On Windows, the paths may differ in their separators.
  return args.inputs.map((path) => resolve(path));
}

Deno.test("on Windows, commands that take results expand patterns as POSIX shells do", async () => {
  await using dir = await tempDir();
  const path = (name: string) => dir.path(`out/${name}`);
  for (const name of ["p10", "p1", "p1_error", "p2", "[a]b", ".p0"]) {
    await dir.write(`out/${name}.jsonl`, "");
  }
  await dir.write("out/p1.run.json", "");
  const pattern = path("p*.jsonl");
  const expected = ["p1_error.jsonl", "p1.jsonl", "p2.jsonl", "p10.jsonl"].map(path);
  for (const command of ["export", "merge", "stats", "view"] as const) {
    assertEquals(await inputsOf(command, [pattern], "windows"), expected);
  }
  // Folders match, too. A name that exists is no pattern, and one without a match stays.
  const others = [dir.path("ou*"), path("[a]b.jsonl"), path("no[n]e.jsonl"), path("p2.jsonl")];
  assertEquals(await inputsOf("merge", others, "windows"), [dir.path("out"), ...others.slice(1)]);
  // Shells expand patterns elsewhere, unless they are quoted.
  assertEquals(await inputsOf("view", [pattern], "linux"), [pattern]);
  // Runs expand patterns themselves.
  assertEquals(await inputsOf("run", [pattern], "windows"), [pattern]);
});
