/** The output of every export format is an input again, with the same conversations. @module */

import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import { jsonOf } from "../../lib/json.ts";
import { ExampleReader } from "../../lib/export/example.ts";
import { FORMATS, toTrainingRow } from "../../lib/export/formats.ts";
import {
  CONVERT_FORMATS,
  convertFiles,
  type ConvertFormat,
  EXPORT_FORMATS,
  type ExportFormat,
  exportResults,
} from "../../lib/export/mod.ts";
import { Unrepresentable } from "../../lib/export/turns.ts";
import {
  COMPRESSED_EXTENSIONS,
  type Compression,
  compressionOfName,
} from "../../lib/formats/mod.ts";
import { FILE_KINDS } from "../../lib/tables/mod.ts";
import type { Message, Params } from "../../lib/teacher/mod.ts";
import { seededRandom } from "../e2e/fixture.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { resultLineOf } from "./results.ts";

const ROWS = 24;
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

/** Makes conversations of every kind. */
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

  /** Returns the results lines of a row: two answers, the shorter one first. */
  lines(number: number): string[] {
    const hasTools = this.below(2) === 0;
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
    const response = isCall ? "" : this.text();
    const reasoning = this.below(2) === 0 ? this.text() : "";
    const toolCalls = isCall ? this.calls(1) as unknown[] : undefined;
    const row = { id: number, messages, ...(hasTools ? { tools: TOOLS } : {}) };
    return [response, `${response} and more`].map((response, sample) =>
      resultLineOf(row, {
        source: `prompts.jsonl:${number}`,
        sample,
        response,
        reasoning,
        toolCalls,
        kept: { logprobs: { content: [{ token: response, logprob: -1 }] } },
      })
    );
  }
}

/**
 * Returns a conversation without what depends on the format: ids of tool calls, and the notation of
 * their arguments.
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

/** Reads an input; reasoning becomes part of the text, however it was written. */
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

const PAIR = { prefer: "shortest" } as const;

/** Exports `out.jsonl`. Formats of pairs choose the shorter answer. */
async function exported(dir: TempDir, format: ExportFormat, name: string, validation = 0) {
  const pair = FORMATS[format].rows === "pairs" ? PAIR : {};
  const results = dir.path("out.jsonl"), output = dir.path(name);
  await exportResults({ results, output, format, validation, replace: true, ...pair });
}

/**
 * Writes results that a format has a place for, and `reference.jsonl` with what they must be read
 * as.
 */
async function writeResultsFor(dir: TempDir, format: ExportFormat): Promise<void> {
  const definition = FORMATS[format];
  const generator = new Generator(EXPORT_FORMATS.indexOf(format) + 1);
  const reader = new ExampleReader({}, undefined);
  const rowOf = (line: string) => {
    const example = reader.read(line);
    if (typeof example === "string" || definition.rows === "as they are") return example;
    const style = { think: "wrap", reasoningField: "reasoning_content", hasParts: false } as const;
    return toTrainingRow(example, definition, { ...style, toolArguments: "string" });
  };
  const hasPlace = ([line, ...others]: string[]) => {
    try {
      const row = rowOf(line);
      // ShareGPT leaves out text that comes with calls. A pair needs two answers that differ.
      return definition.rows !== "pairs" ||
        others.some((other) => jsonOf(row) !== jsonOf(rowOf(other)));
    } catch (error) {
      if (error instanceof Unrepresentable) return false;
      throw error;
    }
  };
  const rows: string[][] = [];
  for (let number = 1; rows.length < ROWS; number++) {
    assert(number < 10 * ROWS, `${format} has a place for ${rows.length} of ${number} rows`);
    const lines = generator.lines(number);
    if (hasPlace(lines)) rows.push(lines);
  }
  await dir.write("out.jsonl", rows.map(([first]) => `${first}\n`).join(""));
  await exported(dir, "messages", "reference.jsonl");
  if (definition.rows === "pairs") await dir.write("out.jsonl", `${rows.flat().join("\n")}\n`);
}

const MAGIC: Readonly<Record<Compression, readonly number[]>> = {
  gzip: [0x1f, 0x8b],
  zstd: [0x28, 0xb5, 0x2f, 0xfd],
};
const COMPRESSED = COMPRESSED_EXTENSIONS.map((extension) => `x.json${extension}`);

/** Files to export: every kind, and each compression. */
const TABLES = [...FILE_KINDS.map((kind) => `x.${kind}`), ...COMPRESSED];

Deno.test("a file is compressed as its name says", async () => {
  await using dir = await tempDir();
  await writeResultsFor(dir, "messages");
  for (const name of COMPRESSED) {
    await exported(dir, "messages", name);
    const magic = MAGIC[compressionOfName(name)!];
    const bytes = await Deno.readFile(dir.path(name));
    assertEquals([...bytes.subarray(0, magic.length)], magic, name);
  }
});

