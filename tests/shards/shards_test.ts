/** Tests of lib/shards/ and of runs of one shard. @module */

import {
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { join } from "../../lib/deps/std_path.ts";
import { SourceError, UsageError } from "../../lib/errors.ts";
import { shellWord } from "../../lib/printable.ts";
import { verify } from "../../lib/run/mod.ts";
import { mergeRuns } from "../../lib/merge/mod.ts";
import {
  changeOf,
  divide,
  type OwnOutput,
  planFor,
  readPlan,
  rowsBefore,
} from "../../lib/shards/mod.ts";
import type { ResponseGenerator } from "../../lib/response_generator.ts";
import { delay } from "../../lib/timer.ts";
import { POSIX } from "../support/process.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { prompts, runShard, runShards, type ShardRun, slowClock } from "./fixture.ts";

function outputOf(stem: string): OwnOutput {
  return { stem, isNamed: false, wholeResults: [] };
}

/** Writes a Parquet file with a row group for each prompt. */
async function writeParquet(path: string, prompts: string[]): Promise<void> {
  const { ByteWriter, ParquetWriter } = await import("../../lib/deps/hyparquet_writer.ts");
  const column = { type: "BYTE_ARRAY" as const, converted_type: "UTF8" as const };
  const schema = [{ name: "root", num_children: 1 }, { name: "prompt", ...column }];
  const writer = new ByteWriter();
  const table = new ParquetWriter({ writer, schema });
  table.write({ columnData: [{ name: "prompt", data: prompts }], rowGroupSize: 1 });
  table.finish();
  await Deno.writeFile(path, writer.getBytes());
}

/** Runs every shard and returns the answered rows of each. */
async function runAll(
  dir: TempDir,
  input: string | string[],
  count: number,
  options: ShardRun = {},
) {
  const rows: Record<string, unknown>[][] = [];
  for (const summary of await runShards(input, dir.path("out/"), count, options)) {
    const [{ results }] = summary.files;
    rows.push(await dir.rows(results.slice(dir.root.length + 1)));
  }
  return rows;
}

Deno.test("shards share the rows of an input and have files of their own", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 100));
  const rows = await runAll(dir, input, 3);
  assertEquals(rows.flat().length, 100);
  assertEquals(new Set(rows.flat().map(({ prompt }) => prompt)).size, 100);
  const [{ distill }] = rows[1] as { distill: { source: string } }[];
  assertEquals(distill.source, `${input}:${rows[0].length + 1}`);
  assertEquals((await dir.names("out")).filter((name) => name.includes("00001")), [
    "in-00001-of-00003.jsonl",
    "in-00001-of-00003.lock",
    "in-00001-of-00003.run.json",
    "in-00001-of-00003_error.jsonl",
  ]);
  const again = await runShard(input, dir.path("out/"), { shard: { index: 1, count: 3 } });
  assertEquals([again.asked, again.summary.pending], [[], 0]);
  const { identity } = JSON.parse(await dir.read("out/in-00001-of-00003.run.json"));
  assertEquals(identity.shards, 3);
});

Deno.test("several files are one sequence, and their bad rows keep their places", async () => {
  await using dir = await tempDir();
  await dir.write("in/part-2.jsonl", prompts(0, 30));
  await dir.write("in/part-10.jsonl", [...prompts(30, 40), { no: 1 }, ...prompts(40, 60)]);
  const rows = await runAll(dir, dir.path("in"), 4, { skipBadRows: true });
  const numbers = rows.flat().map(({ prompt }) => Number(String(prompt).slice(1)));
  assertEquals(numbers.toSorted((a, b) => a - b), Array.from({ length: 60 }, (_, i) => i));
  const failures = await Promise.all(
    [0, 1, 2, 3].map((i) => dir.rows(`out/in-0000${i}-of-00004_error.jsonl`)),
  );
  assertEquals(failures.flat().map(({ uid }) => uid), [
    `bad_row:${join(dir.path("in"), "part-10.jsonl")}:11`,
  ]);
  const [again] = await runAll(dir, dir.path("in"), 4, { skipBadRows: true });
  assertEquals(again, rows[0]);
});

Deno.test("a shard does not start with other settings than a shard that has answers", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 40)), output = dir.path("out/");
  const run = (index: number, options: ShardRun) =>
    runShard(input, output, { shard: { index, count: 4 }, ...options });
  const hot: ShardRun = { generator: { params: { temperature: 1 } } };
  await run(0, {});
  for (const index of [1, 3]) {
    const error = await assertRejects(() => run(index, hot), UsageError, "different settings");
    assertStringIncludes(
      error.message,
      `shard ${index}/4: answers in "${output}in-00000-of-00004.jsonl"`,
    );
    assertStringIncludes(error.message, '  params: {} before, {"temperature":1} now');
    assertStringIncludes(error.message, "add --allow-mixed here and --no-proof to the merge");
  }
  // An unreadable run file is the business of its own shard.
  await Deno.writeTextFile(dir.path("out/in-00000-of-00004.run.json"), "{");
  await run(1, {});
  await run(2, {});
  const restart = { ...hot, resume: false, overwrite: true };
  const message = "to start all shards over, add --allow-mixed";
  await assertRejects(() => run(3, restart), UsageError, message);
  const restarted = await run(3, { ...restart, allowMixed: true });
  assertEquals(restarted.summary.pending, 0);
});

Deno.test("--limit counts over the whole input, and a shard without rows is done", async () => {
  await using dir = await tempDir();
  const input = await dir.write(
    "in.jsonl",
    ["", ...prompts(0, 40)].map((row) => row === "" ? {} : row),
  );
  await dir.write(
    "in.jsonl",
    `\n \n${prompts(0, 40).map((row) => JSON.stringify(row)).join("\n\n")}`,
  );
  const rows = await runAll(dir, input, 4, { limit: 12 });
  assertEquals(
    rows.flat().map(({ prompt }) => prompt).toSorted(),
    [
      ...prompts(0, 12).map(({ prompt }) => prompt),
    ].toSorted(),
  );
  assertEquals(rows[3], []);
});

