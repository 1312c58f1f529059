/** Paths of Linux and of Windows, taken apart on any system. @module */

import { assertEquals } from "../lib/deps/std_assert.ts";
import { posix } from "../lib/deps/std_path.ts";
import * as windows from "../lib/deps/std_path_windows.ts";
import { endsWithSeparator, inFolder, isInside, withoutSeparator } from "../lib/files.ts";
import { globOf, nameOf } from "../lib/run/inputs.ts";

Deno.test("nameOf() names an input by its file, whatever separates folders", () => {
  const cases: [input: string, name: string][] = [
    ["C:\\data\\prompts.jsonl", "prompts"],
    ["C:prompts.csv.gz", "prompts"],
    ["data\\a/b.parquet", "b"],
    ["\\\\server\\share\\in.json", "in"],
    ["D:/x/y.txt", "y"],
    ["-", "stdin"],
  ];
  for (const [input, name] of cases) assertEquals(nameOf(input, windows), name, input);
  assertEquals(nameOf("data/a\\b.jsonl", posix), "a\\b", "a backslash is a character elsewhere");
});

Deno.test("a folder is recognized by the separator at its end, and its files are named below it", () => {
  for (const path of ["out\\", "out/", "C:\\", "\\\\server\\share\\"]) {
    assertEquals(endsWithSeparator(path, windows), true, path);
  }
  assertEquals(endsWithSeparator("out\\", posix), false);
  assertEquals(withoutSeparator("out\\/", windows), "out");
  assertEquals(inFolder("C:\\out\\", "a", windows), "C:\\out/a");
  assertEquals(inFolder("\\\\server\\share", "a", windows), "\\\\server\\share/a");
  assertEquals(inFolder("./out//", "a", posix), "./out/a");
  assertEquals(inFolder("/", "a", posix), "/a");
});

Deno.test("isInside() keeps to the folder, over drives and names that begin alike", () => {
  const cases: [path: string, folder: string, inside: boolean][] = [
    ["C:\\images\\a.png", "C:\\images", true],
    ["c:\\Images\\sub\\a.png", "C:\\images\\", true],
    ["C:\\images2\\a.png", "C:\\images", false],
    ["D:\\images\\a.png", "C:\\images", false],
    ["\\\\server\\share\\a.png", "C:\\images", false],
    ["\\\\server\\share\\x\\a.png", "\\\\server\\share\\x", true],
    ["C:\\images", "C:\\images", false],
    ["C:\\images\\..b\\a.png", "C:\\images", true],
  ];
  for (const [path, folder, inside] of cases) {
    assertEquals(isInside(path, folder, windows), inside, path);
  }
  assertEquals(isInside("/images/a.png", "/", posix), true);
  assertEquals(isInside("/images2/a.png", "/images", posix), false);
  assertEquals(isInside("/a.png", "/images", posix), false);
});

Deno.test("globOf() finds where a pattern begins", () => {
  const cases: [pattern: string, start: string, glob: string, depth: number][] = [
    ["C:\\data\\*.jsonl", "C:/data", "C:/data/*.jsonl", 1],
    ["data\\part-*\\*.jsonl", "data", "data/part-*/*.jsonl", 2],
    ["D:\\*.jsonl", "D:/", "D:/*.jsonl", 1],
    [".\\*.jsonl", ".", "*.jsonl", 1],
    ["\\\\server\\share\\*.jsonl", "//server/share", "//server/share/*.jsonl", 1],
    ["data\\**\\*.jsonl", "data", "data/**/*.jsonl", Infinity],
  ];
  for (const [pattern, start, glob, depth] of cases) {
    assertEquals(globOf(pattern, windows), { start, glob, depth }, pattern);
  }
  assertEquals(globOf("/*.jsonl", posix), { start: "/", glob: "/*.jsonl", depth: 1 });
  assertEquals(globOf("*.jsonl", posix), { start: ".", glob: "*.jsonl", depth: 1 });
  assertEquals(globOf("./a/./*.jsonl", posix), { start: "a", glob: "a/*.jsonl", depth: 1 });
  assertEquals(globOf("a/b*/c.jsonl", posix), { start: "a", glob: "a/b*/c.jsonl", depth: 2 });
});