for (const format of EXPORT_FORMATS) {
  Deno.test(`an export as ${format} is an input with the same conversations`, async () => {
    await using dir = await tempDir();
    await writeResultsFor(dir, format);
    const expected = await conversationsIn(dir, "reference.jsonl");
    assertEquals(expected.length, ROWS);
    for (const name of FORMATS[format].target === "folder" ? ["set"] : TABLES) {
      await exported(dir, format, name);
      assertEquals(await conversationsIn(dir, name), expected, name);
    }
  });
}

/** Writes an input for a conversion, whose answers have reasoning in a field. */
async function writeInputFor(dir: TempDir, format: ConvertFormat): Promise<void> {
  const results = dir.path("out.jsonl");
  const pair = FORMATS[format].rows === "pairs";
  await exportResults({
    results,
    output: dir.path("in.jsonl"),
    ...(pair ? { format: "preference", ...PAIR } : { format: "messages" }),
    think: "field",
  });
}

for (const format of CONVERT_FORMATS) {
  Deno.test(`a conversion to ${format} keeps conversations, reasoning included`, async () => {
    await using dir = await tempDir();
    await writeResultsFor(dir, format);
    await writeInputFor(dir, format);
    const name = FORMATS[format].target === "folder" ? "set" : "x.jsonl";
    await convertFiles({ input: dir.path("in.jsonl"), output: dir.path(name), format });
    const expected = await conversationsIn(dir, "reference.jsonl");
    assertEquals(await conversationsIn(dir, name), expected);
  });
}

Deno.test("a dataset folder is an input with its train and validation rows", async () => {
  await using dir = await tempDir();
  await writeResultsFor(dir, "dataset");
  await exported(dir, "dataset", "set", 0.3);
  await exported(dir, "messages", "all.jsonl", 0.3);
  const train = await conversationsIn(dir, "all.jsonl");
  const held = await conversationsIn(dir, "all.validation.jsonl");
  assertEquals([train.length > 0, held.length > 0], [true, true]);
  assertEquals(await conversationsIn(dir, "set"), [...train, ...held]);
});

Deno.test("the answer of a results line is its response, whatever fields its row has", async () => {
  await using dir = await tempDir();
  const asked = { role: "user", content: "q" };
  const old = { role: "assistant", content: "Once" };
  const messages = [asked, old];
  const parts = { role: "assistant", content: [{ type: "text", text: "Once" }] };
  const continuing = { continue_final_message: true };
  const response = " upon a time";
  const cases: readonly [row: object, answer: string, runParams?: Params][] = [
    [{ prompt: "q", completion: "a reference", output: "another" }, response],
    [{ messages }, response],
    [{ messages, params: continuing }, `Once${response}`],
    [{ messages: [asked, parts], params: continuing }, `Once${response}`],
    [{ messages }, `Once${response}`, continuing],
    [{ conversations: [{ from: "human", value: "q" }, { from: "gpt", value: "old" }] }, response],
  ];
  for (const [row, answer, runParams] of cases) {
    await dir.write("out.jsonl", `${resultLineOf(row, { response }, { runParams })}\n`);
    const [conversation] = await conversationsIn(dir, "out.jsonl");
    const roles = conversation.messages.map(({ role, content }) => [role, content]);
    assertEquals(roles, [["user", "q"], ["assistant", answer]]);
  }
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

Deno.test("a CSV of one column keeps its empty rows", async () => {
  await using dir = await tempDir();
  await dir.write("a.jsonl", '{"a":"x"}\n{"a":""}\n{"a":" "}\n{"a":"y"}\n');
  const format = "raw";
  await convertFiles({ input: dir.path("a.jsonl"), output: dir.path("b.csv"), format });
  assertEquals(await dir.read("b.csv"), 'a\r\nx\r\n""\r\n" "\r\ny\r\n');
  await convertFiles({ input: dir.path("b.csv"), output: dir.path("c.jsonl"), format });
  assertEquals(await dir.read("c.jsonl"), await dir.read("a.jsonl"));
});

Deno.test("a CSV keeps names with a character that may be a delimiter, and carriage returns at ends", async () => {
  await using dir = await tempDir();
  const format = "raw", [input, table, output] = ["a.jsonl", "b.csv", "c.jsonl"].map(dir.path);
  for (const rows of ['{"p|q":"a|b"}\n{"p|q":"c"}\n', '{"a":"x","b;c":"y\\r"}\n']) {
    await dir.write("a.jsonl", rows);
    await convertFiles({ input, output: table, format, replace: true });
    await convertFiles({ input: table, output, format, replace: true });
    assertEquals(await dir.read("c.jsonl"), rows);
  }
  await dir.write("b.csv", "Question | context\nWhy?\nHow?\n");
  await convertFiles({ input: table, output, format, replace: true });
  const rows = [{ "Question | context": "Why?" }, { "Question | context": "How?" }];
  assertEquals(await dir.rows("c.jsonl"), rows);
});
