/** Tests of exports in lib/export/write_set.ts. @module */

import { assert, assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import type { ThinkStyle } from "../../lib/answer.ts";
import { DamagedFileError, SinkError, UsageError } from "../../lib/errors.ts";
import { convertFiles, type ExportOptions } from "../../lib/export/mod.ts";
import { POSIX } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";
import { exportFrom, resultLineOf, runFile } from "./results.ts";

function user(content: string) {
  return { role: "user", content };
}

Deno.test("exportResults() writes only the training fields, in input order", async () => {
  await using dir = await tempDir();
  const lines = [7, 1, 12, 3, 2].map((line) =>
    resultLineOf({ id: line, prompt: `p${line} ü`, note: "x".repeat(line) }, {
      response: `a${line}`,
      source: `in/prompts.jsonl:${line}`,
    })
  );
  await dir.write("out.jsonl", lines.join("\n") + "\n");
  const report = await exportFrom(dir, { format: "prompt-completion" });
  assertEquals([report.rows, report.columns], [5, ["prompt", "completion"]]);
  assertEquals(
    await dir.rows("train.jsonl"),
    [1, 2, 3, 7, 12].map((line) => ({
      prompt: [user(`p${line} ü`)],
      completion: [{ role: "assistant", content: `a${line}` }],
    })),
  );
});

Deno.test("exportResults() keeps input order when the input was named by another path", async () => {
  await using dir = await tempDir();
  const sources = ["prompts.jsonl:2", "/a/prompts.jsonl:3", "./prompts.jsonl:1"];
  const lines = sources.map((source) => resultLineOf({ prompt: source.slice(-1) }, { source }));
  await dir.write("out.jsonl", lines.join("\n") + "\n");
  await exportFrom(dir);
  const rows = await dir.rows("train.jsonl");
  assertEquals(rows.map(({ messages }) => messages[0].content), ["1", "2", "3"]);
});

Deno.test("exportResults() keeps the answers to one row together", async () => {
  await using dir = await tempDir();
  // The template uses the uid, which is the same for all answers to a row.
  const options = { template: "{{uid}}?" };
  const answers = [[2, 0], [1, 11], [2, 2], [1, 0], [1, 2], [2, 1]];
  const lines = answers.map(([line, sample]) =>
    resultLineOf({ uid: `row#${line}` }, {
      response: `${line}.${sample}`,
      source: `prompts.jsonl:${line}`,
      sample,
    }, options)
  );
  await dir.write("out.jsonl", lines.join("\n") + "\n");
  await dir.write("out.run.json", runFile(options));
  await exportFrom(dir, { format: "alpaca" });
  const rows = await dir.rows("train.jsonl");
  assertEquals(rows.map(({ instruction, output }) => `${instruction} ${output}`), [
    "row#1? 1.0",
    "row#1? 1.2",
    "row#1? 1.11",
    "row#2? 2.0",
    "row#2? 2.1",
    "row#2? 2.2",
  ]);
});

Deno.test("exportResults() puts several results files one after the other", async () => {
  await using dir = await tempDir();
  for (const name of ["b", "a"]) {
    const lines = [2, 1].map((line) =>
      resultLineOf({ prompt: `${name}${line}` }, { source: `prompts.jsonl:${line}` })
    );
    await dir.write(`${name}.jsonl`, lines.join("\n") + "\n");
  }
  const results = [dir.path("b.jsonl"), dir.path("a.jsonl"), dir.path("x/../b.jsonl")];
  await Deno.mkdir(dir.path("x"));
  const { notes } = await exportFrom(dir, { results });
  const rows = await dir.rows("train.jsonl");
  assertEquals(rows.map(({ messages }) => messages[0].content), ["b1", "b2", "a1", "a2"]);
  const leftOut = "Left out 1 path of a file that was named before";
  assertEquals(notes, [leftOut]);
  const output = dir.path("converted.jsonl");
  assertEquals((await convertFiles({ input: results, output })).notes, [leftOut]);
  assertEquals((await dir.rows("converted.jsonl")).length, 4);
});

Deno.test("exportResults() reads how rows were sent from run.json", async () => {
  await using dir = await tempDir();
  const template = "{{word}} of {{uid}}";
  const tools = [{ type: "function", function: { name: "add" } }];
  const options = { system: "Be kind", template };
  await dir.write("out.jsonl", resultLineOf({ uid: "u1", word: "sum" }, {}, options) + "\n");
  await dir.write("out.run.json", runFile(options, { tools }));
  const report = await exportFrom(dir);
  assertEquals(report.columns, ["messages", "tools"]);
  assertEquals(await dir.rows("train.jsonl"), [{
    messages: [
      { role: "system", content: "Be kind" },
      user("sum of u1"),
      { role: "assistant", content: "an answer" },
    ],
    tools: JSON.stringify(tools),
  }]);
});

Deno.test({
  name: "exportResults() reads run.json beside the file that a link leads to",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using dir = await tempDir();
    const tools = [{ type: "function", function: { name: "add" } }];
    await dir.write("runs/1.jsonl", resultLineOf({ prompt: "p" }) + "\n");
    await dir.write("runs/1.run.json", runFile({}, { tools }));
    await Deno.symlink("runs/1.jsonl", dir.path("out.jsonl"));
    assertEquals((await exportFrom(dir)).columns, ["messages", "tools"]);
  },
});

