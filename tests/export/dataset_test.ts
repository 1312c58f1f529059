/** The folder for `datasets`: its files, its card, and which folders are never replaced. @module */

import { assert, assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { SinkError, UsageError } from "../../lib/errors.ts";
import { convertFiles, type ExportOptions, exportResults } from "../../lib/export/mod.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { resultLineOf, runFile } from "./results.ts";

function exportDataset(dir: TempDir, options: Partial<ExportOptions> = {}) {
  const results = dir.path("out.jsonl"), output = dir.path("set/");
  return exportResults({ results, output, format: "dataset", ...options });
}

async function writeResults(dir: TempDir, count = 100) {
  const usage = { promptTokens: 3, completionTokens: 1_000, reasoningTokens: 4, cachedTokens: 0 };
  const lines = Array.from(
    { length: count },
    (_, i) =>
      resultLineOf({ id: `r${i}`, prompt: `p${i}` }, {
        response: "an answer",
        usage,
        source: `prompts.jsonl:${i + 1}`,
        modelAsked: "qwen3",
      }),
  );
  await dir.write("out.jsonl", lines.join("\n") + "\n");
  await dir.write("out.run.json", runFile({}, { temperature: 0.6 }));
}

Deno.test("a dataset has Parquet for each split, a card with its origin, and an upload", async () => {
  await using dir = await tempDir();
  await writeResults(dir);
  const { rows, validationRows, hints } = await exportDataset(dir, {
    validation: 0.2,
    dedupe: true,
  });
  assertEquals(await dir.names("set"), ["README.md", "data"]);
  assertEquals(await dir.names("set/data"), [
    "train-00000-of-00001.parquet",
    "validation-00000-of-00001.parquet",
  ]);
  const card = await dir.read("set/README.md");
  for (
    const text of [
      "\n# license: choose one",
      "  - n<1K\n",
      `${rows - validationRows} rows for training, ${validationRows} for validation`,
      "for validation: conversations whose last message is the answer of a teacher model.",
      "Teacher: `qwen3` (100 rows)",
      'Parameters: `{"temperature":0.6}`',
      "Answered on 1970-01-01.",
      "100,000 in answers, 400 of these for reasoning",
      "duplicates left out; 20 % for validation, chosen by a hash of the row's uid;",
      "by Retort 0.1.0",
    ]
  ) assert(card.includes(text), `${text}\n${card}`);
  assert(!card.includes("configs:"), card); // the cache of datasets would not see new files
  assertEquals(hints.map(({ text }) => text), [
    `hf upload USER/set ${dir.path("set")} . --repo-type dataset`,
  ]);
  await convertFiles({ input: dir.path("set"), output: dir.path("read.jsonl") });
  const read = await dir.rows("read.jsonl");
  assertEquals(read.length, rows);
  const { uid, model, completion_tokens: tokens, finish_reason: ending } = read[0];
  assertEquals([uid.startsWith("r"), model, tokens, ending], [true, "qwen3", 1_000, "stop"]);
});

Deno.test("the card of a conversion does not call the last message a teacher's answer", async () => {
  await using dir = await tempDir();
  await dir.write("a.jsonl", '{"prompt":"p","answer":"a"}\n');
  const input = dir.path("a.jsonl"), output = dir.path("set/");
  await convertFiles({ input, output, format: "dataset", validation: 0.0001 });
  const card = await dir.read("set/README.md");
  assert(card.includes("\n1 row: conversations.\n"), card);
  assert(card.includes("chosen by a hash of the row's uid or prompt"), card);
});

Deno.test("no file name, model or parameter becomes Markdown in a card", async () => {
  await using dir = await tempDir();
  const owned = "x`\n\n# Owned <b>";
  const line = resultLineOf({ id: "r", prompt: "p" }, { response: "a", modelAsked: owned });
  const dated = JSON.parse(line);
  dated.distill.created = "9\n# Owned";
  await dir.write("out.jsonl", [line, JSON.stringify(dated)].join("\n") + "\n");
  const run = JSON.parse(runFile({}, { stop: owned }));
  await dir.write("out.run.json", JSON.stringify({ ...run, input: owned, retort: owned }));
  await exportDataset(dir);
  const card = await dir.read("set/README.md");
  assert(!/^# Owned/m.test(card), card);
  for (const text of ["`` x` # Owned <b> ``", '`` {"stop":"x`\\n\\n# Owned <b>"} ``']) {
    assert(card.includes(text), card);
  }
});

Deno.test({
  name: "the files of a dataset are as private as the results",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using dir = await tempDir();
    await writeResults(dir, 3);
    await Deno.chmod(dir.path("out.jsonl"), 0o600);
    await exportDataset(dir);
    for (const name of ["README.md", "data/train-00000-of-00001.parquet"]) {
      assertEquals((await Deno.stat(dir.path(`set/${name}`))).mode! & 0o777, 0o600, name);
    }
  },
});

Deno.test("only a dataset of Retort is replaced, and its license is kept", async () => {
  await using dir = await tempDir();
  await writeResults(dir, 3);
  await dir.write("set/.gitattributes", "x");
  await exportDataset(dir);
  const unasked = await assertRejects(() => exportDataset(dir), UsageError);
  assert(unasked.message.includes("Add --replace to replace it"), unasked.message);
  const card = await dir.read("set/README.md");
  const licensed = card.replace(/^# license:.*$/m, "license: mit");
  // Git on Windows changes the line ends.
  for (const text of [licensed, licensed.replaceAll("\n", "\r\n")]) {
    await dir.write("set/README.md", text);
    await exportDataset(dir, { replace: true, maxRows: 1 });
    assertEquals(await dir.names("set"), [".gitattributes", "README.md", "data"]);
    assert((await dir.read("set/README.md")).startsWith("---\nlicense: mit\n"));
  }
  const others: [string, string][] = [
    [dir.root, "it holds other files"],
    [dir.path("out.jsonl"), "it is a file: name a folder"],
    [dir.path("new.jsonl"), "a dataset is a folder"],
    ["-", "Cannot write a dataset to a stream"],
  ];
  for (const [output, message] of others) {
    const error = await assertRejects(
      () => exportDataset(dir, { output, replace: true }),
      UsageError,
    );
    assert(error.message.includes(message), error.message);
  }
});

Deno.test("a dataset that cannot be written leaves no files behind", async () => {
  await using dir = await tempDir();
  await dir.write("a.jsonl", '{"prompt":"p","answer":"a"}\n{"nothing":1}\n');
  const options = {
    input: dir.path("a.jsonl"),
    output: dir.path("set"),
    format: "dataset",
  } as const;
  await assertRejects(() => convertFiles(options));
  assertEquals(await dir.names(), ["a.jsonl"]);
});

Deno.test("an export removes what an earlier one left because it could not write the card", async () => {
  await using dir = await tempDir();
  await writeResults(dir);
  await exportDataset(dir);
  const { rename } = Deno;
  Deno.rename = (from, to) =>
    String(to).endsWith("README.md") ? Promise.reject(new Error("No space")) : rename(from, to);
  try {
    await assertRejects(() => exportDataset(dir, { replace: true }), SinkError, "No space");
  } finally {
    Deno.rename = rename;
  }
  await exportDataset(dir, { replace: true });
  assertEquals((await dir.names("set")).toSorted(), ["README.md", "data"]);
});

Deno.test("an export to a dataset removes only what killed exports have left", async () => {
  await using dir = await tempDir();
  await writeResults(dir, 3);
  await exportDataset(dir);
  const killed = `.data-${"0".repeat(16)}`, active = `.data-${"1".repeat(16)}`;
  // As if killed between its two renames.
  await Deno.rename(dir.path("set/data"), dir.path(`set/${killed}.old`));
  for (const staging of [killed, active]) {
    await Deno.mkdir(dir.path(`set/${staging}`));
    await dir.write(`set/${staging}/train-0.tmp`, "half");
    await dir.write(`set/${staging}.lock`, "");
  }
  using mark = await Deno.open(dir.path(`set/${active}.lock`), { write: true });
  await mark.lock(true);
  const { mkdir } = Deno;
  Deno.mkdir = (path, options) =>
    /\.data-/.test(String(path)) ? Promise.reject(new Error("no space")) : mkdir(path, options);
  try {
    await assertRejects(() => exportDataset(dir, { replace: true }), SinkError, "no space");
  } finally {
    Deno.mkdir = mkdir;
  }
  const others = [active, `${active}.lock`, "README.md", "data"];
  assertEquals(await dir.names("set"), others);
  assertEquals(await dir.names("set/data"), ["train-00000-of-00001.parquet"]);
  await exportDataset(dir, { replace: true });
  assertEquals(await dir.names("set"), others);
});

Deno.test("an export fails with the reason if the disk reports a full quota late, or cannot rename", async () => {
  const quota = () => Promise.reject(new Error("Disk quota exceeded (os error 122)"));
  const { rename } = Deno, { sync } = Deno.FsFile.prototype;
  for (const break_ of [() => Deno.FsFile.prototype.sync = quota, () => Deno.rename = quota]) {
    await using dir = await tempDir();
    await writeResults(dir);
    try {
      break_();
      await assertRejects(() => exportDataset(dir), SinkError, "Disk quota exceeded");
    } finally {
      Deno.rename = rename;
      Deno.FsFile.prototype.sync = sync;
    }
    assert(!(await dir.exists("set")));
  }
});