Deno.test("the rows before each of many shards are counted in one pass over the inputs", async () => {
  await using dir = await tempDir();
  await dir.write("in.jsonl", prompts(0, 2));
  const plan = await divide([dir.path("in.jsonl")], 1);
  const count = 200, [input] = plan.inputs;
  let reads = 0;
  const counted = {
    ...input,
    get end() {
      reads++;
      return input.end;
    },
  };
  const manyInputs = Array.from({ length: count }, () => counted);
  const starts = Array.from({ length: count }, (_, input) => ({ ...plan.starts[0], input }));
  const before = rowsBefore({ ...plan, shards: count, inputs: manyInputs, starts });
  assertEquals(before, starts.map(({ input }) => input * 2));
  assertEquals(reads < 5 * count, true, `${reads} reads`);
});

Deno.test("a changed input, other inputs and other reading options are refused", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 10));
  const shard = { index: 0, count: 2 };
  const output = dir.path("out/in.jsonl");
  const time = new Date("2031-05-06T07:08:09.123Z"), later = new Date("2031-05-06T07:08:09.124Z");
  await Deno.utime(input, time, time);
  await runShard(input, output, { shard });
  for (const changed of [new Date(0), later, new Date("2031-05-06T07:08:11Z")]) {
    await Deno.utime(input, changed, changed);
    await assertRejects(
      () => runShard(input, output, { shard }),
      SourceError,
      `instead of ${time.toISOString()}). Restore it and its time (touch -d ${time.toISOString()} ${input})`,
    );
  }
  // Some file servers store whole seconds, exFAT 10 ms, and FAT 2 s, rounded up by Windows.
  for (const second of ["09", "09.120", "08", "10"]) {
    const rounded = new Date(`2031-05-06T07:08:${second}Z`);
    await Deno.utime(input, rounded, rounded);
    await runShard(input, output, { shard });
  }
  const other = await dir.write("other.jsonl", prompts(0, 10));
  await assertRejects(() => runShard(other, output, { shard }), UsageError, "made for other files");
  await assertRejects(
    () => runShard(other, dir.path("x/"), { shard, generator: { duplicates: "keep" } }),
    UsageError,
    "--duplicates keep",
  );
  await assertRejects(() => runShard("-", dir.path("x/"), { shard }), UsageError, '"-"');
  await assertRejects(
    () => runShard(other, dir.path("x/"), { shard: { index: 2, count: 2 } }),
    RangeError,
    "index from 0 to count - 1",
  );
});

Deno.test("shards that start at once scan the input once, and incomplete borders are written again", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 200));
  const planPath = await dir.write("out/.retort/in.shards-4.json", '{"retort":"0.1.0","sha');
  const runs = await Promise.all(
    [0, 1, 2, 3].map((index) => runShard(input, dir.path("out/"), { shard: { index, count: 4 } })),
  );
  assertEquals(runs.flatMap(({ asked }) => asked).length, 200);
  const plan = await readPlan(planPath);
  assertEquals(plan?.starts.map(({ rows }) => rows).at(-1), 200 - runs[3].asked.length);
  for (const inputs of [[{ ...plan!.inputs[0], end: undefined }], [null]]) {
    await Deno.writeTextFile(planPath, JSON.stringify({ ...plan, inputs }));
    assertEquals(await readPlan(planPath), undefined);
  }
});

async function gzip(dir: TempDir, name: string, text: string): Promise<string> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  await dir.write(name, new Uint8Array(await new Response(stream).arrayBuffer()));
  return dir.path(name);
}

Deno.test("compressed files are not divided, each shard gets at least one, and more shards are refused", async () => {
  await using dir = await tempDir();
  const line = (row: unknown) => `${JSON.stringify(row)}\n`;
  const inputs = [
    await gzip(dir, "a.jsonl.gz", prompts(0, 500).map(line).join("")),
    await gzip(dir, "b.jsonl.gz", line({ prompt: "b" })),
    await gzip(dir, "c.jsonl.gz", line({ prompt: "c" })),
  ];
  const { starts } = await divide(inputs, 3);
  assertEquals(starts.map(({ input }) => input), [0, 1, 2]);
  const refused = await assertRejects(() => divide(inputs, 4), SourceError);
  assertStringIncludes(refused.message, "Use at most 3 shards, or convert the input, and name");
  const parquet = dir.path("d.parquet");
  await writeParquet(parquet, ["d", "e"]);
  const mixed = await assertRejects(() => divide([...inputs, parquet], 6), SourceError);
  assertStringIncludes(mixed.message, "there are 5, row groups of Parquet included. Use at most 5");
  const rows = await runAll(dir, inputs, 3);
  assertEquals(rows.map(({ length }) => length), [500, 1, 1]);
  for (const index of [0, 1]) {
    await assertRejects(
      () => runShard(inputs, dir.path("out/"), { limit: 5, shard: { index, count: 3 } }),
      UsageError,
      "--limit",
    );
  }
});

Deno.test("an input that cannot be divided is converted into one file elsewhere: beside the originals, a folder would hold rows twice", async () => {
  await using dir = await tempDir();
  const lines = prompts(0, 4).map((row) => `${JSON.stringify(row)}\n`).join("");
  await Deno.mkdir(dir.path("in"));
  await gzip(dir, "in/a.jsonl.gz", lines);
  const convertedBy = async (...input: string[]) => {
    const shard = { index: 0, count: 3 };
    const run = () => runShard(input, dir.path("out/"), { shard });
    const { message } = await assertRejects(run, SourceError);
    return message.slice(message.indexOf("retort convert "));
  };
  const folder = dir.path("in"), file = dir.path("in/a.jsonl.gz"), pattern = dir.path("in/*.gz");
  assertEquals(await convertedBy(`${folder}/`), `retort convert ${folder}/ -o ${folder}.jsonl`);
  assertEquals(await convertedBy(file), `retort convert ${file} -o ${dir.path("in/a.jsonl")}`);
  assertEquals(await convertedBy(pattern), `retort convert ${shellWord(pattern)} -o all.jsonl`);
  const other = await gzip(dir, "b.jsonl.gz", lines);
  assertEquals(await convertedBy(file, other), `retort convert ${file} ${other} -o all.jsonl`);
});

