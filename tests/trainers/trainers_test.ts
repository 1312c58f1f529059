/** Training libraries read every exported file as it is meant. @module */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import { type ExportFormat, type ExportOptions, exportResults } from "../../lib/export/mod.ts";
import { resultLineOf } from "../export/results.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { type Python, pythonOf, runScript } from "./python.ts";

/** More rows than the 10 MB in which datasets determines the types of all rows. */
const PLAIN = 6_000;
const LATE = 200;
const TOOLS = [{
  type: "function",
  function: { name: "weather", description: "The weather", parameters: { type: "object" } },
}];

const TRAINERS = ["trl", "llama_factory", "axolotl"];
const PYTHONS: Record<string, Python> = Object.fromEntries(
  await Promise.all(TRAINERS.map(async (trainer) => [trainer, await pythonOf(trainer)])),
);
for (const [trainer, python] of Object.entries(PYTHONS)) {
  if (!("problem" in python)) continue;
  console.warn(`Skipped the tests with ${trainer}, there is no Python for them: ${python.problem}`);
}

/** Registers a test that needs the environment of a trainer. */
function trainerTest(
  trainer: string,
  name: string,
  test: (dir: TempDir, python: string) => Promise<void>,
): void {
  const python = PYTHONS[trainer];
  Deno.test({
    name,
    ignore: "problem" in python,
    fn: async () => {
      await using dir = await tempDir();
      await test(dir, (python as { path: string }).path);
    },
  });
}

function lateLine(number: number): string {
  // All rows have the user's own columns: uneven ones would stay as they are.
  const row = {
    id: number,
    prompt: `question ${number} ${"word ".repeat(400)}`,
    tools: JSON.stringify(number > PLAIN ? TOOLS : []),
    ...(number > PLAIN ? { reasoning: "own" } : {}),
  };
  const text = JSON.stringify(row).replace("{", '{"big":1234567890123456789,');
  const call = { name: "weather", arguments: JSON.stringify({ a: number - PLAIN }) };
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

trainerTest(
  "trl",
  "datasets, pyarrow, polars, duckdb and pandas read every export, late columns included",
  async (dir, python) => {
    const lines = Array.from({ length: PLAIN + LATE }, (_, i) => `${lateLine(i + 1)}\n`);
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
      ["dataset", "dataset"],
    ];
    for (const [format, name] of outputs) {
      const validation = format === "dataset" ? 0.1 : undefined;
      await exportResults({ results, output: dir.path(name), format, validation });
    }
    await dir.write("logprobs/out.jsonl", logprobsLine() + "\n");
    await exportResults({
      results: dir.path("logprobs/out.jsonl"),
      output: dir.path("logprobs.parquet"),
      format: "logprobs",
    });
    assertEquals(
      await runScript(python, "read_back.py", [dir.root, `${PLAIN}`, `${LATE}`]),
      "all files were read as expected",
    );
  },
);

function logprobsLine(): string {
  const top = [{ token: "4", logprob: -0.1 }, { token: "5", logprob: -3 }];
  const content = [{ ...top[0], top_logprobs: top }];
  const kept = { logprobs: { content }, token_ids: [19] };
  return resultLineOf({ prompt: "2 + 2" }, { response: "4", kept });
}

const CALL = {
  id: "call0",
  type: "function",
  function: { name: "weather", arguments: '{"city":"Oslo","days":2}' },
};

/** Writes a conversation with a tool, one whose answer is a tool call, and one without tools. */
async function writeChats(dir: TempDir): Promise<string> {
  const question = { role: "user", content: "How warm is it in Oslo?" };
  const called = [
    { role: "system", content: "Be brief." },
    question,
    { role: "assistant", content: "", tool_calls: [CALL] },
    { role: "tool", tool_call_id: "call0", content: "7 degrees" },
  ];
  const lines = [
    resultLineOf({ id: 1, messages: called, tools: TOOLS }, {
      source: "p.jsonl:1",
      response: "It is 7.",
      reasoning: "The tool says 7.",
    }),
    resultLineOf({ id: 2, messages: [question], tools: TOOLS }, {
      source: "p.jsonl:2",
      response: "",
      reasoning: "I need the tool.",
      toolCalls: [CALL],
    }),
    resultLineOf({ id: 3, prompt: "Hi" }, {
      source: "p.jsonl:3",
      response: "Hello.",
      reasoning: "Greet.",
    }),
  ];
  return await dir.write("results/chats.jsonl", lines.join("\n") + "\n");
}

