/** Tests of lib/merge/. @module */

import type { Io } from "../../cli/io.ts";
import { mergeCommand } from "../../cli/proof_commands.ts";
import { parseCommandLine } from "../../cli/parse.ts";
import { gzipSync } from "node:zlib";
import { isAbsolute, relative } from "../../lib/deps/std_path.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import {
  DamagedFileError,
  SinkError,
  SourceError,
  TeacherError,
  UsageError,
} from "../../lib/errors.ts";
import { findRuns, mergeRuns, type WaitProgress } from "../../lib/merge/mod.ts";
import { distinctIn } from "../../lib/merge/merge_runs.ts";
import { RunLines } from "../../lib/merge/run_lines.ts";
import { filesOf, readStatus, statusPathOf, verify, writeFailedStatus } from "../../lib/run/mod.ts";
import { planFor } from "../../lib/shards/mod.ts";
import { shellWord } from "../../lib/printable.ts";
import { ResponseGenerator } from "../../lib/response_generator.ts";
import { prompts, runShard, runShards } from "../shards/fixture.ts";
import { shellWords } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";

Deno.test("shards are merged in input order, and the result is the same as that of one run", async () => {
  await using dir = await tempDir();
  const rows = [...prompts(0, 50), { no: 1 }, ...prompts(50, 90), { prompt: "p3" }];
  const input = await dir.write("in.jsonl", rows);
  const options = { skipBadRows: true, refused: ["p7", "p80"], generator: { samples: 2 } };
  await runShards(input, dir.path("out/"), 4, options);
  const output = dir.path("all/in.jsonl");
  const report = await mergeRuns({ outputs: dir.path("out"), output });
  assertEquals(
    [report.total, report.succeeded, report.failed, report.pending, report.badRows],
    [180, 176, 4, 0, 1],
  );
  assertEquals([report.duplicatesOfRuns, report.clashCount, report.problems], [1, 0, []]);
  const merged = await dir.rows("all/in.jsonl");
  const answered = prompts(0, 90).flatMap((row) => [row, row])
    .filter(({ prompt }) => !options.refused.includes(prompt));
  assertEquals(merged.map(({ prompt }) => prompt), answered.map(({ prompt }) => prompt));
  assertEquals((await dir.rows("all/in_error.jsonl")).map(({ error }) => error.type), [
    "request",
    "request",
    "bad_row",
    "request",
    "request",
  ]);
  const [proof] = await verify({ input, output });
  assertEquals([proof.succeeded, proof.failed, proof.strangers, proof.damageCount], [176, 4, 0, 0]);
  // The first command continues the merged output, and pays for no row twice.
  const again = await runShard(input, output, { ...options, refused: [] });
  assertEquals([again.asked, again.summary.pending], [[], 0]);
});

Deno.test("a merge keeps the names of the inputs once, not for each of its shards", async () => {
  await using dir = await tempDir();
  const inputs = await Promise.all(
    ["a.jsonl", "b.jsonl"].map((name) => dir.write(name, prompts(0, 4))),
  );
  await runShards(inputs, dir.path("out/"), 2);
  const [one, other] = await findRuns([dir.path("out")], { needsRunFile: true });
  assertEquals(one.runFile?.inputs, inputs);
  assertStrictEquals(one.runFile?.inputs, other.runFile?.inputs);
  assertStrictEquals(one.inputs, other.inputs);
  assertStrictEquals(one.changes, other.changes);
  const names = Array.from({ length: 12_000 }, (_, i) => `part-${i}.jsonl`);
  assertEquals(distinctIn([names.slice(0, 1), ...names.map(() => names)]), names);
});

Deno.test("a merge refuses two JSON Schemas, and keeps the one beside shards of a version that did not write it", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 6));
  await runShards(input, dir.path("out/"), 3);
  const merge = async (...schemas: (string | null | undefined)[]) => {
    for (const [index, json_schema] of schemas.entries()) {
      const name = `out/in-0000${index}-of-00003.run.json`, run = JSON.parse(await dir.read(name));
      Object.assign(run.identity, { json_schema });
      await dir.write(name, JSON.stringify(run));
    }
    await mergeRuns({ outputs: dir.path("out"), output: dir.path("all.jsonl"), replace: true });
    return JSON.parse(await dir.read("all.run.json")).identity.json_schema;
  };
  await assertRejects(() => merge(undefined, "0123abcd", "4567cdef"), UsageError, "json_schema");
  await assertRejects(() => merge(undefined, "0123abcd", null), UsageError, "json_schema");
  assertEquals(await merge(undefined, "0123abcd", "0123abcd"), "0123abcd");
  assertEquals(await merge(undefined, undefined, undefined), undefined);
});

Deno.test("a merge names missing and unfinished shards and writes nothing; --partial writes what is there", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 100));
  await runShard(input, dir.path("out/"), { shard: { index: 0, count: 3 } });
  await runShard(input, dir.path("out/"), { shard: { index: 2, count: 3 }, limit: 80 });
  const output = dir.path("all.jsonl");
  const refused = await mergeRuns({ outputs: dir.path("out/in.jsonl"), output });
  assertEquals(refused.problems.map(({ run, kind }) => [run, kind]), [
    ["shard 1 of 3", "missing"],
  ]);
  assertEquals([refused.results, await dir.exists("all.jsonl")], [null, false]);
  await runShard(input, dir.path("out/"), { shard: { index: 1, count: 3 } });
  const unfinished = await mergeRuns({ outputs: dir.path("out"), output });
  assertEquals(unfinished.problems.map(({ run, kind }) => [run, kind]), [
    ["shard 2 of 3", "unfinished"],
  ]);
  assertStringIncludes(unfinished.problems[0].message, "add the same one here");
  assertEquals(await dir.exists("all.jsonl"), false);
  const some = dir.path("some/all.jsonl");
  assertEquals((await mergeRuns({ outputs: dir.path("out"), output: some, limit: 80 })).total, 80);
  const again = await mergeRuns({ outputs: some, output });
  assertStringIncludes(again.problems[0].message, "Add its --limit here");
  const partial = await mergeRuns({ outputs: dir.path("out"), output, partial: true });
  assertEquals([partial.succeeded, partial.pending], [80, 20]);
  const { asked } = await runShard(input, output, {});
  assertEquals(asked.toSorted(), prompts(80, 100).map(({ prompt }) => prompt).toSorted());
});

Deno.test("a merge names runs without an end beside missing ones, and does not call a run without its run file one that has not run", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 30));
  for (const index of [0, 1]) {
    await runShard(input, dir.path("out/"), { shard: { index, count: 4 } });
  }
  const runFileOf = (index: number) => dir.path(`out/in-0000${index}-of-00004.run.json`);
  const killed = { ...JSON.parse(await Deno.readTextFile(runFileOf(0))), summary: null };
  await Deno.writeTextFile(runFileOf(0), JSON.stringify(killed));
  await Deno.remove(runFileOf(1));
  const output = dir.path("all.jsonl");
  const { problems } = await mergeRuns({ outputs: dir.path("out"), output });
  assertEquals(problems.map(({ run, kind }) => `${run} ${kind}`).toSorted(), [
    "shard 0 of 4 unfinished",
    "shard 1 of 4 missing",
    "shard 2 of 4 missing",
    "shard 3 of 4 missing",
  ]);
  const messages = problems.map(({ message }) => message.replaceAll(dir.root, ""));
  assertStringIncludes(
    messages[0],
    'it has answers in "/out/in-00001-of-00004.jsonl", but no "/out/in-00001-of-00004.run.json"',
  );
  assertStringIncludes(messages[1], "it has not run");
  const again = await runShard(input, dir.path("out/"), { shard: { index: 1, count: 4 } });
  assertEquals(again.asked, []);
});

for (const file of ["in-00001-of-00003.run.json", "in-00001-of-00003.jsonl"]) {
  Deno.test(`a merge names the shard whose "${file}" cannot be read, waits no longer, and writes nothing`, async () => {
    await using dir = await tempDir();
    const input = await dir.write("in.jsonl", prompts(0, 30));
    await runShards(input, dir.path("out/"), 3);
    await Deno.remove(dir.path(`out/${file}`));
    await Deno.mkdir(dir.path(`out/${file}`));
    const output = dir.path("all.jsonl");
    for (const options of [{}, { waitMs: 60_000 }, { partial: true }]) {
      const report = await mergeRuns({ outputs: dir.path("out"), output, ...options });
      assertEquals(report.problems.map(({ run, kind }) => [run, kind]), [
        ["shard 1 of 3", "damaged"],
      ]);
      assertStringIncludes(report.problems[0].message, `Cannot read "${dir.path("out")}/${file}"`);
      assertEquals([report.results, await dir.exists("all.jsonl")], [null, false]);
    }
  });
}

Deno.test("a merge of runs over split inputs names one whose run file is damaged", async () => {
  await using dir = await tempDir();
  for (const name of ["a", "b"]) {
    const input = await dir.write(`${name}.jsonl`, prompts(0, 3));
    await runShard(input, dir.path(`out/${name}.jsonl`), {});
  }
  await dir.write("out/b.run.json", '{"retort": ');
  const outputs = dir.path("out"), output = dir.path("all.jsonl");
  const { problems, results } = await mergeRuns({ outputs, output });
  assertEquals(problems.map(({ run, kind }) => [run, kind]), [[
    dir.path("out/b.jsonl"),
    "damaged",
  ]]);
  assertEquals(results, null);
  const joined = await mergeRuns({ outputs, output, proof: false });
  assertEquals([joined.succeeded, joined.duplicatesOfRuns], [3, 3]);
});

for (const names of [["in/a.jsonl", "in/b.json"], ["in"], ["in/*"]]) {
  Deno.test(`a run continues the partial merge of ${names.join(" and ")}, and verify reads it`, async () => {
    await using dir = await tempDir();
    await dir.write("in/a.jsonl", prompts(0, 30));
    await dir.write("in/b.json", JSON.stringify(prompts(30, 60)));
    const input = names.map((name) => dir.path(name));
    await runShard(input, dir.path("out/"), { shard: { index: 1, count: 3 } });
    const output = dir.path("all.jsonl");
    await assertRejects(() => runShard(input, output, {}), UsageError, "to the one file");
    const partial = await mergeRuns({ outputs: dir.path("out"), output, partial: true });
    assertEquals(partial.succeeded + partial.pending, 60);
    const again = await mergeRuns({
      outputs: output,
      output: dir.path("again/all.jsonl"),
      partial: true,
    });
    assertEquals([again.succeeded, again.pending], [partial.succeeded, partial.pending]);
    const merged = new Set((await dir.rows("all.jsonl")).map(({ prompt }) => prompt));
    const { asked } = await runShard(input, output, {});
    const missing = prompts(0, 60).map(({ prompt }) => prompt).filter((one) => !merged.has(one));
    assertEquals(asked.toSorted(), missing.toSorted());
    const [proof] = await verify({ input, output });
    assertEquals([proof.succeeded, proof.pending, proof.strangers], [60, 0, 0]);
  });
}