Deno.test("Parquet without row groups is divided into empty shards, as are other formats without rows", async () => {
  await using dir = await tempDir();
  await Deno.mkdir(dir.path("in"));
  await writeParquet(dir.path("in/a.parquet"), []);
  const input = dir.path("in/");
  assertEquals(await runAll(dir, input, 3), [[], [], []]);
  await writeParquet(dir.path("in/b.parquet"), ["b", "c"]);
  const advice = await assertRejects(
    () => divide([dir.path("in/a.parquet"), dir.path("in/b.parquet")], 3),
    SourceError,
  );
  assertStringIncludes(advice.message, "Use at most 2 shards");
});

Deno.test("a missing input is refused with the message of a run without shards, before any folder is created", async () => {
  await using dir = await tempDir();
  await dir.write("in.jsonl", prompts(0, 1));
  const shard = { index: 0, count: 2 };
  for (
    const [input, words] of [
      ["in.jsonk", 'no such file. Did you mean "'],
      ["*.csv", "no input file matches it as a pattern"],
    ] as const
  ) {
    const work = () => runShard(dir.path(input), dir.path("out/"), { shard });
    await assertRejects(work, SourceError, words);
  }
  assertEquals(await dir.exists("out"), false);
});

Deno.test({
  name:
    "only users who may read the inputs of a shard may read its results, however long the names are",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using dir = await tempDir();
    const input: string[] = [];
    for (const letter of ["a", "b"]) {
      // Joined by a comma, the names are longer than a file name may be.
      const path = await dir.write(`${letter.repeat(249)}.jsonl`, [{ prompt: letter }]);
      await Deno.chmod(path, 0o600);
      input.push(path);
    }
    await runShard(input, dir.path("out.jsonl"), { shard: { index: 0, count: 2 } });
    const { mode } = await Deno.stat(dir.path("out-00000-of-00002.jsonl"));
    assertEquals(mode! & 0o777, 0o600);
  },
});

Deno.test("--max-cost is divided by rows, and what a shard has spent counts in its next run", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 100));
  // Each answer costs a dollar.
  const options = {
    shard: { index: 1, count: 4 },
    tokens: 1_000_000,
    generator: { maxCostUsd: 40, priceIn: 0, priceOut: 1, concurrency: 1 },
  };
  const first = await runShard(input, dir.path("out/"), { ...options, limit: 30 });
  assertEquals(first.summary.state, "done");
  const spent = first.asked.length;
  const second = await runShard(input, dir.path("out/"), options);
  assertEquals(second.summary.state, "halted");
  assertMatch(
    second.summary.reason!,
    /^All runs of this shard have cost \S+ of \$10\.00, its share of the limit of \$40\.00 \(--max-cost\)/,
  );
  assertEquals([10, 11].includes(spent + second.asked.length), true, `${spent}`);
  const third = await runShard(input, dir.path("out/"), options);
  assertEquals([third.summary.state, third.asked.length], ["halted", 0]);
  const status = JSON.parse(await dir.read("out/.retort/in-00001-of-00004.status.json"));
  assertEquals([status.ended, status.state, status.shard], [true, "halted", [1, 4]]);
  const before = spent + second.asked.length;
  assertEquals(status.spent_usd, before);
  // A budget that is set during the run, as on the page, is that of all shards too.
  const caps: unknown[] = [];
  const fourth = await runShard(input, dir.path("out/"), {
    ...options,
    prepare: (generator) =>
      void generator.on((event) => {
        if (event.type === "run-start") generator.setMaxCost(80);
        if (event.type !== "snapshot") return;
        caps.push([event.max_cost_usd, event.budget_usd, event.min_budget_usd]);
      }),
  });
  assertEquals(fourth.summary.state, "halted");
  assertEquals([20, 21].includes(before + fourth.asked.length), true);
  assertEquals(caps.at(-1), [20 - before, 80, 4 * (before + fourth.asked.length)]);
});

Deno.test("with --max-cost, a shard without rows is done, and --limit leaves no share to later rows", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 100));
  const options = {
    limit: 10,
    tokens: 1_000_000,
    generator: { maxCostUsd: 20, priceIn: 0, priceOut: 1, concurrency: 1 },
  };
  const summaries = await runShards(input, dir.path("out/"), 20, options);
  assertEquals(new Set(summaries.map(({ state }) => state)), new Set(["done"]));
  assertEquals(summaries.reduce((rows, { total }) => rows + total, 0), 10);
  const single = await dir.write("single.jsonl", prompts(0, 1));
  const states = await runShards(single, dir.path("out/"), 3, options);
  assertEquals(states.map(({ state, total }) => [state, total]), [
    ["done", 1],
    ["done", 0],
    ["done", 0],
  ]);
});

Deno.test("a retry of chosen rows says which of them are not in its shard", async () => {
  await using dir = await tempDir();
  const input = await dir.write(
    "in.jsonl",
    prompts(0, 20).map((row, i) => ({ id: `${i}`, ...row })),
  );
  const shard = { index: 0, count: 2 }, said: string[] = [];
  await runShard(input, dir.path("out/"), { shard, refused: ["p0", "p1"] });
  const { asked } = await runShard(input, dir.path("out/"), {
    ...{ shard, retry: true, uids: ["0", "19"] },
    prepare: (generator) =>
      void generator.on((event) => event.type === "notice" && said.push(event.message)),
  });
  assertEquals(asked, ["p0"]);
  assertStringIncludes(said.join("\n"), '--uids has 1 id that no row of this shard has: "19"');
});

Deno.test("an input that is gone is reported as an input, not as an output", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 9));
  const { inputs: [planned] } = await divide([input], 2);
  assertEquals(await changeOf(input, planned), undefined);
  await Deno.remove(input);
  await assertRejects(() => changeOf(input, planned), SourceError, "no such file");
});

Deno.test("answers of shards are not paid for again by another number of shards", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 10));
  const output = dir.path("out/");
  // The borders alone are no reason: nothing has been paid for.
  await planFor(outputOf(dir.path("out/in")), [input], 4);
  await runShard(input, output, { shard: { index: 1, count: 2 } });
  for (const shard of [{ index: 0, count: 3 }, { index: 0, count: 4 }, undefined]) {
    const other = () => runShard(input, output, { shard });
    const { message } = await assertRejects(other, UsageError, "answers of 2 shards");
    assertStringIncludes(message, "in-00001-of-00002.jsonl");
  }
  const one = () => runShard(input, output, { shard: { index: 0, count: 1 } });
  await assertRejects(one, UsageError, 'in.jsonl" in 1 shard: ');
  await assertRejects(() => verify({ input, output }), UsageError, "Verify each shard");
  // A refused shard is not shown as a failed one of the output.
  const statuses = (await dir.names("out/.retort")).filter((name) => name.endsWith(".status.json"));
  assertEquals(statuses, ["in-00001-of-00002.status.json"]);
  await runShard(input, output, { shard: { index: 0, count: 2 } });
  // Those of another input in the same folder do not count.
  const second = await dir.write("in-2.jsonl", prompts(0, 10));
  await runShard(second, output, { shard: { index: 0, count: 3 } });
});

