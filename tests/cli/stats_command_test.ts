/** Tests of `stats`. @module */

import { gzipSync } from "node:zlib";
import { statsCommand } from "../../cli/stats_command.ts";
import type { Io } from "../../cli/io.ts";
import { parseCommandLine } from "../../cli/parse.ts";
import { assert, assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { UsageError } from "../../lib/errors.ts";
import { failureLine, resultLine } from "../data/lines.ts";
import { tempDir } from "../support/temp.ts";

async function stats(...args: string[]): Promise<{ out: string; err: string }> {
  const written = { out: "", err: "" };
  const io = {
    writeOut: (text: string) => written.out += text,
    writeErr: (text: string) => written.err += text,
  };
  assertEquals(await statsCommand(parseCommandLine(["stats", ...args]), io as unknown as Io), 0);
  return written;
}

Deno.test("stats: counts rows, flags and own fields, and says what is left out", async () => {
  await using dir = await tempDir();
  await dir.write(
    "out/x.jsonl",
    resultLine({ uid: "a", own: { lang: "en", site: "b" }, distill: { cost_usd: 0.5 } }) +
      resultLine({
        uid: "b",
        own: { lang: "\x1b[31m\x9b31m\u202ede", site: "https://example.org/a/path" },
        response: "I'm sorry, but I can't help with that.",
      }) +
      '{"uid":"cut',
  );
  await dir.write("out/x_error.jsonl", failureLine("c"));
  await dir.write("out/other.jsonl", [{ a: 1 }]);
  const { out, err } = await stats(dir.path("out"));
  assert(/Rows +3\n {2}answered +2 +66\.7%\n {2}failed +1 +33\.3%\n/.test(out), out);
  assert(/ {2}refusal +1 +50\.0% {2}Refusal\n/.test(out), "a share of the answers");
  // The failed row is in no bar: it would count as 0 tokens.
  assert(/Answer tokens +█\n +20 20\n/.test(out), out);
  assert(/lang\n {2}en +1 /.test(out), out);
  // Counts are aligned, however long the values are.
  const counts = /site\n( .*\n)( .*\n)/.exec(out)!.slice(1).map((line) => line.indexOf("1 "));
  assertEquals(counts[0], counts[1], out);
  assert(out.includes("Cost                 $0.50 (unknown for 2 rows)"), out);
  assert(!out.includes("\x1b"), "no escape sequence reaches the terminal");
  assert(
    /other\.jsonl" is left out: it is not a results or failures file of Retort/.test(err),
    err,
  );
  assert(/x\.jsonl" ends with an incomplete line/.test(err), err);

  const text = (await stats(dir.path("out"), "--json", "--where", 'status == "answered"')).out;
  assert(!/[\x9b\u202e]/.test(text), "JSON has escapes for what a terminal may act on");
  const json = JSON.parse(text);
  assertEquals(json.rows, { total: 2, answered: 2, failed: 0, pending: 0 });
  assertEquals([json.flags.refusal, json.cost_usd, json.completion_tokens.p50], [1, 0.5, 20]);
});

Deno.test("stats: quantiles have the nearest rank, and ids are not listed", async () => {
  await using dir = await tempDir();
  const lines = Array.from(
    { length: 20 },
    (_, i) =>
      resultLine({
        uid: `${i}`,
        own: { id: i, lang: i === 0 ? "日本語" : "en" },
        distill: { latency_ms: i + 1 },
      }),
  );
  await dir.write("x.jsonl", lines.reverse().join(""));
  for (const [where, expected] of [["true", [10, 19, 20]], ["latency_ms < 4", [2, 3, 3]]]) {
    const args = ["--json", "--where", String(where)];
    const { p50, p95, max } =
      JSON.parse((await stats(dir.path("x.jsonl"), ...args)).out).latency_ms;
    assertEquals([p50, p95, max], expected);
  }
  const all = (await stats(dir.path("x.jsonl"))).out;
  assert(/\nid\n {2}20 different values\n/.test(all), all);
  const [, cells, en, japanese] = /v1( +)20 [^]*\n {2}en( +)19 [^]*\n {2}日本語( +)1 /.exec(all)!;
  // The last digits are in one column. Three wide characters are 6 cells, and "1" lacks a digit.
  const teacherCells = "http://127.0.0.1:8000/v1".length + cells.length;
  assertEquals([en.length + 2, japanese.length + 6 - 1], [teacherCells, teacherCells], all);
  const { out } = await stats(dir.path("x.jsonl"), "--where", "latency_ms < 0");
  assert(out.includes("Latency              p50 0.0 ms · p95 0.0 ms · max 0.0 ms"), out);
});

Deno.test("stats: says what it cannot count", async () => {
  await using dir = await tempDir();
  await dir.write("empty/note.txt", "x");
  await dir.write("in.jsonl", [{ prompt: "x" }]);
  const cases: [args: string[], problem: string][] = [
    [[], "Cannot count without files"],
    [[dir.path("missing.jsonl")], 'missing.jsonl": there is no such file or folder'],
    [[dir.path("empty")], "there is no .jsonl file in it"],
    [[dir.path("in.jsonl")], "it is not a results or failures file of Retort"],
    [[dir.path("in.jsonl"), "--compare"], "Cannot compare one path: name the outputs of two runs"],
    [["a", "b", "--compare", "--where", "true"], "Cannot use --compare with --where"],
    [[dir.root, dir.path("in.jsonl"), "--compare"], 'in.jsonl" has no .jsonl file of its own'],
  ];
  for (const [args, problem] of cases) {
    await assertRejects(() => stats(...args), UsageError, problem);
  }
});

Deno.test("stats: refuses results in other formats, whose last line may look like the only row", async () => {
  await using dir = await tempDir();
  const line = resultLine({ uid: "a" }).trim();
  await dir.write("x.json", `[\n${line},\n${line}\n]\n`);
  await dir.write("y.jsonl", `[\n${line},\n${line}\n]\n`);
  await dir.write("z.csv", "uid,response\na,b\n");
  await dir.write("table.jsonl", "PAR1\0PAR1");
  await dir.write("array.txt", `[\n${line},\n${line}\n]\n`);
  for (
    const [name, what] of [
      ["x.json", "a JSON array"],
      ["y.jsonl", "a JSON array"],
      ["z.csv", "a CSV file"],
      ["table.jsonl", "a Parquet file"],
      ["array.txt", "a JSON array"],
    ]
  ) {
    const { message } = await assertRejects(() => stats(dir.path(name)), UsageError);
    assert(message.includes(`${name}": it is ${what}, and results are read from JSON`), message);
  }
  for (const name of ["lines.txt", "lines.csv", "lines.parquet"]) {
    await dir.write(name, `${line}\n`);
    assert(/Rows +1\n/.test((await stats(dir.path(name))).out), name);
  }
  for (const start of ["\ufeff", "\n"]) {
    await dir.write("lines.csv", `${start}${line}\n`);
    assert(/Rows +1\n/.test((await stats(dir.path("lines.csv"))).out), JSON.stringify(start));
  }
});

Deno.test("stats: compares two runs", async () => {
  await using dir = await tempDir();
  await dir.write("a.jsonl", resultLine({ uid: "x", response: "It is 1,000" }));
  await dir.write("b.jsonl", resultLine({ uid: "x", response: "So \\boxed{1000}" }));
  const args = [dir.path("a.jsonl"), dir.path("b.jsonl"), "--compare"];
  const { out } = await stats(...args);
  assert(
    /Answered by both +1\n {2}same text +0 +0\.0%\n {2}same final answer +1 +100\.0%/.test(out),
    out,
  );
  const { both, agreement } = JSON.parse((await stats(...args, "--json")).out);
  assertEquals([both, agreement.same_final_answer], [1, 1]);
});

Deno.test("stats: counts the rows of shards once if their merge is there too, and says so", async () => {
  await using dir = await tempDir();
  const [a, b] = ["a", "b"].map((uid) => resultLine({ uid }));
  const old = new Date("2026-01-01"), later = new Date("2026-01-02");
  const writeAt = async (name: string, text: string, time: Date) =>
    await Deno.utime(await dir.write(name, text), time, time);
  for (const folder of ["out", "out/sub"]) {
    await writeAt(`${folder}/x-00000-of-00002.jsonl`, a, old);
    await writeAt(`${folder}/x-00000-of-00002_error.jsonl`, failureLine("c"), old);
    await writeAt(`${folder}/x-00001-of-00002.jsonl`, b, old);
    await writeAt(`${folder.replace("out", "out/merged")}/x.jsonl`, a + b, later);
    await dir.write(`${folder.replace("out", "out/merged")}/x_error.jsonl`, failureLine("c"));
  }
  const rowsIn = async () => {
    const { out, err } = await stats(dir.path("out"), "--json");
    return { total: JSON.parse(out).rows.total, notes: err.match(/left out/g)?.length ?? 0, err };
  };
  // Without its run file, a file of that name may hold anything.
  assertEquals((await rowsIn()).total, 12);
  await dir.write("out/merged/x.run.json", JSON.stringify({ merged: { pending: 0 } }));
  await dir.write("out/merged/sub/x.run.json", JSON.stringify({ merged: { pending: 0 } }));
  const merged = await rowsIn();
  assertEquals([merged.total, merged.notes], [6, 2], merged.err);
  assert(/x-00000-of-00002.jsonl" and 2 other files of shards are left out/.test(merged.err));
  // The shards were continued: their merge is out of date.
  await writeAt("out/x-00001-of-00002.jsonl", b + resultLine({ uid: "d" }), new Date("2026-01-03"));
  const continued = await rowsIn();
  assertEquals([continued.total, continued.notes], [7, 2], continued.err);
  assert(/merged\/x.jsonl" is left out: it is an older merge/.test(continued.err), continued.err);
  // Half of the shards are elsewhere: only the merge has their rows.
  await Deno.remove(dir.path("out/x-00000-of-00002.jsonl"));
  await Deno.remove(dir.path("out/x-00000-of-00002_error.jsonl"));
  assertEquals((await rowsIn()).total, 6);
});

Deno.test("stats: counts the rows of compressed shards once if their merge is there too", async () => {
  await using dir = await tempDir();
  const rows = ["a", "b"].map((uid) => resultLine({ uid }));
  for (const [index, row] of rows.entries()) {
    await dir.write(`out/x-0000${index}-of-00002.jsonl.gz`, new Uint8Array(gzipSync(row)));
  }
  await dir.write(
    "out/x-00001-of-00002_error.jsonl.gz",
    new Uint8Array(gzipSync(failureLine("c"))),
  );
  await dir.write("out/x.run.json", JSON.stringify({ merged: { pending: 0 } }));
  await dir.write("out/x.jsonl", rows.join(""));
  await dir.write("out/x_error.jsonl", failureLine("c"));
  const { out, err } = await stats(dir.path("out"), "--json");
  assertEquals(JSON.parse(out).rows.total, 3, err);
  assert(/left out: ".*x.jsonl" is their merge/.test(err), err);
});

Deno.test("stats: counts the rows of a file once if its compressed copy is there too", async () => {
  await using dir = await tempDir();
  for (const [name, line] of [["x", resultLine({ uid: "a" })], ["x_error", failureLine("b")]]) {
    await dir.write(`out/${name}.jsonl`, line);
    await dir.write(`out/${name}.jsonl.gz`, new Uint8Array(gzipSync(line)));
  }
  const { out, err } = await stats(dir.path("out"), "--json");
  assertEquals(JSON.parse(out).rows.total, 2, err);
  assert(/"[^"]*x.jsonl.gz" is left out: it has the rows of "[^"]*x.jsonl"/.test(err), err);
});

Deno.test("stats: leaves out an older merge in an .ndjson file together with its failures", async () => {
  await using dir = await tempDir();
  await dir.write("out/x.run.json", JSON.stringify({ merged: { pending: 0 } }));
  const merge = await dir.write("out/x.ndjson", resultLine({ uid: "a" }));
  await Deno.utime(merge, new Date("2026-01-01"), new Date("2026-01-01"));
  await dir.write("out/x_error.jsonl", failureLine("c"));
  await dir.write("out/x-00000-of-00002.jsonl", resultLine({ uid: "a" }));
  await dir.write("out/x-00000-of-00002_error.jsonl", failureLine("c"));
  await dir.write("out/x-00001-of-00002.jsonl", resultLine({ uid: "b" }));
  const { out, err } = await stats(dir.path("out"), "--json");
  assert(/x.ndjson" is left out: it is an older merge/.test(err), err);
  assertEquals(JSON.parse(out).rows.total, 3);
});

Deno.test("stats: says that no row has a field of --where, or that it holds texts or numbers only", async () => {
  await using dir = await tempDir();
  await dir.write(
    "x.jsonl",
    resultLine({ uid: "a", own: { score: "3" } }) + resultLine({ uid: "b", own: { score: "8" } }),
  );
  const noteOf = async (where: string) => (await stats(dir.path("x.jsonl"), "--where", where)).err;
  const misspelt = await noteOf('finish_reasn != "length" and modl == "m"');
  assert(
    misspelt.includes('No row has the field "finish_reasn" (did you mean "finish_reason"?)'),
    misspelt,
  );
  assert(misspelt.includes('the field "modl" (did you mean "model"?)'), misspelt);
  const texts = await noteOf("score < 5 or score == 8");
  assert(/"score" in score < 5 has only texts.*: no text is less/.test(texts), texts);
  assert(texts.includes('compare it with a text: score == "8"'), texts);
  const numbers = await noteOf('completion_tokens > "5" and distill.latency_ms != "long"');
  assert(numbers.includes("compare it with a number: completion_tokens > 5"), numbers);
  assert(
    numbers.includes('latency_ms != "long" has only numbers: no number equals a text'),
    numbers,
  );
  const fine =
    'status == "answered" and distill.cost_usd < 1 and error.type == null and score == "3"';
  assertEquals(await noteOf(fine), "");
});

Deno.test("stats: whole numbers of 19 digits are exact, as text and as JSON", async () => {
  await using dir = await tempDir();
  const ids = ["1234567890123456789", "1234567890123456788"];
  const lines = ids.map((id) => resultLine({ uid: id, own: { doc: "ID" } }).replaceAll('"ID"', id));
  await dir.write("out/x.jsonl", lines.join(""));
  const { out, err } = await stats(dir.path("out"), "--where", `doc == ${ids[1]}`);
  assert(/doc\n {2}1234567890123456788 +1 +100\.0%\n/.test(out), out);
  assertEquals(err, "");
  const json = (await stats(dir.path("out"), "--json")).out;
  for (const id of ids) assert(json.includes(`"value": ${id},`), json);
});