Deno.test("a run continues the partial merge of a folder in which one file has rows", async () => {
  await using dir = await tempDir();
  await dir.write("in/a.jsonl", "");
  await dir.write("in/b.jsonl", prompts(0, 9));
  const input = dir.path("in/"), output = dir.path("all/in.jsonl");
  const { asked } = await runShard(input, dir.path("out/"), { shard: { index: 0, count: 2 } });
  await mergeRuns({ outputs: dir.path("out"), output, partial: true });
  const continued = await runShard(input, output, {});
  assertEquals(asked.length + continued.asked.length, 9);
  const [proof] = await verify({ input, output });
  assertEquals([proof.succeeded, proof.pending, proof.strangers], [9, 0, 0]);
});

Deno.test("a merge says that results are gone, and how to write a lost plan file again", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 9)), out = dir.path("out/");
  const run = (index: number, count: number) => runShard(input, out, { shard: { index, count } });
  await runShards(input, out, 3);
  await Deno.rename(dir.path("out/in-00001-of-00003.jsonl"), dir.path("gone"));
  const merge = () =>
    mergeRuns({ outputs: dir.path("out/in.jsonl"), shards: 3, output: dir.path("all/in.jsonl") });
  const [{ message }] = (await merge()).problems;
  assertMatch(
    message,
    /^3 rows are pending: there is no ".*00001.*"\. Put it back, or run it again/,
  );
  await Deno.rename(dir.path("gone"), dir.path("out/in-00001-of-00003.jsonl"));
  await Deno.remove(dir.path("out/.retort/in.shards-3.json"));
  const words = "run one of those shards to write their lost borders again, and merge";
  await assertRejects(() => run(0, 2), UsageError, words);
  await assertRejects(merge, UsageError, "is lost: run one shard");
  assertEquals((await run(0, 3)).asked, []);
  assertEquals((await merge()).succeeded, 9);
});

Deno.test("a folder of runs without results is not taken for one of shards", async () => {
  await using dir = await tempDir();
  await runShard(await dir.write("in.jsonl", prompts(0, 2)), dir.path("out/"), {});
  await Deno.remove(dir.path("out/in.jsonl"));
  const options = { outputs: dir.path("out"), output: dir.path("all.jsonl"), proof: false };
  await assertRejects(() => mergeRuns(options), UsageError, "Name the output of the shards, or a");
});

Deno.test("a join takes in the rescued lines of results that are gone", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 5));
  await runShard(input, dir.path("out/"), { refused: ["p3"] });
  await Deno.rename(dir.path("out/in.jsonl"), dir.path("out/in.rescued-1.jsonl"));
  const output = dir.path("all/in.jsonl");
  const report = await mergeRuns({ outputs: dir.path("out"), output, proof: false });
  assertEquals([report.runs, report.succeeded, report.failed], [1, 4, 1]);
});

Deno.test("a folder of shards and of a run over another input is not merged without that run", async () => {
  await using dir = await tempDir();
  const [a, b] = [
    await dir.write("a.jsonl", prompts(0, 3)),
    await dir.write("b.jsonl", prompts(3, 7)),
  ];
  const out = dir.path("out/"), all = dir.path("all/all.jsonl");
  await runShards(b, out, 2);
  const tidying = { outputs: out, output: dir.path("out/b.jsonl"), tidy: true };
  assertEquals((await mergeRuns(tidying)).total, 4);
  await runShard(b, dir.path("out/b.jsonl"), {});
  assertEquals((await mergeRuns({ outputs: out, output: all })).total, 4);
  await runShard(a, out, {});
  for (const how of [{}, { proof: false }, { waitMs: 1_000 }]) {
    const merging = () => mergeRuns({ outputs: out, output: all, ...how, replace: true });
    const { message } = await assertRejects(merging, UsageError, "shards and other runs");
    assertStringIncludes(message, `${dir.path("out/a.jsonl")} ${dir.path("out/b.jsonl")}`);
  }
  const outputs = [dir.path("out/a.jsonl"), dir.path("out/b.jsonl")];
  assertEquals((await mergeRuns({ outputs, output: all, replace: true })).total, 7);
});

Deno.test("a merge says which other runs --shards leaves out", async () => {
  await using dir = await tempDir();
  const [a, b, c] = [
    await dir.write("a.jsonl", prompts(0, 3)),
    await dir.write("b.jsonl", prompts(3, 7)),
    await dir.write("c.jsonl", prompts(7, 8)),
  ];
  const out = dir.path("out/"), output = dir.path("all.jsonl");
  await runShards(b, out, 2);
  await runShard(a, out, {});
  await runShards(c, out, 1);
  const merge = (outputs: string) => mergeRuns({ outputs, output, shards: 2, replace: true });
  const { succeeded, notices } = await merge(out);
  assertEquals([succeeded, notices.length], [4, 1]);
  assertStringIncludes(notices[0], "--shards 2 leaves out other runs");
  assertStringIncludes(notices[0], "and 1 more");
  assertEquals((await merge(dir.path("out/b.jsonl"))).notices, []);
});

Deno.test("a merge refuses --shards for runs that are not shards, and waits for the shards if it may", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 6)), out = dir.path("out/");
  await runShard(await dir.write("other.jsonl", prompts(6, 9)), out, {});
  const options = { outputs: out, output: dir.path("all.jsonl"), shards: 2 };
  for (const how of [{}, { proof: false }, { outputs: [out, dir.path("out/other.jsonl")] }]) {
    const merging = () => mergeRuns({ ...options, ...how });
    await assertRejects(merging, UsageError, "Leave --shards out");
  }
  const { shards: _, ...withoutShards } = options;
  assertEquals((await mergeRuns(withoutShards)).succeeded, 3);
  let sharding: Promise<unknown> | undefined;
  const waiting = mergeRuns({
    ...options,
    waitMs: 60_000,
    replace: true,
    onWait: () => sharding ??= runShards(input, out, 2),
  });
  assertEquals((await waiting).succeeded, 6);
  await sharding;
  // Borders of two inputs: the other run is not what `shards` asks for.
  for (const name of ["a", "b"]) {
    const place = { stem: dir.path(`2/${name}`), isNamed: true, wholeResults: [] };
    await planFor(place, [input], 2);
  }
  await runShard(input, dir.path("2/in.jsonl"), {});
  const ambiguous = { ...options, outputs: dir.path("2/"), replace: true };
  await assertRejects(() => mergeRuns(ambiguous), UsageError, "holds 2 sets of shards");
});

Deno.test("a merge takes each shard from the output that has it, as after runs on machines with disks of their own", async () => {
  await using dir = await tempDir();
  const count = 4;
  // The third machine has divided the input, but none of its shards has run.
  const indexesByNode = { a: [1, 3], b: [0, 1], c: [] };
  for (const [node, indexes] of Object.entries(indexesByNode)) {
    const input = await dir.write(`${node}/in.jsonl`, prompts(0, 40));
    for (const index of indexes) {
      await runShard(input, dir.path(`${node}/out/`), { shard: { index, count } });
    }
  }
  const output = { stem: dir.path("c/out/in"), isNamed: false, wholeResults: [] };
  await planFor(output, [dir.path("c/in.jsonl")], count);
  const outputs = Object.keys(indexesByNode).map((node) => dir.path(`${node}/out/`));
  const options = { outputs, output: dir.path("all.jsonl") };
  const { problems } = await mergeRuns(options);
  assertEquals(problems.map(({ run }) => run), ["shard 2 of 4"]);
  await runShard(dir.path("a/in.jsonl"), dir.path("a/out/"), { shard: { index: 2, count } });
  const report = await mergeRuns(options);
  assertEquals([report.problems, report.succeeded, report.pending], [[], 40, 0]);
  assertEquals((await dir.rows("all.jsonl")).map(({ prompt }) => ({ prompt })), prompts(0, 40));
});

Deno.test("a merge of the outputs of two inputs with one name reports the shards that each lacks", async () => {
  await using dir = await tempDir();
  const count = 2;
  for (const name of ["in.jsonl", "in/"]) {
    for (const node of ["a", "b"]) {
      const rows = prompts(0, 40).map(({ prompt }) => ({ prompt: `${node} ${prompt}` }));
      if (name === "in.jsonl") await dir.write(`${node}/in.jsonl`, rows);
      // The rows of a compressed file are not counted, so that files of different sizes look alike.
      for (const [i, part] of name === "in/" ? [rows.slice(0, 9), rows.slice(9)].entries() : []) {
        const text = part.map((row) => `${JSON.stringify(row)}\n`).join("");
        await Deno.mkdir(dir.path(`${node}/in`), { recursive: true });
        await Deno.writeFile(dir.path(`${node}/in/${i}.jsonl.gz`), gzipSync(text));
      }
    }
    const outputs = ["a", "b"].map((node) => dir.path(`${node}/out-${name}`));
    for (const [node, index] of [["a", 0], ["a", 1], ["b", 0]] as const) {
      const output = dir.path(`${node}/out-${name}/x.jsonl`);
      await runShard(dir.path(`${node}/${name}`), output, { shard: { index, count } });
    }
    const { problems } = await mergeRuns({ outputs, output: dir.path("all.jsonl") });
    assertEquals(problems.map(({ run, kind }) => [run, kind]), [["shard 1 of 2", "missing"]]);
  }
});

Deno.test("a merge of shards from several outputs compares all of them with one input", async () => {
  await using dir = await tempDir();
  // These differ only in the middle, which is not compared when the outputs are found.
  const rows = (word: string) =>
    prompts(0, 9_000).map((row, i) => i === 4_800 ? { prompt: word } : row);
  const shards = [["a", 0], ["b", 1]] as const;
  for (const [node, index] of shards) {
    const input = await dir.write(`${node}/in.jsonl`, rows(node));
    const output = dir.path(`${node}/out/`);
    await runShard(input, output, { shard: { index, count: 2 } });
  }
  const outputs = shards.map(([node]) => dir.path(`${node}/out`));
  const options = { outputs, output: dir.path("all.jsonl") };
  const { problems } = await mergeRuns(options);
  assertEquals([...new Set(problems.map(({ run }) => run))], ["shard 1 of 2"]);
  // The input may be at one of the paths only.
  await Deno.remove(dir.path("a/in.jsonl"));
  const report = await mergeRuns(options);
  assertEquals([report.problems, report.succeeded, report.pending], [[], 9_000, 0]);
});