Deno.test("answers of a run over the whole input are not paid for again by shards", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 10));
  const second = await dir.write("second.jsonl", prompts(10, 20));
  const shard = { index: 1, count: 2 };
  const output = dir.path("out/");
  await planFor(outputOf(dir.path("out/in")), [input], 2);
  await runShard(input, output, { limit: 3 });
  for (const inputs of [input, [input, second]]) {
    const { message } = await assertRejects(() => runShard(inputs, output, { shard }), UsageError);
    assertStringIncludes(message, `out/in.jsonl" holds answers of a run without --shard`);
  }
  // A power cut may leave a line of zeros.
  const results = await dir.read("out/in.jsonl");
  await dir.write("out/in.jsonl", `\0\0\n${results}`);
  await assertRejects(() => runShard(input, output, { shard }), UsageError, "holds answers");
  await dir.write("out/in.jsonl", results);
  // The results of one run may be the input of another.
  await runShard(dir.path("out/in.jsonl"), output, { shard: { index: 0, count: 3 } });
});

Deno.test("answers of shards over several files are not paid for again by a run without --shard", async () => {
  await using dir = await tempDir();
  const a = await dir.write("a.jsonl", prompts(0, 10));
  const b = await dir.write("b.jsonl", prompts(10, 20));
  await runShard([a, b], dir.path("out/"), { shard: { index: 1, count: 2 } });
  const whole = () => runShard([a, b], dir.path("out/"), {});
  await assertRejects(whole, UsageError, "hold answers of 2 shards");
});

Deno.test("answers of shards over one file are not paid for again by a run over several", async () => {
  await using dir = await tempDir();
  const a = await dir.write("a.jsonl", prompts(0, 10));
  const b = await dir.write("b.jsonl", prompts(10, 20));
  await runShard(a, dir.path("out/"), {});
  await runShards(b, dir.path("out/"), 2);
  for (const inputs of [[a, b], [b, a]]) {
    const { message } = await assertRejects(
      () => runShard(inputs, dir.path("out/"), {}),
      UsageError,
    );
    assertStringIncludes(message, "hold answers of 2 shards");
  }
  // The merged answers count.
  const output = dir.path("out/b.jsonl");
  await mergeRuns({ outputs: output, output, tidy: true });
  assertEquals((await runShard([a, b], dir.path("out/"), {})).asked, []);
});

Deno.test("answers of shards over a folder are not paid for again by way of another path to one of its files", async () => {
  await using dir = await tempDir();
  const x = await dir.write("in/x.jsonl", prompts(0, 10));
  await dir.write("in/y.jsonl", prompts(10, 20));
  const copy = await dir.write("copy/x.jsonl", prompts(0, 10));
  const unlike = await dir.write(
    "unlike/x.jsonl",
    prompts(5, 15).map(({ prompt }) => ({ prompt: prompt.slice(-2).padStart(2, "q") })),
  );
  await Deno.symlink(x, dir.path("link.jsonl"));
  const output = dir.path("out/");
  await runShard(dir.path("in"), output, { shard: { index: 0, count: 2 } });
  const shard = { index: 0, count: 3 };
  for (const input of [x, dir.path("link.jsonl"), copy, dir.path("in/*.jsonl")]) {
    for (const options of [{}, { shard }]) {
      const { message } = await assertRejects(() => runShard(input, output, options), UsageError);
      assertStringIncludes(message, "hold answers of 2 shards", input);
    }
  }
  // The same in another working directory, where the paths in the borders lead nowhere.
  const borders = dir.path("out/.retort/in.shards-2.json");
  const plan = await Deno.readTextFile(borders);
  await Deno.writeTextFile(borders, plan.replaceAll(dir.path("in/"), "elsewhere/"));
  await assertRejects(() => runShard(x, output, {}), UsageError, "hold answers of 2 shards");
  await Deno.writeTextFile(borders, plan);
  assertEquals((await Deno.stat(unlike)).size, (await Deno.stat(x)).size);
  assertEquals((await runShard(unlike, output, {})).asked.length, 10);
  // Named results, as of another model, are another output.
  assertEquals((await runShard(x, dir.path("out/other-model.jsonl"), {})).asked.length, 10);
});

Deno.test("answers of shards over one file are not paid for again by shards of its folder", async () => {
  await using dir = await tempDir();
  const x = await dir.write("in/x.jsonl", prompts(0, 10));
  await dir.write("in/y.jsonl", prompts(10, 20));
  const output = dir.path("out/"), shard = { index: 0, count: 2 };
  await runShards(x, output, 2);
  const folder = () => runShard(dir.path("in"), output, { shard });
  await assertRejects(folder, UsageError, "out/x.jsonl");
  await mergeRuns({ outputs: output, output: dir.path("all/x.jsonl"), tidy: true });
  await assertRejects(folder, UsageError, "hold answers of 2 shards");
  await assertRejects(() => runShard(x, output, {}), UsageError, "hold answers of 2 shards");
});

Deno.test("the merged answers to a folder are not paid for again by its files or by new shards", async () => {
  await using dir = await tempDir();
  await dir.write("in/x.jsonl", prompts(0, 10));
  await dir.write("in/y.jsonl", prompts(10, 20));
  const input = dir.path("in"), output = dir.path("all/in.jsonl");
  await runShards(input, dir.path("out/"), 2);
  await mergeRuns({ outputs: dir.path("out/"), output });
  for (const shard of [undefined, { index: 0, count: 2 }]) {
    const again = () => runShard(input, dir.path("all/"), { shard });
    const { message } = await assertRejects(again, UsageError, "would be paid for again");
    assertStringIncludes(message, `-o ${output}`);
  }
  // A run over one of the files does not make it the only one.
  assertEquals((await runShard(dir.path("in/x.jsonl"), output, {})).asked, []);
  const again = () => runShard(input, dir.path("all/"), {});
  await assertRejects(again, UsageError, "would be paid for again");
  assertEquals((await runShard(input, output, {})).asked, []);
});

