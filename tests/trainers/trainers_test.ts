/** What people train with reads every file that is exported, columns that appear late included. @module */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import { type ExportFormat, exportResults } from "../../lib/export/mod.ts";
import { resultLineOf } from "../export/results.ts";
import { tempDir } from "../support/temp.ts";
import { pythonOf } from "./python.ts";

/** More than the 10 MB from which datasets takes the types of all rows. */
const PLAIN = 6_000;
const LATE = 200;
const TOOLS = [{ type: "function", function: { name: "add", parameters: { type: "object" } } }];

const python = await pythonOf("requirements");
if ("problem" in python) {
  console.warn(`Skipped, there is no Python to try it with: ${python.problem}`);
}

function lineOf(number: number): string {
  // Columns of the user's own are even here: those that are not, stay as they are.
  const row = {
    id: number,
    prompt: `question ${number} ${"word ".repeat(400)}`,
    tools: JSON.stringify(number > PLAIN ? TOOLS : []),
    ...(number > PLAIN ? { reasoning: "own" } : {}),
  };
  const text = JSON.stringify(row).replace("{", '{"big":1234567890123456789,');
  const call = { name: "add", arguments: JSON.stringify({ a: number - PLAIN }) };
  return resultLineOf(text, {
    source: `prompts.jsonl:${number}`,
    response: number > PLAIN ? "" : `answer ${number}`,
    reasoning: "why",
    usage: { promptTokens: 5, completionTokens: number, reasoningTokens: 1, cachedTokens: 0 },
    ...(number > PLAIN
      ? { toolCalls: [{ id: "c", type: "function", function: call }], kept: { seed: 1 } }
      : {}),
  });
}

Deno.test({
  name: "datasets, pyarrow, polars, duckdb and pandas read every export",
  ignore: "problem" in python,
  fn: async () => {
    await using dir = await tempDir();
    const lines = Array.from({ length: PLAIN + LATE }, (_, i) => `${lineOf(i + 1)}\n`);
    const results = await dir.write("out.jsonl", lines.join(""));
    const outputs: [format: ExportFormat, name: string][] = [
      ["messages", "messages.jsonl"],
      ["messages", "messages.json"],
      ["messages", "messages.jsonl.gz"],
      ["messages", "messages.jsonl.zst"],
      ["messages", "messages.csv"],
      ["messages", "messages.parquet"],
      ["prompt-completion", "prompt-completion.jsonl"],
      ["sharegpt", "sharegpt.jsonl"],
      ["raw", "raw.parquet"],
    ];
    for (const [format, name] of outputs) {
      await exportResults({ results, output: dir.path(name), format });
    }
    const { code, stdout, stderr } = await new Deno.Command((python as { path: string }).path, {
      args: [new URL("read_back.py", import.meta.url).pathname, dir.root, `${PLAIN}`, `${LATE}`],
      env: { HF_HUB_OFFLINE: "1" },
    }).output();
    const text = new TextDecoder().decode(stdout);
    assertEquals(
      [text, code],
      ["all files were read as expected\n", 0],
      new TextDecoder().decode(stderr).slice(-2_000),
    );
  },
});