Deno.test("a merge reads the input where any of the shards has read it, if the path in the plan is another machine's", async () => {
  await using dir = await tempDir();
  for (const named of ["in/", "in/*.jsonl", "in/a.jsonl,in/b.jsonl"]) {
    await dir.write("one/in/a.jsonl", prompts(0, 4));
    await dir.write("one/in/b.jsonl", prompts(4, 7));
    const inputsAt = (node: string) => named.split(",").map((path) => dir.path(`${node}/${path}`));
    await runShard(inputsAt("one"), dir.path("one/out/x.jsonl"), { shard: { index: 0, count: 3 } });
    await Deno.rename(dir.path("one"), dir.path("other"));
    const merge = () =>
      mergeRuns({ outputs: dir.path("other/out"), output: dir.path("x.jsonl"), replace: true });
    const output = dir.path("other/out/x.jsonl");
    for (const index of [1, 2]) {
      await runShard(inputsAt("other"), output, { shard: { index, count: 3 } });
    }
    const { succeeded, inputChanges } = await merge();
    assertEquals([succeeded, inputChanges], [7, []]);
    await Deno.rename(dir.path("other"), dir.path("third"));
    const moved = { outputs: dir.path("third/out"), output: dir.path("y.jsonl"), replace: true };
    const { message } = await assertRejects(() => mergeRuns(moved), SourceError);
    assertStringIncludes(message, "continue a run of it under its current path");
    const shard = { index: 1, count: 3 };
    const { asked } = await runShard(inputsAt("third"), dir.path("third/out/x.jsonl"), { shard });
    assertEquals([asked, (await mergeRuns(moved)).succeeded], [[], 7]);
    await Deno.remove(dir.path("third"), { recursive: true });
  }
});

Deno.test("a merge says which input it reads if the project was copied with an absolute path", async () => {
  await using dir = await tempDir();
  for (const folder of ["data/", ""]) {
    const input = await dir.write(`p/${folder}in.jsonl`, prompts(0, 5));
    await runShards(input, dir.path("p/out/"), 2);
    const merge = (project: string) =>
      mergeRuns({
        outputs: dir.path(`${project}/out/`),
        output: dir.path("all/in.jsonl"),
        replace: true,
      });
    assertEquals((await merge("p")).notices, []);
    await Deno.mkdir(dir.path("copy"));
    await Deno.rename(dir.path("p/out"), dir.path("copy/out"));
    assertEquals((await merge("copy")).notices, []);
    const copy = await dir.write(`copy/${folder}in.jsonl`, prompts(0, 6));
    assertEquals((await merge("copy")).notices, [], "the input is as it was divided");
    await Deno.utime(input, new Date(0), new Date(0));
    const { notices, succeeded } = await merge("copy");
    assertEquals([notices.length, succeeded], [1, 5]);
    assertStringIncludes(notices[0], `"${input}"`);
    assertStringIncludes(notices[0], `not with "${await Deno.realPath(copy)}"`);
    await Deno.copyFile(input, copy);
    assertEquals((await merge("copy")).notices, []);
    await Deno.remove(dir.path("copy"), { recursive: true });
    await Deno.remove(dir.path("p"), { recursive: true });
  }
});

Deno.test({
  name: "a copy of the input that cannot be read does not end a merge, and JSON is not read at all",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using dir = await tempDir();
    for (const name of ["in.json", "in.jsonl"]) {
      const rows = prompts(0, 5);
      const input = await dir.write(`p/${name}`, name === "in.json" ? JSON.stringify(rows) : rows);
      await runShard(input, dir.path("copy/out/in.jsonl"), {});
      const copy = dir.path(`copy/${name}`);
      // A regular file that cannot be read.
      await Deno.symlink("/proc/self/mem", copy);
      const options = { outputs: dir.path("copy/out/"), output: dir.path("all/in.jsonl") };
      const { notices, succeeded } = await mergeRuns({ ...options, replace: true });
      assertEquals([succeeded, notices.length], [5, name === "in.json" ? 1 : 0]);
      await Deno.remove(dir.path("copy"), { recursive: true });
    }
  },
});

Deno.test("several inputs are not added to the results of a run over another input", async () => {
  await using dir = await tempDir();
  const [a, b, c] = await Promise.all(
    ["a", "b", "c"].map((name) => dir.write(`${name}.jsonl`, [{ prompt: name }])),
  );
  const output = dir.path("all.jsonl");
  await runShard(a, output, {});
  await assertRejects(() => runShard([b, c], output, {}), UsageError, "to the one file");
});

Deno.test("one uid with two contents is reported with both places, and the later answer is set aside", async () => {
  await using dir = await tempDir();
  const rows = prompts(0, 40).map((row, i) => ({ id: `${i % 39}`, ...row }));
  const text = rows.map((row) => JSON.stringify(row)).join("\n");
  await dir.write("in.jsonl", `\n\n${text}\n`);
  const input = dir.path("in.jsonl");
  await runShards(input, dir.path("out/"), 2);
  const report = await mergeRuns({ outputs: dir.path("out"), output: dir.path("all.jsonl") });
  assertEquals(report.clashes, [{ uid: "0", first: `${input}:3`, second: `${input}:42` }]);
  assertEquals([report.succeeded, report.clashCount], [39, 1]);
  assertEquals((await dir.rows("all.duplicates.jsonl")).map(({ prompt }) => prompt), ["p39"]);
  // The merge has only the first row's answer.
  const again = { outputs: dir.path("all.jsonl"), output: dir.path("again/all.jsonl") };
  const { clashCount, duplicates } = await mergeRuns(again);
  assertEquals([clashCount, duplicates], [1, null]);
  // Without a proof, the shards stay, and loading the folder would load every row twice.
  const before = await dir.names("out");
  let said = "";
  const io = {
    env: () => undefined,
    program: "retort",
    writeErr: (words: string) => said += words,
    onSignal: () => () => {},
  } as unknown as Io;
  const tidy = ["merge", dir.path("out/"), "--tidy", "-o", dir.path("out/in.jsonl")];
  assertEquals(await mergeCommand(parseCommandLine(tidy), io), 3);
  assertMatch(said, /different content\n.*in\.jsonl:42\nNothing was written: --tidy/);
  assertEquals(await dir.names("out"), before);
});

Deno.test("a merge that writes nothing leaves neither its folder nor its lock file", async () => {
  await using dir = await tempDir();
  const rows = [{ id: "a", prompt: "1" }, { id: "a", prompt: "2" }];
  await runShards(await dir.write("in.jsonl", rows), dir.path("out/"), 2);
  const merge = (output: string, options = {}) =>
    mergeRuns({ outputs: dir.path("out"), output: dir.path(output), tidy: true, ...options });
  assertEquals((await merge("new/in.jsonl")).results, null);
  await assertRejects(() => merge("new/in.jsonl", { limit: 1 }), UsageError, "--limit");
  assertEquals(await dir.exists("new"), false);
  // What was there before stays.
  await dir.write("old/in.lock", "");
  assertEquals((await merge("old/in.jsonl")).results, null);
  assertEquals(await dir.names("old"), ["in.lock"]);
});

Deno.test("a merge that replaces one with clashing rows leaves no duplicates of it, and replaces no file of the user", async () => {
  await using dir = await tempDir();
  const line = (hash: string) => [{ uid: "a", prompt_hash: hash.repeat(16), response: "" }];
  await dir.write("out/0.jsonl", line("0"));
  const output = dir.path("all.jsonl");
  const merge = { outputs: dir.path("out"), output, proof: false, replace: true };
  await dir.write("all.duplicates.jsonl", [{ mine: 1 }]);
  await assertRejects(() => mergeRuns(merge), UsageError, "it is not a results file of Retort");
  await Deno.remove(dir.path("all.duplicates.jsonl"));
  const duplicates = [];
  for (const hash of ["1", "0"]) {
    await dir.write("out/1.jsonl", line(hash));
    duplicates.push((await mergeRuns(merge)).duplicates);
    assertEquals(await dir.exists("all.duplicates.jsonl"), duplicates.at(-1) !== null);
  }
  assertEquals(duplicates, [dir.path("all.duplicates.jsonl"), null]);
});

Deno.test("a failed row does not get the answer to another row with its uid", async () => {
  await using dir = await tempDir();
  const other = { id: "0", prompt: "other" };
  const inputs = [
    await dir.write("a.jsonl", [{ id: "0", prompt: "p0" }]),
    await dir.write("b.jsonl", [other, { id: "0", prompt: "p0" }]),
  ];
  const outputs = [dir.path("1/"), dir.path("2/")];
  await runShard(inputs[0], outputs[0], { refused: ["p0"] });
  for (const samples of [2, 1]) {
    await runShard(inputs[1], outputs[1], { skipBadRows: true, generator: { samples } });
  }
  const report = await mergeRuns({ outputs, output: dir.path("all.jsonl") });
  assertEquals([report.succeeded, report.failed, report.clashCount], [0, 1, 1]);
  assertEquals(await dir.rows("all.jsonl"), []);
  const setAside = await dir.rows("all.duplicates.jsonl");
  assertEquals(setAside.map(({ uid, prompt }) => [uid, prompt]), [["0", "other"], [
    "0#1",
    "other",
  ]]);
});

Deno.test("of identical rows the answer is kept, also where the first has failed", async () => {
  await using dir = await tempDir();
  // With fields in another order, rows are still identical.
  const rows = [{ id: "0", prompt: "p0" }, ...prompts(1, 20), { prompt: "p0", id: "0" }];
  const input = await dir.write("in.jsonl", rows);
  const output = dir.path("out/");
  await runShard(input, output, { shard: { index: 0, count: 2 }, refused: ["p0", "p1"] });
  await runShard(input, output, { shard: { index: 1, count: 2 } });
  const report = await mergeRuns({ outputs: output, output: dir.path("all.jsonl") });
  assertEquals([report.succeeded, report.failed, report.duplicatesOfRuns], [19, 1, 1]);
  assertEquals((await dir.rows("all_error.jsonl")).map(({ prompt }) => prompt), ["p1"]);
  assertEquals((await dir.rows("all.jsonl")).length, 19);
});

