import { assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { SinkError } from "../../lib/errors.ts";
import { Replacement, writeFileDurably } from "../../lib/sink/durable_file.ts";
import { tempDir } from "../support/temp.ts";

Deno.test("writeFileDurably() makes a file, and replaces it", async () => {
  await using dir = await tempDir();
  await writeFileDurably(dir.path("x.json"), "one");
  await dir.write("x.json.tmp", "left by a crash, and longer");
  await writeFileDurably(dir.path("x.json"), "zwei é");
  assertEquals(await dir.read("x.json"), "zwei é");
  assertEquals(await dir.exists("x.json.tmp"), false);
});

Deno.test("writeFileDurably() names the file that it cannot write", async () => {
  await using dir = await tempDir();
  const path = dir.path("missing/x.json");
  await assertRejects(() => writeFileDurably(path, ""), SinkError, `Cannot write "${path}`);
});

Deno.test("Replacement leaves the old version where it is not committed", async () => {
  await using dir = await tempDir();
  const path = await dir.write("x", "old");
  {
    await using replacement = await Replacement.open(path);
    await replacement.write(new TextEncoder().encode("new"));
  }
  assertEquals(await dir.read("x"), "old");
  assertEquals(await dir.exists("x.tmp"), false);
});