Deno.test("a run over one input of a merge does not pay again for its rows, also where they are only rescued", async () => {
  await using dir = await tempDir();
  const [a, b, c] = [
    await dir.write("a.jsonl", prompts(0, 5)),
    await dir.write("b.jsonl", prompts(5, 10)),
    await dir.write("c.jsonl", prompts(10, 12)),
  ];
  const all = dir.path("all/"), output = dir.path("all/both.jsonl");
  await runShard([a, b], dir.path("out/"), {});
  await mergeRuns({ outputs: dir.path("out/"), output });
  const copy = await dir.write("copy/b.jsonl", prompts(5, 10));
  const refusedAll = async () => {
    for (const input of [a, b, [c, b], copy]) {
      for (const shard of [undefined, { index: 0, count: 2 }]) {
        const again = () => runShard(input, all, { shard });
        const { message } = await assertRejects(again, UsageError, "would be paid for again");
        assertStringIncludes(message, `-o ${output}`);
      }
    }
  };
  await refusedAll();
  await Deno.rename(output, dir.path("all/both.rescued-1.jsonl"));
  await refusedAll();
  await Deno.rename(dir.path("all/both.rescued-1.jsonl"), output);
  // Other rows are not refused, not even those of a file of the same name.
  const namesake = await dir.write("other/a.jsonl", prompts(20, 23));
  assertEquals((await runShard([c, namesake], all, {})).asked.length, 5);
  assertEquals((await runShard([c, namesake], all, {})).asked, []);
  assertEquals((await runShard([a, b], output, {})).asked, []);
});

Deno.test("a run over some inputs of a merge leaves the others in its run file, and adds new ones", async () => {
  await using dir = await tempDir();
  const [x, y, c, d] = await Promise.all(
    ["x", "y", "c", "d"].map((name, i) => dir.write(`in/${name}.jsonl`, prompts(3 * i, 3 * i + 3))),
  );
  const output = dir.path("all/all.jsonl");
  await runShards([x, y, c], dir.path("out/"), 2);
  await mergeRuns({ outputs: dir.path("out/"), output });
  const inputsNow = async () => JSON.parse(await dir.read("all/all.run.json")).inputs;
  await runShard([x, y], output, {});
  assertEquals(await inputsNow(), [x, y, c]);
  assertEquals((await runShard([x, d], output, {})).asked.length, 3);
  assertEquals(await inputsNow(), [x, y, c, d]);
  assertEquals((await runShard([x, y, c, d], output, {})).asked, []);
  assertEquals(await inputsNow(), [x, y, c, d]);
});

Deno.test("answers that a merge has moved away are not paid for again, nor those of a run that continued it", async () => {
  await using dir = await tempDir();
  const inputs = [
    await dir.write("a.jsonl", prompts(0, 5)),
    await dir.write("b.jsonl", prompts(5, 10)),
  ];
  const output = dir.path("out/"), shard = { index: 0, count: 3 };
  await runShard(inputs, output, {});
  await mergeRuns({ outputs: output, output: dir.path("out/all.jsonl"), tidy: true });
  const refusedAll = async (words: string) => {
    for (const input of [inputs, inputs[0]]) {
      for (const options of [{}, { shard }]) {
        await assertRejects(() => runShard(input, output, options), UsageError, words);
      }
    }
  };
  await refusedAll(`-o ${dir.path("out/all.jsonl")}`);
  await Deno.rename(dir.path("out/all.run.json"), dir.path("elsewhere"));
  await refusedAll("a merge has moved its answers");
  await Deno.rename(dir.path("elsewhere"), dir.path("out/all.run.json"));
  const more = await dir.write("c.jsonl", prompts(10, 12));
  assertEquals((await runShard(more, output, {})).asked.length, 2);
  // The merge of the first rows is continued. The shards lack the answers of the others.
  const input = await dir.write("x.jsonl", prompts(20, 40)), merged = dir.path("some/x.jsonl");
  await runShards(input, dir.path("some/"), 2, { limit: 15 });
  await mergeRuns({ outputs: merged, output: merged, tidy: true, limit: 15 });
  assertEquals((await runShard(input, merged, {})).asked.length, 5);
  const again = () => runShard(input, dir.path("some/"), { shard });
  const { message } = await assertRejects(again, UsageError, "hold answers of 2 shards");
  assertStringIncludes(message, `run the inputs of those shards with -o ${merged}`);
  assertEquals(message.includes("retort merge"), false);
});

Deno.test("answers that a merge has moved away are found whether the output ends in .jsonl or .ndjson", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in/a.jsonl", prompts(0, 5)), output = dir.path("out/");
  await runShard(input, dir.path("out/a.ndjson"), {});
  await mergeRuns({ outputs: output, output: dir.path("out/all.jsonl"), tidy: true });
  const again = () => runShard(input, output, {});
  await assertRejects(again, UsageError, "a merge has moved its answers");
});

Deno.test("the advice for moved shards does not name their input as the merged results", async () => {
  await using dir = await tempDir();
  const input = await dir.write("out/in.jsonl", prompts(0, 10)), output = dir.path("out/");
  await runShards(input, output, 2);
  await mergeRuns({ outputs: input, output: dir.path("out/all.jsonl"), tidy: true });
  const again = () => runShard(input, output, { shard: { index: 0, count: 3 } });
  const { message } = await assertRejects(again, UsageError, "hold answers of 2 shards");
  assertEquals(message.includes(`-o ${input}`), false);
  assertStringIncludes(message, "run their inputs with -o and the path of the merged results");
});

