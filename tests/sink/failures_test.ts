import { assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { SinkError } from "../../lib/errors.ts";
import { dropLines, LineSet } from "../../lib/sink/repair.ts";
import { tempDir } from "../support/temp.ts";

function setOf(...lines: number[]): LineSet {
  const set = new LineSet();
  for (const line of lines) set.add(line);
  return set;
}

Deno.test("LineSet holds each line once, wherever it is", () => {
  const lines = [1, 7, 8, 9, 64, 8_191, 8_192, 100_000, 3_000_000_001];
  const set = setOf(...lines, 9, 1);
  assertEquals(set.size, lines.length);
  assertEquals(lines.filter((line) => !set.has(line)), []);
  assertEquals([2, 10, 63, 65, 100_001, 4_000_000_000].filter((line) => set.has(line)), []);
});

Deno.test("dropLines() keeps the other lines as they are, in their order", async () => {
  await using dir = await tempDir();
  const lines = ['{"uid":"a","n":1}', '{"uid":"b","n":1.0}', "not JSON", "", '{"uid":"\u00fc"}'];
  for (const dropped of [[1], [5], [2, 3], [1, 3, 5], [1, 2, 3, 4, 5]]) {
    const path = await dir.write("x", lines.join("\n") + "\n");
    assertEquals(await dropLines(path, setOf(...dropped), lines.length), true);
    const kept = lines.filter((_, index) => !dropped.includes(index + 1));
    assertEquals(await dir.read("x"), kept.map((line) => `${line}\n`).join(""));
    assertEquals(await dir.names(), ["x"]);
  }
});

Deno.test("dropLines() writes nothing if no line is dropped", async () => {
  await using dir = await tempDir();
  assertEquals(await dropLines(dir.path("missing"), setOf(), 0), true);
  assertEquals(await dir.exists("missing"), false);
  const path = await dir.write("x", "a\nb\n");
  const before = await Deno.stat(path);
  await dropLines(path, setOf(), 2);
  const after = await Deno.stat(path);
  assertEquals([after.ino, after.mtime], [before.ino, before.mtime]);
});

Deno.test("dropLines() handles files and lines larger than a block", async () => {
  await using dir = await tempDir();
  const lines = Array.from({ length: 40 }, (_, i) => `${i}`.padEnd(i === 25 ? 3_000_000 : 90_000));
  const path = await dir.write("x", lines.join("\n") + "\n");
  await dropLines(path, setOf(3, 13, 14, 27), 40);
  const kept = lines.filter((_, index) => ![3, 13, 14, 27].includes(index + 1));
  assertEquals(await dir.read("x") === kept.join("\n") + "\n", true);
});

Deno.test("dropLines() leaves a file that was replaced", async () => {
  await using dir = await tempDir();
  const path = await dir.write("x", "a\nb\nc\n");
  assertEquals(await dropLines(path, setOf(1), 4), false);
  assertEquals(await dropLines(path, setOf(1), 2), false);
  assertEquals(await dir.read("x"), "a\nb\nc\n");
  assertEquals(await dir.names(), ["x"]);
  assertEquals(await dropLines(dir.path("missing"), setOf(1), 2), false);
  assertEquals(await dir.exists("missing"), false);
});

Deno.test("dropLines() leaves the file if the new one cannot be written", async () => {
  await using dir = await tempDir();
  const path = await dir.write("x", "a\nb\n");
  await Deno.mkdir(`${path}.0.tmp`);
  await assertRejects(() => dropLines(path, setOf(1), 2, "0"), SinkError);
  assertEquals(await dir.read("x"), "a\nb\n");
});
