/** The output of any export format is an input again, with the same conversations. @module */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import {
  convertFiles,
  type ExportFormat,
  type ExportOptions,
  exportResults,
} from "../../lib/export/mod.ts";
import type { Message } from "../../lib/teacher/mod.ts";
import { seededRandom } from "../e2e/fixture.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { resultLineOf } from "./results.ts";

const ROWS = 40;
const TOOLS = [{ type: "function", function: { name: "look_up", parameters: { type: "object" } } }];
const WORDS = [
  'a "quoted" one',
  "comma, semicolon;",
  "line\nbreak",
  "Grüße 🎉",
  "\\u0041 \\n",
  "1.0",
  "{}",
];

/** Conversations of every kind that all formats but Alpaca can hold. */
class Generator {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  text(): string {
    const words = Array.from({ length: 1 + this.below(4) }, () => WORDS[this.below(WORDS.length)]);
    return words.join(" ");
  }

  calls(count: number): Message["tool_calls"] {
    return Array.from({ length: count }, (_, i) => ({
      id: `call${i}`,
      type: "function",
      function: {
        name: "look_up",
        arguments: `{"q":${JSON.stringify(this.text())},"n":12345678901234567${
          this.below(900) + 100
        }}`,
      },
    }));
  }

  /** A row, and the completion that answers it. */
  line(number: number, hasTools: boolean): string {
    const messages: Message[] = [];
    if (this.below(2) === 0) messages.push({ role: "system", content: this.text() });
    for (let turn = this.below(3); turn >= 0; turn--) {
      messages.push({ role: "user", content: this.text() });
      if (hasTools && this.below(3) === 0) {
        const count = 1 + this.below(2);
        messages.push({ role: "assistant", content: "", tool_calls: this.calls(count) });
        for (let i = 0; i < count; i++) {
          messages.push({ role: "tool", tool_call_id: `call${i}`, content: this.text() });
        }
      }
      if (turn > 0) messages.push({ role: "assistant", content: this.text() });
    }
    const isCall = hasTools && this.below(3) === 0;
    return resultLineOf({ id: number, messages, ...(hasTools ? { tools: TOOLS } : {}) }, {
      source: `prompts.jsonl:${number}`,
      response: isCall ? "" : this.text(),
      reasoning: this.below(2) === 0 ? this.text() : "",
      toolCalls: isCall ? this.calls(1) as unknown[] : undefined,
    });
  }
}

/**
 * A conversation without the ids of calls and the notation of arguments, which depend on the
 * format.
 */
function plain(row: { messages: Message[]; tools?: string }) {
  return {
    tools: row.tools === undefined || row.tools === "[]" ? [] : JSON.parse(row.tools),
    messages: row.messages.map(({ role, content, tool_calls: calls }) => ({
      role,
      content,
      calls: ((calls ?? []) as { function: { name: string; arguments: unknown } }[])
        .map(({ function: { name, arguments: args } }) => ({ name, args })),
    })),
  };
}

async function conversationsIn(dir: TempDir, input: string) {
  await convertFiles({
    input: dir.path(input),
    output: dir.path("read.jsonl"),
    format: "messages",
    think: "wrap",
    toolArguments: "string",
    replace: true,
  });
  return (await dir.rows("read.jsonl")).map(plain);
}

const TABLES = ["x.jsonl", "x.json", "x.csv", "x.parquet", "x.jsonl.gz", "x.json.zst", "x.csv.gz"];

const FORMATS: readonly ExportFormat[] = [
  "messages",
  "prompt-completion",
  "sharegpt",
  "alpaca",
  "raw",
];

for (const format of FORMATS) {
  Deno.test(`an export as ${format} is an input with the same conversations`, async () => {
    await using dir = await tempDir();
    const generator = new Generator(FORMATS.indexOf(format) + 1);
    const hasTools = format !== "alpaca";
    const lines = Array.from({ length: ROWS }, (_, i) => generator.line(i + 1, hasTools));
    await dir.write("out.jsonl", lines.join("\n") + "\n");
    const exported = async (options: Partial<ExportOptions>) => {
      const given = { results: dir.path("out.jsonl"), format, replace: true };
      await exportResults({ ...given, output: "", ...options });
    };
    const reference = { output: dir.path("reference.jsonl"), format: "messages" } as const;
    await exported({ ...reference, toolArguments: "string" });
    const expected = (await dir.rows("reference.jsonl")).map(plain);
    assertEquals(expected.length, ROWS);
    for (const name of TABLES) {
      await exported({ output: dir.path(name) });
      assertEquals(await conversationsIn(dir, name), expected, name);
    }
  });
}

Deno.test("a dataset folder is an input with the same conversations, train and validation", async () => {
  await using dir = await tempDir();
  const generator = new Generator(9);
  const lines = Array.from({ length: ROWS }, (_, i) => generator.line(i + 1, true));
  const results = await dir.write("out.jsonl", lines.join("\n") + "\n");
  const validation = 0.3;
  await exportResults({ results, output: dir.path("set"), format: "dataset", validation });
  const messages = { results, format: "messages", toolArguments: "string" } as const;
  await exportResults({ ...messages, output: dir.path("all.jsonl"), validation });
  const train = await dir.rows("all.jsonl"), held = await dir.rows("all.validation.jsonl");
  assertEquals([train.length > 0, held.length > 0], [true, true]);
  assertEquals(await conversationsIn(dir, "set"), [...train, ...held].map(plain));
});

Deno.test("pairs are read with both of their answers, calls included", async () => {
  await using dir = await tempDir();
  const generator = new Generator(3);
  const lines = [1, 2, 3].flatMap((number) =>
    [0, 1].map((sample) =>
      resultLineOf({ id: number, prompt: `p${number}`, tools: TOOLS }, {
        source: `p.jsonl:${number}`,
        response: "x".repeat(1 + sample),
        toolCalls: sample === 0 ? generator.calls(2) as unknown[] : undefined,
        sample,
      })
    )
  );
  const results = await dir.write("out.jsonl", lines.join("\n") + "\n");
  const format = "preference";
  await exportResults({ results, output: dir.path("a.jsonl"), format, prefer: "shortest" });
  for (const name of ["b.parquet", "c.csv", "d.json"]) {
    await convertFiles({ input: dir.path("a.jsonl"), output: dir.path(name), format });
    const output = dir.path("again.jsonl");
    await convertFiles({ input: dir.path(name), output, format, replace: true });
    assertEquals(await dir.read("again.jsonl"), await dir.read("a.jsonl"), name);
  }
  const conversations = await conversationsIn(dir, "b.parquet");
  assertEquals(conversations.map(({ messages }) => messages.at(-1)!.calls.length), [2, 2, 2]);
});
