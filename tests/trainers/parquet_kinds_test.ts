/**
 * Parquet files of every kind of column, page and codec that pyarrow writes are read as a user
 * would write them. @module
 */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import { openInput } from "../../lib/formats/mod.ts";
import { convertFiles } from "../../mod.ts";
import { tempDir } from "../support/temp.ts";
import { pythonOf, runScript } from "./python.ts";

const python = await pythonOf("trl");
if ("problem" in python) {
  console.warn(`Skipped the kinds of Parquet, there is no Python for them: ${python.problem}`);
}

const BINARY = ["v", "binary", "fixed", "large_binary", "binary_list"];

/** Columns whose JSON text is written without white space. */
const REWRITTEN = /json/;

/** Returns the rows of a file as JSON Lines, or why they cannot be read. */
async function textOf(path: string): Promise<string> {
  const lines: string[] = [];
  try {
    const input = await openInput(path, path, { binaryColumns: BINARY });
    for await (const batch of input.rows()) {
      for (const { text, problem } of batch) lines.push(`${text ?? problem}\n`);
    }
  } catch (error) {
    lines.push(String(error));
  }
  return lines.join("");
}

Deno.test({
  name: "every kind of column, page and codec of pyarrow is read as a user would write it",
  ignore: "problem" in python,
  fn: async () => {
    await using dir = await tempDir();
    const folder = dir.path("kinds");
    await Deno.mkdir(folder);
    const said = await runScript((python as { path: string }).path, "parquet_kinds.py", [folder]);
    assertEquals(said, "");
    const wrong: string[] = [];
    const names = (await dir.names("kinds")).filter((name) => name.endsWith(".parquet"));
    for (const name of names) {
      const input = `${folder}/${name}`;
      const expected = await Deno.readTextFile(input.replace(".parquet", ".jsonl"));
      if (await textOf(input) !== expected) wrong.push(name);
      if (!name.endsWith("-plain.parquet") || REWRITTEN.test(name)) continue;
      const output = dir.path(name);
      await convertFiles({ input, output, binaryColumns: BINARY });
      if (await textOf(output) !== expected) wrong.push(`${name}, written again`);
    }
    assertEquals(wrong, []);
    assertEquals(names.length > 500, true);
  },
});