Deno.test("a partial merge keeps the answer to a row that is pending in an earlier shard", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", [...prompts(0, 20), ...prompts(0, 2), { prompt: "q" }]);
  const output = dir.path("out/");
  await runShard(input, output, { shard: { index: 0, count: 2 }, limit: 1 });
  await runShard(input, output, { shard: { index: 1, count: 2 }, limit: 22 });
  const merged = dir.path("all.jsonl");
  const report = await mergeRuns({ outputs: output, output: merged, partial: true });
  assertEquals([report.total, report.succeeded, report.pending], [21, 10, 11]);
  assertEquals(report.problems.map(({ message }) => /^\d+/.exec(message)?.[0]), ["11", "1"]);
  const again = await runShard(input, merged, {});
  assertEquals([again.asked.includes("p1"), again.summary.pending], [false, 0]);
  assertEquals((await dir.rows("all.jsonl")).length, 21);
});

Deno.test("orphaned, repeated and damaged lines are reported, and nothing is written", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 20));
  await runShards(input, dir.path("out/"), 2);
  const results = "out/in-00001-of-00002.jsonl";
  const whole = await dir.read(results);
  const [first] = whole.split("\n");
  const cases = [
    [whole + first + "\n", "has more than one result for"],
    // A uid is named once, however many results it has.
    [whole + (first + "\n").repeat(4), `more than one result for "${JSON.parse(first).uid}". `],
    [whole + whole, " and others. --no-proof keeps the first"],
    [
      whole + first.replace(/"uid":"[^"]*"/, '"uid":"other"') + "\n",
      "1 result of rows that are not",
    ],
    [whole.replace(/\n/, "\nhalf a line\n"), "line 2"],
  ];
  for (const [text, words] of cases) {
    await dir.write(results, text);
    const report = await mergeRuns({
      outputs: dir.path("out"),
      output: dir.path("all.jsonl"),
      partial: true,
    });
    assertEquals([report.problems[0].kind, report.results], ["damaged", null]);
    assertStringIncludes(report.problems[0].message, words);
    assertEquals(await dir.exists("all.jsonl"), false);
  }
  let said = "";
  const io = {
    env: () => undefined,
    program: "retort",
    writeErr: (words: string) => said += words,
    onSignal: () => () => {},
  } as unknown as Io;
  const merge = ["merge", dir.path("out"), "-o", dir.path("all.jsonl")];
  assertEquals(await mergeCommand(parseCommandLine(merge), io), 3);
  assertStringIncludes(
    said,
    "Repair the line, or remove it to send its row again\nNothing was written",
  );
  // Running the shard again repairs neither lines nor repeated results.
  assertEquals(said.includes("rerun"), false);
});

Deno.test("a merge into the folder of the shards is refused, unless they are moved away", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 20));
  await runShards(input, dir.path("out/"), 2);
  const options = { outputs: dir.path("out"), output: dir.path("out/in.jsonl") };
  await assertRejects(() => mergeRuns(options), UsageError, "--tidy");
  const report = await mergeRuns({ ...options, tidy: true });
  assertEquals(report.movedTo, dir.path("out/.retort/shards/"));
  assertEquals(await dir.names("out"), [
    ".retort",
    "in.jsonl",
    "in.lock",
    "in.run.json",
    "in_error.jsonl",
  ]);
  // Running the shard again would pay for its rows twice.
  const shard = { index: 1, count: 2 };
  await assertRejects(() => runShard(input, dir.path("out/"), { shard }), UsageError, "was merged");
  await assertRejects(() => mergeRuns(options), UsageError, "--replace");
  // A crash may leave each file of a shard in either place.
  const merged = await dir.read("out/in.jsonl");
  const names = await dir.names("out/.retort/shards");
  assertEquals(names.length, 8);
  for (const name of names.filter((_, i) => i % 3 === 0)) {
    await Deno.rename(dir.path(`out/.retort/shards/${name}`), dir.path(`out/${name}`));
  }
  const again = await mergeRuns({ ...options, tidy: true, replace: true });
  assertEquals([again.succeeded, again.movedTo], [20, report.movedTo]);
  assertEquals(await dir.names("out/.retort/shards"), names);
  assertEquals(await dir.read("out/in.jsonl"), merged);
  await assertRejects(
    () => mergeRuns({ outputs: report.movedTo!, output: dir.path("all.jsonl") }),
    UsageError,
    "Name the output of all shards",
  );
});

Deno.test("the output of a merge is merged again, and no longer replaced once a run has continued it", async () => {
  await using dir = await tempDir();
  const input = [
    await dir.write("in/a,b.jsonl", prompts(0, 10)),
    await dir.write("in/c.jsonl", prompts(10, 20)),
  ];
  const other = await dir.write("d.jsonl", prompts(20, 25));
  const refused = ["p3"];
  await runShards(input, dir.path("out/"), 2, { refused });
  await runShard(other, dir.path("d/"), {});
  const output = dir.path("merged/in.jsonl");
  const first = { outputs: dir.path("out"), output, replace: true };
  for (let time = 0; time < 2; time++) assertEquals((await mergeRuns(first)).failed, 1);
  const both = {
    outputs: [output, dir.path("d")],
    output: dir.path("all.jsonl"),
    waitMs: Infinity,
    replace: true,
  };
  const report = await mergeRuns(both);
  assertEquals([report.total, report.succeeded, report.failed], [25, 24, 1]);
  await runShard(input, output, { retry: true });
  await assertRejects(() => mergeRuns(first), UsageError, ": a run has written to it");
  assertEquals((await dir.rows("merged/in.jsonl")).length, 20);
  const whole = await mergeRuns(both);
  assertEquals([whole.total, whole.succeeded, whole.problems], [25, 25, []]);
  // An earlier version wrote the names of the files as one text.
  const run = JSON.parse(await dir.read("merged/in.run.json"));
  await Deno.rename(input[0], input[0] = dir.path("in/a.jsonl"));
  const earlier = { ...run, input: input.join(", "), inputs: undefined };
  await dir.write("merged/in.run.json", JSON.stringify(earlier));
  assertEquals((await mergeRuns(both)).succeeded, 25);
});

Deno.test("the merge of an earlier version is replaced once the files that the message names are moved", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 4));
  await runShards([input], dir.path("out/"), 2, { refused: ["p3"] });
  const output = dir.path("merged/in.jsonl"), runJson = dir.path("merged/in.run.json");
  const merge = { outputs: dir.path("out"), output, replace: true };
  await mergeRuns(merge);
  const { merged: _, ...earlier } = JSON.parse(await dir.read("merged/in.run.json"));
  await dir.write("merged/in.run.json", JSON.stringify({ ...earlier, summary: null }));
  const error = await assertRejects(() => mergeRuns(merge), UsageError, "by an earlier version");
  const advice = error.message.slice(error.message.indexOf("or move "));
  const named = [...advice.matchAll(/"([^"]+)"/g)].map(([, path]) => path);
  assertEquals(named, [output, dir.path("merged/in_error.jsonl"), runJson]);
  for (const path of named) await Deno.rename(path, `${path}.old`);
  assertEquals((await mergeRuns(merge)).total, 4);
});

Deno.test("runs that were divided by hand are merged, those without run files only with --no-proof", async () => {
  await using dir = await tempDir();
  const inputs = [
    await dir.write("part-2.jsonl", prompts(0, 10)),
    await dir.write("part-10.jsonl", prompts(10, 20)),
  ];
  await runShard(inputs[0], dir.path("a/"), {});
  await runShard(inputs[1], dir.path("b/"), {});
  const outputs = [dir.path("a/"), dir.path("b/")];
  const report = await mergeRuns({ outputs, output: dir.path("all.jsonl") });
  assertEquals([report.total, report.succeeded], [20, 20]);
  const expected = prompts(0, 20).map(({ prompt }) => prompt);
  assertEquals((await dir.rows("all.jsonl")).map(({ prompt }) => prompt), expected);
  await Deno.remove(dir.path("a/part-2.run.json"));
  await Deno.remove(dir.path("b/part-10.run.json"));
  const output = dir.path("joined.jsonl");
  await assertRejects(() => mergeRuns({ outputs, output }), UsageError, "--no-proof");
  const joined = await mergeRuns({ outputs: [...outputs, dir.path("b")], output, proof: false });
  assertEquals([joined.succeeded, joined.duplicatesOfRuns], [20, 10]);
  assertEquals((await dir.rows("joined.jsonl")).length, 20);
});

Deno.test("results that end in .ndjson are merged and joined, inputs beside them are not", async () => {
  await using dir = await tempDir();
  await runShard(await dir.write("a.jsonl", prompts(0, 10)), dir.path("a/x.ndjson"), {});
  // Each of the two next to each other: an input and the results of another one.
  const inputs = [
    await dir.write("b/y.jsonl", prompts(10, 20)),
    await dir.write("c/z.ndjson", prompts(20, 30)),
  ];
  await runShard(inputs[0], dir.path("b/y.ndjson"), {});
  await runShard(inputs[1], dir.path("c/z.jsonl"), {});
  const outputs = [dir.path("a/"), dir.path("b/y.ndjson"), dir.path("c/")];
  const report = await mergeRuns({ outputs, output: dir.path("all.jsonl"), tidy: true });
  assertEquals([report.succeeded, report.pending, report.problems], [30, 0, []]);
  assertEquals((await dir.names("a/.retort/shards")).includes("x.ndjson"), true);
  for (const folder of ["a", "b", "c"]) {
    const names = (await dir.names(`${folder}/.retort/shards`)).filter((name) =>
      !/lock$/.test(name)
    );
    for (const name of names) {
      await Deno.rename(
        dir.path(`${folder}/.retort/shards/${name}`),
        dir.path(`${folder}/${name}`),
      );
    }
  }
  const joined = await mergeRuns({ outputs, output: dir.path("joined.jsonl"), proof: false });
  assertEquals(joined.succeeded, 30);
});

Deno.test("a run file without a summary is that of a run that has not ended", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 10));
  await runShards(input, dir.path("out/"), 2);
  const merge = () => mergeRuns({ outputs: dir.path("out"), output: dir.path("all.jsonl") });
  const name = (await dir.names("out")).findLast((name) => name.endsWith(".run.json"))!;
  const { summary, ...run } = JSON.parse(await dir.read(`out/${name}`));
  assertEquals(summary.succeeded, 5);
  const results = `out/${name.replace(".run.json", ".jsonl")}`;
  await dir.write(results, (await dir.read(results)).split("\n").slice(1).join("\n"));
  await dir.write(`out/${name}`, JSON.stringify(run));
  const { problems } = await merge();
  assertEquals(problems.length, 1);
  await dir.write(`out/${name}`, JSON.stringify({ ...run, summary: "done" }));
  const damaged = (await merge()).problems[0];
  assertEquals(damaged.kind, "damaged");
  assertStringIncludes(damaged.message, '"summary" must be an object');
});