Deno.test("rescued lines are answers even if the results are gone", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 10));
  const first = { shard: { index: 0, count: 2 } }, other = { shard: { index: 0, count: 3 } };
  await runShard(input, dir.path("out/"), first);
  const shard = dir.path("out/in-00000-of-00002");
  await Deno.rename(`${shard}.jsonl`, `${shard}.rescued-1.jsonl`);
  for (const options of [{}, other]) {
    const again = () => runShard(input, dir.path("out/"), options);
    await assertRejects(again, UsageError, "hold answers of 2 shards");
  }
  assertEquals((await runShard(input, dir.path("out/"), first)).asked, []);
  const whole = dir.path("all/in");
  await runShard(input, dir.path("all/"), {});
  await Deno.rename(`${whole}.jsonl`, `${whole}.rescued-1.jsonl`);
  const again = () => runShard(input, dir.path("all/"), other);
  await assertRejects(again, UsageError, "holds answers of a run without --shard");
  assertEquals((await runShard(input, dir.path("all/"), {})).asked, []);
});

Deno.test(
  "rows that another division is sending, or has sent before its borders were lost, are not paid for twice",
  POSIX,
  async () => {
    await using dir = await tempDir();
    const input = await dir.write("in.jsonl", prompts(0, 10)), output = dir.path("out/");
    const shard = { index: 0, count: 2 }, other = { index: 0, count: 3 };
    const refusedBoth = async (words: string) => {
      for (const options of [{}, { shard: other }]) {
        await assertRejects(() => runShard(input, output, options), UsageError, words);
      }
    };
    // What a run has done when it sends its first row.
    const results = await dir.write("out/in-00000-of-00002.jsonl", "");
    await planFor(outputOf(dir.path("out/in")), [input], 2);
    {
      using file = await Deno.open(results, { append: true });
      await file.lock(true);
      await refusedBoth("If both runs were refused, start one of them again");
    }
    await runShard(input, output, { shard });
    await Deno.remove(dir.path("out/.retort"), { recursive: true });
    await refusedBoth("hold answers of 2 shards");
    assertEquals((await runShard(input, output, { shard })).asked, []);
    // Files of a dataset with such a name are no shards.
    const part = await dir.write("train-00000-of-00002.jsonl", prompts(20, 25));
    await runShard(part, output, {});
    const train = await dir.write("train.jsonl", prompts(20, 25));
    assertEquals((await runShard(train, output, {})).asked.length, 5);
  },
);

for (const kind of ["jsonl", "csv", "json"]) {
  Deno.test(`where borders are lost, rows of ${kind} that a changed input moves to another shard are not paid for twice`, async () => {
    await using dir = await tempDir();
    const write = (to: number) => {
      const rows = prompts(0, to), texts = rows.map((row) => JSON.stringify(row));
      const text = kind === "jsonl"
        ? texts.join("\n")
        : kind === "json"
        ? `[${texts.join(",\n")}]`
        : `prompt\n${rows.map(({ prompt }) => `"${prompt}"`).join("\n")}`;
      return dir.write(`in.${kind}`, text);
    };
    const input = await write(40), output = dir.path("out/");
    await runShards(input, output, 3);
    const lose = () => Deno.remove(dir.path("out/.retort"), { recursive: true });
    await lose();
    await write(40);
    for (const index of [0, 1, 2]) {
      assertEquals((await runShard(input, output, { shard: { index, count: 3 } })).asked, []);
    }
    await lose();
    await write(46);
    for (const index of [0, 1, 2]) {
      const run = () => runShard(input, output, { shard: { index, count: 3 } });
      const { message } = await assertRejects(run, SourceError, "would be in another shard");
      assertStringIncludes(message, `merge ${shellWord(dir.path("out/in.jsonl"))} --no-proof -o `);
    }
    const merged = dir.path("out/merged/in.jsonl");
    // The input may be in the folder of the shards.
    await dir.write("out/in.jsonl", prompts(0, 46));
    await mergeRuns({ outputs: dir.path("out/in.jsonl"), output: merged, proof: false });
    const { asked } = await runShard(input, merged, {});
    assertEquals(asked, prompts(40, 46).map(({ prompt }) => prompt));
  });
}

Deno.test("answers of shards are not paid for twice where only their results were copied", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 12));
  await runShards(input, dir.path("out/"), 3);
  await Deno.mkdir(dir.path("copy"));
  for (const name of ["00000", "00001", "00002"].map((index) => `in-${index}-of-00003.jsonl`)) {
    await Deno.copyFile(dir.path(`out/${name}`), dir.path(`copy/${name}`));
  }
  // A file of a dataset with such a name holds no answers.
  await dir.write("copy/other-00000-of-00002.jsonl", prompts(0, 5));
  const copy = dir.path("copy/");
  for (const options of [{}, { shard: { index: 0, count: 2 } }]) {
    const run = () => runShard(input, copy, options);
    await assertRejects(run, UsageError, "hold answers of 3 shards");
  }
  assertEquals((await runShard(input, copy, { shard: { index: 2, count: 3 } })).asked, []);
  const other = await dir.write("other.jsonl", prompts(20, 23));
  assertEquals((await runShard(other, copy, {})).asked.length, 3);
});

for (const kind of ["files", "a folder", "a pattern"]) {
  Deno.test(`answers of shards over ${kind} are found by their inputs where the borders are lost`, async () => {
    await using dir = await tempDir();
    const [a, b] = [
      await dir.write("in/a.jsonl", prompts(0, 10)),
      await dir.write("in/b.jsonl", prompts(10, 20)),
    ];
    const output = dir.path("out/"), shard = { index: 1, count: 3 };
    const folder = dir.path("in/"), pattern = dir.path("in/*.jsonl");
    const own = kind === "files" ? [a, b] : kind === "a folder" ? folder : pattern;
    await runShard(own, output, { shard });
    await Deno.remove(dir.path("out/.retort"), { recursive: true });
    const others: [string | string[], ShardRun][] = [
      [a, {}],
      [b, { shard }],
      [[a, b], {}],
      [kind === "files" ? folder : [a, b], { shard }],
      [[b, a], { shard }],
      [folder, {}],
      [own, { shard: { index: 0, count: 2 } }],
    ];
    for (const [input, options] of others) {
      const run = () => runShard(input, output, options);
      await assertRejects(run, UsageError, "hold answers of 3 shards");
    }
    assertEquals((await runShard(own, output, { shard })).asked, []);
    const other = await dir.write("other/a.jsonl", prompts(30, 33));
    assertEquals((await runShard(other, output, {})).asked.length, 3);
  });
}

