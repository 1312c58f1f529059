import {
  assertEquals,
  assertGreaterOrEqual,
  assertLessOrEqual,
} from "../../lib/deps/std_assert.ts";
import { estimateRows } from "../../lib/run/input_files.ts";
import { tempDir } from "../support/temp.ts";

const DEFAULT_ROWS = 1_000;

function rowsIn(path: string): Promise<number> {
  return estimateRows([{ path, name: path }]);
}

for (
  const [what, lengthOf] of [
    ["of one length", () => 100],
    ["of many lengths", (index: number) => 20 + index * 37 % 300],
  ] as const
) {
  Deno.test(`estimateRows() comes near the number of lines ${what}, from above`, async () => {
    await using dir = await tempDir();
    const lines = Array.from({ length: 20_000 }, (_, index) => `${"x".repeat(lengthOf(index))}\n`);
    const rows = await rowsIn(await dir.write("a.jsonl", lines.join("")));
    assertGreaterOrEqual(rows, 20_000);
    assertLessOrEqual(rows, 25_000);
  });
}

Deno.test("estimateRows() assumes 1,000 rows if the start of a file holds no row", async () => {
  await using dir = await tempDir();
  for (const content of ["", "x".repeat(200_000)]) {
    assertEquals(await rowsIn(await dir.write("a.jsonl", content)), DEFAULT_ROWS);
  }
});

Deno.test("estimateRows() counts the lines of a file that is read whole", async () => {
  await using dir = await tempDir();
  for (const [content, rows] of [["{}\n", 2], ["{}", 1], ["{}\n{}\n", 3]] as const) {
    assertEquals(await rowsIn(await dir.write("a.jsonl", content)), rows);
  }
});

Deno.test("estimateRows() does not take the first rows of a large file for all of them", async () => {
  await using dir = await tempDir();
  const path = await dir.write("a.jsonl", '{"prompt":"x"}\n'.repeat(10_000));
  await Deno.truncate(path, 2 ** 30);
  assertEquals(await rowsIn(path), DEFAULT_ROWS);
});

Deno.test("estimateRows() does not report that a file cannot be read", async () => {
  await using dir = await tempDir();
  assertEquals(await rowsIn(dir.path("none.jsonl")), DEFAULT_ROWS);
  assertEquals(await rowsIn(dir.root), DEFAULT_ROWS);
});

Deno.test("estimateRows() counts short files line by line", async () => {
  await using dir = await tempDir();
  const path = await dir.write("a.jsonl", '{"prompt":"x"}\n'.repeat(10_000));
  const rows = await rowsIn(path);
  assertGreaterOrEqual(rows, 10_000);
  assertLessOrEqual(rows, 11_001);
});

Deno.test("estimateRows() does not count blank lines", async () => {
  await using dir = await tempDir();
  const rows = await rowsIn(await dir.write("a.jsonl", "\n".repeat(140_000)));
  assertLessOrEqual(rows, 10_000);
});