Deno.test("exportResults() refuses options that yield messages other than those that were sent", async () => {
  await using dir = await tempDir();
  await dir.write("out.jsonl", resultLineOf({ prompt: "hi" }, {}, { system: "Be kind" }) + "\n");
  const error = await assertRejects(() => exportFrom(dir), UsageError);
  assert(error.message.includes('out.jsonl" line 1: the messages that uid'));
  assert(
    error.message.includes("Use the system, template and prompt field of the run that sent it"),
  );
  assertEquals(await dir.exists("train.jsonl"), false);
  assertEquals((await exportFrom(dir, { system: "Be kind" })).rows, 1);
});

Deno.test("exportResults() takes the messages from final_messages without a run file", async () => {
  await using dir = await tempDir();
  const options = { system: "Be kind", finalMessages: true };
  const line = resultLineOf({ prompt: "hi" }, { reasoning: "Easy" }, options);
  await dir.write("out.jsonl", `${line}\n`);
  await exportFrom(dir, { think: "drop" });
  assertEquals(await dir.rows("train.jsonl"), [{
    messages: [
      { role: "system", content: "Be kind" },
      user("hi"),
      { role: "assistant", content: "an answer" },
    ],
  }]);
});

Deno.test("exportResults() gives all rows the same columns", async () => {
  await using dir = await tempDir();
  const tools = [{ type: "function", function: { name: "add" } }];
  const lines = [
    resultLineOf({ prompt: "one" }, { source: "p.jsonl:1" }),
    resultLineOf({ prompt: "two", tools }, { source: "p.jsonl:2" }),
    resultLineOf({ messages: [{ role: "system", content: "s" }, user("three")] }, {
      source: "p.jsonl:3",
    }),
  ];
  await dir.write("out.jsonl", lines.join("\n") + "\n");
  await exportFrom(dir);
  assertEquals((await dir.rows("train.jsonl")).map((row) => row.tools), [
    "[]",
    JSON.stringify(tools),
    "[]",
  ]);
  await exportFrom(dir, { format: "alpaca" });
  const [one, two, three] = await dir.rows("train.jsonl");
  assertEquals(one, {
    instruction: "one",
    input: "",
    output: "an answer",
    system: "",
    tools: "[]",
  });
  assertEquals(two.tools, JSON.stringify(tools));
  assertEquals(three.system, "s");
});

Deno.test("exportResults() restores renamed fields, and exact numbers", async () => {
  await using dir = await tempDir();
  const row = '{"uid":7,"response":"old","messages":[{"role":"user","content":"hi","w":1.0}]}';
  await dir.write("out.jsonl", resultLineOf(row) + "\n");
  await exportFrom(dir);
  const text = await dir.read("train.jsonl");
  assert(text.startsWith('{"messages":[{"role":"user","content":"hi","w":1.0}'), text);
});

Deno.test("exportResults() writes U+FFFD for halves of surrogate pairs, also in fields of the row", async () => {
  await using dir = await tempDir();
  const line = resultLineOf({ prompt: "p\ud83d" }, { response: "HERE" });
  // As earlier versions wrote it.
  await dir.write("out.jsonl", line.replace("HERE", String.raw`a\ud83d`) + "\n");
  await exportFrom(dir, { format: "prompt-completion" });
  assertEquals(
    await dir.read("train.jsonl"),
    '{"prompt":[{"role":"user","content":"p\ufffd"}],' +
      '"completion":[{"role":"assistant","content":"a\ufffd"}]}\n',
  );
});