Deno.test("a run is refused if it would send failed rows of another division, or of a run over whole files, again", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 4)), output = dir.path("out/");
  const refused = prompts(0, 4).map(({ prompt }) => prompt);
  const shard = { index: 0, count: 2 }, other = { index: 1, count: 3 };
  await runShard(input, output, { shard, refused });
  for (const options of [{}, { shard: other }]) {
    const { message } = await assertRejects(() => runShard(input, output, options), UsageError);
    assertStringIncludes(message, '_error.jsonl" and others hold failed rows of 2 shards');
  }
  assertEquals((await runShard(input, output, { shard, retry: true })).asked.length, 2);
  await assertRejects(() => runShard(input, output, {}), UsageError, "hold answers of 2 shards");
  const whole = dir.path("whole/");
  await runShard(input, whole, { refused, limit: 2 });
  const { message } = await assertRejects(() => runShard(input, whole, { shard }), UsageError);
  assertStringIncludes(message, 'in_error.jsonl" holds failed rows of a run without --shard');
});

Deno.test("the shards of the folder `.` are not hidden files", async () => {
  await using dir = await tempDir();
  await dir.write("in/a.jsonl", prompts(0, 4));
  await dir.write("in/b.jsonl", prompts(4, 8));
  const shard = { index: 0, count: 2 }, folder = dir.path("in");
  for (const [i, input] of [".", "./", "./*.jsonl", "../in/../*/*.jsonl"].entries()) {
    const { summary } = await runShard(`${folder}/${input}`, dir.path(`out${i}/`), { shard });
    assertEquals(summary.files[0].results, dir.path(`out${i}/input-00000-of-00002.jsonl`));
  }
  const several = [`${folder}/.`, dir.path("in/a.jsonl"), dir.path("in/b.jsonl")];
  const { summary } = await runShard(several, dir.path("out/"), { shard });
  assertEquals(summary.files[0].results, dir.path("out/input-and-2-more-00000-of-00002.jsonl"));
});

Deno.test("the shards of the folder `.` keep the names that an earlier version gave them", async () => {
  await using dir = await tempDir();
  await dir.write("in/a.jsonl", prompts(0, 4));
  await dir.write("in/b.jsonl", prompts(4, 8));
  const output = dir.path("out/"), input = `${dir.path("in")}/.`;
  await runShard(input, output, { shard: { index: 0, count: 2 } });
  for (const path of [".retort/input.shards-2.json", ...await shardFilesIn(output)]) {
    await Deno.rename(`${output}${path}`, `${output}${path.replace("input", ".")}`);
  }
  const { summary } = await runShard(input, output, { shard: { index: 1, count: 2 } });
  assertEquals(summary.files[0].results, dir.path("out/.-00001-of-00002.jsonl"));
});

async function shardFilesIn(folder: string): Promise<string[]> {
  const files = await Array.fromAsync(Deno.readDir(folder));
  return files.map(({ name }) => name).filter((name) => name.startsWith("input-"));
}

for (const [kind, stem] of [["files", "a, b-and-1-more"], ["a folder", "in, and"]]) {
  Deno.test(`lost borders: ${kind} with relative names and commas are found from another folder`, async () => {
    await using dir = await tempDir();
    const named = [
      await dir.write("in, and/a, b.jsonl", prompts(0, 10)),
      await dir.write("in, and/c.jsonl", prompts(10, 20)),
    ];
    const output = dir.path("out/"), shard = { index: 1, count: 3 };
    await runShard(kind === "files" ? named : dir.path("in, and"), output, { shard });
    await Deno.remove(dir.path("out/.retort"), { recursive: true });
    const refused = async (input: string) => {
      const run = () => runShard(input, output, {});
      await assertRejects(run, UsageError, "hold answers of 3 shards", input);
    };
    for (const input of named) await refused(input);
    // As if the run had been started in the folder `dir`.
    const runJson = dir.path(`out/${stem}-00001-of-00003.run.json`);
    const text = await Deno.readTextFile(runJson);
    const relative = text.replaceAll(dir.path(""), "");
    await Deno.writeTextFile(runJson, relative);
    for (const input of named) await refused(input);
    // A file of the same name elsewhere is another one.
    const other = await dir.write("other/c.jsonl", prompts(30, 33));
    assertEquals((await runShard(other, output, {})).asked.length, 3);
    if (kind !== "files") return;
    // A crash has left no summary, so the folder is not known, and the name decides.
    await Deno.writeTextFile(runJson, JSON.stringify({ ...JSON.parse(relative), summary: null }));
    await refused(named[0]);
  });
}

Deno.test("answers are not paid for twice where borders without answers are lost, or results end in .ndjson", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 6)), output = dir.path("out/");
  await runShard(input, output, { shard: { index: 0, count: 2 }, limit: 1 });
  await Deno.remove(dir.path("out/.retort"), { recursive: true });
  await Deno.truncate(dir.path("out/in-00000-of-00002.jsonl"));
  await runShard(input, output, {});
  const shard = { index: 1, count: 2 };
  await assertRejects(() => runShard(input, output, { shard }), UsageError, "without --shard");
  const ndjson = dir.path("2/in.ndjson");
  await runShard(input, ndjson, {});
  const { message } = await assertRejects(
    () => runShard(input, dir.path("2/"), { shard }),
    UsageError,
  );
  assertStringIncludes(message, `-o ${ndjson}`);
  // The results of one run may be the input of another, with such a name, too.
  assertEquals((await runShard(ndjson, dir.path("2/"), { shard })).asked.length, 3);
});

Deno.test("an empty file, a merge of other files and shards that start at once are no reason to refuse a run", async () => {
  await using dir = await tempDir();
  const output = dir.path("out/");
  await dir.write("1/in/a.jsonl", prompts(0, 3));
  await dir.write("1/in/b.jsonl", prompts(3, 6));
  await dir.write("1/in/empty.jsonl", "");
  await dir.write("2/in/c.jsonl", prompts(10, 15));
  await dir.write("2/in/empty.jsonl", "");
  await runShards(dir.path("1/in"), output, 2);
  assertEquals((await runShard(dir.path("2/in"), output, {})).asked.length, 5);
  await dir.write("3/in/d.jsonl", prompts(20, 22));
  await dir.write("3/in/e.jsonl", prompts(22, 24));
  await mergeRuns({
    outputs: dir.path("out/in.jsonl"),
    output: dir.path("out/in.jsonl"),
    tidy: true,
  });
  assertEquals((await runShard(dir.path("3/in"), output, {})).asked.length, 4);
  // The results of an earlier run are empty, and all shards look at them.
  const input = await dir.write("x.jsonl", prompts(0, 40));
  await dir.write("all/x.jsonl", "");
  const shards = Array.from({ length: 20 }, (_, index) => ({ index, count: 20 }));
  const runs = shards.map((shard) => runShard(input, dir.path("all/"), { shard }));
  assertEquals((await Promise.all(runs)).flatMap(({ asked }) => asked).length, 40);
});