trainerTest(
  "trl",
  "TRL's chat templates render calls, system messages and reasoning as meant",
  async (dir, python) => {
    const results = await writeChats(dir);
    const format = "messages";
    const styles: [name: string, style: Partial<ExportOptions>][] = [
      ["wrap", {}],
      ["field", { think: "field" }],
      ["thinking", { think: "field", reasoningField: "thinking" }],
    ];
    for (const [name, style] of styles) {
      await exportResults({ results, output: dir.path(`${name}.jsonl`), format, ...style });
    }
    assertEquals(
      await runScript(python, "templates.py", [dir.root]),
      "all conversations are rendered as meant",
    );
  },
);

const THOUGHT = "<think>\nThe tool says 7.\n</think>\n\nIt is 7.";
const CALL_TEXT = '[{"name":"weather","arguments":{"city":"Oslo","days":2}}]';

trainerTest(
  "llama_factory",
  "LLaMA-Factory reads the same conversations by the entries that are printed",
  async (dir, python) => {
    const results = await writeChats(dir);
    const plain = [0, 1].map((sample) =>
      resultLineOf({ id: 4, messages: [{ role: "user", content: "Hi" }] }, {
        source: "p.jsonl:1",
        response: "y".repeat(1 + sample),
        sample,
      })
    );
    const pairs = await dir.write("results/pairs.jsonl", plain.join("\n") + "\n");
    const files: [string, string, Partial<ExportOptions>][] = [
      ["chats.jsonl", results, { format: "sharegpt" }],
      ["chats2.parquet", results, { format: "sharegpt" }],
      ["plain.json", pairs, { format: "alpaca" }],
      ["pairs.jsonl", pairs, { format: "preference-sharegpt", prefer: "longest" }],
    ];
    const info: Record<string, unknown> = {};
    for (const [name, from, options] of files) {
      const given = { results: from, output: dir.path(name), format: "sharegpt" as const };
      const { hints } = await exportResults({ ...given, ...options });
      Object.assign(info, JSON.parse(hints.find(({ text }) => text.startsWith("{"))!.text));
    }
    await dir.write("dataset_info.json", JSON.stringify(info));
    const read = JSON.parse(await runScript(python, "llama_factory.py", [dir.root]));
    const tools = JSON.stringify(TOOLS);
    const user = { role: "user", content: "How warm is it in Oslo?" };
    const call = (content: string) => ({ role: "function", content });
    const observation = { role: "observation", content: "7 degrees" };
    const answer = (content: string) => ({ role: "assistant", content });
    const hi = { role: "user", content: "Hi" };
    const chats = [
      {
        _system: "Be brief.",
        _prompt: [user, call(CALL_TEXT), observation],
        _response: [answer(THOUGHT)],
        _tools: tools,
      },
      {
        _system: "",
        _prompt: [user],
        _response: [call(`<think>\nI need the tool.\n</think>\n\n${CALL_TEXT}`)],
        _tools: tools,
      },
      {
        _system: "",
        _prompt: [hi],
        _response: [answer("<think>\nGreet.\n</think>\n\nHello.")],
        _tools: "[]",
      },
    ];
    const without = { _system: "", _tools: "", _prompt: [hi] };
    assertEquals(read, {
      chats,
      chats2: chats,
      plain: [
        { ...without, _response: [answer("y")] },
        { ...without, _response: [answer("yy")] },
      ],
      pairs: [{ ...without, _response: [answer("yy"), answer("y")] }],
    });
  },
);

trainerTest(
  "axolotl",
  "Axolotl reads the same conversations by the configuration that is printed",
  async (dir, python) => {
    const results = await writeChats(dir);
    for (const name of ["a.jsonl", "b.parquet", "c.json"]) {
      const { hints } = await exportResults({
        results,
        output: dir.path(name),
        format: "messages",
        think: "field",
      });
      await dir.write(`${name[0]}.yaml`, hints.find(({ place }) => /Axolotl/.test(place))!.text);
    }
    const read = JSON.parse(await runScript(python, "axolotl.py", [dir.root]));
    const call = { ...CALL, function: { name: "weather", arguments: { city: "Oslo", days: 2 } } };
    const answer = (content: string, reasoning: string) => ({
      role: "assistant",
      content,
      reasoning_content: reasoning,
    });
    const user = { role: "user", content: "How warm is it in Oslo?" };
    const turns = [
      [
        { role: "system", content: "Be brief." },
        user,
        { role: "assistant", content: "", tool_calls: [call] },
        { role: "tool", content: "7 degrees" },
        answer("It is 7.", "The tool says 7."),
      ],
      [user, { ...answer("", "I need the tool."), tool_calls: [call] }],
      [{ role: "user", content: "Hi" }, answer("Hello.", "Greet.")],
    ];
    const expected = turns.map((turns, i) => ({ turns, tools: i === 2 ? [] : TOOLS }));
    assertEquals(read, { a: expected, b: expected, c: expected });
  },
);