Deno.test("without proof each row counts once, whatever number of failures lines it has", async () => {
  await using dir = await tempDir();
  const line = (uid: string, final: boolean) => ({
    uid,
    prompt: uid,
    prompt_hash: "0123456789abcdef",
    partial: "The",
    error: { type: "truncated", message: "", status: null, attempts: 1, final },
  });
  await dir.write("a/in.jsonl", []);
  await dir.write("a/in_error.jsonl", [
    ...[line("twice", false), line("twice", false)],
    ...[line("later", false), line("later", true)],
    ...[line("retried", true), line("retried", false)],
    ...[line("failed", true), line("failed", true)],
  ]);
  const output = dir.path("joined.jsonl");
  const joined = await mergeRuns({ outputs: dir.path("a/in.jsonl"), output, proof: false });
  assertEquals([joined.total, joined.pending, joined.failed], [4, 1, 3]);
  assertEquals(joined.duplicatesOfRuns, 1);
  const kept = (await dir.rows("joined_error.jsonl")).map(({ uid, error }) => [uid, error.final]);
  assertEquals(kept.at(-2), ["retried", false]);
  assertEquals(kept.length, 7);
});

Deno.test("a join refuses a byte order mark within a file, with which no run could continue the output", async () => {
  await using dir = await tempDir();
  const line = (uid: string) => JSON.stringify({ uid, prompt_hash: "", response: "R" });
  await dir.write("a/in.jsonl", `\ufeff${line("a")}\n\ufeff${line("b")}\n`);
  const options = { outputs: dir.path("a/"), output: dir.path("all.jsonl"), proof: false };
  await assertRejects(() => mergeRuns(options), UsageError, "in.jsonl:2: it is not JSON");
});

Deno.test("runs that were made in different ways are not merged, and nothing is overwritten", async () => {
  await using dir = await tempDir();
  const [a, b] = [
    await dir.write("a.jsonl", prompts(0, 5)),
    await dir.write("b.jsonl", prompts(5, 9)),
  ];
  await runShard(a, dir.path("a/"), {});
  await runShard(b, dir.path("b/"), { generator: { params: { temperature: 1 } } });
  const outputs = [dir.path("a"), dir.path("b")];
  const output = await dir.write("all.jsonl", prompts(0, 1));
  const refused = await assertRejects(() => mergeRuns({ outputs, output }), UsageError);
  assertStringIncludes(refused.message, "params: {} in the first");
  await assertRejects(() => mergeRuns({ outputs: outputs[0], output }), UsageError, "--replace");
  // Only the output of a merge is replaced.
  await assertRejects(
    () => mergeRuns({ outputs: outputs[0], output, replace: true }),
    UsageError,
    "it is not a results file of Retort",
  );
  assertEquals((await dir.rows("all.jsonl")).length, 1);
  await Deno.remove(output);
  const failures = await dir.write("all_error.jsonl", prompts(0, 1));
  for (const replace of [false, true]) {
    await assertRejects(
      () => mergeRuns({ outputs: outputs[0], output, replace }),
      UsageError,
      `Cannot write "${failures}"`,
    );
  }
  assertEquals((await dir.rows("all_error.jsonl")).length, 1);
  await Deno.remove(failures);
  await mergeRuns({ outputs: outputs[0], output });
  const report = await mergeRuns({ outputs: outputs[0], output, replace: true });
  assertEquals(report.succeeded, 5);
});

Deno.test("results of surplus samples are kept and reported", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 12));
  await runShards(input, dir.path("out/"), 2, { generator: { samples: 3 } });
  // The second shard is run again with fewer samples: its run file says 1 now.
  await runShards(input, dir.path("out/"), 2, { generator: { samples: 1 } });
  const output = dir.path("all/in.jsonl");
  const report = await mergeRuns({ outputs: dir.path("out"), output });
  assertEquals([report.total, report.succeeded, report.surplus], [12, 12, 24]);
  assertEquals(report.problems, []);
  const merged = await dir.rows("all/in.jsonl");
  assertEquals(merged.length, 36);
  assertEquals(new Set(merged.map(({ uid }) => uid)).size, 36);
  const [proof] = await verify({ input, output });
  assertEquals([proof.succeeded, proof.surplus, proof.strangers], [12, 24, 0]);
});

Deno.test("a sample that an active run writes during the merge is left to the next merge", async () => {
  await using dir = await tempDir();
  const line = (uid: string) => ({ uid, prompt_hash: "0".repeat(16), response: "R", distill: {} });
  const results = await dir.write("x.jsonl", ["a", "a#2", "old"].map(line));
  const run = { files: filesOf("", dir.path("x")), runFile: undefined };
  using lines = await RunLines.read(run, 10);
  await Deno.writeTextFile(results, `${JSON.stringify(line("a#1"))}\n`, { append: true });
  assertEquals(lines.copy("a", { result: { add() {} }, failure: { add() {} } }), "result");
  const written: string[] = [];
  const add = (bytes: Uint8Array) => void written.push(new TextDecoder().decode(bytes));
  await lines.copySurplus(() => ({ add, flush: () => Promise.resolve() }));
  assertEquals(JSON.parse(written.join("")).uid, "a#2");
});

Deno.test("a partial merge counts each sample of a shard that has not run", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 12));
  const out = dir.path("out/"), output = dir.path("all.jsonl");
  await runShard(input, out, { shard: { index: 1, count: 2 }, generator: { samples: 3 } });
  const report = await mergeRuns({ outputs: out, output, partial: true });
  const [proof] = await verify({ input, output });
  assertEquals([report.total, report.pending], [36, proof.pending]);
});

Deno.test("samples that an earlier run lacks are merged, and surplus samples only once", async () => {
  await using dir = await tempDir();
  const [a, b] = [
    await dir.write("a.jsonl", prompts(0, 4)),
    await dir.write("b.jsonl", prompts(1, 6)),
  ];
  const outputs = [dir.path("1/"), dir.path("2/"), dir.path("3/")];
  const output = dir.path("all.jsonl");
  await runShard(a, outputs[0], {});
  await runShard(b, outputs[1], { generator: { samples: 3 }, refused: ["p2"] });
  await runShard(b, outputs[2], { generator: { samples: 3 } });
  const report = await mergeRuns({ outputs, output });
  // Each row has a first answer. The rows of the other runs have two more.
  assertEquals([report.total, report.succeeded, report.failed], [6 + 2 * 5, 16, 0]);
  const uids = (await dir.rows("all.jsonl")).map(({ uid }) => uid);
  assertEquals([uids.length, new Set(uids).size], [16, 16]);
  assertEquals((await dir.rows("all_error.jsonl")).length, 0);
  // No row is pending, and the output can be merged again.
  const merged = { outputs: output, output: dir.path("merged/all.jsonl") };
  const { problems, surplus: extra } = await mergeRuns(merged);
  assertEquals([problems, extra], [[], 10]);
  assertEquals((await runShard([a, b], output, {})).asked, []);
  assertEquals((await runShard([a, b], output, { generator: { samples: 3 } })).asked, ["p0", "p0"]);
  // With one sample for each row, the other answers are surplus.
  for (const path of outputs.slice(1)) await runShard(b, path, { generator: { samples: 1 } });
  const again = await mergeRuns({ outputs: outputs.slice(1), output: dir.path("again.jsonl") });
  assertEquals([again.succeeded, again.surplus, again.problems], [5, 10, []]);
  assertEquals((await verify({ input: b, output: dir.path("again.jsonl") }))[0].damageCount, 0);
  // A surplus answer counts where the earlier run has failed.
  await runShard(b, dir.path("4/"), { generator: { samples: 2 }, refused: ["p2"] });
  const late = { outputs: [dir.path("4/"), outputs[2]], output: dir.path("late.jsonl") };
  const { total, succeeded, surplus } = await mergeRuns(late);
  assertEquals([total, succeeded, surplus], [10, 10, 5]);
});

Deno.test("surplus samples of a row are set aside with it, and do not become answers to another row", async () => {
  await using dir = await tempDir();
  const [a, b] = [
    await dir.write("a.jsonl", [{ uid: "x", prompt: "p" }]),
    await dir.write("b.jsonl", [{ uid: "x", prompt: "q" }]),
  ];
  const outputs = [dir.path("1/"), dir.path("2/")];
  await runShard(a, outputs[0], { generator: { samples: 2 }, refused: ["p"] });
  for (const samples of [3, 1]) await runShard(b, outputs[1], { generator: { samples } });
  const report = await mergeRuns({ outputs, output: dir.path("all.jsonl") });
  const { succeeded, failed, surplus, clashCount } = report;
  assertEquals([succeeded, failed, surplus, clashCount], [0, 2, 0, 1]);
  const uids = (await dir.rows("all.duplicates.jsonl")).map(({ uid }) => uid);
  assertEquals(uids, ["x", "x#1", "x#2"]);
});

Deno.test("a merge keeps the answer that an interrupted retry paid for", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 3));
  await runShard(input, dir.path("out/"), { refused: ["p1"] });
  const [failure] = await dir.rows("out/in_error.jsonl");
  const retried = (response: string) => ({
    ...failure,
    error: { ...failure.error, type: "truncated", final: false, next: { resample: 1 } },
    partial: { response, finish_reason: "length" },
  });
  const lines = [failure, retried("first"), failure, retried("P"), retried("P1")];
  await dir.write("out/in_error.jsonl", lines);
  const report = await mergeRuns({ outputs: dir.path("out/"), output: dir.path("all.jsonl") });
  assertEquals([report.succeeded, report.failed, report.pending], [2, 1, 0]);
  assertEquals(await dir.rows("all_error.jsonl"), [failure, retried("P1")]);
});

Deno.test("an unfinished retry of one run does not leave out failed rows of the runs merged with it", async () => {
  await using dir = await tempDir();
  const inputs = [
    await dir.write("a.jsonl", prompts(0, 2)),
    await dir.write("b.jsonl", prompts(2, 4)),
  ];
  const outputs = [dir.path("1/"), dir.path("2/")], refused = ["p0", "p1", "p3"];
  await runShard(inputs[0], outputs[0], { refused });
  const teacher = {
    model: "echo",
    complete() {
      generator.stop();
      return Promise.reject(new TeacherError("refused", { type: "request", status: 400 }));
    },
  };
  const generator: ResponseGenerator = new ResponseGenerator({ teacher, concurrency: 1 });
  await generator.run({ input: inputs[0], output: outputs[0], retry: true });
  await runShard(inputs[1], outputs[1], { refused });
  const output = dir.path("all.jsonl");
  await mergeRuns({ outputs, output });
  assertEquals((await runShard(inputs, output, { retry: true })).asked.length, 3);
});