Deno.test("exportResults() writes to a stream", async () => {
  await using dir = await tempDir();
  await dir.write("out.jsonl", resultLineOf({ prompt: "hi" })); // no line feed: complete anyway
  let text = "";
  const decoder = new TextDecoder();
  const output = new WritableStream<Uint8Array>({
    write(bytes) {
      text += decoder.decode(bytes);
    },
  });
  assertEquals((await exportFrom(dir, { output })).rows, 1);
  assertEquals(JSON.parse(text).messages[0], user("hi"));
});

Deno.test("exportResults() keeps an older training set until the new one is complete", async () => {
  await using dir = await tempDir();
  await dir.write("train.jsonl", "old\n");
  await dir.write("out.jsonl", `${resultLineOf({ prompt: "hi" })}\n{"uid":"2","resp`);
  await assertRejects(() => exportFrom(dir), DamagedFileError, "The line is truncated");
  assertEquals(await dir.read("train.jsonl"), "old\n");
});

Deno.test("exportResults() reads null as no field, as pandas writes it in a table of all lines", async () => {
  await using dir = await tempDir();
  const line = JSON.parse(resultLineOf({ prompt: "hi" }));
  const nulls = { error: null, tool_calls: null, final_messages: null, reasoning: null };
  await dir.write("out.jsonl", [{ ...line, ...nulls }]);
  assertEquals((await exportFrom(dir)).rows, 1);
});

