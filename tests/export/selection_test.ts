/** The rows of an export, their order, and their files. @module */

import { assert, assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { DamagedFileError, SourceError, UsageError } from "../../lib/errors.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { convertFiles } from "../../lib/export/mod.ts";
import { exportFrom, resultLineOf } from "./results.ts";

async function writeResults(dir: TempDir, count: number, samples = 1, name = "out.jsonl") {
  const lines: string[] = [];
  for (let i = 1; i <= count; i++) {
    for (let sample = 0; sample < samples; sample++) {
      lines.push(resultLineOf({ id: `r${i}`, prompt: `p${i}`, score: i / 10 }, {
        response: "x".repeat(1 + (i + sample) % 5),
        source: `prompts.jsonl:${i}`,
        usage: { promptTokens: 1, completionTokens: i, reasoningTokens: 0, cachedTokens: 0 },
        sample,
      }));
    }
  }
  await dir.write(name, lines.map((line) => `${line}\n`).join(""));
}

async function promptsOf(dir: TempDir, path = "train.jsonl"): Promise<string[]> {
  return (await dir.rows(path)).map(({ messages }) => messages[0].content);
}

Deno.test("--where takes the rows that meet it, by fields of the row and of distill", async () => {
  await using dir = await tempDir();
  await writeResults(dir, 20);
  await exportFrom(dir, {
    where: 'completion_tokens < 15 and finish_reason == "stop" and score > 1',
  });
  assertEquals(await promptsOf(dir), ["p11", "p12", "p13", "p14"]);
  const none = await assertRejects(() => exportFrom(dir, { where: "score > 99" }), UsageError);
  assert(none.message.includes("no result meets --where"));
  const unseen = await assertRejects(
    () => exportFrom(dir, { where: "score > 1", uids: ["none"] }),
    UsageError,
    "no result meets --where and is named by --uids",
  );
  assert(!unseen.message.includes("No row has the field"), unseen.message);
});

Deno.test("--where says that no row has a field, or that it holds texts", async () => {
  await using dir = await tempDir();
  const rows = [{ prompt: "a", score: "3" }, { prompt: "b", score: "8", lang: "en" }];
  await dir.write("out.jsonl", rows.map((row) => `${resultLineOf(row)}\n`).join(""));
  const misspelt = await exportFrom(dir, { where: 'finish_reasn != "length"' });
  assertEquals(
    misspelt.notes[0],
    'No row has the field "finish_reasn" (did you mean "finish_reason"?)',
  );
  await assertRejects(
    () => exportFrom(dir, { where: "score < 5" }),
    UsageError,
    'no result meets --where. The field "score" in score < 5 has only texts',
  );
  await assertRejects(
    () => exportFrom(dir, { where: 'latency_ms > "0"' }),
    UsageError,
    'latency_ms > "0" has only numbers: compare it with a number: latency_ms > 0',
  );
  const id = 'latency_ms == "9007199254740993" or uid == 9_007_199_254_740_993';
  const { message } = await assertRejects(() => exportFrom(dir, { where: id }), UsageError);
  for (const advice of ['uid == "9007199254740993"', "latency_ms == 9007199254740993"]) {
    assert(message.includes(advice), message);
  }
  const negated = 'score not in (3, 8) and not (latency_ms == "0" or score in ("3", 5))';
  assertEquals((await exportFrom(dir, { where: negated })).notes, [
    'The field "score" in score not in (3, 8) has only texts, like every column of a CSV file: no text equals a ' +
    "number",
    'The field "latency_ms" in latency_ms == "0" has only numbers: compare it with a number: ' +
    "latency_ms == 0",
  ]);
  const where = 'score != "1" and (lang == "en" or distill.model == "m" or status == "answered")';
  assertEquals((await exportFrom(dir, { where })).notes, []);
});

Deno.test("--where compares whole numbers of 19 digits exactly", async () => {
  await using dir = await tempDir();
  const ids = ["1234567890123456788", "1234567890123456789"];
  const lines = ids.map((id) =>
    resultLineOf({ prompt: id, doc: "ID" }).replaceAll('"ID"', id) + "\n"
  );
  await dir.write("out.jsonl", lines.join(""));
  await exportFrom(dir, { where: `doc == ${ids[1]} and status == "answered"` });
  assertEquals(await promptsOf(dir), [ids[1]]);
});

Deno.test("--where refuses a field of the page of view, unless rows have such a field", async () => {
  await using dir = await tempDir();
  await writeResults(dir, 2);
  for (const where of ["near_duplicate", "distill.near_duplicate", "not compared_run"]) {
    await assertRejects(
      () => exportFrom(dir, { where }),
      UsageError,
      "in a command: only the page",
    );
  }
  const lines = [{ prompt: "a" }, { prompt: "b", near_duplicate: 7 }].map((row) =>
    resultLineOf(row)
  );
  await dir.write("out.jsonl", lines.join("\n") + "\n");
  await exportFrom(dir, { where: "near_duplicate == 7" });
  assertEquals(await promptsOf(dir), ["b"]);
});

Deno.test("--dedupe excludes rows with the prompt and answer of an earlier one", async () => {
  await using dir = await tempDir();
  const lines = [["a", "1"], ["a", "2"], ["a", "1"], ["b", "1"]].map(([prompt, response], i) =>
    resultLineOf({ id: i, prompt }, { response, source: `p.jsonl:${i + 1}` })
  );
  await dir.write("out.jsonl", lines.join("\n") + "\n");
  assertEquals((await exportFrom(dir, { dedupe: true })).rows, 3);
  assertEquals(await promptsOf(dir), ["a", "a", "b"]);
});

Deno.test("--shuffle gives the same order for a seed, over all files, and every row once", async () => {
  await using dir = await tempDir();
  await writeResults(dir, 60);
  await writeResults(dir, 0, 1, "none.jsonl");
  await writeResults(dir, 40, 1, "b.jsonl");
  const results = ["out.jsonl", "none.jsonl", "b.jsonl"].map((name) => dir.path(name));
  const ordered = (await exportFrom(dir, { results }), await promptsOf(dir));
  const first = (await exportFrom(dir, { results, shuffle: 7 }), await promptsOf(dir));
  const again = (await exportFrom(dir, { results, shuffle: 7 }), await promptsOf(dir));
  const other = (await exportFrom(dir, { results, shuffle: 8 }), await promptsOf(dir));
  assertEquals(first, again);
  assert(first.join() !== other.join() && first.join() !== ordered.join());
  assertEquals(first.toSorted(), ordered.toSorted());
  await exportFrom(dir, { results, shuffle: 7, maxRows: 5 });
  assertEquals(await promptsOf(dir), first.slice(0, 5));
});

Deno.test("--validation takes the same rows each time, with all answers to a row on one side", async () => {
  await using dir = await tempDir();
  await writeResults(dir, 400);
  const one = await exportFrom(dir, { validation: 0.1 });
  const held = new Set(await promptsOf(dir, "train.validation.jsonl"));
  assertEquals([one.rows, one.validationRows], [400, held.size]);
  assert(held.size > 20 && held.size < 60, `${held.size} of 400`);
  await writeResults(dir, 500, 3);
  const three = await exportFrom(dir, { validation: 0.1, shuffle: 1 });
  const validation = await promptsOf(dir, "train.validation.jsonl");
  const training = new Set(await promptsOf(dir));
  assertEquals(validation.length, three.validationRows);
  assertEquals(validation.filter((prompt) => training.has(prompt)), []);
  for (const prompt of held) assert(!training.has(prompt), prompt);
  await assertRejects(() => exportFrom(dir, { validation: 0.1, replace: false }), UsageError);
  const input = dir.path("out.jsonl"), output = dir.path("converted.jsonl");
  await convertFiles({ input, output, format: "messages", validation: 0.1 });
  assertEquals(
    new Set(await promptsOf(dir, "converted.validation.jsonl")),
    new Set(validation),
    "convert splits results as export does",
  );
});

Deno.test("convert --validation keeps answers to one prompt together, with and without uids", async () => {
  await using dir = await tempDir();
  await writeResults(dir, 100, 3);
  const promptsIn = async (path: string) => new Set(await promptsOf(dir, path));
  for (const columns of [["messages"], ["messages", "uid"]]) {
    await exportFrom(dir, { format: "dataset", output: dir.path("set"), columns });
    const input = dir.path("set/data/*.parquet"), output = dir.path("split.jsonl");
    await convertFiles({ input, output, format: "messages", validation: 0.3, replace: true });
    const validation = await promptsIn("split.validation.jsonl");
    const training = await promptsIn("split.jsonl");
    assertEquals(validation.size + training.size, 100, columns.join());
    assert(validation.size > 10 && validation.size < 50, `${validation.size} of 100`);
  }
});

Deno.test("an export says how many lines repeat a uid, in any order, but not those of edited rows", async () => {
  await using dir = await tempDir();
  await writeResults(dir, 3);
  const noted = async (options = {}) =>
    (await exportFrom(dir, options)).notes.filter((note) => note.includes("repeat"));
  assertEquals(await noted(), []);
  const text = await dir.read("out.jsonl"), [first] = text.split("\n");
  await dir.write("out.jsonl", text + text.replaceAll('{"uid":"', '{"uid":"edited-'));
  assertEquals(await noted(), []);
  await dir.write("out.jsonl", `${text}${first}\n`);
  const note =
    'The output contains 1 line that repeats a uid of the results: "verify" names such lines';
  for (const options of [{}, { shuffle: 1 }]) assertEquals(await noted(options), [note]);
  assertEquals(await noted({ dedupe: true }), []);
});

Deno.test("an export leaves out the failures of results that are named, too, as by out/*.jsonl", async () => {
  await using dir = await tempDir();
  await writeResults(dir, 2);
  const failure = `${JSON.stringify({ uid: "x", prompt_hash: "", error: {} })}\n`;
  await dir.write("out_error.jsonl", failure);
  const results = ["out_error", "out"].map((name) => dir.path(`${name}.jsonl`));
  const { rows, notes } = await exportFrom(dir, { results });
  assertEquals([rows, notes.filter((note) => note.startsWith("1 row failed")).length], [2, 1]);
  // Results may have such a name, and failures alone are named by mistake.
  await dir.write(
    "out_error.jsonl",
    (await dir.read("out.jsonl")).replaceAll('"uid":"', '"uid":"z'),
  );
  assertEquals((await exportFrom(dir, { results })).rows, 4);
  await dir.write("out_error.jsonl", failure);
  await assertRejects(
    () => exportFrom(dir, { results: results[0] }),
    DamagedFileError,
    "it is a failure, not a result",
  );
});

Deno.test("an export says how many rows have failed", async () => {
  await using dir = await tempDir();
  await writeResults(dir, 2);
  const failure = (final?: boolean, uid = "x") =>
    `${JSON.stringify({ uid, prompt_hash: "", error: { final } })}\n`;
  const noted = async () => (await exportFrom(dir)).notes.filter((note) => note.includes("failed"));
  assertEquals(await noted(), []);
  await dir.write("out_error.jsonl", failure(false));
  assertEquals(await noted(), []);
  // A crash leaves lines of rows that have been retried since.
  const answered = String((await dir.rows("out.jsonl"))[0].uid);
  const lines = [failure(true), failure(false), failure(true), failure(true, answered)];
  await dir.write("out_error.jsonl", `${lines.join("")}${failure(undefined, "y")}{"uid":"z","er`);
  assertEquals(await noted(), [
    "2 rows failed and are not in the output: the command retry sends failed rows again",
  ]);
  await dir.write("out_error.jsonl", `${failure(true)}{"uid":"damaged\n${failure(true, "y")}`);
  assertEquals((await noted())[0].slice(0, 13), "2 rows failed", "a damaged line is skipped");
  await dir.write("other.jsonl", await dir.read("out.jsonl"));
  await dir.write("other_error.jsonl", failure(true, "o"));
  const results = ["out", "other"].map((name) => dir.path(`${name}.jsonl`));
  const { notes } = await exportFrom(dir, { results });
  assert(notes.some((note) => note.startsWith("3 rows failed")), notes.join());
  await dir.write("out_error.jsonl", failure(true));
  const { open } = Deno;
  let scans = 0;
  Deno.open = (path, options) => {
    if (path === dir.path("out.jsonl")) scans++;
    return open(path, options);
  };
  try {
    assertEquals((await noted())[0].slice(0, 38), "1 row failed and is not in the output:");
  } finally {
    Deno.open = open;
  }
  assertEquals(scans, 1, "failed rows are counted while the results are read");
});

Deno.test("pairs: with --max-rows, only rows that were read to their end are counted as single", async () => {
  await using dir = await tempDir();
  await writeResults(dir, 5, 2);
  const { rows, notes } = await exportFrom(dir, {
    format: "preference",
    prefer: "longest",
    maxRows: 1,
  });
  assertEquals([rows, notes], [1, []]);
});

Deno.test("--columns takes some columns, in their order", async () => {
  await using dir = await tempDir();
  await writeResults(dir, 2);
  await exportFrom(dir, { format: "raw", columns: ["response", "uid", "score"] });
  assertEquals((await dir.rows("train.jsonl"))[0], { response: "xx", uid: "r1", score: 0.1 });
  const error = await assertRejects(
    () => exportFrom(dir, { format: "raw", columns: ["nope"] }),
    UsageError,
  );
  assert(error.message.includes('the column "nope": the columns are uid, prompt_hash, id'));
});

Deno.test("preference pairs the best with the worst answer, and counts rows that yield no pair", async () => {
  await using dir = await tempDir();
  const answer = (line: number, sample: number, response: string, score?: number) =>
    resultLineOf({ id: line, prompt: `p${line}` }, {
      response,
      source: `p.jsonl:${line}`,
      sample,
      usage: { promptTokens: 1, completionTokens: score ?? 0, reasoningTokens: 0, cachedTokens: 0 },
    });
  const lines = [
    answer(2, 0, "one"),
    answer(1, 0, "long answer", 3),
    answer(3, 1, "tie", 5),
    answer(1, 2, "s", 9),
    answer(3, 0, "tie", 5),
    answer(1, 1, "middle", 4),
  ];
  await dir.write("out.jsonl", lines.join("\n") + "\n");
  const format = "preference";
  const report = await exportFrom(dir, { format, prefer: "shortest" });
  assertEquals([report.rows, report.columns], [1, ["prompt", "chosen", "rejected"]]);
  assertEquals(await dir.rows("train.jsonl"), [{
    prompt: [{ role: "user", content: "p1" }],
    chosen: [{ role: "assistant", content: "s" }],
    rejected: [{ role: "assistant", content: "long answer" }],
  }]);
  assertEquals(report.notes, [
    "Left out 1 row with one answer: a pair needs two",
    "Left out 1 row whose answers --prefer ranks as equal",
  ]);
  await exportFrom(dir, { format, prefer: "longest" });
  const none = {
    format,
    prefer: "shortest",
    where: "id != 1",
    output: dir.path("none.jsonl"),
  } as const;
  await assertRejects(
    () => exportFrom(dir, none),
    UsageError,
    "no row has two different answers that --prefer shortest ranks differently. A pair needs a run with --samples 2",
  );
  assertEquals(await dir.exists("none.jsonl"), false);
  assertEquals((await exportFrom(dir, { ...none, allowEmpty: true })).rows, 0);
  assertEquals((await dir.rows("train.jsonl"))[0].chosen[0].content, "long answer");
  await exportFrom(dir, { format, prefer: "completion_tokens" });
  assertEquals((await dir.rows("train.jsonl"))[0].chosen[0].content, "s");
  await assertRejects(() => exportFrom(dir, { format }), UsageError, "--prefer");
});

Deno.test("preference leaves out pairs whose answers are written the same", async () => {
  await using dir = await tempDir();
  const answer = (line: number, sample: number, response: string, reasoning: string) =>
    resultLineOf({ id: line, prompt: `p${line}` }, {
      response,
      reasoning,
      source: `p.jsonl:${line}`,
      sample,
      usage: {
        promptTokens: 1,
        completionTokens: reasoning.length,
        reasoningTokens: 0,
        cachedTokens: 0,
      },
    });
  const lines = [
    answer(1, 0, "42", "a"),
    answer(1, 1, "42", "long"),
    answer(2, 0, "1", "a"),
    answer(2, 1, "2", "long"),
  ];
  await dir.write("out.jsonl", lines.join("\n") + "\n");
  for (const format of ["preference", "preference-sharegpt"] as const) {
    const options = { format, prefer: "completion_tokens" };
    const { rows, notes } = await exportFrom(dir, { ...options, think: "drop" });
    assertEquals(rows, 1);
    assertEquals(notes.at(-1), "Left out 1 row whose best and worst answers are the same");
    assertEquals((await exportFrom(dir, options)).rows, 2, "their reasoning differs");
  }
});

Deno.test("preference pairs only answers to one prompt, even if rows share a line number", async () => {
  await using dir = await tempDir();
  const answer = (prompt: string, source: string, sample: number) =>
    resultLineOf({ prompt }, { response: `${prompt}: ${"long ".repeat(sample)}`, source, sample });
  // The second row was edited after the first run, and two folders hold an input of one name.
  const rows = [["old", "a/p.jsonl:2"], ["new", "a/p.jsonl:2"], ["other", "b/p.jsonl:2"]];
  const lines = [0, 1].flatMap((sample) => rows.map(([row, at]) => answer(row, at, sample)));
  await dir.write("out.jsonl", lines.join("\n") + "\n");
  const report = await exportFrom(dir, { format: "preference", prefer: "shortest" });
  assertEquals(report.notes, []);
  const pairs = (await dir.rows("train.jsonl")).map(({ prompt, chosen, rejected }) =>
    [prompt, chosen, rejected].map(([{ content }]) => content)
  );
  assertEquals(pairs, rows.map(([prompt]) => [prompt, `${prompt}: `, `${prompt}: long `]));
});

Deno.test("the extension determines the format, and impossible formats are refused", async () => {
  await using dir = await tempDir();
  await writeResults(dir, 3);
  await exportFrom(dir, { output: dir.path("t.json") });
  assertEquals(JSON.parse(await dir.read("t.json")).length, 3);
  await exportFrom(dir, { output: dir.path("t.csv"), format: "alpaca" });
  assertEquals((await dir.read("t.csv")).split("\r\n")[1], "p1,,xx");
  await exportFrom(dir, { output: dir.path("t.jsonl.gz") });
  const stream = new Blob([await Deno.readFile(dir.path("t.jsonl.gz"))]).stream()
    .pipeThrough(new DecompressionStream("gzip"));
  assertEquals((await new Response(stream).text()).split("\n").length, 4);
  await exportFrom(dir, { output: dir.path("t.parquet") });
  assertEquals((await Deno.readTextFile(dir.path("t.parquet"))).slice(0, 4), "PAR1");
  // An extension that only inputs usually have.
  await exportFrom(dir, { output: dir.path("t.pq") });
  assertEquals((await Deno.readTextFile(dir.path("t.pq"))).slice(0, 4), "PAR1");
  await writeResults(dir, 20);
  await exportFrom(dir, { output: dir.path("T.CSV.zstd"), validation: 0.5 });
  for (const name of ["T.CSV.zstd", "T.validation.CSV.zstd"]) {
    await convertFiles({ input: dir.path(name), output: dir.path("t2.jsonl"), replace: true });
    assertEquals(Array.isArray((await dir.rows("t2.jsonl"))[0].messages), true, name);
  }
  for (
    const name of ["t.tsv", "t.tsv.gz", "t.tab", "t.arrow", "t.parquet.gz", "t.xlsx", "t.xlsx.gz"]
  ) {
    await assertRejects(() => exportFrom(dir, { output: dir.path(name) }), UsageError, name);
  }
  await assertRejects(
    () => exportFrom(dir, { output: dir.path("t.parquet.zst") }),
    UsageError,
    `Name it "${dir.path("t.parquet")}"`,
  );
  await assertRejects(
    () => exportFrom(dir, { output: dir.path("t.parquet"), toolArguments: "object" }),
    UsageError,
    "Use --tool-arguments string",
  );
});

/** Three rows of one template, then three of another, as after `--allow-mixed --changed keep`. */
async function writeMixed(dir: TempDir) {
  const lines = [1, 2, 3, 4, 5, 6].map((i) => {
    const template = i <= 3 ? "OLD {{prompt}}" : "NEW {{prompt}}";
    const row = { id: `r${i}`, prompt: `p${i}` };
    const line = resultLineOf(row, { source: `prompts.jsonl:${i}` }, { template });
    return line.replace(/"created":"[^"]*"/, `"created":"2026-01-0${i}T00:00:00.000Z"`);
  });
  await dir.write("out.jsonl", lines.map((line) => `${line}\n`).join(""));
}

Deno.test("rows sent with two templates are exported apart, with the conditions that the error names", async () => {
  await using dir = await tempDir();
  await writeMixed(dir);
  const { message } = await assertRejects(
    () => exportFrom(dir, { template: "NEW {{prompt}}", where: "uid != 'r6'" }),
    UsageError,
    "Cannot export 3 of 5 rows, which were sent with a different system, template or prompt field " +
      "from the others.",
  );
  assert(message.includes('out.jsonl" line 1: the messages that uid "r1"'), message);
  const [, others, these] =
    /the 2 other rows: add --where '(.*)'\n.*these rows: add --where '(.*)' and/
      .exec(message.replaceAll("'\\''", '"')) ?? [];
  await exportFrom(dir, { template: "NEW {{prompt}}", where: others });
  assertEquals(await promptsOf(dir), ["NEW p4", "NEW p5"]);
  await exportFrom(dir, { template: "OLD {{prompt}}", where: these });
  assertEquals(await promptsOf(dir), ["OLD p1", "OLD p2", "OLD p3"]);
});

Deno.test("rows are selected before their messages are restored, and raw rows need none", async () => {
  await using dir = await tempDir();
  await writeMixed(dir);
  await exportFrom(dir, { template: "OLD {{prompt}}", uids: ["r1", "r2"] });
  assertEquals(await promptsOf(dir), ["OLD p1", "OLD p2"]);
  await exportFrom(dir, { template: "NEW {{prompt}}", excludeUids: ["r1", "r2", "r3"] });
  assertEquals(await promptsOf(dir), ["NEW p4", "NEW p5", "NEW p6"]);
  assertEquals((await exportFrom(dir, { format: "raw", dedupe: true })).rows, 6);
});

Deno.test("convert refuses results lines whose prompt was made by a template, unless it is given", async () => {
  await using dir = await tempDir();
  await writeMixed(dir);
  const convert = (options: object) =>
    convertFiles({
      input: dir.path("out.jsonl"),
      output: dir.path("train.jsonl"),
      format: "messages",
      replace: true,
      ...options,
    });
  await assertRejects(() => convert({}), SourceError, "Cannot convert 6 rows");
  const template = "OLD {{prompt}}";
  await assertRejects(() => convert({ template }), SourceError, "Cannot convert 3 rows");
  await convert({ template, uids: ["r1", "r3"] });
  assertEquals(await promptsOf(dir), ["OLD p1", "OLD p3"]);
});
