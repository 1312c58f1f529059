/** Rows of any file in another format, without a run. @module */

import {
  assert,
  assertEquals,
  assertLess,
  assertRejects,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { parquetMetadata } from "../../lib/deps/hyparquet.ts";
import { join } from "../../lib/deps/std_path.ts";
import { SourceError, UsageError } from "../../lib/errors.ts";
import { convertFiles, type ConvertOptions } from "../../lib/export/mod.ts";
import { readReasoning } from "../../lib/export/turns.ts";
import { openInput } from "../../lib/formats/mod.ts";
import { FILE_KINDS } from "../../lib/tables/mod.ts";
import { fastestMs } from "../support/fastest.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { resultLineOf } from "./results.ts";

function convert(dir: TempDir, input: string, output: string, options?: Partial<ConvertOptions>) {
  return convertFiles({ input: dir.path(input), output: dir.path(output), ...options });
}

function user(content: string) {
  return { role: "user", content };
}

function assistant(content: string) {
  return { role: "assistant", content };
}

Deno.test("reasoning that breaks off in white space is read in linear time", async () => {
  const content = `<think>${"\n".repeat(20_000)}x`;
  const ms = await fastestMs(() => {
    const expected = { response: content, reasoning: "" };
    assertEquals(readReasoning({ role: "assistant", content }), expected);
  }, 1_000);
  assertLess(ms, 1_000);
});

Deno.test("rows survive a round trip through every file format", async () => {
  await using dir = await tempDir();
  const rows = Array.from(
    { length: 50 },
    (_, i) =>
      `{"id":${9_007_199_254_740_993n + BigInt(i)},"text":${JSON.stringify(`"${i}", a\n b;`)},` +
      `"meta":{"tags":["x","y${i}"],"score":${i}.5},"big":12345678901234567${100 + i}}`,
  );
  await dir.write("a.jsonl", rows.join("\n"));
  const steps = ["b.parquet", "c.json", "d.jsonl.zst", "e.parquet", "f.json.gz", "g.jsonl"];
  let before = "a.jsonl";
  for (const name of steps) {
    assertEquals((await convert(dir, before, name)).rows, rows.length, name);
    before = name;
  }
  assertEquals((await dir.read("g.jsonl")).trim().split("\n"), rows);
});

Deno.test("Parquet keeps the digits of integers in a column with fractions, and doubles as doubles", async () => {
  await using dir = await tempDir();
  const rows = [
    '{"v":9007199254740993,"s":{"q":[1.5]},"n":1}',
    '{"v":1.5,"s":{"q":[-9007199254740993]},"n":0.5}',
  ];
  for (const lines of [rows, rows.toReversed()]) {
    await dir.write("a.jsonl", lines.join("\n"));
    await convert(dir, "a.jsonl", "b.parquet", { replace: true });
    await convert(dir, "b.parquet", "c.jsonl", { replace: true });
    assertEquals((await dir.read("c.jsonl")).trim().split("\n"), lines);
  }
  // A column of doubles stays one, whatever digits its numbers are written with.
  await dir.write("d.jsonl", '{"v":1.5}\n{"v":1e18}\n{"v":1234567890123456800.0}\n{"v":1e19}');
  for (const [from, to] of [["d.jsonl", "e.parquet"], ["e.parquet", "f.parquet"]]) {
    await convert(dir, from, to);
    const { buffer } = await Deno.readFile(dir.path(to));
    assertEquals(parquetMetadata(buffer).schema[1].type, "DOUBLE", to);
  }
});

Deno.test("a row without a column has no value there, even if every object inherits the name", async () => {
  await using dir = await tempDir();
  await dir.write("a.jsonl", [{ id: 1, toString: "x", m: { valueOf: 2 } }, { id: 2, m: {} }]);
  await convert(dir, "a.jsonl", "b.csv", { columns: ["id", "toString"] });
  assertEquals(await dir.read("b.csv"), "id,toString\r\n1,x\r\n2,\r\n");
  await convert(dir, "a.jsonl", "b.parquet");
  await convert(dir, "b.parquet", "c.jsonl");
  assertEquals(
    (await dir.read("c.jsonl")).split("\n")[1],
    '{"id":2,"toString":null,"m":{"valueOf":null}}',
  );
});

/** Makes an assignment to `__proto__` set the prototype, as JavaScript does, but not Deno. */
function withPrototypes(): Disposable {
  const own = Object.getOwnPropertyDescriptor(Object.prototype, "__proto__")!;
  Object.defineProperty(Object.prototype, "__proto__", {
    configurable: true,
    get() {
      return Object.getPrototypeOf(this);
    },
    set(value) {
      if (typeof value === "object") Object.setPrototypeOf(this, value);
    },
  });
  return { [Symbol.dispose]: () => Object.defineProperty(Object.prototype, "__proto__", own) };
}

Deno.test("a field named __proto__ is kept in Parquet, with its exact type", async () => {
  await using dir = await tempDir();
  using _ = withPrototypes();
  await dir.write("a.jsonl", '{"__proto__":"p","m":{"__proto__":2.0,"n":{"__proto__":"q"}}}');
  await convert(dir, "a.jsonl", "b.parquet");
  await convert(dir, "b.parquet", "c.parquet");
  await convert(dir, "c.parquet", "d.jsonl");
  const rows = await dir.read("d.jsonl");
  assertEquals(rows, '{"__proto__":"p","m":{"__proto__":2,"n":{"__proto__":"q"}}}\n');
  const { exactTypes } = await openInput(dir.path("c.parquet"), "c.parquet");
  const types = JSON.stringify(Object.fromEntries(await exactTypes!()));
  assertEquals(types, '{"m":{"kind":"struct","fields":{"__proto__":{"kind":"double"}}}}');
});

Deno.test("JSON Lines stay byte for byte, also where rows are excluded", async () => {
  await using dir = await tempDir();
  const rows = ['{"n": 1.0,  "s":"\\u00e9"}', '{"n":2,"n2":1e400}', '{"n": 3}'];
  await dir.write("a.jsonl", rows.join("\r\n"));
  await convert(dir, "a.jsonl", "b.jsonl", { where: "n != 2" });
  assertEquals(await dir.read("b.jsonl"), `${rows[0]}\n${rows[2]}\n`);
});

Deno.test("a list of messages becomes an object, also with spaces before it", async () => {
  await using dir = await tempDir();
  const list = '[{"role":"user","content":"q"}]';
  await dir.write("a.jsonl", `${list}\n  ${list}\n`);
  await convert(dir, "a.jsonl", "b.jsonl");
  assertEquals(await dir.rows("b.jsonl"), [1, 2].map(() => ({ messages: [user("q")] })));
});

Deno.test("CSV to Parquet and back: columns of JSON, selected columns, a limit, a shuffled order", async () => {
  await using dir = await tempDir();
  const rows = Array.from({ length: 30 }, (_, i) => ({ a: `x${i}`, b: [i], c: "" }));
  await dir.write("a.jsonl", rows);
  await convert(dir, "a.jsonl", "b.csv", { columns: ["b", "a"] });
  const { makeTempFile } = Deno;
  const folders: unknown[] = [];
  Deno.makeTempFile = (options) => {
    folders.push(options?.dir);
    return makeTempFile(options);
  };
  try {
    await convert(dir, "b.csv", "new/c.parquet", { shuffle: 4, maxRows: 20 });
  } finally {
    Deno.makeTempFile = makeTempFile;
  }
  assertEquals(folders, [dir.path("new")], "the rows are where there is space for the output");
  await convert(dir, "new/c.parquet", "d.jsonl");
  const read = await dir.rows("d.jsonl");
  assertEquals([read.length, new Set(read.map(({ a }) => a)).size], [20, 20]);
  for (const { a, b } of read) assertEquals(`x${b[0]}`, a);
  assert(read.some(({ b }, i) => b[0] !== i));
  assertEquals(await dir.names("new"), ["c.parquet"]);
});

Deno.test("every shape of a row becomes the same conversation, with its answer", async () => {
  await using dir = await tempDir();
  const shapes: unknown[] = [
    { messages: [user("q"), assistant("a")] },
    [user("q"), assistant("a")],
    { prompt: [user("q")], completion: [assistant("a")] },
    { prompt: "q", completion: "a" },
    { prompt: "q", response: "a", reasoning: "" },
    { question: "q", answer: "a" },
    { instruction: "q", input: "", output: "a" },
    { conversations: [{ from: "human", value: "q" }, { from: "gpt", value: "a" }] },
    JSON.parse(resultLineOf({ prompt: "q" }, { response: "a" })),
  ];
  for (const [index, shape] of shapes.entries()) {
    await dir.write("a.jsonl", [shape]);
    await convert(dir, "a.jsonl", "b.jsonl", { format: "messages", replace: true });
    const messages = [user("q"), assistant("a")];
    assertEquals(await dir.rows("b.jsonl"), [{ messages }], `shape ${index}`);
  }
});

Deno.test("a template, a system message and reasoning in another style", async () => {
  await using dir = await tempDir();
  await dir.write("a.csv", "topic,output\nrain,<think>why</think>It falls\nsnow,It is cold\n");
  const options = { format: "messages", template: "On {{topic}}", system: "Be kind" } as const;
  await convert(dir, "a.csv", "b.jsonl", { ...options, think: "field" });
  const system = { role: "system", content: "Be kind" };
  assertEquals(await dir.rows("b.jsonl"), [
    {
      messages: [system, user("On rain"), { ...assistant("It falls"), reasoning_content: "why" }],
    },
    { messages: [system, user("On snow"), { ...assistant("It is cold"), reasoning_content: "" }] },
  ]);
  await convert(dir, "b.jsonl", "c.jsonl", { format: "alpaca" });
  assertEquals((await dir.rows("c.jsonl")).map(({ output }) => output), [
    "<think>\nwhy\n</think>\n\nIt falls",
    "It is cold",
  ]);
});

Deno.test("results in any type of file are converted only with the template that they were sent with", async () => {
  await using dir = await tempDir();
  const template = "On {{question}}";
  const lines = ["rain", "snow"].map((question) =>
    resultLineOf({ question, note: "" }, { response: "a" }, { template })
  );
  await dir.write("a.jsonl", `${lines.join("\n")}\n`);
  for (const kind of FILE_KINDS) {
    const results = kind === "jsonl" ? "a.jsonl" : `a.${kind}`;
    if (kind !== "jsonl") await convert(dir, "a.jsonl", results);
    const { message } = await assertRejects(
      () => convert(dir, results, "b.jsonl", { format: "messages" }),
      SourceError,
    );
    assertStringIncludes(message, "2 rows: the messages that were sent cannot be restored", kind);
    await convert(dir, results, "b.jsonl", { format: "messages", template, replace: true });
    const prompts = (await dir.rows("b.jsonl")).map(({ messages }) => messages[0]);
    assertEquals(prompts, [user("On rain"), user("On snow")], kind);
    await Deno.remove(dir.path("b.jsonl"));
  }
});

Deno.test("a prompt that Parquet has changed is not restored, and the advice names JSON Lines", async () => {
  await using dir = await tempDir();
  const template = "{{n}}";
  const lines = ['{"n":1.0}', '{"n":2.5}'].map((row) =>
    resultLineOf(row, { response: "a" }, { template })
  );
  await dir.write("a.jsonl", `${lines.join("\n")}\n`);
  await convert(dir, "a.jsonl", "a.parquet");
  await assertRejects(
    () => convert(dir, "a.parquet", "b.jsonl", { format: "messages", template }),
    SourceError,
    "convert the run's results file (.jsonl)",
  );
  await convert(dir, "a.jsonl", "b.jsonl", { format: "messages", template });
  const prompts = (await dir.rows("b.jsonl")).map(({ messages }) => messages[0]);
  assertEquals(prompts, [user("1.0"), user("2.5")]);
});

Deno.test("prompts without an answer are conversations; formats that need one refuse them", async () => {
  await using dir = await tempDir();
  await dir.write("a.jsonl", [{ prompt: "q" }, { prompt: "r", response: "a" }]);
  await convert(dir, "a.jsonl", "b.jsonl", { format: "messages" });
  assertEquals((await dir.rows("b.jsonl"))[0], { messages: [user("q")] });
  await dir.write("many.jsonl", Array.from({ length: 30 }, (_, i) => ({ prompt: `q${i}` })));
  const error = await assertRejects(() =>
    convert(dir, "many.jsonl", "c.jsonl", { format: "alpaca" })
  );
  const [, heading, ...places] = (error as Error).message.split("\n");
  assertEquals(heading, "  30 rows: alpaca has no place for a row without an answer");
  assertEquals(places, [
    ...[1, 2, 3, 4, 5].map((line) => `    ${dir.path("many.jsonl")}:${line}`),
    "    … and 25 more",
  ]);
  for (const format of ["prompt-completion", "alpaca", "preference"] as const) {
    const error = await assertRejects(() => convert(dir, "a.jsonl", "c.jsonl", { format }));
    assert(error instanceof SourceError && /a\.jsonl:1: \S+ has no place for/.test(error.message));
  }
  assertEquals(await dir.exists("c.jsonl"), false);
});

Deno.test("a problem in an answer is reported with its index in the field of the answer", async () => {
  await using dir = await tempDir();
  const prompt = [user("p"), assistant("a"), user("q")];
  const call = { role: "assistant", tool_calls: [{ function: { name: "f", arguments: "{}" } }] };
  const part = { role: "assistant", content: ["text"] };
  const cases: readonly [row: object, place: string][] = [
    [{ prompt: "q", completion: ["a"] }, '"completion[0]" must be an object'],
    [{ prompt, completion: [part] }, '"completion[0].content[0]" must be an object'],
    [{ prompt, completion: [call, { role: 3 }] }, '"completion[1].role" must be a role'],
    [{ prompt, completion: { role: 3 } }, '"completion.role" must be a role'],
    [{ prompt, completion: part }, '"completion.content[0]" must be an object'],
    [{ prompt, chosen: "a", rejected: [1] }, '"rejected[0]" must be an object'],
    [{ prompt: "q", output: [assistant("a"), part] }, '"output[1].content[0]" must be an object'],
  ];
  for (const [row, place] of cases) {
    await dir.write("a.jsonl", [row]);
    const error = await assertRejects(() =>
      convert(dir, "a.jsonl", "b.jsonl", { format: "messages" })
    );
    assertStringIncludes((error as Error).message, `a.jsonl:1: ${place}`);
  }
});

Deno.test("content is a list of parts in all messages if only a rejected answer has a list", async () => {
  await using dir = await tempDir();
  const part = { type: "text", text: "b" };
  const rejected = [{ role: "assistant", content: [part] }];
  await dir.write("a.jsonl", [{ prompt: "p", chosen: "a", rejected }, {
    prompt: "q",
    chosen: "a",
    rejected: "b",
  }]);
  await convert(dir, "a.jsonl", "b.jsonl", { format: "preference" });
  const rows = await dir.rows("b.jsonl");
  assertEquals(rows.map(({ rejected }) => rejected[0].content), [[part], [part]]);
});

Deno.test("duplicates and validation rows are determined by the conversation and its uid", async () => {
  await using dir = await tempDir();
  const rows = Array.from(
    { length: 200 },
    (_, i) => ({ id: i, prompt: `p${i % 100}`, answer: "a" }),
  );
  await dir.write("a.jsonl", rows);
  assertEquals((await convert(dir, "a.jsonl", "b.jsonl", { dedupe: true })).rows, 100);
  const pairs = ["b", "c", "b"].map((rejected) => ({ prompt: "p", chosen: "a", rejected }));
  await dir.write("pairs.jsonl", pairs);
  assertEquals((await convert(dir, "pairs.jsonl", "pairs.json", { dedupe: true })).rows, 2);
  const split = await convert(dir, "a.jsonl", "c.jsonl", { validation: 0.2 });
  await convert(dir, "a.jsonl", "d.csv", { validation: 0.2, format: "messages" });
  const held = await dir.rows("c.validation.jsonl");
  assertEquals([split.rows, split.validationRows], [200, held.length]);
  assert(held.length > 10 && held.length < 90);
  const lines = (await dir.read("d.validation.csv")).trim().split("\r\n");
  assertEquals(lines.length - 1, held.length);
});

Deno.test("folders and several files are one table, and each bad row is named", async () => {
  await using dir = await tempDir();
  await dir.write("in/part-2.jsonl", [{ n: 2 }]);
  await dir.write("in/part-10.csv", "n\n10\n");
  await convert(dir, "in", "all.json");
  assertEquals(JSON.parse(await dir.read("all.json")), [{ n: 2 }, { n: "10" }]);
  await dir.write("in/part-3.jsonl", '{"n":1}\n[1,\n"x"\n');
  const error = await assertRejects(() => convert(dir, "in", "more.json"), SourceError);
  assert(error.message.startsWith("Cannot convert 2 rows of the input; nothing was written\n"));
  const part = join(dir.path("in"), "part-3.jsonl");
  assert(error.message.includes(`${part}:2: not JSON`), error.message);
  const third = `${part}:3: must be an object or an array: current value is "x"`;
  assert(error.message.includes(third), error.message);
  assertEquals(await dir.names(), ["all.json", "in"]);
});

Deno.test("an input is never replaced, nor another file without permission, and options are checked", async () => {
  await using dir = await tempDir();
  await dir.write("a.jsonl", [{ n: 1 }]);
  await dir.write("b.jsonl", [{ n: 2 }]);
  await dir.write("none.jsonl", "");
  const refused: [string, Partial<ConvertOptions>, string][] = [
    ["a.jsonl", { replace: true }, "it is an input of the conversion"],
    ["b.jsonl", {}, "Add --replace to replace it"],
    ["c.xlsx", {}, "use .jsonl, .json, .csv"],
    ["c.jsonl", { input: "-" }, "Cannot convert standard input"],
    ["c.jsonl", { columns: ["nope"] }, 'the column "nope"'],
    ["c.jsonl", { input: dir.path("none.jsonl") }, "there is no row"],
    ["c.jsonl", { where: "n > 5" }, "no row meets --where"],
  ];
  for (const [output, options, message] of refused) {
    const error = await assertRejects(() => convert(dir, "a.jsonl", output, options), UsageError);
    assert(error.message.includes(message), error.message);
  }
  const noResults = { format: "logprobs" as "raw" };
  const misuse = 'Cannot use format "logprobs": it must be';
  await assertRejects(() => convert(dir, "a.jsonl", "c.jsonl", noResults), TypeError, misuse);
  await convert(dir, "a.jsonl", "b.jsonl", { replace: true });
  assertEquals(await dir.read("b.jsonl"), '{"n":1}\n');
});

Deno.test({
  name: "a device is not converted, and the advice is not that of a run, which copies it",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using dir = await tempDir();
    const error = await assertRejects(() => convert(dir, "a", "c.jsonl", { input: "/dev/null" }));
    assert((error as Error).message.endsWith("Write it to a file first"), String(error));
  },
});

Deno.test({
  name: "a file that cannot be read is not replaced, because it may hold results",
  // Root reads every file.
  ignore: Deno.build.os === "windows" || Deno.uid() === 0,
  async fn() {
    await using dir = await tempDir();
    await dir.write("a.jsonl", [{ n: 1 }]);
    await dir.write("b.jsonl", [{ uid: "1", prompt_hash: "0", response: "paid" }]);
    await Deno.chmod(dir.path("b.jsonl"), 0);
    const error = await assertRejects(
      () => convert(dir, "a.jsonl", "b.jsonl", { replace: true }),
      UsageError,
    );
    assert(error.message.includes("Cannot replace"), error.message);
    await Deno.chmod(dir.path("b.jsonl"), 0o600);
    assert((await dir.read("b.jsonl")).includes("paid"));
  },
});