Deno.test("exportResults() names a damaged line and its problem", async () => {
  await using dir = await tempDir();
  const good = resultLineOf({ prompt: "hi" });
  const bad: [string | Uint8Array, string][] = [
    ["{", "it is not JSON: "],
    ["3", "it must be an object"],
    ['{"prompt":"hi"}', 'it has no "uid"'],
    [good.replace(/"uid":"[^"]*"/, '"uid":17'), 'its "uid" is a number: pandas keeps ids as text'],
    [
      good.replace(/"prompt_hash":"[^"]*",/, ""),
      'it has no "prompt_hash", so Retort did not write it',
    ],
    [good.replace('"response":"an answer"', '"response":3'), '"response" must be a string'],
    [good.replace("prompts.jsonl:1", "prompts.jsonl"), '"distill.source" must be file:line'],
    [good.replace(/"distill":.*/, '"distill":{}}'), '"distill" must hold the "source"'],
    [good.replace('"reasoning":""', '"reasoning":3'), '"reasoning" must be a string'],
    [good.replace('"tool_calls":"[]"', '"tool_calls":1'), '"tool_calls" must be an array'],
    [good.replace('"response"', '"error":{},"response"'), "it is a failure, not a result"],
    [new Uint8Array([0x7b, 0xff]), "invalid UTF-8"],
  ];
  const encoder = new TextEncoder();
  for (const [line, problem] of bad) {
    const bytes = typeof line === "string" ? encoder.encode(line) : line;
    await dir.write("out.jsonl", new Uint8Array([...encoder.encode(good + "\n"), ...bytes, 10]));
    const error = await assertRejects(() => exportFrom(dir), DamagedFileError);
    assert(error instanceof SinkError && error.path === dir.path("out.jsonl"));
    assert(error.message.includes(`out.jsonl" line 2: ${problem}`), error.message);
  }
  await dir.write("out.jsonl", new Uint8Array([0x1f, 0x8b, 8, 0]));
  const { message } = await assertRejects(() => exportFrom(dir), DamagedFileError);
  assert(message.endsWith('line 1: invalid UTF-8. If the file is compressed, use "convert"'));
  await dir.write("out.jsonl", `[${good},\n${good}]\n`);
  await assertRejects(
    () => exportFrom(dir),
    UsageError,
    "it is a JSON array, and results are read",
  );
});

Deno.test("exportResults() refuses what cannot be exported, before it writes", async () => {
  await using dir = await tempDir();
  await dir.write("out.jsonl", resultLineOf({ messages: [user("a"), user("b")] }) + "\n");
  const refused: [Partial<ExportOptions>, string][] = [
    [
      { format: "raw", think: "drop" },
      'think "drop" with the format raw: its rows stay as they are',
    ],
    [{ format: "alpaca", think: "field" }, "use think wrap or drop"],
    [{ format: "alpaca" }, "line 1 as alpaca: the format has no place for turns other than user"],
    [{ results: [] }, "name one"],
    [{ results: dir.path("none.jsonl") }, "no such file"],
    [{ results: dir.root }, "it is a folder: name a results file in it"],
    [{ output: dir.root }, "it is a folder: name a file in it"],
    [{ output: dir.path("out.jsonl") }, "it is a results file that is exported"],
    [{ output: "" }, "Cannot write to an empty path"],
  ];
  for (const [options, message] of refused) {
    await assertRejects(() => exportFrom(dir, options), UsageError, message);
  }
  const misused: [Partial<ExportOptions>, typeof TypeError, string][] = [
    [
      { format: "csv" as "alpaca" },
      TypeError,
      'Cannot use format "csv": it must be "messages" or ',
    ],
    [{ think: "loud" as "drop" }, TypeError, 'it must be "wrap" or "field" or "drop"'],
    [{ toolArguments: "list" as "string" }, TypeError, 'it must be "object" or "string"'],
    [{ validation: 1 }, RangeError, "validation 1: it must be a number, at least 0 and below 1"],
    [{ shuffle: 0.5 }, RangeError, "shuffle 0.5: it must be a whole number"],
  ];
  for (const [options, type, message] of misused) {
    await assertRejects(() => exportFrom(dir, options), type, message);
  }
  assertEquals(await dir.exists("train.jsonl"), false);
});

Deno.test("exportResults() creates the folder of its output, or says why it cannot", async () => {
  await using dir = await tempDir();
  await dir.write("out.jsonl", resultLineOf({ prompt: "hi" }) + "\n");
  await exportFrom(dir, { output: dir.path("new/deep/train.jsonl") });
  assertEquals((await dir.rows("new/deep/train.jsonl")).length, 1);
  const output = dir.path("out.jsonl/train.jsonl");
  await assertRejects(() => exportFrom(dir, { output }), Error, "train.jsonl");
});

Deno.test("exportResults() writes into a device and does not replace it", POSIX, async () => {
  await using dir = await tempDir();
  await dir.write("out.jsonl", resultLineOf({ prompt: "hi" }) + "\n");
  assertEquals((await exportFrom(dir, { output: "/dev/null" })).rows, 1);
  assert((await Deno.stat("/dev/null")).isCharDevice);
});

const ADD = { type: "function", function: { name: "add" } };

function call(args: string) {
  return { id: "c", type: "function", function: { name: "add", arguments: args } };
}

Deno.test("exportResults() writes arguments of tool calls as objects, with every digit", async () => {
  await using dir = await tempDir();
  const earlier = [
    user("hi"),
    { role: "assistant", content: "", tool_calls: [call('{"a":1.0}')] },
    { role: "tool", tool_call_id: "c", content: "1" },
  ];
  const line = resultLineOf({ messages: earlier, tools: [ADD] }, {
    response: "",
    toolCalls: [call('{"a":12345678901234567890}'), call("")],
  });
  // Earlier versions wrote the list itself.
  const before = line.replace(
    /"tool_calls":("\[\{(?:[^"\\]|\\.)*")/,
    (_, text) => `"tool_calls":${JSON.parse(text)}`,
  );
  for (const text of [line, before]) {
    await dir.write("out.jsonl", `${text}\n`);
    for (const format of ["messages", "prompt-completion"] as const) {
      await exportFrom(dir, { format });
      const written = await dir.read("train.jsonl");
      assert(written.includes('"arguments":{"a":12345678901234567890}'), written);
      assert(written.includes('"arguments":{"a":1.0}') && written.includes('"arguments":{}'));
    }
  }
  assert(before !== line);
  await exportFrom(dir, { toolArguments: "string" });
  const [{ messages, tools }] = await dir.rows("train.jsonl");
  assertEquals(messages[3].tool_calls[0], call('{"a":12345678901234567890}'));
  assertEquals(JSON.parse(tools), [ADD]);
});