Deno.test("shards that ran with --no-lock are merged where the filesystem has no locks", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 8));
  const { tryLock } = Deno.FsFile.prototype;
  Deno.FsFile.prototype.tryLock = () => Promise.reject(new Error("No locks available"));
  try {
    await runShards(input, dir.path("out/"), 2, { lock: false });
    const output = dir.path("out/in.jsonl");
    const report = await mergeRuns({ outputs: dir.path("out/"), output, tidy: true });
    assertEquals([report.succeeded, report.movedTo !== null], [8, true]);
  } finally {
    Deno.FsFile.prototype.tryLock = tryLock;
  }
});

Deno.test("a merge into anything but a .jsonl file is refused, with a name that works", async () => {
  await using dir = await tempDir();
  for (const [output, name] of [["-", "all.jsonl"], ["x.csv", "x.jsonl"], ["m/", "m/all.jsonl"]]) {
    const merge = () => mergeRuns({ outputs: dir.path("out"), output });
    const { message } = await assertRejects(merge, UsageError);
    assertEquals(message.split("such as ")[1], `-o ${name}`);
  }
});

Deno.test("a merge with --tidy reports each folder to which it has moved shards", async () => {
  await using dir = await tempDir();
  const outputs = ["a", "b", "a/c"].map((name) => dir.path(name));
  for (const [i, output] of outputs.entries()) {
    await runShard(await dir.write(`${i}.jsonl`, prompts(2 * i, 2 * i + 2)), `${output}/`, {});
  }
  await runShard(await dir.write("4.jsonl", prompts(8, 9)), `${outputs[0]}/`, {});
  const report = await mergeRuns({ outputs, output: dir.path("a/x.jsonl"), tidy: true });
  const folders = outputs.map((output) => `${output}/.retort/shards/`);
  assertEquals([report.movedFolders, report.movedTo], [folders, folders[2]]);
});

Deno.test("the next merge with --tidy adds new runs to the output in their folder, and moves only these", async () => {
  await using dir = await tempDir();
  const out = dir.path("out/");
  // Another spelling of the same file.
  const output = dir.path("out/../out/all.jsonl");
  const names = ["a.jsonl", "b.jsonl", "c.jsonl"];
  for (const [i, name] of names.entries()) {
    await runShard(await dir.write(name, prompts(2 * i, 2 * i + 2)), out, {});
    const report = await mergeRuns({ outputs: out, output, tidy: true, replace: i > 0 });
    assertEquals([report.succeeded, report.movedTo !== null], [2 * i + 2, true]);
    assertEquals((await dir.names("out")).filter((name) => name.endsWith(".jsonl")), [
      "all.jsonl",
      "all_error.jsonl",
    ]);
  }
  const alone = await mergeRuns({ outputs: out, output, tidy: true, replace: true });
  assertEquals([alone.succeeded, alone.movedTo], [6, null]);
  const inputs = names.map((name) => dir.path(name));
  assertEquals((await runShard(inputs, output, {})).asked, []);
});

Deno.test("with --limit, results of surplus samples are kept, and those of later rows are counted", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 12));
  await runShards(input, dir.path("out/"), 2, { generator: { samples: 2 } });
  await runShards(input, dir.path("out/"), 2, { generator: { samples: 1 } });
  const output = dir.path("all/in.jsonl");
  const report = await mergeRuns({ outputs: dir.path("out"), output, limit: 8 });
  assertEquals([report.total, report.succeeded, report.surplus], [8, 8, 8]);
  assertEquals([report.beyondLimit, (await dir.rows("all/in.jsonl")).length], [8, 16]);
  // With the shards moved away, the next run would pay for those of later rows again.
  const tidying = { outputs: dir.path("out"), output: dir.path("out/in.jsonl"), tidy: true };
  await assertRejects(() => mergeRuns({ ...tidying, limit: 8 }), UsageError, "8 results");
  assertEquals(await dir.exists("out/in.jsonl"), false);
  assertEquals((await mergeRuns(tidying)).succeeded, 12);
});

Deno.test("failures of rows beyond --limit are not moved away: the next run would send them again", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 10));
  await runShards(input, dir.path("out/"), 2, { refused: ["p8", "p9"] });
  const options = { outputs: dir.path("out"), output: dir.path("out/in.jsonl"), tidy: true };
  const merging = (limit: number) => mergeRuns({ ...options, limit });
  await assertRejects(() => merging(8), UsageError, "limit: 2 failures of");
  await assertRejects(() => merging(7), UsageError, "limit: 1 result and 2 failures of");
  assertEquals((await merging(10)).failed, 2);
  assertEquals((await runShard(input, options.output, {})).asked, []);
});

Deno.test("with --limit, shards of later rows need not have run, and those of uncounted rows are refused", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 40));
  await runShard(input, dir.path("out/"), { shard: { index: 0, count: 4 }, limit: 5 });
  const merge = (name: string) =>
    mergeRuns({ outputs: dir.path(name), output: dir.path(`all-${name}/in.jsonl`), limit: 5 });
  const report = await merge("out");
  assertEquals([report.problems, report.succeeded], [[], 5]);
  for (const [name, from] of [["a", 0], ["b", 10]] as const) {
    const lines = prompts(from, from + 10).map((row) => `${JSON.stringify(row)}\n`);
    await dir.write(`zip/${name}.jsonl.gz`, gzipSync(lines.join("")));
  }
  await runShards(dir.path("zip"), dir.path("2/"), 2);
  await assertRejects(() => merge("2"), UsageError, "whose rows are not counted");
});

Deno.test("a join takes rescued lines, too, and results that are called undefined.jsonl hide no others", async () => {
  await using dir = await tempDir();
  const inputs = [
    await dir.write("a.jsonl", prompts(0, 6)),
    await dir.write("undefined.jsonl", []),
  ];
  await runShard(inputs, dir.path("out/"), { refused: ["p5"], allowEmpty: true });
  const [kept, moved] = splitLines(await dir.read("out/a.jsonl"), 3);
  await dir.write("out/a.jsonl", kept);
  await dir.write("out/a.rescued-1.jsonl", moved);
  await Deno.rename(dir.path("out/a_error.jsonl"), dir.path("out/a_error.rescued-1.jsonl"));
  const output = dir.path("all/a.jsonl");
  const joined = await mergeRuns({ outputs: dir.path("out"), output, proof: false });
  assertEquals([joined.succeeded, joined.failed, joined.duplicatesOfRuns], [5, 1, 0]);
  assertEquals((await runShard(inputs[0], output, {})).asked, []);
});

Deno.test("rescued lines are not left out of a partial merge, whose next run would pay for them again", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 8));
  const shard = { index: 1, count: 2 }, refused = ["p7"];
  await runShards(input, dir.path("out/"), 2, { refused });
  const merge = { outputs: dir.path("out"), output: dir.path("all/in.jsonl"), partial: true };
  for (const kind of ["", "_error"]) {
    const file = `out/in-00001-of-00002${kind}`, rescued = `${file}.rescued-1.jsonl`;
    await Deno.rename(dir.path(`${file}.jsonl`), dir.path(rescued));
    await dir.write(`${file}.jsonl`, "");
    const { results, problems } = await mergeRuns(merge);
    assertEquals([results, problems.at(-1)?.kind], [null, "damaged"]);
    assertStringIncludes(problems.at(-1)!.message, rescued);
    // What the message says helps.
    assertEquals((await runShard(input, dir.path("out/"), { shard })).asked, []);
  }
  assertEquals((await mergeRuns(merge)).succeeded, 7);
});

function splitLines(text: string, at: number): [string, string] {
  const lines = text.split(/(?<=\n)/);
  return [lines.slice(0, at).join(""), lines.slice(at).join("")];
}

Deno.test("rows that were edited since they were answered are counted, and their answers kept", async () => {
  await using dir = await tempDir();
  const rows = prompts(0, 30).map((row, i) => ({ id: `${i}`, ...row }));
  const input = await dir.write("in.jsonl", rows);
  await runShards(input, dir.path("out/"), 2, { generator: { samples: 2 }, refused: ["p3"] });
  const edited = rows.map((row, i) => i % 10 === 3 ? { ...row, prompt: `P${i}` } : row);
  await dir.write("in.jsonl", edited);
  // An edit of the same size within two seconds counts as none if a time may have been rounded.
  const later = new Date(Date.now() + 60_000);
  await Deno.utime(input, later, later);
  const output = dir.path("all.jsonl");
  const report = await mergeRuns({ outputs: dir.path("out"), output });
  assertEquals([report.succeeded, report.failed, report.changed], [58, 2, 3]);
  const [{ changed }] = await verify({ input, output });
  assertEquals(changed, 3);
});

Deno.test("an input is read once more, not for each of its rows, if a later run has them in another form", async () => {
  await using dir = await tempDir();
  const rows = prompts(0, 40).map((row, i) => ({ id: `${i}`, ...row }));
  const a = await dir.write("a.jsonl", rows);
  const b = await dir.write("b.jsonl", rows.map(({ id, prompt }) => ({ prompt, id })));
  await runShard(a, dir.path("1/"), {});
  await runShard(b, dir.path("2/"), {});
  using opened = countOpens(a);
  const outputs = [dir.path("1/"), dir.path("2/")];
  const report = await mergeRuns({ outputs, output: dir.path("all.jsonl") });
  assertEquals([report.duplicatesOfRuns, report.clashCount], [40, 0]);
  assert(opened.count < 10, `${opened.count} times`);
});

/** Counts how often a file is opened. */
function countOpens(path: string): Disposable & { count: number } {
  const { open } = Deno;
  const opened = { count: 0, [Symbol.dispose]: () => void (Deno.open = open) };
  Deno.open = (one, options) => {
    if (one === path) opened.count++;
    return open(one, options);
  };
  return opened;
}

Deno.test("all results of surplus samples are kept where they fill many blocks", async () => {
  await using dir = await tempDir();
  const long = "x".repeat(20_000);
  const rows = Array.from({ length: 40 }, (_, i) => ({ prompt: `${i} ${long}` }));
  const input = await dir.write("in.jsonl", rows);
  for (const samples of [1, 3, 1]) {
    await runShards(input, dir.path("out/"), 2, { generator: { samples } });
  }
  const report = await mergeRuns({ outputs: dir.path("out"), output: dir.path("all/in.jsonl") });
  assertEquals([report.succeeded, report.surplus, report.problems], [40, 80, []]);
  const merged = await dir.rows("all/in.jsonl");
  assertEquals([merged.length, new Set(merged.map(({ uid }) => uid)).size], [120, 120]);
});