Deno.test("the advice for a changed input works", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 10)), output = dir.path("out/");
  await runShards(input, output, 2);
  await dir.write("in.jsonl", [...prompts(0, 9), { prompt: "new" }]);
  const again = () => runShard(input, output, { shard: { index: 0, count: 2 } });
  const { message } = await assertRejects(again, SourceError, "it has changed since");
  const merged = dir.path("out/merged/in.jsonl");
  assertStringIncludes(message, `out/in.jsonl --shards 2 --no-proof -o ${merged}\nand run`);
  await mergeRuns({ outputs: dir.path("out/in.jsonl"), output: merged, shards: 2, proof: false });
  assertEquals((await runShard(input, merged, {})).asked, ["new"]);
  // Other files are refused with the name that keeps the output the same.
  const files = [
    await dir.write("x/a.jsonl", prompts(0, 5)),
    await dir.write("x/b.jsonl", prompts(5, 10)),
  ];
  await runShard(dir.path("x"), output, { shard: { index: 0, count: 2 } });
  await dir.write("x/c.jsonl", prompts(10, 20));
  const more = () => runShard(dir.path("x"), output, { shard: { index: 1, count: 2 } });
  const refused = await assertRejects(more, UsageError, '"c.jsonl" was not one of them');
  assertStringIncludes(refused.message, `-o ${dir.path("out/x.jsonl")}`);
  const named = dir.path("out/x.jsonl");
  assertEquals((await runShard(files, named, { shard: { index: 1, count: 2 } })).asked.length, 5);
});

for (const delays of [[0, 0, 0], [0, 20, 20], [20, 0, 0], [0, 5, 100]]) {
  Deno.test(`of a run without --shard and shards that start ${delays.join(", ")} ms after each other, one kind runs`, async () => {
    using _clock = slowClock();
    await using dir = await tempDir();
    const input = await dir.write("in.jsonl", prompts(0, 40)), output = dir.path("out/");
    const asked: string[] = [];
    const prepare = (generator: ResponseGenerator) =>
      generator.onOutcomes((rows) => void asked.push(...rows.map(({ row }) => row.uid)));
    const shards = [undefined, { index: 0, count: 2 }, { index: 1, count: 2 }];
    const runs = await Promise.allSettled(shards.map(async (shard, i) => {
      await delay(delays[i]);
      return await runShard(input, output, { shard, prepare });
    }));
    assertEquals(asked.length, new Set(asked).size, "a row was paid for twice");
    const [whole, ...parts] = runs.map(({ status }) => status === "fulfilled");
    assertEquals([parts[0], parts[1]], [!whole, !whole]);
    for (const run of runs) {
      if (run.status === "rejected") assertStringIncludes(run.reason.message, "paid for");
    }
  });
}

Deno.test("a run without --shard is continued while shards of another output in its folder run", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 8)), output = dir.path("out/");
  await runShard(input, output, { limit: 3 });
  const started = Promise.withResolvers<void>(), mayEnd = Promise.withResolvers<void>();
  const validate = async () => {
    started.resolve();
    await mayEnd.promise;
  };
  const named = dir.path("out/other-model.jsonl"), shard = { index: 0, count: 2 };
  const other = runShard(input, named, { shard, generator: { validate } });
  await Promise.race([started.promise, other]);
  try {
    assertEquals((await runShard(input, output, {})).asked.length, 5);
  } finally {
    mayEnd.resolve();
    await other;
  }
});

Deno.test("a shard whose neighbor has answers does not list the folders of its output", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 9)), output = dir.path("out/");
  await runShard(input, output, { shard: { index: 0, count: 3 } });
  const { readDir } = Deno, listed: string[] = [];
  Deno.readDir = (path) => {
    listed.push(String(path));
    return readDir(path);
  };
  try {
    await runShard(input, output, { shard: { index: 2, count: 3 } });
  } finally {
    Deno.readDir = readDir;
  }
  assertEquals(listed.filter((path) => path.startsWith(dir.path("out"))), []);
});

Deno.test("another input with the name of one whose answers a merge has moved away is answered", async () => {
  await using dir = await tempDir();
  const output = dir.path("out/"), shard = { index: 0, count: 2 };
  const first = await dir.write("1/a.jsonl", prompts(0, 5));
  const other = await dir.write("2/a.jsonl", prompts(10, 14));
  await runShard(first, output, {});
  await mergeRuns({ outputs: output, output: dir.path("all/1.jsonl"), tidy: true });
  const copy = await dir.write("3/a.jsonl", prompts(0, 5));
  for (const input of [first, copy]) {
    for (const options of [{}, { shard }]) {
      const again = () => runShard(input, output, options);
      await assertRejects(again, UsageError, "a merge has moved its answers");
    }
  }
  assertEquals((await runShard(other, output, {})).asked.length, 4);
  // The answers that were moved first are not replaced.
  const tidy = { outputs: output, output: dir.path("all/2.jsonl"), tidy: true };
  await assertRejects(() => mergeRuns(tidy), UsageError, "is from an earlier merge");
  assertEquals((await mergeRuns({ ...tidy, tidy: false })).succeeded, 4);
  // An input that was edited since may be copied elsewhere as it was.
  await dir.write("1/a.jsonl", prompts(20, 23));
  const later = new Date(Date.now() + 10_000);
  await Deno.utime(first, later, later);
  await Deno.remove(dir.path("out/a.jsonl"));
  await assertRejects(() => runShard(copy, output, {}), UsageError, "a merge has moved");
  // Without their run file, it is not known which rows they answer.
  await Deno.remove(dir.path("out/.retort/shards/a.run.json"));
  await assertRejects(() => runShard(other, output, {}), UsageError, "a merge has moved");
});