Deno.test("exportResults() notes how trainers treat the rows", async () => {
  await using dir = await tempDir();
  const calls = (args: string[], reasoning = "") =>
    args.map((text, i) =>
      resultLineOf({ prompt: `${i}`, tools: [ADD] }, {
        response: "",
        reasoning,
        toolCalls: [call(text)],
        source: `p.jsonl:${i + 1}`,
      })
    ).join("\n") + "\n";
  const notesOf = async (args: string[], options: Partial<ExportOptions> = {}, reasoning = "") => {
    await dir.write("out.jsonl", calls(args, reasoning));
    return (await exportFrom(dir, options)).notes.join("\n");
  };
  assertEquals(await notesOf(['{"a":1}', '{"a":2.5}']), "");
  assert((await notesOf(['{"a":1}', '{"a":"1"}'])).includes('"a" is a number and a string'));
  assert((await notesOf(['{"a":1}', '{"b":1}'])).includes('not every call has "b"'));
  assert((await notesOf(['{"a":1}', "{}"])).includes('not every call has "a"'));
  // Numbers that JavaScript would change are represented by objects.
  for (const text of ['{"a":', "12345678901234567890", "1.0", "7", '"x"', "[1.0]"]) {
    assert(
      (await notesOf([text])).includes("1 tool call with arguments that are not a JSON object"),
    );
    const [{ messages }] = await dir.rows("train.jsonl");
    assertEquals(messages[1].tool_calls[0].function.arguments, text);
    await exportFrom(dir, { format: "sharegpt", replace: true });
    const [{ conversations }] = await dir.rows("train.jsonl");
    assertEquals(JSON.parse(conversations[1].value)[0].arguments, text);
  }
  assert((await notesOf(["{}"], { toolArguments: "string" })).includes("JSON text"));
  assert((await notesOf(["{}"], { format: "sharegpt" })).includes("Axolotl does not"));
  const field = { format: "sharegpt", think: "field" } as const;
  assert((await notesOf(["{}"], field, "why")).includes("LLaMA-Factory does not read it"));
  assert((await notesOf(["{}"], {}, "why")).includes("need --think field"));
});

Deno.test("an export as sharegpt counts the rows with reasoning that LLaMA-Factory does not read", async () => {
  await using dir = await tempDir();
  const turns = (reasoning_content?: string) => [
    { role: "user", content: "a" },
    { role: "assistant", content: "b", reasoning_content },
  ];
  await dir.write("in.jsonl", [
    { messages: turns("why") },
    { messages: [...turns("why"), ...turns()] },
    { messages: turns() },
  ]);
  const notesWith = async (think?: ThinkStyle) => {
    const [input, output] = ["in.jsonl", "train.jsonl"].map((name) => dir.path(name));
    const options = { input, output, format: "sharegpt", think, replace: true } as const;
    return (await convertFiles(options)).notes;
  };
  const unread = "LLaMA-Factory does not read it. Use";
  const messages = "--format messages for TRL and Axolotl";
  for (const think of [undefined, "field"] as const) {
    assertEquals(await notesWith(think), [
      `2 rows with reasoning in a field: ${unread} --think wrap, or ${messages}`,
    ]);
  }
  for (const think of ["wrap", "drop"] as const) {
    assertEquals(await notesWith(think), [
      `1 row with reasoning of earlier turns in a field: ${unread} ${messages}`,
    ]);
  }
});

Deno.test("exportResults() writes every content as a list of parts if a message has an image", async () => {
  await using dir = await tempDir();
  const image = { type: "image_url", image_url: { url: "https://x/y.png" } };
  const lines = [
    resultLineOf({ prompt: "one" }, { source: "p.jsonl:1" }),
    resultLineOf({ messages: [{ role: "user", content: [{ type: "text", text: "t" }, image] }] }, {
      source: "p.jsonl:2",
    }),
  ];
  await dir.write("out.jsonl", lines.join("\n") + "\n");
  await exportFrom(dir);
  const [first] = await dir.rows("train.jsonl");
  assertEquals(first.messages[0].content, [{ type: "text", text: "one" }]);
  assertEquals(first.messages[1].content, [{ type: "text", text: "an answer" }]);
});