Deno.test("a merge that waits begins when the last shard is done, and does not wait for one that was halted", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 20));
  await runShard(input, dir.path("out/"), { shard: { index: 0, count: 2 } });
  const output = dir.path("all/in.jsonl");
  const seen = Promise.withResolvers<WaitProgress>();
  const onWait = seen.resolve;
  const waiting = mergeRuns({ outputs: dir.path("out"), output, waitMs: Infinity, onWait });
  assertEquals(await seen.promise, { done: 1, runs: 2 });
  const second = { shard: { index: 1, count: 2 } };
  const halted = { ...second, generator: { concurrency: 1, maxCompletionTokens: 5 }, tokens: 5 };
  const { summary } = await runShard(input, dir.path("out/"), halted);
  assertEquals(summary.state, "halted");
  const refused = await waiting;
  // Without the wait, the kind would be "missing".
  assertEquals(refused.problems.map(({ run, kind }) => [run, kind]), [
    ["shard 1 of 2", "unfinished"],
  ]);
  await runShard(input, dir.path("out/"), second);
  const merged = await mergeRuns({ outputs: dir.path("out"), output, waitMs: Infinity });
  assertEquals([merged.succeeded, merged.problems], [20, []]);
});

Deno.test("a merge that waits does so for a plan file that its mount does not show yet", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 20));
  for (const index of [0, 1]) {
    await runShard(input, dir.path("out/"), { shard: { index, count: 2 } });
  }
  const plan = dir.path("out/.retort/in.shards-2.json"), hidden = dir.path("plan.json");
  await Deno.rename(plan, hidden);
  const options = { outputs: dir.path("out"), output: dir.path("all/in.jsonl") };
  await assertRejects(() => mergeRuns(options), UsageError, "without the plan file");
  const onWait = () => Deno.renameSync(hidden, plan);
  const merged = await mergeRuns({ ...options, waitMs: Infinity, onWait });
  assertEquals([merged.succeeded, merged.problems], [20, []]);
});

Deno.test("a merge that waits sets no timer for a time that has passed: Deno would warn the user", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 4));
  await runShard(input, dir.path("out/"), { shard: { index: 0, count: 2 } });
  const { setTimeout } = globalThis;
  const times: unknown[] = [];
  globalThis.setTimeout = ((callback: () => void, ms: number) => {
    times.push(ms);
    return setTimeout(callback, ms);
  }) as typeof setTimeout;
  try {
    const waitMs = 100, end = performance.now() + waitMs;
    const onWait = () => {
      while (performance.now() < end + 20) times.length = 0;
    };
    const options = { outputs: dir.path("out"), output: dir.path("all/in.jsonl"), waitMs, onWait };
    assertEquals((await mergeRuns(options)).problems.length, 1);
  } finally {
    globalThis.setTimeout = setTimeout;
  }
  assertEquals(times, [0]);
});

Deno.test("a merge that waits for a job ends when a shard of it cannot start, and ignores earlier jobs", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 20));
  const shard = (index: number, job: string) => ({ index, count: 2, job });
  const halted = { generator: { concurrency: 1, maxCompletionTokens: 5 }, tokens: 5 };
  await runShard(input, dir.path("out/"), { shard: shard(1, "first"), ...halted });
  const options = { outputs: dir.path("out"), output: dir.path("all/in.jsonl"), waitMs: Infinity };
  const first = await mergeRuns({ ...options, job: "first" });
  assertEquals(first.results, null);
  // In the second job it has not been started again yet.
  const waiting = mergeRuns({ ...options, job: "second" });
  await runShard(input, dir.path("out/"), { shard: shard(0, "second") });
  await runShard(input, dir.path("out/"), { shard: shard(1, "second") });
  assertEquals((await waiting).succeeded, 20);
  // A third job cannot run the second of its shards: its input has changed.
  const other = await dir.write("other.jsonl", prompts(0, 20));
  const late = mergeRuns({ ...options, outputs: dir.path("out2"), replace: true, job: "third" });
  await runShard(other, dir.path("out2/"), { shard: shard(0, "third") });
  await dir.write("other.jsonl", prompts(0, 21));
  await assertRejects(
    () => runShard(other, dir.path("out2/"), { shard: shard(1, "third") }),
    SourceError,
    "it has changed",
  );
  const { problems, inputChanges } = await late;
  assertEquals(problems.map(({ kind }) => kind), ["missing"]);
  assertStringIncludes(inputChanges[0], "other.jsonl");
  const absent = mergeRuns({
    ...options,
    outputs: dir.path("out3/x.jsonl"),
    job: "fourth",
    replace: true,
  });
  const none = { shard: shard(1, "fourth") };
  await assertRejects(() => runShard(dir.path("none.jsonl"), dir.path("out3/"), none), SourceError);
  await assertRejects(() => absent, UsageError, "there are no runs in it");
});

Deno.test("a merge refuses an output that it cannot write before it waits, not after all rows were paid for", async () => {
  await using dir = await tempDir();
  await dir.write("file", "");
  const answers = await dir.write("all/in.jsonl", '{"uid":"a"}\n');
  // A folder in place of a file: a folder without write permission would not stop root.
  await Deno.mkdir(dir.path("locked/in.lock"), { recursive: true });
  const onWait = () => {
    throw new Error("it waits");
  };
  const merge = (output: string) =>
    mergeRuns({ outputs: dir.path("out"), output, waitMs: Infinity, onWait });
  await assertRejects(
    () => merge(dir.path("file/in.jsonl")),
    UsageError,
    "Cannot create the folder",
  );
  await assertRejects(() => merge(dir.path("locked/in.jsonl")), SinkError, "Cannot write");
  await assertRejects(() => merge(answers), UsageError, "it is not empty");
});

Deno.test("a merge that waits for an output ignores other runs in its folder", async () => {
  await using dir = await tempDir();
  const inputs = await Promise.all(
    ["a", "b"].map((name) => dir.write(`${name}.jsonl`, prompts(0, 20))),
  );
  const halted = { generator: { concurrency: 1, maxCompletionTokens: 5 }, tokens: 5 };
  await runShard(inputs[0], dir.path("out/"), halted);
  const output = dir.path("all/b.jsonl");
  const waiting = mergeRuns({ outputs: dir.path("out/b.jsonl"), output, waitMs: 10_000 });
  await runShards(inputs[1], dir.path("out/"), 2);
  assertEquals((await waiting).succeeded, 20);
});

Deno.test("only a shard that can never start ends the wait for its job", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 20));
  const shard = { index: 1, count: 2, job: "first" };
  const results = dir.path("out/in-00001-of-00002.jsonl");
  const stateAfter = async (error: unknown) => {
    await writeFailedStatus(results, shard, error);
    return (await readStatus(statusPathOf(results)))?.state;
  };
  // Schedulers start the shard again after these errors.
  const [path, unknown] = ["out", new Error("unexpected")];
  for (const error of [new SinkError("no space", { path }), unknown]) {
    assertEquals(await stateAfter(error), undefined);
  }
  assertEquals(await stateAfter(new UsageError("no key")), "failed");
  await Deno.remove(statusPathOf(results));
  await Deno.mkdir(results);
  await assertRejects(() => runShard(input, dir.path("out/"), { shard }), UsageError, "a folder");
  assertEquals((await readStatus(statusPathOf(results)))?.state, "failed");
});

Deno.test("a shard that its scheduler starts again after a disk error does not end the wait for its job", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 20)), output = dir.path("out/");
  const results = dir.path("out/in-00001-of-00002.jsonl");
  const first = { index: 0, count: 2, job: "first" }, second = { ...first, index: 1 };
  await runShard(input, output, { shard: first });
  const removing = (generator: ResponseGenerator) => {
    generator.on(({ type }) => {
      if (type === "run-start") Deno.removeSync(results);
    });
  };
  await assertRejects(
    () => runShard(input, output, { shard: second, prepare: removing }),
    SinkError,
  );
  const status = await readStatus(statusPathOf(results));
  assertEquals([status?.ended, status?.state], [true, "failed"]);
  const options = { outputs: output, output: dir.path("all/in.jsonl"), waitMs: Infinity };
  const seen = Promise.withResolvers<WaitProgress>();
  const waiting = mergeRuns({ ...options, job: "first", onWait: seen.resolve });
  assertEquals(await seen.promise, { done: 1, runs: 2 });
  // Without a scheduler, no one starts the shard again.
  const refused = await mergeRuns({ ...options, output: dir.path("other/in.jsonl") });
  assertEquals(refused.problems[0].kind, "unfinished");
  await runShard(input, output, { shard: second });
  assertEquals((await waiting).succeeded, 20);
});

Deno.test("a shard whose input changes while it runs ends the wait for its job", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 20)), output = dir.path("out/");
  const shard = { index: 1, count: 2, job: "first" };
  const changing = (generator: ResponseGenerator) => {
    generator.on(({ type }) => {
      if (type === "run-start") Deno.writeTextFileSync(input, '{"prompt":"other"}\n');
    });
  };
  await assertRejects(() => runShard(input, output, { shard, prepare: changing }), SourceError);
  const onWait = () => {
    throw new Error("it waits");
  };
  const options = { outputs: output, output: dir.path("all/in.jsonl"), waitMs: Infinity, onWait };
  assertEquals((await mergeRuns({ ...options, job: "first" })).results, null);
});

Deno.test("lines are copied from the files that were read, also if a retry replaces one meanwhile", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 10));
  await runShards(input, dir.path("out/"), 2, { refused: ["p1", "p3"] });
  const failures = "out/in-00000-of-00002_error.jsonl";
  const before = await dir.rows(failures);
  await dir.write("retried.jsonl", before.slice(1));
  const { signal } = new AbortController();
  // Called for each block that is read: first of the results, then of the failures.
  let calls = 0;
  signal.throwIfAborted = () => {
    if (++calls === 2) Deno.renameSync(dir.path("retried.jsonl"), dir.path(failures));
  };
  const output = dir.path("all/in.jsonl");
  const { failed } = await mergeRuns({ outputs: dir.path("out"), output, signal });
  assertEquals([failed, await dir.rows("all/in_error.jsonl")], [2, before]);
  assertEquals((await dir.rows(failures)).length, 1);
});

Deno.test("a compressed input next to its results is not taken for a compressed copy of them", async () => {
  await using dir = await tempDir();
  const lines = new TextEncoder().encode(
    prompts(0, 2).map((row) => `${JSON.stringify(row)}\n`).join(""),
  );
  const input = await dir.write("in.jsonl.gz", gzipSync(lines));
  // A link is the same file.
  await Deno.symlink(dir.root, dir.path("link"));
  await runShard(input, dir.path("link/"), { refused: ["p0", "p1"] });
  const merged = await mergeRuns({ outputs: dir.path("in.jsonl"), output: dir.path("m/in.jsonl") });
  assertEquals([merged.failed, merged.problems], [2, []]);
  const { asked } = await runShard(input, dir.path("link/"), { retry: true });
  assertEquals(asked.toSorted(), ["p0", "p1"]);
});

