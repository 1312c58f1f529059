/** Quoting for shells. POSIX shells are covered in `continue_test.ts`. @module */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import { commandText, shellWord, withProgram } from "../../lib/printable.ts";

Deno.test("shellWord() quotes for the shells of Windows", () => {
  const cases = [
    ["C:\\data\\in.jsonl", "C:\\data\\in.jsonl"],
    ["my file.jsonl", `"my file.jsonl"`],
    ["a,b@c", `"a,b@c"`],
    ["--monitor=0.0.0.0:9000", `"--monitor=0.0.0.0:9000"`],
    ["--monitor=9000", "--monitor=9000"],
    ["C:\\my data\\", `"C:\\my data/"`],
    ["the user\u2019s", `"the user\u2019s"`],
    ["\u201cthe user\u2019s\u201d", "'\u201cthe user\u2019\u2019s\u201d'"],
    ["it's $5", "'it''s $5'"],
    ['say "so" 100%', `'say "so" 100%'`],
    ["a\x1b[2Jb", `"a\ufffd[2Jb"`],
  ];
  for (const [word, written] of cases) assertEquals(shellWord(word, "windows"), written);
});

Deno.test("withProgram() replaces the name in commands only", () => {
  const name = "it's retort merge x", word = shellWord(name);
  const command = commandText("merge", name, "-o", "b.jsonl");
  const text = `Cannot run "my retort/a": use\n  ${command}\nor another (${
    commandText("convert", "c")
  })`;
  assertEquals(
    withProgram(text, "deno task distill"),
    `Cannot run "my retort/a": use\n  deno task distill merge ${word} -o b.jsonl\n` +
      "or another (deno task distill convert c)",
  );
});