Deno.test("exportResults() writes raw rows with text and images as Parquet", async () => {
  await using dir = await tempDir();
  const image = { type: "image_url", image_url: { url: "https://x/y.png" } };
  const lines = [[{ role: "user", content: "t" }], [{ role: "user", content: [image] }]].map(
    (messages, index) => resultLineOf({ messages }, { source: `p.jsonl:${index + 1}` }),
  );
  await dir.write("out.jsonl", lines.join("\n") + "\n");
  await exportFrom(dir, { format: "raw", output: dir.path("train.parquet") });
  await convertFiles({ input: dir.path("train.parquet"), output: dir.path("back.jsonl") });
  const back = await dir.rows("back.jsonl");
  assertEquals(back.map(({ messages }) => messages[0].content), ["t", [image]]);
});

Deno.test("exportResults() gives the entry that LLaMA-Factory reads, with the columns of the file", async () => {
  await using dir = await tempDir();
  const line = resultLineOf({ prompt: "p", tools: [ADD] });
  await dir.write("out.jsonl", `${line}\n`);
  const { hints } = await exportFrom(dir, { format: "sharegpt" });
  assertEquals(JSON.parse(hints[0].text), {
    train: {
      file_name: "train.jsonl",
      formatting: "sharegpt",
      columns: { messages: "conversations", tools: "tools" },
    },
  });
  assert(hints[1].text.includes("field_messages: conversations"));
});

Deno.test("exportResults() names the files that LLaMA-Factory reads, for rows with lists and without", async () => {
  await using dir = await tempDir();
  await dir.write("out.jsonl", `${resultLineOf({ prompt: "p" })}\n`);
  const cases = [
    [
      "a.jsonl.gz",
      "alpaca",
      "this format only from uncompressed .jsonl, .json, .csv and .parquet:",
    ],
    ["a.jsonl.gz", "sharegpt", "lists only from uncompressed .jsonl, .json and .parquet:"],
    ["a.csv", "sharegpt", "lists only from"],
    ["a.csv", "alpaca", '"file_name": "a.csv"'],
  ] as const;
  for (const [file, format, text] of cases) {
    const { hints } = await exportFrom(dir, { format, output: dir.path(file) });
    assert(hints[0].text.includes(text), `${file} ${format}: ${hints[0].text}`);
  }
});

Deno.test("exportResults() names the file type for Axolotl by what was written, not by the extension", async () => {
  await using dir = await tempDir();
  await dir.write("out.jsonl", `${resultLineOf({ prompt: "p" })}\n`);
  for (
    const [file, type] of [["a.jsonl.gz", "json"], ["a.sft", "json"], ["a.parquet", "parquet"]]
  ) {
    const { hints } = await exportFrom(dir, { format: "messages", output: dir.path(file) });
    assert(hints[0].text.includes(`ds_type: ${type}\n`), `${file}: ${hints[0].text}`);
  }
});

Deno.test("exportResults() gives no advice about lists in CSV, where they are text", async () => {
  await using dir = await tempDir();
  const calls = ['{"city":"Oslo"}', '{"day":1}'].map((args, index) => ({
    id: `call${index}`,
    type: "function",
    function: { name: "weather", arguments: args },
  }));
  await dir.write("out.jsonl", `${resultLineOf({ prompt: "p" }, { toolCalls: calls })}\n`);
  for (const [file, format] of [["a.csv", "messages"], ["b.csv.zst", "sharegpt"]] as const) {
    const { hints, notes } = await exportFrom(dir, { format, output: dir.path(file) });
    const { place, text } = hints.at(-1)!;
    assertEquals(place, "Axolotl");
    assert(text.includes("lists only from .jsonl, .json and .parquet: use one"), text);
    assertEquals(notes.filter((note) => note.includes("datasets 4.8")), []);
  }
});

Deno.test("exportResults() ignores blank lines and a byte order mark", async () => {
  await using dir = await tempDir();
  const [one, two] = ["one", "two"].map((prompt) => resultLineOf({ prompt }));
  await dir.write("out.jsonl", `\ufeff${one}\r\n\n \n${two}\n`);
  let text = "";
  const decoder = new TextDecoder();
  const output = new WritableStream<Uint8Array>({
    write: (bytes) => void (text += decoder.decode(bytes)),
  });
  assertEquals((await exportFrom(dir, { output })).rows, 2);
  assertEquals(text.includes("one") && text.includes("two"), true);
});