for (const extension of ["gz", "zst", "zstd"]) {
  Deno.test(`results that were compressed as .${extension} are named by a merge, and not paid for again`, async () => {
    await using dir = await tempDir();
    const input = await dir.write("in.jsonl", prompts(0, 10));
    await runShards(input, dir.path("out/"), 2);
    const results = dir.path("out/in-00001-of-00002.jsonl");
    const copy = `${results}.${extension}`;
    await Deno.rename(results, copy);
    const { problems } = await mergeRuns({
      outputs: dir.path("out"),
      output: dir.path("all/in.jsonl"),
      partial: true,
    });
    assertEquals(problems.map(({ run, kind }) => [run, kind]), [["shard 1 of 2", "damaged"]]);
    const join = { outputs: dir.path("out"), output: dir.path("all/in.jsonl"), proof: false };
    await assertRejects(() => mergeRuns(join), DamagedFileError, `"${copy}" is a compressed copy`);
    await Deno.rename(dir.path("out/.retort"), dir.path("moved"));
    await assertRejects(() => mergeRuns(join), UsageError, `${copy}", which is compressed`);
    await Deno.rename(dir.path("moved"), dir.path("out/.retort"));
    const shard = { index: 1, count: 2 };
    const again = await assertRejects(
      () => runShard(input, dir.path("out/"), { shard }),
      UsageError,
      copy,
    );
    for (const message of [problems[0].message, again.message]) {
      assertStringIncludes(message, "ecompress the copy");
    }
    // An empty file is not missing.
    await Deno.writeTextFile(results, "");
    const merge = await mergeRuns({ outputs: dir.path("out"), output: dir.path("all/in.jsonl") });
    assertStringIncludes(merge.problems[0].message, "holds no answers");
  });
}

for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test(`${signal} ends a merge, and one that waits, without leaving files`, async () => {
    await using dir = await tempDir();
    const input = await dir.write("in.jsonl", prompts(0, 10));
    await runShard(input, dir.path("out/"), { shard: { index: 0, count: 2 } });
    const handlers = new Map<string, () => void>();
    let said = "";
    const io = {
      env: () => undefined,
      writeErr(text: string) {
        said += text;
        if (!text.startsWith("Waiting")) return;
        // `deno task` forwards a signal twice: without a handler, the second would kill this.
        handlers.get(signal)!();
        handlers.get(signal)!();
      },
      onSignal: (name: string, handler: () => void) => {
        handlers.set(name, handler);
        return () => handlers.delete(name);
      },
    } as unknown as Io;
    const stopped = async (...flags: string[]) => {
      const words = ["merge", dir.path("out"), "-o", dir.path("all/in.jsonl"), ...flags];
      const merging = mergeCommand(parseCommandLine(words), io);
      if (!flags.includes("--wait")) handlers.get(signal)!();
      return await merging;
    };
    assertEquals(await stopped("--wait"), code);
    assertEquals(said, "Waiting: 1 of 2 runs is done\nStopped: no complete output was written\n");
    await runShard(input, dir.path("out/"), { shard: { index: 1, count: 2 } });
    assertEquals(await stopped(), code);
    assertEquals(await dir.exists("all"), false);
    // Until the process ends, a second signal finds a handler. Without a first one, none is left.
    assertEquals(handlers.size, 3);
    handlers.clear();
    const merge = ["merge", dir.path("out"), "-o", dir.path("all/in.jsonl")];
    assertEquals([
      await mergeCommand(parseCommandLine(merge), { ...io, writeOut() {} }),
      handlers.size,
    ], [0, 0]);
  });
}

Deno.test("a merge ignores borders without answers, and each choice that it names works", async () => {
  await using dir = await tempDir();
  const a = await dir.write("a.jsonl", prompts(0, 10));
  const b = await dir.write("b.jsonl", prompts(10, 20));
  const out = dir.path("out/"), output = dir.path("all.jsonl");
  for (const count of [2, 3, 4]) {
    const place = { stem: dir.path("out/a"), isNamed: true, wholeResults: [] };
    await planFor(place, [a], count);
  }
  const merge = (outputs: string, shards?: number) =>
    mergeRuns({ outputs, output, shards, replace: true });
  const nothing = await assertRejects(() => merge(out), UsageError, "holds 3 sets of shards");
  assertStringIncludes(nothing.message, `out/a.jsonl --shards 2, or `);
  await assertRejects(
    () => merge(out, 5),
    UsageError,
    "Use --shards 2 or --shards 3 or --shards 4",
  );
  await assertRejects(() => merge(out, 1), UsageError, "Cannot find 1 shard in");
  await runShards(a, out, 3);
  assertEquals((await merge(out)).succeeded, 10);
  await runShards(b, out, 2);
  const { message } = await assertRejects(() => merge(out), UsageError, "Cannot tell which shards");
  const choices = message.split("Name one: ")[1].split(", or ");
  assertEquals(choices, [`${dir.path("out/a.jsonl")}`, `${dir.path("out/b.jsonl")}`]);
  for (const choice of choices) assertEquals((await merge(choice)).succeeded, 10);
  // Runs beside borders that no shard has used.
  await planFor({ stem: dir.path("2/c"), isNamed: true, wholeResults: [] }, [a], 2);
  await runShard(b, dir.path("2/b.jsonl"), {});
  assertEquals((await merge(dir.path("2/"))).succeeded, 10);
  // A merge that waits does so for the shards, and does not take the other runs instead.
  const waiting = { outputs: dir.path("2/"), output: dir.path("w.jsonl"), waitMs: 1 };
  const { problems } = await mergeRuns(waiting);
  assertEquals(problems.map(({ kind }) => kind), ["missing", "missing"]);
  // A shard whose results are gone has been used.
  await Deno.copyFile(dir.path("2/b.run.json"), dir.path("2/c-00000-of-00002.run.json"));
  await assertRejects(() => merge(dir.path("2/")), UsageError, "and other runs");
});

Deno.test("each command that a refused merge advises works when pasted", async () => {
  await using dir = await tempDir();
  const input = await dir.write("it's in.jsonl", prompts(0, 10));
  const out = dir.path("o u't/");
  await runShard(input, out, { shard: { index: 1, count: 2 } });
  const merge = async (...words: string[]) => {
    let said = "";
    const io = {
      env: () => undefined,
      program: "distill",
      writeErr: (text: string) => said += text,
      onSignal: () => () => {},
    } as unknown as Io;
    try {
      await mergeCommand(parseCommandLine(["merge", ...words]), io);
    } catch (error) {
      said += (error as Error).message;
    }
    return said;
  };
  const own = `${out}it's in.jsonl`, elsewhere = `${out}merged/it's in.jsonl`;
  assertStringIncludes(
    await merge(out, "-o", dir.path("all")),
    `such as -o ${dir.path("all.jsonl")}`,
  );
  assertStringIncludes(await merge(out, "-o", own, "--partial"), `-o ${shellWord(elsewhere)}`);
  const [, command] = (await merge(out, "-o", own, "--tidy")).split("\n  ").slice(1);
  const words = await shellWords(command.split("\n")[0]);
  assertEquals(words, ["distill", "merge", out, "--partial", "-o", elsewhere]);
  const merged = await merge(...words.slice(2));
  assertStringIncludes(merged, "Merged 2 runs");
  assertStringIncludes(merged, `without --shard and with -o ${shellWord(elsewhere)}. First`);
  assertStringIncludes(merged, "cancel jobs of these runs");
  const refused = await merge(out, "-o", elsewhere, "--replace");
  const again = await shellWords(refused.split("\n").find((line) => line.startsWith("  distill"))!);
  assertStringIncludes(await merge(...again.slice(2)), "Merged 2 runs");
  const { asked } = await runShard(input, elsewhere, {});
  assertEquals(asked.length + (await runShard(input, elsewhere, {})).asked.length, 5);
});

Deno.test("results without a run file, and missing inputs, are refused with advice", async () => {
  await using dir = await tempDir();
  const a = await dir.write("a.jsonl", prompts(0, 10)),
    b = await dir.write("b.jsonl", prompts(10, 15));
  for (const input of [a, b]) await runShard(input, dir.path("out/"), {});
  await Deno.remove(dir.path("out/b.run.json"));
  const merge = (proof: boolean) =>
    mergeRuns({ outputs: dir.path("out/"), output: dir.path("all.jsonl"), proof, replace: true });
  await assertRejects(() => merge(true), UsageError, 'there is no "b.run.json"');
  assertEquals((await merge(false)).succeeded, 15);
  await Deno.remove(dir.path("out/b.jsonl"));
  await Deno.remove(a);
  await assertRejects(() => merge(true), SourceError, "or add --no-proof");
  assertEquals((await merge(false)).succeeded, 10);
});

Deno.test("a merge says what to do without an input, by an absolute and by a relative path", async () => {
  await using dir = await tempDir();
  const path = await dir.write("in.jsonl", prompts(0, 6));
  const inputs = [path, relative(Deno.cwd(), path)];
  for (const [index, input] of inputs.entries()) {
    await runShards(input, dir.path(`out${index}/`), 2);
  }
  await Deno.remove(path);
  const messages = await Promise.all(inputs.map(async (_, index) => {
    const options = { outputs: dir.path(`out${index}`), output: dir.path(`all${index}.jsonl`) };
    return (await assertRejects(() => mergeRuns(options), SourceError)).message;
  }));
  for (const [index, input] of inputs.entries()) {
    // On Windows, the folder may be on another drive than the current one.
    const problem = isAbsolute(input)
      ? "no such file. Put it back, continue a run of it under its current path"
      : `no such file in "${Deno.cwd()}". Merge in the folder that the runs were started in`;
    assertStringIncludes(messages[index], `": ${problem}, or add --no-proof`);
  }
});

Deno.test("the advice about an output without runs is about that output, not about its neighbors", async () => {
  await using dir = await tempDir();
  await dir.write("x.jsonl", prompts(0, 2));
  const merge = (name: string) =>
    mergeRuns({ outputs: dir.path(name), output: dir.path("all/x.jsonl") });
  const advice = "Name the output of the shards, or ";
  await assertRejects(() => merge("x.jsonl"), UsageError, `${advice}add --no-proof`);
  await assertRejects(() => merge("y.jsonl"), UsageError, `${advice}a folder of results`);
});
